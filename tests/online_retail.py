"""The Online Retail market, for tests and for trying out; its rules stand in markets/."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from marketplace.models import JobRow, Marketplace
from orders import importing
from orders.models import OrderEvent
from settlements import opening

FIRST_ON = date(2010, 12, 1)
LAST_ON = date(2011, 8, 12)  # the Friday after the last invoice was confirmed
NOW = datetime(2011, 9, 1, tzinfo=UTC)
PRESET = Path(__file__).parent / "markets" / "online-retail.json"


def path(data_dir: Path) -> Path:
    return data_dir / "orders" / "online_retail" / "online_retail_2010-12_2011-07.csv.gz"


def open_market(slug: str = "online-retail") -> Marketplace:
    return opening.open_marketplace(PRESET, slug, first_open_on=FIRST_ON, at=NOW)


def import_file(market: Marketplace, file: Path, **options) -> importing.Imported:
    return importing.import_files(market.pk, "online-retail", [file], by=None, at=NOW, **options)


def rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its number, as the csv module reads the file."""
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8", newline="") as text:
        yield from enumerate(csv.DictReader(text), 2)


def cancels_by_fate(file: Path, job_id: int) -> tuple[int, int, int]:
    """How many cancel rows there are, how many were matched to a sale, how many are listed.

    Of the marketplace in use. A row is listed once, under one head; a matched one is an event.
    """
    numbers = {number for number, row in rows(file) if row["InvoiceNo"].startswith("C")}
    told = JobRow.objects.filter(job_id=job_id, row_number__in=numbers)
    matched = OrderEvent.objects.filter(kind="cancelled")
    return len(numbers), matched.count(), told.values("row_number").distinct().count()
