"""What other marketplaces are known to charge, as data: each rate with its source and its day.

Rates of others age quickly. One that is older than a year is not told any more; whoever finds a
newer one replaces it in the file, with where it was read and when.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from marketplace import documents, money
from marketplace.documents import Part

FILE: Final = Path(__file__).with_suffix(".json")
CATEGORY: Final = "category"  # by category of the goods
LIVE: Final = "live"  # on sales of live shows
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Published:
    """A range of rates without VAT, as somebody published it. In parts per million."""

    marketplace: str
    what: str
    from_ppm: int
    to_ppm: int
    as_of: date
    source: str

    def left_of(self, price: int) -> tuple[int, int]:
        """Return what is left of a price, at the highest and at the lowest rate."""
        fees = (money.share(price, rate, money.HALF_UP) for rate in (self.to_ppm, self.from_ppm))
        least, most = (price - fee for fee in fees)
        return least, most


def known(on: date, *, what: str = CATEGORY) -> tuple[Published, ...]:
    """The rates that are no older than a year on a day, in the order of the file."""
    return tuple(rate for rate in _all() if rate.what == what and on < _end(rate.as_of))


def parse(text: str | bytes, name: str) -> tuple[Published, ...]:
    """Read the text of a file of rates; refuses what cannot be used, naming the field."""
    with documents.reading(documents.parse(text, name), name) as part:
        return tuple(_rate(entry) for entry in part.parts("rates"))


@cache
def _all() -> tuple[Published, ...]:
    return parse(FILE.read_bytes(), FILE.name)


def _end(as_of: date) -> date:
    """The first day on which a rate is told no more."""
    months = as_of.year * 12 + as_of.month - 1 + _MONTHS
    return date(months // 12, months % 12 + 1, min(as_of.day, 28))


def _rate(part: Part) -> Published:
    low = part.integer("from_ppm", high=money.MILLION)
    rate = Published(
        marketplace=part.text("marketplace", longest=60),
        what=part.choice("what", (CATEGORY, LIVE)),
        from_ppm=low,
        to_ppm=part.integer("to_ppm", low=low, high=money.MILLION),
        as_of=part.day("as_of"),
        source=part.text("source", longest=200),
    )
    part.done()
    return rate
