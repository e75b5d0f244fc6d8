"""What the night looks at before it ends: money that is stuck, and figures that must agree.

Each check reads only what this night touched or what is still open, so it does not slow as history
grows; `verify` recomputes everything. A finding is counted and listed, it does not undo the night.
"""

from contextlib import suppress
from datetime import date, datetime, timedelta

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet, Subquery

from marketplace import tenancy
from marketplace.models import Marketplace
from orders.models import OrderLine, OutcomeToCredit
from settlements import (
    business_checks,
    chart,
    clearing,
    deadlines,
    ledger_balances,
    left_too_long,
    lost_lines,
    payout_candidates,
    prepaying,
)
from settlements.models import (
    Account,
    BankRow,
    DayClose,
    Discrepancy,
    Hold,
    LedgerDifference,
    MissingFile,
    Payout,
    PayoutException,
    Period,
    PeriodClosing,
    SignedSheet,
    Statement,
    TaxInvoice,
)

WAITING = "waiting_outcomes"
UNCREDITED = "waiting_commissions"
UNSETTLED = "outcomes_without_line"
WITHOUT_STATEMENT = "lines_without_statement"
WAITING_ADJUSTMENTS = "waiting_adjustments"
WAITING_REPORTS = "waiting_revenue_reports"
UNCONFIRMED = "lines_not_confirmed"
UNDELIVERED = "lines_not_delivered"
CLAIMS = "claims_too_old"
ARBITRATIONS = "arbitrations_too_old"
OVERDUE = "overdue_statements"
LINES_DIFFER = "statements_differ_from_lines"
LEDGER_DIFFERS = "ledger_differs_from_statements"
HOLDS_DIFFER = "holds_differ"
HOLDS_STUCK = "holds_stuck"
HOLDS_UNSEEN = "holds_not_looked_at"
DEADLINE = "deadline_near"  # where a legal deadline is watched
PAST_DEADLINE = "unpaid_past_deadline"
HELD_PAST_DEADLINE = "held_past_deadline"
CHAIN_BROKEN = "statements_without_a_sound_seal"
UNPAID = "payable_statements_without_payout"
UNPAID_LONG = "statements_unpaid_too_long"
WITHOUT_PAYOUT = "statements_without_their_payout"
BATCHES = "payout_batches_left"
UNANSWERED = "payouts_without_result"
UNCHECKED = "businesses_not_checked"  # where the payout policy asks about them
SUSPENSE = "money_on_suspense"  # minor units
CLEARING_DIFFERS = "clearing_not_explained"  # minor units
CLEARING_OLD = "clearing_too_old"
PREPAID_DIFFERS = "prepayments_differ_from_ledger"  # minor units
FILES_MISSING = "provider_files_missing"
UNSIGNED = "days_not_signed"
UNCLOSED = "months_not_closed"
UNEXPLAINED = "discrepancies_too_old"
BANK_UNEXPLAINED = "payout_exceptions_too_old"
LEDGER_UNEXPLAINED = "ledger_differences_too_old"
BANK_ROWS_UNEXPLAINED = "bank_transactions_too_old"
TAX_LATE = "tax_invoices_late"
PROVISIONAL = "revenue_reports_not_final"
APPROVALS = "approvals_too_old"
NAMES = (
    WAITING,
    UNCREDITED,
    UNSETTLED,
    WITHOUT_STATEMENT,
    WAITING_ADJUSTMENTS,
    WAITING_REPORTS,
    OVERDUE,
    LINES_DIFFER,
    LEDGER_DIFFERS,
    HOLDS_DIFFER,
    HOLDS_STUCK,
    HOLDS_UNSEEN,
    CHAIN_BROKEN,
    UNPAID,
    UNPAID_LONG,
    WITHOUT_PAYOUT,
    BATCHES,
    UNANSWERED,
    SUSPENSE,
    CLEARING_DIFFERS,
    CLEARING_OLD,
    PREPAID_DIFFERS,
    FILES_MISSING,
    UNSIGNED,
    UNCLOSED,
    UNEXPLAINED,
    BANK_UNEXPLAINED,
    LEDGER_UNEXPLAINED,
    BANK_ROWS_UNEXPLAINED,
    TAX_LATE,
    UNCONFIRMED,
    UNDELIVERED,
    CLAIMS,
    ARBITRATIONS,
    PROVISIONAL,
    APPROVALS,
)
_DEADLINES = (DEADLINE, PAST_DEADLINE, HELD_PAST_DEADLINE)
_WHERE_ASKED = (*_DEADLINES, UNCHECKED)
# What these count are minor units.
IN_MONEY = (LEDGER_DIFFERS, SUSPENSE, CLEARING_DIFFERS, PREPAID_DIFFERS)

# Lines of the statements that closed tonight against the statements' totals. Days leave out the
# months before; why not those after, see sealed_lines.
_LINES_DIFFER = """
SELECT s.id FROM settlements_statement s
LEFT JOIN LATERAL (
    SELECT count(*) AS lines, sum(l.fee) AS fee, sum(l.vat) AS vat, sum(l.net) AS net
    FROM settlement_line l
    WHERE l.marketplace_id = %(marketplace)s AND l.statement_id = s.id
      AND l.basis_on >= s.first_basis_on AND l.basis_on + 0 <= s.last_basis_on
) t ON true
WHERE s.marketplace_id = %(marketplace)s AND s.id = ANY(%(statements)s)
  AND (s.lines, s.fee, s.vat, s.net)
      IS DISTINCT FROM (t.lines, coalesce(t.fee, 0), coalesce(t.vat, 0), coalesce(t.net, 0))
"""

# What tonight's journals owe sellers against what tonight's statements say.
_LEDGER_DIFFERS = """
SELECT coalesce(sum(e.credit - e.debit), 0)
FROM ledger_entry e
JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.id = e.account_id
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = e.journal_id
WHERE e.marketplace_id = %(marketplace)s AND e.basis_on = %(on)s
  AND j.template = 'statement' AND a.code = 'payout_payable'
"""

_JOURNAL_DIFFERS = """
SELECT s.id FROM settlements_statement s
LEFT JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s
     AND j.template = 'statement' AND j.reference = s.public_id
LEFT JOIN LATERAL (
    SELECT sum(e.credit - e.debit) AS owed FROM ledger_entry e
    JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.id = e.account_id
    WHERE e.marketplace_id = %(marketplace)s AND e.journal_id = j.id AND e.basis_on = %(on)s
      AND a.code = 'payout_payable'
) e ON true
WHERE s.marketplace_id = %(marketplace)s AND s.id = ANY(%(statements)s)
  AND s.payout <> coalesce(e.owed, 0)
ORDER BY s.id
"""

# What tonight's statements held back and gave back against the holds and the ledger.
_HOLDS_DIFFER = """
SELECT s.id FROM settlements_statement s
LEFT JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s
     AND j.template = 'statement' AND j.reference = s.public_id
LEFT JOIN LATERAL (
    SELECT sum(e.credit - e.debit) AS held FROM ledger_entry e
    JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.id = e.account_id
    WHERE e.marketplace_id = %(marketplace)s AND e.journal_id = j.id AND e.basis_on = %(on)s
      AND a.code = 'seller_held'
) e ON true
LEFT JOIN LATERAL (
    SELECT sum(m.taken) AS taken, sum(m.released) AS released FROM settlements_holdmovement m
    WHERE m.marketplace_id = %(marketplace)s AND m.statement_id = s.id
) m ON true
WHERE s.marketplace_id = %(marketplace)s AND s.id = ANY(%(statements)s)
  AND (s.hold_taken, s.released_holds, s.hold_taken - s.released_holds) IS DISTINCT FROM
      (coalesce(m.taken, 0), coalesce(m.released, 0), coalesce(e.held, 0))
ORDER BY s.id
"""

# Statements that closed tonight whose seal is missing, is not what its document says, or does not
# follow the one before.
_CHAIN_BROKEN = """
SELECT s.id FROM settlements_statement s
LEFT JOIN settlements_statementseal k ON k.marketplace_id = %(marketplace)s
     AND k.statement_id = s.id
LEFT JOIN LATERAL (
    SELECT head FROM settlements_statementseal
    WHERE marketplace_id = %(marketplace)s AND seller_id = k.seller_id AND number = k.number - 1
    LIMIT 1
) b ON true
WHERE s.marketplace_id = %(marketplace)s AND s.id = ANY(%(statements)s)
  AND (k.id IS NULL
       OR k.head <> encode(sha256(convert_to(k.document, 'UTF8')), 'hex')
       OR k.document::jsonb ->> 'previous_head'
          IS DISTINCT FROM CASE k.number WHEN 1 THEN repeat('0', 64) ELSE b.head END)
"""


def watch(on: date, *, at: datetime) -> dict[str, int]:
    """Counts of what is wrong after the night of `on`; all zero on a good one."""
    closed = list(Statement.objects.filter(closed_on=on).values_list("pk", "payout"))
    parameters = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "statements": [pk for pk, _ in closed],
    }
    with connection.cursor() as cursor:
        cursor.execute(_LEDGER_DIFFERS, parameters)
        [owed] = cursor.fetchone()
        lines_differ, holds_differ, chain_broken = (
            _found(cursor, query, parameters) if closed else 0
            for query in (_LINES_DIFFER, _HOLDS_DIFFER, _CHAIN_BROKEN)
        )
    counts = {
        LINES_DIFFER: lines_differ,
        LEDGER_DIFFERS: int(owed - sum(payout for _, payout in closed)),
        HOLDS_DIFFER: holds_differ,
        CHAIN_BROKEN: chain_broken,
        UNPAID: len(unpaid(on, at=at)),
        SUSPENSE: suspended(on),
        CLEARING_DIFFERS: abs(clearing.unexplained(on)),
        PREPAID_DIFFERS: abs(prepaying.unexplained()),
        **_counted(rows(on, lost_lines.find(on), at=at)),
    }
    return {name: counts[name] for name in (*NAMES, *_WHERE_ASKED) if name in counts}


def _counted(found: dict[str, QuerySet]) -> dict[str, int]:
    """How many rows each has, asked at once."""
    counts, parts, parameters = dict.fromkeys(found, 0), [], []
    for name, rows in found.items():
        # Where nothing can be found there is nothing to ask, and Django says so.
        with suppress(EmptyResultSet):
            query, given = rows.order_by().values("pk").query.sql_with_params()
            parts.append(f"SELECT %s, count(*) FROM ({query}) AS found")  # noqa: S608 (Django's)
            parameters += [name, *given]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        counts.update(cursor.fetchall())
    return counts


def names(on: date) -> tuple[str, ...]:
    """The sentinels of the marketplace in use; some watch where it has asked for that."""
    found = NAMES
    if deadlines.watched() is not None:
        found += _DEADLINES
    return (*found, UNCHECKED) if business_checks.are_asked_about(on) else found


def rows(on: date, lost: lost_lines.Orphans, *, at: datetime) -> dict[str, QuerySet]:
    """What each sentinel that counts rows is about after the night of `on`, and what it lost."""
    limits = left_too_long.limits_on(on)
    found = {
        WAITING: left_too_long.waiting_outcomes(on),
        UNCREDITED: OutcomeToCredit.objects.settled_by(on),
        UNSETTLED: OrderLine.objects.filter(pk__in=lost.unsettled),
        WITHOUT_STATEMENT: OrderLine.objects.filter(pk__in=lost.without_statement),
        WAITING_ADJUSTMENTS: left_too_long.waiting_adjustments(on),
        WAITING_REPORTS: left_too_long.waiting_reports(on),
        OVERDUE: Statement.objects.due_on(on),
        HOLDS_STUCK: stuck_holds(on),
        HOLDS_UNSEEN: left_too_long.holds(on, limits),
        UNPAID_LONG: left_too_long.unpaid(on, limits),
        WITHOUT_PAYOUT: left_too_long.statements_without_payout(on),
        BATCHES: left_too_long.batches(on, limits),
        UNANSWERED: Payout.objects.overdue(on),
        CLEARING_OLD: clearing.waiting_too_long(on),
        FILES_MISSING: MissingFile.objects.open(),
        UNSIGNED: unsigned(on, limits.sign_days),
        UNCLOSED: unclosed(on, limits.close_days),
        **unexplained(on, limits.explain_days),
        TAX_LATE: late_invoices(on),
        UNCONFIRMED: left_too_long.unconfirmed(on),
        UNDELIVERED: left_too_long.undelivered(on, limits),
        CLAIMS: left_too_long.claims(on, limits),
        ARBITRATIONS: left_too_long.arbitrations(on, limits),
        PROVISIONAL: left_too_long.provisional_reports(on, limits),
        APPROVALS: left_too_long.approvals(on, limits),
    }
    asked = names(on)
    if DEADLINE in asked:
        found[DEADLINE] = deadlines.near(on)
        found[PAST_DEADLINE] = deadlines.past(on)
        found[HELD_PAST_DEADLINE] = deadlines.held_past(on)
    if UNCHECKED in asked:
        found[UNCHECKED] = business_checks.unchecked(on, at=at)
    return found


def _found(cursor, query: str, parameters: dict) -> int:
    cursor.execute(query, parameters)
    return len(cursor.fetchall())


def unpaid(on: date, *, at: datetime) -> list[int]:
    """Ids of the statements due by `on` that could be paid, and are in no payout."""
    policy = payout_candidates.policy_on(on)
    found = payout_candidates.ready(on=on, at=at, policy=policy)
    return [statement.pk for each in found for statement in each.statements]


def late_invoices(on: date) -> QuerySet:
    """Tax invoices that should have been issued or transmitted; a test marketplace owes none."""
    if tenancy.current().state == Marketplace.State.TEST:
        return TaxInvoice.objects.none()
    return TaxInvoice.objects.late(on)


def stuck_holds(on: date) -> QuerySet:
    """Holds that nothing will end, and holds whose day has come by the night of `on`."""
    return Hold.objects.without_way_out() | Hold.objects.past_date(on)


def suspended(on: date) -> int:
    """Money that nobody has explained by the end of a day, on whichever side it stands."""
    account = Account.objects.filter(code=chart.SUSPENSE).values_list("pk", flat=True).first()
    return abs(ledger_balances.of(account, on).balance) if account else 0


def unsigned(on: date, days: int) -> QuerySet:
    """Business dates that two people should have signed by the night of `on`.

    Where nobody has signed a day yet, nobody is reminded of it.
    """
    first = SignedSheet.objects.order_by("pk").values("day_close__day")[:1]
    rows = DayClose.objects.exclude(state=DayClose.State.SIGNED)
    return rows.filter(day__lt=on - timedelta(days=days), day__gt=Subquery(first))


def unclosed(on: date, days: int) -> QuerySet:
    """Months that should have been closed by the night of `on`, after the first that ever was."""
    first = PeriodClosing.objects.order_by("pk").values("period__month")[:1]
    months = Period.objects.filter(state=Period.State.OPEN, month__gte=Subquery(first))
    return months.filter(month__lt=ledger_balances.first_of(on - timedelta(days=days)))


def unexplained(on: date, days: int) -> dict[str, QuerySet]:
    """What was found to differ too long before the night of `on`, by sentinel.

    From files of providers, from answers of banks, from the ledger, and from the lists of the
    marketplace's own bank account, whose transactions wait from their day on.
    """
    since = on - timedelta(days=days)
    exceptions = PayoutException.objects.filter(state=PayoutException.State.OPEN)
    return {
        UNEXPLAINED: Discrepancy.objects.open().filter(found_on__lt=since),
        BANK_UNEXPLAINED: exceptions.filter(raised_at__date__lt=since),
        LEDGER_UNEXPLAINED: LedgerDifference.objects.open().filter(found_on__lt=since),
        BANK_ROWS_UNEXPLAINED: BankRow.objects.open().filter(on__lt=since),
    }


_DIFFERING = {
    LINES_DIFFER: _LINES_DIFFER,
    LEDGER_DIFFERS: _JOURNAL_DIFFERS,
    HOLDS_DIFFER: _HOLDS_DIFFER,
    CHAIN_BROKEN: _CHAIN_BROKEN,
}


def differing(on: date) -> dict[str, list[int]]:
    """Ids of the statements closed in the night of `on` that differ now, by sentinel."""
    parameters = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "statements": list(Statement.objects.filter(closed_on=on).values_list("pk", flat=True)),
    }
    found = {}
    with connection.cursor() as cursor:
        for name, query in _DIFFERING.items():
            cursor.execute(query, parameters)
            found[name] = [key for (key,) in cursor.fetchall()]
    return found
