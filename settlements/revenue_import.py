"""Revenue reports from an operator's file, with what became of each row."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from marketplace import audit, tenancy
from marketplace.refusals import Refused
from orders.verdicts import ACCEPTED, REPEATED
from settlements import revenue_files, revenue_reporting
from settlements.models import RevenueVersion
from settlements.revenue_files import Row, Unreadable
from settlements.revenue_reporting import NewReport

_COLUMNS = {"seller_code": "seller"}  # what the file calls a field


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was refused: which, about which column, and why."""

    row: int
    column: str
    refusal: Refused


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a file."""

    accepted: int
    repeated: int
    problems: tuple[Problem, ...]


@transaction.atomic
def import_text(text: str, *, by, at: datetime) -> Imported:
    """Take the reports of a CSV file in; a row that is refused leaves the others alone.

    Raises revenue_files.ColumnsWrong, revenue_files.TooManyRows; nothing is then taken in.
    """
    read = revenue_files.read(text, exponent=tenancy.current().currency_exponent)
    rows = [row for row in read if isinstance(row, Row)]
    told = revenue_reporting.accept_many(
        [_report(row) for row in rows], source=RevenueVersion.Source.FILE, at=at
    )
    problems = [
        Problem(row.number, str(row.refusal.params.get("field", "")), row.refusal)
        for row in read
        if isinstance(row, Unreadable)
    ]
    problems += [
        Problem(row.number, _COLUMNS.get(verdict.field, verdict.field), verdict.refusal)
        for row, verdict in zip(rows, told, strict=True)
        if verdict.refusal is not None
    ]
    results = [verdict.result for verdict in told]
    imported = Imported(
        accepted=results.count(ACCEPTED),
        repeated=results.count(REPEATED),
        problems=tuple(sorted(problems, key=lambda problem: problem.row)),
    )
    counts = {
        "accepted": imported.accepted,
        "repeated": imported.repeated,
        "refused": len(imported.problems),
    }
    audit.record("revenue.imported", by=by, at=at, data=counts)
    return imported


def _report(row: Row) -> NewReport:
    return NewReport(
        seller_code=row.seller,
        stream=row.stream,
        app=row.app,
        on=row.on,
        amount=row.amount,
        version=row.version,
        is_final=row.is_final,
    )
