"""Made-up shops and what they sell, for simulations. Words and prices are in the file beside it."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GOODS: Final = "goods"
IN_APP: Final = "iap"

_SELLER_TYPES: Final = (("individual", "sole_proprietor", "corporation"), (1, 6, 3))


@dataclass(frozen=True, slots=True)
class Shop:
    """A seller. `care` in ppm is how often it ships in time and has what it sells."""

    code: str
    name: str
    seller_type: str
    popularity: int
    care_ppm: int


@dataclass(frozen=True, slots=True)
class Good:
    shop: Shop
    code: str
    title: str
    category_code: str
    unit_price: int
    stream: str
    tax_kind: str

    @property
    def kind(self) -> str:
        return "goods" if self.stream == GOODS else "mini_app"


def stock(
    seed: int, categories: Sequence[tuple[str, str]], *, shops: int, sells_digital: bool
) -> tuple[Good, ...]:
    """Return the goods of all shops; categories are codes and names. The seed decides all."""
    chance = random.Random(seed)  # noqa: S311 (a simulation)
    words = json.loads((Path(__file__).parent / "simulated_goods.json").read_text("utf-8"))
    names = [f"{start}{end}" for start in words["shop_starts"] for end in words["shop_ends"]]
    chance.shuffle(names)
    goods: list[Good] = []
    for number in range(shops):
        types, weights = _SELLER_TYPES
        shop = Shop(
            code=f"SIM{seed}-{number + 1:04}",
            name=_name(names, number),
            seller_type=chance.choices(types, weights)[0],
            # A few sell most: popularity falls with the number.
            popularity=max(10_000 // (10 + 7 * number), 10),
            care_ppm=1_000_000 - min(chance.randrange(150_000) for _ in range(3)),
        )
        kept = chance.sample(list(categories), min(len(categories), chance.randint(1, 3)))
        goods += _goods(shop, kept, words, chance, sells_digital=sells_digital)
    return tuple(goods)


def _name(names: Sequence[str], number: int) -> str:
    """The name of a shop; when all are taken, with a number behind it."""
    turn, at = divmod(number, len(names))
    return f"{names[at]} {turn + 1}" if turn else names[at]


def _goods(
    shop: Shop,
    categories: Sequence[tuple[str, str]],
    words: dict[str, Any],
    chance: random.Random,
    *,
    sells_digital: bool,
) -> Iterator[Good]:
    number = 0
    for code, name in categories:
        known = words["categories"].get(code)
        about = known or words["other"]
        for noun in about["nouns"]:
            number += 1
            look = chance.choice(words["looks"])
            title = f"[{shop.name}] {look} {noun}" if known else f"[{shop.name}] {name} {noun}"
            # The lower of two draws: most things are cheap.
            price = min(chance.randint(about["low"], about["high"]) for _ in range(2))
            stream = IN_APP if sells_digital and chance.random() < 0.6 else GOODS
            tax_kind = "exempt" if about.get("exempt") else "taxable"
            yield Good(
                shop=shop,
                code=f"{shop.code}-{number:03}",
                title=title,
                category_code=code,
                unit_price=max(price // 1_000 * 1_000 - 100, 900),
                stream=stream,
                tax_kind=tax_kind,
            )
