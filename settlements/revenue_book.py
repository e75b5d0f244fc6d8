"""Reports of revenue as they stand, and what is said anew about them, written together.

Whoever says it has locked the sellers: senders of reports (settlements.revenue_reporting), and the
night that counts what orders brought (settlements.commissions).
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime

from marketplace import changes, states
from settlements.models import RevenueReport, RevenueVersion

State = RevenueReport.State

Key = tuple[int, str, str, date]
"""Seller, stream, mini-app and day: what a report of one source is of."""


class RevenueBook:
    """The reports of some sellers and days that come from one source."""

    def __init__(
        self, source: str, *, sellers: Collection[int], days: Collection[date], at: datetime
    ):
        self._source, self._at = source, at
        rows = RevenueReport.objects.filter(source=source, seller__in=sellers, on__in=days)
        rows = rows.order_by("pk").select_for_update()
        self._rows: dict[Key, RevenueReport] = {
            (row.seller_id, row.stream, row.app, row.on): row for row in rows
        }
        said = RevenueVersion.objects.filter(report__in=list(self._rows.values()))
        keys = {row.pk: key for key, row in self._rows.items()}
        self._said = {(keys[row.report_id], row.number): (row.amount, row.is_final) for row in said}
        self._versions: list[RevenueVersion] = []
        self._touched: dict[Key, RevenueReport] = {}
        self._due: dict[Key, date] = {}  # basis dates of what is to be settled by a night

    def row(self, key: Key) -> RevenueReport | None:
        """The report as it stands with what was taken; None where there is none yet."""
        return self._rows.get(key)

    def said(self, key: Key, version: int) -> tuple[int, bool] | None:
        """Amount of a version and whether it was final; None where nobody said it."""
        return self._said.get((key, version))

    def is_final(self, key: Key) -> bool:
        """Whether a known report can be restated as final alone."""
        return key in self._due or self._rows[key].state != State.PROVISIONAL

    def take(
        self,
        key: Key,
        *,
        version: int,
        amount: int,
        is_final: bool,
        source: str,
        restated_on: date,
    ) -> RevenueReport:
        """Take in a new version of a report, higher than any before.

        What was settled before is corrected on the basis date `restated_on`.
        """
        row = self._rows.get(key)
        if row is None:
            seller_id, stream, app, on = key
            row = self._rows[key] = RevenueReport(
                seller_id=seller_id, stream=stream, app=app, on=on, source=self._source
            )
        row.version, row.amount, row.reported_at = version, amount, self._at
        self._said[key, version] = (amount, is_final)
        self._touched[key] = row
        self._versions.append(
            RevenueVersion(
                report=row,
                number=version,
                amount=amount,
                is_final=is_final,
                reported_at=self._at,
                source=source,
            )
        )
        if row.state == State.SETTLED and row.amount == row.settled_amount:
            self._due.pop(key, None)  # nothing is left to settle
        elif is_final:
            self._due[key] = row.on if row.terms_id is None else max(restated_on, row.on)
        return row

    def save(self) -> None:
        """Write what was taken: as provisional first, which becomes final by a move."""
        known = {key: row for key, row in self._touched.items() if row.pk is not None}
        RevenueReport.objects.bulk_create(
            [row for key, row in self._touched.items() if key not in known]
        )
        for key, row in known.items():
            if row.state == State.FINAL:
                row.basis_on = self._due[key]
        stored = ["version", "amount", "reported_at", "basis_on"]
        RevenueReport.objects.bulk_update(known.values(), stored, batch_size=1000)
        RevenueVersion.objects.bulk_create(self._versions)
        final = defaultdict(list)
        for key, basis_on in self._due.items():
            if self._rows[key].state != State.FINAL:
                final[basis_on].append(self._rows[key].pk)
        for basis_on, keys in sorted(final.items()):
            moved = RevenueReport.objects.filter(pk__in=keys)
            states.move_many(
                moved, State.FINAL, by=None, at=self._at, changes={"basis_on": basis_on}
            )
        told = [
            (row.public_id, row.seller_id, {"version": row.version, "final": key in self._due})
            for key, row in self._touched.items()
        ]
        changes.announce_many("revenue_report.recorded", told, at=self._at)
