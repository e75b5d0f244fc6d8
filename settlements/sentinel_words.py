"""What each sentinel of the night means, and the rows that it is about today, for operators."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace import approvals
from marketplace.models import Approval
from orders.models import Claim, OrderLine, OutcomeToSettle
from sellers.models import Seller
from settlements import clearing, lost_lines, prepaying, sentinels
from settlements.models import (
    Adjustment,
    Hold,
    Payout,
    PayoutBatch,
    RevenueReport,
    Statement,
    TaxInvoice,
)

SHOWN = 50

TITLES: dict[str, Promise] = {
    sentinels.WAITING: _("Sales not settled"),
    sentinels.UNCREDITED: _("Commissions not settled"),
    sentinels.UNSETTLED: _("Sales that were lost on the way"),
    sentinels.WITHOUT_STATEMENT: _("Settlement lines without a statement"),
    sentinels.WAITING_ADJUSTMENTS: _("Adjustments not settled"),
    sentinels.WAITING_REPORTS: _("Revenue reports not settled"),
    sentinels.OVERDUE: _("Statements overdue"),
    sentinels.LINES_DIFFER: _("Statements that differ from their lines"),
    sentinels.LEDGER_DIFFERS: _("Payouts that the ledger does not show"),
    sentinels.HOLDS_DIFFER: _("Statements that differ from their holds"),
    sentinels.HOLDS_STUCK: _("Holds without a way out"),
    sentinels.HOLDS_UNSEEN: _("Holds that nobody looks at"),
    sentinels.DEADLINE: _("Statements near the legal deadline"),
    sentinels.PAST_DEADLINE: _("Unpaid past the legal deadline"),
    sentinels.HELD_PAST_DEADLINE: _("Held past the legal deadline"),
    sentinels.CHAIN_BROKEN: _("Statements without a sound seal"),
    sentinels.UNPAID: _("Payable statements without a payout"),
    sentinels.UNPAID_LONG: _("Statements unpaid for too long"),
    sentinels.WITHOUT_PAYOUT: _("Statements that differ from their payouts"),
    sentinels.BATCHES: _("Payout batches left lying"),
    sentinels.UNANSWERED: _("Payouts without a result"),
    sentinels.UNCHECKED: _("Businesses that could not be checked"),
    sentinels.SUSPENSE: _("Money on suspense"),
    sentinels.CLEARING_DIFFERS: _("Money on clearing that nothing explains"),
    sentinels.PREPAID_DIFFERS: _("Advertising prepayments that the ledger does not show"),
    sentinels.CLEARING_OLD: _("Settled orders whose money does not come"),
    sentinels.FILES_MISSING: _("Settlement files that have not come"),
    sentinels.UNSIGNED: _("Days not signed in time"),
    sentinels.UNCLOSED: _("Months not closed in time"),
    sentinels.UNEXPLAINED: _("Discrepancies open for too long"),
    sentinels.BANK_UNEXPLAINED: _("Payout exceptions open for too long"),
    sentinels.LEDGER_UNEXPLAINED: _("Ledger differences open for too long"),
    sentinels.BANK_ROWS_UNEXPLAINED: _("Bank transactions open for too long"),
    sentinels.TAX_LATE: _("Tax invoices past their deadline"),
    sentinels.UNCONFIRMED: _("Delivered lines not confirmed"),
    sentinels.UNDELIVERED: _("Paid lines not delivered"),
    sentinels.CLAIMS: _("Claims past their deadline"),
    sentinels.ARBITRATIONS: _("Arbitrations past their deadline"),
    sentinels.PROVISIONAL: _("Revenue reports that stay provisional"),
    sentinels.APPROVALS: _("Requests that no second person decides"),
}
_MEANINGS: dict[str, Promise] = {
    sentinels.WAITING: _(
        "Confirmed sales and returns that were due by that night and are on no statement. Their "
        "sellers could not be served: the night's job lists why, and the next night tries again."
    ),
    sentinels.UNCREDITED: _(
        "Settled sales that a host or an affiliate brought and that no commission counts. Whoever "
        "brought them could not be served: the night's job lists why, and the next night tries "
        "again."
    ),
    sentinels.UNSETTLED: _(
        "Confirmed sales or returns that wait for nothing and have no settlement line: nobody "
        "would ever pay them. Look who had access to the database, and have a developer put them "
        "back into the queue of the settlement."
    ),
    sentinels.WITHOUT_STATEMENT: _(
        "Order lines that were settled, but whose settlement line is on no statement of their "
        "seller: nobody would ever pay them. Pay nothing of these sellers before it is understood."
    ),
    sentinels.WAITING_ADJUSTMENTS: _(
        "Approved adjustments that were due by that night and are on no statement. Their sellers "
        "could not be served: the night's job lists why, and the next night tries again."
    ),
    sentinels.WAITING_REPORTS: _(
        "Final revenue reports whose share was due by that night and is on no statement. Their "
        "sellers could not be served: the night's job lists why, and the next night tries again."
    ),
    sentinels.OVERDUE: _(
        "Open statements whose day has passed. Sellers wait for this money: see why their part of "
        "the night failed, mend it, and let the night be taken up again."
    ),
    sentinels.LINES_DIFFER: _(
        "The totals of a statement are not the sums of its lines. Pay nothing of it before it is "
        "verified."
    ),
    sentinels.LEDGER_DIFFERS: _(
        "What the ledger owes sellers for the statements closed that night is not what these "
        "statements pay out. Pay nothing of it before it is understood."
    ),
    sentinels.HOLDS_DIFFER: _(
        "What a statement held back or gave back is not what its holds or its journal say. Pay "
        "nothing of it before it is understood."
    ),
    sentinels.HOLDS_STUCK: _(
        "Holds that end on no day, by no condition and with no claim, or whose day has passed. "
        "Sellers wait for this money: release them, or place them anew with an end."
    ),
    sentinels.HOLDS_UNSEEN: _(
        "Holds that end by a condition, and that nobody has looked at for as long as the sentinel "
        "policy allows. See whether the condition is met: release them, or say that they stay."
    ),
    sentinels.DEADLINE: _(
        "Open statements with money that the law wants paid soon, or wanted paid already. Look at "
        "the settlement terms; nothing is paid earlier by itself."
    ),
    sentinels.PAST_DEADLINE: _(
        "Closed statements with money that the law wanted paid already: in no payout, in one that "
        "was not sent in time, or below the minimum payout and carried on. Each tells what keeps "
        "it: see to that, and pay it."
    ),
    sentinels.HELD_PAST_DEADLINE: _(
        "Holds that keep back money which the law wanted paid already. See whether their reason "
        "still stands and allows it, or release them."
    ),
    sentinels.CHAIN_BROKEN: _(
        "The seal of a statement is missing, was changed, or does not follow the one before it. "
        "Sellers would find their bundle wrong: verify the statement, and look who had access to "
        "the database."
    ),
    sentinels.UNPAID: _(
        "Closed statements that nothing keeps from being paid and that are in no payout: prepare "
        "one by hand, and see why the night did not."
    ),
    sentinels.UNPAID_LONG: _(
        "Closed statements that no hold keeps and that could not be paid for as long as the "
        "sentinel policy allows: no usable account, a stopped seller, a limit. Each tells what "
        "keeps it: see to that, or have it excluded."
    ),
    sentinels.WITHOUT_PAYOUT: _(
        "Statements that say they are in a payout although none of theirs is under way, or that "
        "are in one and do not say so. Pay nothing of them before it is understood."
    ),
    sentinels.BATCHES: _(
        "Payout batches that were prepared, approved, scheduled, begun or stopped, and that nobody "
        "took further. Sellers wait for this money: approve and execute them, or cancel them."
    ),
    sentinels.UNANSWERED: _(
        "Payouts that were sent, or may have been, and whose result is late. Ask the bank, and "
        "record what it says. Never send the money again before it is known."
    ),
    sentinels.UNCHECKED: _(
        "Sellers with money due whose business the tax office was not asked about in time, or "
        "about whom it did not answer. Their payouts wait unless the payout policy says "
        "otherwise: see whether the service answers, and whether its key is set."
    ),
    sentinels.SUSPENSE: _(
        "A payment provider moved money that no order explains. Each discrepancy names its part: "
        "say where it belongs."
    ),
    sentinels.CLEARING_DIFFERS: _(
        "The balance of the clearing account is not what orders, discrepancies and journals by "
        "hand come to. The proof of that night names the difference: find what was posted."
    ),
    sentinels.PREPAID_DIFFERS: _(
        "What is left of sellers' advertising prepayments, with what open statements still draw of "
        "them, is not what the ledger says. Refund nothing of them before it is verified."
    ),
    sentinels.CLEARING_OLD: _(
        "Settled more than 31 days ago, and in no provider's settlement file, or paid without a "
        "provider's id. Ask the provider, or book the item where its money belongs."
    ),
    sentinels.FILES_MISSING: _(
        "A payment provider should have told by now what it collected on a day, and no file covers "
        "it. Ask the provider for the file and take it in, or say why none will come."
    ),
    sentinels.UNSIGNED: _(
        "Two people should sign a day within as many days as the sentinel policy says."
    ),
    sentinels.UNCLOSED: _(
        "A month should be closed within as many days of its end as the sentinel policy says, "
        "before its taxes are reported."
    ),
    sentinels.UNEXPLAINED: _(
        "What differs from a payment provider should be explained within as many days as the "
        "sentinel policy says."
    ),
    sentinels.BANK_UNEXPLAINED: _(
        "What a bank said and does not fit should be looked into and resolved within as many days "
        "as the sentinel policy says: somebody may have been paid twice, or not at all."
    ),
    sentinels.LEDGER_UNEXPLAINED: _(
        "Where the journal of a statement moved other amounts than the statement says, somebody "
        "should say why within as many days as the sentinel policy says."
    ),
    sentinels.BANK_ROWS_UNEXPLAINED: _(
        "What the bank lists should be explained, or put on suspense, within as many days as the "
        "sentinel policy says."
    ),
    sentinels.TAX_LATE: _(
        "Tax invoices of a month are issued by the 10th of the next, and handed to the tax office "
        "by the day after. Each day late costs a surcharge: issue and transmit them now."
    ),
    sentinels.UNCONFIRMED: _(
        "Delivered lines whose waiting time has ended, or that were given none, and that are not "
        "confirmed though no claim holds them back: without confirmation they are never settled. "
        "See the night's job and the confirmation policy."
    ),
    sentinels.UNDELIVERED: _(
        "Lines that were paid long ago and are neither delivered nor cancelled: buyer and seller "
        "both wait. Ask the seller, and record the delivery or cancel them."
    ),
    sentinels.CLAIMS: _(
        "Claims that were not answered in time, exchanges whose replacement was not sent in time, "
        "and claims open for longer than the sentinel policy allows. They keep the seller's money "
        "and the buyer's: ask the seller, or decide them."
    ),
    sentinels.ARBITRATIONS: _(
        "Claims in arbitration for longer than the sentinel policy allows. Neither side can do "
        "anything: decide them, or send them back to where they stood."
    ),
    sentinels.PROVISIONAL: _(
        "Reports of revenue of which no final version came for as long as the sentinel policy "
        "allows: their share is never paid. Have whoever reports it send the final version."
    ),
    sentinels.APPROVALS: _(
        "Requests that have waited for a second person for longer than the sentinel policy allows. "
        "Approve or refuse them, or let them be withdrawn."
    ),
}
_LOST = (sentinels.UNSETTLED, sentinels.WITHOUT_STATEMENT)
_LISTS: dict[str, str] = {  # the list of the rows of a sentinel
    sentinels.UNCREDITED: "admin:orders_outcometocredit_changelist",
    sentinels.TAX_LATE: "admin:settlements_taxinvoice_changelist",
    sentinels.SUSPENSE: "admin:settlements_discrepancy_changelist",
    sentinels.CLEARING_DIFFERS: "admin:settlements_clearingproof_changelist",
    sentinels.PREPAID_DIFFERS: "admin:settlements_adprepayment_changelist",
    sentinels.CLEARING_OLD: "admin:settlements_clearingitem_changelist",
    sentinels.FILES_MISSING: "admin:settlements_missingfile_changelist",
    sentinels.UNSIGNED: "admin:settlements_dayclose_changelist",
    sentinels.UNCLOSED: "admin:settlements_period_changelist",
    sentinels.UNEXPLAINED: "admin:settlements_discrepancy_changelist",
    sentinels.BANK_UNEXPLAINED: "admin:settlements_payoutexception_changelist",
    sentinels.LEDGER_UNEXPLAINED: "admin:settlements_ledgerdifference_changelist",
    sentinels.BANK_ROWS_UNEXPLAINED: "admin:settlements_bankrow_changelist",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Something that a sentinel is about: where it is looked at, and what it is."""

    address: str
    name: str
    of: object = ""  # its seller, or what else tells it from others
    about: str | Promise = ""
    since: date | None = None  # when it was due, or began
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A sentinel in words, with the first of its rows as they are now."""

    title: str | Promise
    meaning: str | Promise
    rows: list[Row]
    count: int = 0  # where its rows are a list of their own
    address: str = ""

    @property
    def is_quiet(self) -> bool:
        return not (self.rows or self.count)


def told(on: date, counted: Mapping[str, int], *, at: datetime) -> list[Told]:
    """Every sentinel after the night of `on`; queries do not grow with the rows.

    `counted` is what that night counted. Where it lost no line, none is looked for again among all
    that two nights brought.
    """
    has_lost = any(counted.get(name, 1) for name in _LOST)
    lost = lost_lines.find(on) if has_lost else lost_lines.Orphans([], [])
    found = sentinels.rows(on, lost, at=at) | {
        name: Statement.objects.filter(pk__in=keys)
        for name, keys in sentinels.differing(on).items()
    }
    found[sentinels.UNPAID] = Statement.objects.filter(pk__in=sentinels.unpaid(on, at=at))
    counts = {
        sentinels.SUSPENSE: sentinels.suspended(on),
        sentinels.CLEARING_DIFFERS: abs(clearing.unexplained(on)),
        sentinels.PREPAID_DIFFERS: abs(prepaying.unexplained()),
    }
    counts |= {name: found[name].count() for name in _LISTS if name in found}
    return [
        Told(
            TITLES[name],
            _MEANINGS[name],
            [] if name in _LISTS else _shown(found[name]),
            counts.get(name, 0),
            address(name),
        )
        for name in sentinels.names(on)
    ]


def _shown(rows: QuerySet) -> list[Row]:
    related, order, row_of = _TELLING[rows.model]
    if not rows.query.order_by:  # one that is given is the order of an index
        rows = rows.order_by(*order)
    return [row_of(row) for row in rows.select_related(*related)[:SHOWN]]


def _to(row: Model) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])


def _line(line: OrderLine, since: date | None) -> Row:
    name = f"{line.order.number}/{line.number}"
    return Row(_to(line.order), name, line.seller, line.get_status_display(), since)


def _of_day(moment: datetime | None) -> date | None:
    return timezone.localdate(moment) if moment else None


_TELLING: dict[type[Model], tuple[tuple[str, ...], tuple[str, ...], Callable[[Any], Row]]] = {
    OutcomeToSettle: (
        ("outcome__line__order", "outcome__line__seller"),
        ("basis_on", "pk"),
        lambda row: _line(row.outcome.line, row.basis_on),
    ),
    OrderLine: (
        ("order", "seller"),
        ("pk",),
        lambda row: _line(row, row.confirm_due_on or row.paid_on),
    ),
    Seller: ((), ("code",), lambda row: Row(_to(row), row.name, row.code)),
    Claim: (
        ("seller",),
        ("requested_at", "pk"),
        lambda row: Row(
            _to(row),
            row.public_id,
            row.seller,
            row.get_state_display(),
            _of_day(row.requested_at),
        ),
    ),
    Adjustment: (
        ("seller",),
        ("basis_on", "pk"),
        lambda row: Row(
            _to(row),
            row.public_id,
            row.seller,
            row.get_reason_code_display(),
            row.basis_on,
            row.amount,
        ),
    ),
    RevenueReport: (
        ("seller",),
        ("on", "pk"),
        lambda row: Row(_to(row), row.public_id, row.seller, row.stream_name, row.on, row.amount),
    ),
    Statement: (
        ("seller",),
        ("due_on", "pk"),
        lambda row: Row(
            _to(row),
            row.public_id,
            row.seller,
            row.get_state_display(),
            row.due_on,
            row.payout if row.closed_on and row.payout else row.net,
        ),
    ),
    Hold: (
        ("seller",),
        ("pk",),
        lambda row: Row(
            _to(row),
            row.public_id,
            row.seller,
            row.get_reason_display(),
            row.release_on or _of_day(row.placed_at),
            row.taken or None,
        ),
    ),
    Payout: (
        ("seller",),
        ("result_due_on", "pk"),
        lambda row: Row(
            _to(row),
            row.public_id,
            row.seller,
            row.get_state_display(),
            row.result_due_on,
            row.amount,
        ),
    ),
    PayoutBatch: (
        (),
        ("on", "pk"),
        lambda row: Row(_to(row), row.public_id, "", row.get_state_display(), row.on, row.amount),
    ),
    Approval: (
        ("asked_by",),
        ("asked_at", "pk"),
        lambda row: Row(
            _to(row),
            row.subject,
            row.asked_by,
            approvals.KINDS[row.kind].name,
            _of_day(row.asked_at),
        ),
    ),
}


def address(name: str) -> str:
    """The list of the rows that a sentinel counts; empty where they stand beside it."""
    if name not in _LISTS:
        return ""
    all_of_it = (sentinels.UNCREDITED, sentinels.CLEARING_DIFFERS, sentinels.PREPAID_DIFFERS)
    if name in all_of_it:  # newest first
        return reverse(_LISTS[name])
    if name == sentinels.CLEARING_OLD:
        return f"{reverse(_LISTS[name])}?night=late"
    is_tax = name == sentinels.TAX_LATE
    wanted = f"state__in={','.join(TaxInvoice.UNSENT)}" if is_tax else "state__exact=open"
    return f"{reverse(_LISTS[name])}?{wanted}"
