"""Made-up people behind made-up shops, for simulations: nobody is called or registered like this.

Values in, values out. Numbers are of ranges that are given to no one: tax office 000, telephone
exchange 000, and mail addresses below “.example”.
"""

import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from settlements.simulated_goods import Shop

HOST_CODE: Final = "-H"  # in the codes of hosts, who follow the shops of a market

_CHECK_WEIGHTS: Final = (1, 3, 7, 1, 3, 7, 1, 3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """Who is behind a shop, and how to reach them."""

    company: str
    representative: str
    business_number: str
    mail_order_report: str
    address: str
    phone: str
    contact_email: str


def business(seed: int, shop: Shop) -> Business:
    chance = random.Random(f"{seed}/{shop.code}/people")  # noqa: S311 (a simulation)
    said = words()
    person = chance.choice(said["family_names"]) + chance.choice(said["given_names"])
    is_person = shop.seller_type == "individual"
    serial = chance.randrange(1, 10_000)
    return Business(
        company=f"주식회사 {shop.name}" if shop.seller_type == "corporation" else shop.name,
        representative=person,
        business_number="" if is_person else _business_number(chance.randrange(1, 1_000_000)),
        mail_order_report="" if is_person else f"제2000-가상-{serial:04}호",
        address=f"{chance.choice(said['places'])} {chance.randint(1, 199)}",
        phone=f"02-000-{chance.randrange(10_000):04}",
        contact_email=f"{shop.code.lower()}@shops.example",
    )


def hosts(seed: int) -> tuple[Shop, ...]:
    """Those who host live shows: persons who sell nothing of their own."""
    return tuple(
        Shop(f"SIM{seed}{HOST_CODE}{number:02}", name, "individual", 0, 1_000_000)
        for number, name in enumerate(words()["hosts"], 1)
    )


def bank_account(shop_code: str) -> str:
    """The number of the account that a shop is paid to."""
    chance = random.Random(f"{shop_code}/account")  # noqa: S311 (a simulation)
    return f"000-{chance.randrange(1_000_000):06}-{chance.randrange(100_000):05}"


@cache
def words() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "simulated_people.json").read_text("utf-8"))


def _business_number(serial: int) -> str:
    digits = f"000{serial:06}"
    total = sum(int(d) * weight for d, weight in zip(digits, _CHECK_WEIGHTS, strict=True))
    total += int(digits[8]) * 5 // 10
    return f"{digits}{-total % 10}"
