"""The change feed: what happened in a marketplace, for systems outside it.

`announce_many()` writes changes in the transaction that causes them, thin: a type, the public id
of the object, the seller it concerns, and the moment. `page()` reads them so that nothing is ever
missed: ids and transactions commit out of order, so it stays below the oldest transaction that
still runs. A long transaction anywhere on the server therefore delays the feed, and loses nothing.

Webhooks are made from the same rows (marketplace.webhooks). What this installation itself has to
do goes through the outbox instead.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from marketplace import identifiers, tenancy
from marketplace.models import Change, Marketplace
from marketplace.refusals import Refused, gettext_noop

KEPT_FOR = timedelta(days=30)
PAGE = 50
_AT_ONCE = 5_000  # rows that the clean-up looks at in one transaction

TYPES = {  # what may be announced, and subscribed to
    "order.accepted": _("An order was accepted."),
    "order.lines_changed": _("Lines of an order were paid, shipped, delivered or cancelled."),
    "shipment.recorded": _("A seller shipped goods of an order."),
    "shipment.corrected": _("The tracking number of a parcel was corrected."),
    "order.price_reduced": _("Part of the price of an order line was given back."),
    "orders.confirmed": _("A night confirmed lines of a seller by itself."),
    "claim.requested": _("A claim was made."),
    "claim.approved": _("A claim was approved."),
    "claim.collected": _("Goods that are to be exchanged are back."),
    "claim.redelivering": _("The replacement of an exchange was sent, or its number corrected."),
    "claim.converted": _("An exchange became a return."),
    "claim.arbitration": _("A claim was taken to arbitration."),
    "claim.statement_added": _("A side has said something in an arbitration."),
    "claim.arbitrated": _("The arbitration of a claim was decided."),
    "claim.rejected": _("A claim was rejected."),
    "claim.withdrawn": _("A claim was withdrawn."),
    "claim.completed": _("A claim was completed."),
    "listing.submitted": _("A listing was handed in for review."),
    "listing.sent_back": _("A listing was sent back to its seller."),
    "listing.published": _("A listing, or a new wording of it, went live."),
    "listing.paused": _("A seller paused the sale of a listing."),
    "listing.resumed": _("A seller put a paused listing on sale again."),
    "listing.closed": _("A listing was ended for good."),
    "listing.taken_down": _("The marketplace took a listing down."),
    "listing.restored": _("A listing that was taken down is back."),
    "seller.applied": _("A seller applied."),
    "seller.approved": _("An applicant was approved and may sell."),
    "seller.rejected": _("An applicant was turned down."),
    "seller.restricted": _("A seller was restricted."),
    "seller.suspended": _("A seller was suspended."),
    "seller.reinstated": _("A seller may sell again."),
    "seller.terminating": _("A seller is leaving."),
    "seller.terminated": _("A seller has left."),
    "grade.made_official": _("A seller's grade came into force."),
    "adjustment.approved": _("An amount will be given to a seller, or charged."),
    "revenue_report.recorded": _("Revenue of a day was reported, or restated."),
    "fees.published": _("A version of a fee schedule was published, in force from a day on."),
    "contract.published": _("A seller's contract was changed, from a day on."),
    "assignment.in_force": _("What is due to a seller is paid to somebody else, from a day on."),
    "assignment.ended": _("An assignment of a seller's claims ends, on a day."),
    "hold.placed": _("Money of a seller is held back."),
    "hold.paid": _("Attached money was paid to a creditor, or deposited with a court."),
    "hold.released": _("A hold has ended."),
    "statement.payable": _("A statement was closed, with money to be paid out."),
    "statement.closed": _("A statement was closed, with nothing to be paid out."),
    "payout.prepared": _("A payout to a seller was prepared."),
    "payout.sent": _("A payout was handed to the bank."),
    "payout.paid": _("A payout has arrived."),
    "payout.failed": _("A payout failed; its statements are payable again."),
    "payout.stopped": _("A prepared payout was not sent; its statements are payable again."),
    "payout.returned": _("A payout came back; its statements are payable again."),
    "payout.exception": _("A bank's answer about a payout does not fit."),
    "tax_invoice.issued": _("A tax invoice for fees was issued to a seller."),
    "tax_invoice.accepted": _("The tax office took a tax invoice and gave it a number."),
    "tax_invoice.failed": _("The tax office did not take a tax invoice."),
    "night.closed": _("A business day was closed."),
    "day.signed": _("Two people signed a business day."),
    "period.closed": _("A month of the ledger was closed."),
    "period.reopened": _("A closed month of the ledger was opened again."),
    "sentinel.raised": _("A night found something that a person should look at."),
}


# What concerns one seller; the rest is told to the marketplace alone.
OF_MARKETPLACE = (
    "fees.published",
    "night.closed",
    "payout.exception",
    "day.signed",
    "period.closed",
    "period.reopened",
    "sentinel.raised",
    "tax_invoice.failed",
)
OF_SELLERS = tuple(code for code in TYPES if code not in OF_MARKETPLACE)


class UnknownType(Refused):
    code = "unknown_event_type"
    message = gettext_noop("“%(type)s” is no type of event.")


class BadCursor(Refused):
    code = "bad_cursor"
    message = gettext_noop("This cursor was not given by the feed.")


class CursorTooOld(Refused):
    code = "cursor_too_old"
    message = gettext_noop(
        "The feed no longer has what came after this cursor: events are kept for %(days)s days. "
        "Begin at the feed's beginning, without a cursor, and read anew the objects that you keep."
    )


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the feed: everything up to and with it has been read."""

    transaction: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.transaction}-{self.id}"

    def is_passed(self) -> RawSQL:
        """The condition of a change that it lies behind this place.

        A comparison of rows, which the index answers however many one transaction wrote.
        """
        return RawSQL(
            "(marketplace_change.transaction, marketplace_change.id) > (%s, %s)",
            [self.transaction, self.id],
            BooleanField(),
        )

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Read what a page gave as its cursor; nothing means the beginning. Raises BadCursor."""
        if not text:
            return cls()
        parts = text.split("-")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
            raise BadCursor(field="cursor")
        cursor = cls(*map(int, parts))
        if max(cursor.transaction, cursor.id) >= 2**63:
            raise BadCursor(field="cursor")
        return cursor


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of the feed, and where to go on."""

    changes: list[Change]
    cursor: Cursor
    has_more: bool


def announce(type: str, object_id="", *, at: datetime, seller_id=None, **data) -> None:  # noqa: A002
    """Tell one change with the current transaction. `data` is ids, codes and ISO dates."""
    announce_many(type, [(object_id, seller_id, data)], at=at)


def announce_many(
    type: str,  # noqa: A002 (the word of the feed)
    rows: Iterable[tuple[str, int | None, dict]],
    *,
    at: datetime,
) -> None:
    """Tell many changes of one type by one statement: (public id, seller id, details) of each."""
    if type not in TYPES:
        raise UnknownType(type=type)
    written = [
        (identifiers.public_id("evt"), object_id, seller_id, json.dumps(data) if data else "{}")
        for object_id, seller_id, data in rows
    ]
    if not written:
        return
    columns = [list(column) for column in zip(*written, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO marketplace_change "
            "(marketplace_id, type, at, public_id, object_id, seller_id, data) "
            "SELECT %s, %s, %s, * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::jsonb[])",
            [tenancy.current_id(), type, at, *columns],
        )


def page(after: Cursor, *, limit: int = PAGE, seller_id: int | None = None) -> Page:
    """The next changes after a place: of the marketplace, or of one seller only.

    Raises BadCursor for a place that does not exist yet: it is of another database.
    """
    end = horizon()
    if after > end:
        raise BadCursor(field="cursor")
    rows = Change.objects.filter(after.is_passed(), transaction__lt=end.transaction)
    if seller_id is not None:
        rows = rows.filter(seller_id=seller_id)
    found = list(rows.select_related("seller").order_by("transaction", "id")[: limit + 1])
    has_more = len(found) > limit
    found = found[:limit]
    # Who has read all is at the end of the feed, not at an event that will be forgotten one day.
    last = Cursor(found[-1].transaction, found[-1].id) if has_more else end
    return Page(found, last, has_more)


def refuse_forgotten(after: Cursor) -> None:
    """Refuse a place behind which something has been forgotten. Raises CursorTooOld.

    To be asked after reading a page from there, or what is forgotten meanwhile would be missed.
    """
    columns = ("forgotten_transaction", "forgotten_change")
    forgotten = Marketplace.objects.values_list(*columns).get(pk=tenancy.current_id())
    if Cursor() < after < Cursor(*forgotten):
        raise CursorTooOld(days=KEPT_FOR.days)


def horizon() -> Cursor:
    """The place where the feed ends now: below it, nothing can appear any more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        [transaction_id] = cursor.fetchone()
    return Cursor(transaction_id)


def told(change: Change) -> dict:
    """A change as feed and webhooks tell it; its seller has been loaded with it."""
    data = {"id": change.object_id, **change.data}
    if change.seller is not None:
        data["seller"] = change.seller.public_id
    at = change.at.astimezone(UTC).isoformat(timespec="milliseconds")
    return {"type": change.type, "timestamp": at.replace("+00:00", "Z"), "data": data}


def forget_old(*, at: datetime) -> int:
    """Delete some changes older than KEPT_FOR, oldest first; to be repeated until none are left."""
    with transaction.atomic():
        oldest = Change.objects.order_by("transaction", "id")[:_AT_ONCE]
        rows = oldest.values_list("pk", "transaction", "written_at")
        old = [(place, pk) for pk, place, written_at in rows if written_at < at - KEPT_FOR]
        if old:
            place, pk = max(old)
            Marketplace.objects.filter(pk=tenancy.current_id()).update(
                forgotten_transaction=place, forgotten_change=pk
            )
        Change.objects.filter(pk__in=[pk for _, pk in old]).delete()
    return len(old)
