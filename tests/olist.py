"""The Olist market, for tests and for trying out: opened, filled and closed as docs/import.md says.

Its rules are its own (markets/olist.json): 12 % of goods and 3.3 % of shipping, both cut, VAT of
10 % apart and rounded half up; confirmed seven days after delivery; paid out on Fridays.
"""

from datetime import UTC, date, datetime
from pathlib import Path

from marketplace.models import Marketplace
from orders import importing
from settlements import nights, opening

FIRST_ON = date(2016, 9, 4)  # of the first order
LAST_ON = date(2018, 7, 6)
NOW = datetime(2018, 7, 8, 3, 0, tzinfo=UTC)
PRESET = Path(__file__).parent / "markets" / "olist.json"
FILES = (
    "olist_sellers_dataset_full",
    "product_category_name_translation",
    "olist_products_dataset_full",
    "olist_orders",
    "olist_order_items",
    "olist_order_payments",
)


def paths(data_dir: Path) -> list[Path]:
    return [data_dir / "orders" / "olist" / f"{name}.csv.gz" for name in FILES]


def open_market(slug: str = "olist") -> Marketplace:
    return opening.open_marketplace(PRESET, slug, first_open_on=FIRST_ON, at=NOW)


def import_all(market: Marketplace, data_dir: Path, **options) -> importing.Imported:
    return importing.import_files(market.pk, "olist", paths(data_dir), by=None, at=NOW, **options)


def close_nights(market: Marketplace, on: date = LAST_ON) -> None:
    nights.close_day(market.pk, on, at=NOW)
