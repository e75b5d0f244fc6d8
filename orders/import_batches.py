"""Accept the orders of an import, batch by batch, and then its cancels, oldest first."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final

from marketplace import jobs, tenancy
from marketplace.models import JobRun
from marketplace.refusals import Refused
from orders import cancel_matching, events, gathering, intake, verdicts
from orders.cancel_matching import Cancel
from orders.gathering import MOST_ROWS, RANKS, REJECTED, At, Gathered, Row, Told
from orders.import_reports import Report
from orders.pricing import TendersDoNotMatch
from orders.profiles import LINES, PAYMENTS, Profile
from orders.sorting import Sorter
from sellers.models import Seller

LISTED: Final = "listed"  # accepted, and somebody should look at it
ORDERS_AT_ONCE: Final = 1_000
ROWS_AT_ONCE: Final = 5_000
CANCELS_AT_ONCE: Final = 1_000

_ROLES: Final = {rank: role for role, rank in RANKS.items()}
_PART: Final = re.compile(r"(lines|payments)\[([0-9]+)\]\.?(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Where the batches of an import go, and where what they came to is told."""

    job: JobRun
    profile: Profile
    report: Report
    counts: Counter[str]
    at: datetime
    tell: Callable[[str, int, int], None]
    held: ExitStack

    def bring(self, rows: Sorter) -> None:
        """Bring in all orders from their sorted rows, each batch in a transaction of its own."""
        is_new = self.job.state != JobRun.State.DONE
        cancels = self.held.enter_context(Sorter(key_length=4))
        self._progress(0, rows.count, is_new)
        done = 0
        for batch in _batches(self._groups(rows)):
            with tenancy.use(self.job.marketplace_id, durable=True):
                self._bring_orders(batch, cancels)
                done += sum(len(found) for _, found in batch)
                self._progress(done, rows.count, is_new)
        cancels_in_order = iter(cancels)
        while some := list(islice(cancels_in_order, CANCELS_AT_ONCE)):
            with tenancy.use(self.job.marketplace_id, durable=True):
                self._bring_cancels(some)
                self._progress(done, rows.count, is_new)

    def _progress(self, done: int, total: int, is_new: bool) -> None:
        self.tell("orders", done, total)
        if is_new:
            with tenancy.use(self.job.marketplace_id):
                if not done:
                    JobRun.objects.filter(pk=self.job.pk).update(total=total)
                jobs.progress(self.job, done, counts=dict(self.counts))

    def _groups(self, rows: Iterable[list[Any]]) -> Iterator[tuple[str, list[Row]]]:
        for key, group in groupby(rows, key=itemgetter(0)):
            found = []
            for _, rank, file, number, values, *remarks in group:
                row = Row(_ROLES[rank], At(file, number), values, *remarks)
                if len(found) < MOST_ROWS:
                    found.append(row)
                else:
                    refusal = gathering.TooManyRows(limit=MOST_ROWS)
                    self.report.tell(Told(REJECTED, row.at, key, "", refusal))
            yield key, found

    def _bring_orders(self, batch: Sequence[tuple[str, list[Row]]], cancels: Sorter) -> None:
        sellers = _known_sellers(batch)
        orders: list[Gathered] = []
        for key, rows in batch:
            gathered = gathering.gather(self.profile, key, rows, sellers.__contains__)
            for number, row in enumerate(gathered.cancels, 1):
                source_id = f"{key}:{number}"
                moment = row.values["occurred_at"]
                cancels.add([moment, source_id, row.at.file, row.at.row, row.values])
            if gathered.order is None:
                self._tell_all(gathered.told)
            else:
                orders.append(gathered)
        given = intake.accept_many(
            [found.order for found in orders if found.order],
            at=self.at,
            tenders=intake.LIST,
            is_news=False,  # a file of history is none
        )
        usable = []
        for found, verdict in zip(orders, given, strict=True):
            self.counts[f"orders_{verdict.result}"] += 1
            if verdict.is_refused:
                self._tell_all(told for told in found.told if told.head == REJECTED)
                self._tell_verdict(REJECTED, found, verdict)
                continue
            usable.append(found)
            self._tell_all(found.told)
            if verdict.is_listed and not isinstance(verdict.refusal, TendersDoNotMatch):
                self._tell_verdict(LISTED, found, verdict)
        self._bring_events(usable)

    def _bring_events(self, orders: Sequence[Gathered]) -> None:
        happened = [(found, event) for found in orders for event in found.events]
        given = events.accept_many([event for _, event in happened], at=self.at, is_news=False)
        for (found, event), verdict in zip(happened, given, strict=True):
            self.counts[f"events_{verdict.result}"] += 1
            if verdict.refusal is not None:
                head = REJECTED if verdict.is_refused else LISTED
                told = Told(head, found.order_at, found.key, event.kind, verdict.refusal)
                self.report.tell(told)

    def _bring_cancels(self, rows: Sequence[list[Any]]) -> None:
        cancels = [
            Cancel(
                source_id=source_id,
                buyer=values.get("buyer", ""),
                sku=values["sku"],
                unit_price=values["unit_price"],
                quantity=values["quantity"],
                at=gathering.moment(moment),
            )
            for moment, source_id, _, _, values in rows
        ]
        found = cancel_matching.find(self.profile.source, cancels)
        matched = [event for event in found if isinstance(event, events.NewEvent)]
        given = iter(events.accept_many(matched, at=self.at, is_news=False))
        for cancel, event, row in zip(cancels, found, rows, strict=True):
            at, key = At(row[2], row[3]), row[4]["number"]
            amount = cancel.unit_price * cancel.quantity
            if event is None:
                self.counts["cancels_repeated"] += 1
            elif isinstance(event, Refused):
                self.counts["cancels_unmatched"] += 1
                self.report.tell(Told(cancel_matching.UNMATCHED, at, key, "", event, amount))
            else:
                verdict = next(given)
                self.counts[f"cancels_{verdict.result}"] += 1
                if verdict.refusal is not None:
                    head = REJECTED if verdict.is_refused else LISTED
                    self.report.tell(Told(head, at, key, "", verdict.refusal, amount))

    def _tell_all(self, told: Iterable[Told]) -> None:
        for each in told:
            self.report.tell(each)

    def _tell_verdict(self, head: str, found: Gathered, verdict: verdicts.Verdict) -> None:
        """Tell what was said about an order, at the row that it was said about."""
        assert verdict.refusal is not None  # noqa: S101
        at, column = found.order_at, verdict.field
        if part := _PART.fullmatch(verdict.field):
            name, number, column = part.groups()
            rows = found.line_rows if name == "lines" else found.payment_rows
            at = rows[int(number)]
            table = self.profile.tables.get(LINES if name == "lines" else PAYMENTS)
            if table and column in table.cells:
                column = table.cells[column].name
        self.report.tell(Told(head, at, found.key, column, verdict.refusal))


def _batches(
    groups: Iterable[tuple[str, list[Row]]],
) -> Iterator[list[tuple[str, list[Row]]]]:
    batch, rows = [], 0
    for group in groups:
        batch.append(group)
        rows += len(group[1])
        if rows >= ROWS_AT_ONCE or len(batch) >= ORDERS_AT_ONCE:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _known_sellers(batch: Iterable[tuple[str, list[Row]]]) -> set[str]:
    named = {row.values["seller"] for _, rows in batch for row in rows if row.role == LINES}
    return set(Seller.objects.filter(code__in=named).values_list("code", flat=True))
