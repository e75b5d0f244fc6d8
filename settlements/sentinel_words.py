"""What each sentinel of the night means, and the rows that it is about today, for operators."""

from dataclasses import dataclass
from datetime import date, datetime

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import OutcomeToCredit
from settlements import business_checks, deadlines, sentinels
from settlements.models import MissingFile, Payout, Statement, TaxInvoice

SHOWN = 50

TITLES: dict[str, Promise] = {
    sentinels.WAITING: _("Sales not settled"),
    sentinels.UNCREDITED: _("Commissions not settled"),
    sentinels.OVERDUE: _("Statements overdue"),
    sentinels.LINES_DIFFER: _("Statements that differ from their lines"),
    sentinels.LEDGER_DIFFERS: _("Payouts that the ledger does not show"),
    sentinels.HOLDS_DIFFER: _("Statements that differ from their holds"),
    sentinels.HOLDS_STUCK: _("Holds without a way out"),
    sentinels.DEADLINE: _("Statements near the legal deadline"),
    sentinels.PAST_DEADLINE: _("Unpaid past the legal deadline"),
    sentinels.CHAIN_BROKEN: _("Statements without a sound seal"),
    sentinels.UNPAID: _("Payable statements without a payout"),
    sentinels.UNANSWERED: _("Payouts without a result"),
    sentinels.UNCHECKED: _("Businesses that could not be checked"),
    sentinels.SUSPENSE: _("Money on suspense"),
    sentinels.FILES_MISSING: _("Settlement files that have not come"),
    sentinels.UNSIGNED: _("Days not signed in time"),
    sentinels.UNCLOSED: _("Months not closed in time"),
    sentinels.UNEXPLAINED: _("Discrepancies open for too long"),
    sentinels.BANK_UNEXPLAINED: _("Payout exceptions open for too long"),
    sentinels.LEDGER_UNEXPLAINED: _("Ledger differences open for too long"),
    sentinels.TAX_LATE: _("Tax invoices past their deadline"),
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
    sentinels.DEADLINE: _(
        "Open statements with money that the law wants paid soon, or wanted paid already. Look at "
        "the settlement terms; nothing is paid earlier by itself."
    ),
    sentinels.PAST_DEADLINE: _(
        "Closed statements with money that the law wanted paid already, and that are in no payout. "
        "Each tells what keeps it: see to that, and prepare a payout."
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
    sentinels.FILES_MISSING: _(
        "A payment provider should have told by now what it collected on a day, and no file covers "
        "it. Ask the provider for the file and take it in, or say why none will come."
    ),
    sentinels.UNSIGNED: _("Two people should sign a day within a week of it."),
    sentinels.UNCLOSED: _(
        "A month should be closed within fifteen days of its end, before its taxes are reported."
    ),
    sentinels.UNEXPLAINED: _(
        "What differs from a payment provider should be explained in a fortnight."
    ),
    sentinels.BANK_UNEXPLAINED: _(
        "What a bank said and does not fit should be looked into and resolved in a fortnight: "
        "somebody may have been paid twice, or not at all."
    ),
    sentinels.LEDGER_UNEXPLAINED: _(
        "Where the journal of a statement moved other amounts than the statement says, somebody "
        "should say why in a fortnight."
    ),
    sentinels.TAX_LATE: _(
        "Tax invoices of a month are issued by the 10th of the next, and handed to the tax office "
        "by the day after. Each day late costs a surcharge: issue and transmit them now."
    ),
}
_LISTS: dict[str, str] = {  # the list of the rows of a sentinel
    sentinels.UNCREDITED: "admin:orders_outcometocredit_changelist",
    sentinels.TAX_LATE: "admin:settlements_taxinvoice_changelist",
    sentinels.SUSPENSE: "admin:settlements_discrepancy_changelist",
    sentinels.FILES_MISSING: "admin:settlements_missingfile_changelist",
    sentinels.UNSIGNED: "admin:settlements_dayclose_changelist",
    sentinels.UNCLOSED: "admin:settlements_period_changelist",
    sentinels.UNEXPLAINED: "admin:settlements_discrepancy_changelist",
    sentinels.BANK_UNEXPLAINED: "admin:settlements_payoutexception_changelist",
    sentinels.LEDGER_UNEXPLAINED: "admin:settlements_ledgerdifference_changelist",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A sentinel in words, with the first of its rows as they are now."""

    title: str | Promise
    meaning: str | Promise
    outcomes: list
    statements: list
    holds: list
    payouts: list
    count: int = 0  # of the others, whose rows are a list of their own
    address: str = ""

    @property
    def is_quiet(self) -> bool:
        return not (self.outcomes or self.statements or self.holds or self.payouts or self.count)


def told(on: date, *, at: datetime) -> list[Told]:
    """Every sentinel after the night of `on`; queries do not grow with the rows."""
    outcomes = sentinels.waiting(on).select_related("outcome__line__order", "seller")
    statements = Statement.objects.select_related("seller")
    differing = sentinels.differing(on)
    rows = {
        sentinels.OVERDUE: Statement.objects.due_on(on).select_related("seller").order_by("due_on"),
        sentinels.LINES_DIFFER: statements.filter(pk__in=differing[sentinels.LINES_DIFFER]),
        sentinels.LEDGER_DIFFERS: statements.filter(pk__in=differing[sentinels.LEDGER_DIFFERS]),
        sentinels.HOLDS_DIFFER: statements.filter(pk__in=differing[sentinels.HOLDS_DIFFER]),
        sentinels.CHAIN_BROKEN: statements.filter(pk__in=differing[sentinels.CHAIN_BROKEN]),
        sentinels.UNPAID: statements.filter(pk__in=sentinels.unpaid(on, at=at)),
    }
    holds = sentinels.stuck_holds(on).select_related("seller").order_by("pk")
    names = list(sentinels.NAMES)
    if deadlines.watched() is not None:
        names += [sentinels.DEADLINE, sentinels.PAST_DEADLINE]
        near = deadlines.near(on).select_related("seller")
        rows[sentinels.DEADLINE] = near.order_by("first_basis_on", "pk")
        past = deadlines.past(on).select_related("seller")
        rows[sentinels.PAST_DEADLINE] = past.order_by("first_basis_on", "pk")
    if business_checks.are_asked_about(on):
        names.append(sentinels.UNCHECKED)
        unpaid = (Statement.State.PAYABLE, Statement.State.IN_PAYOUT)
        waiting = statements.filter(
            seller__in=business_checks.unchecked(on, at=at), state__in=unpaid, due_on__lte=on
        )
        rows[sentinels.UNCHECKED] = waiting.order_by("due_on", "pk")
    late = Payout.objects.overdue(on).select_related("seller").order_by("result_due_on", "pk")
    counts = {
        sentinels.UNCREDITED: OutcomeToCredit.objects.settled_by(on).count(),
        sentinels.SUSPENSE: sentinels.suspended(on),
        sentinels.FILES_MISSING: MissingFile.objects.open().count(),
        sentinels.UNSIGNED: sentinels.unsigned(on).count(),
        sentinels.UNCLOSED: sentinels.unclosed(on).count(),
        **{name: rows.count() for name, rows in sentinels.unexplained(on).items()},
        sentinels.TAX_LATE: sentinels.late_invoices(on).count(),
    }
    return [
        Told(
            TITLES[name],
            _MEANINGS[name],
            list(outcomes.order_by("basis_on", "pk")[:SHOWN]) if name == sentinels.WAITING else [],
            list(rows[name][:SHOWN]) if name in rows else [],
            list(holds[:SHOWN]) if name == sentinels.HOLDS_STUCK else [],
            list(late[:SHOWN]) if name == sentinels.UNANSWERED else [],
            counts.get(name, 0),
            address(name),
        )
        for name in names
    ]


def address(name: str) -> str:
    """The list of the rows that a sentinel counts; empty where they stand beside it."""
    if name not in _LISTS:
        return ""
    if name == sentinels.UNCREDITED:  # a queue: all of it waits
        return reverse(_LISTS[name])
    is_tax = name == sentinels.TAX_LATE
    wanted = f"state__in={','.join(TaxInvoice.UNSENT)}" if is_tax else "state__exact=open"
    return f"{reverse(_LISTS[name])}?{wanted}"
