"""Hold the ledger against statements: what each journal of a statement moved, account by account.

The night looks at the statements that it closed, and again at every difference that is open, so
that it does not slow as history grows; `verify` looks at all of them. What differs waits for
people, and what has come right by a counter-entry is closed by itself.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from marketplace import states, tenancy
from settlements import ledger
from settlements.models import LedgerDifference, Statement

State = LedgerDifference.State

# What a statement says that its journal moves, as credit less debit, against what the journal and
# its counter-entry did.
_DIFFERING = """
WITH s AS (
    SELECT s.*, s.hold_taken - s.released_holds AS held,
           s.reserve - s.reserve_released AS reserved,
           s.list_amount - s.seller_discount - s.platform_discount - s.partner_discount AS paid
    FROM settlements_statement s
    WHERE s.marketplace_id = %(marketplace)s AND s.id = ANY(%(statements)s) AND s.state <> 'open'
), component AS (
    SELECT s.id, c.key, (c.value ->> 0)::bigint AS fee, (c.value ->> 1)::bigint AS vat,
           (c.value ->> 2)::bigint AS on_top
    FROM s CROSS JOIN LATERAL jsonb_each(s.components) c
), moved AS (
    SELECT s.id, v.code, v.amount FROM s CROSS JOIN LATERAL (VALUES
        ('clearing', -s.paid),
        ('platform_funding', -s.platform_discount),
        ('partner_funding', -s.partner_discount),
        ('vat_payable', s.vat),
        ('seller_payable', s.net - s.payout - s.held - s.reserved - s.withholding_income
                           - s.withholding_local + s.debt_invoiced),
        ('seller_receivable', -s.debt_invoiced),
        ('seller_held', s.held),
        ('seller_reserve', s.reserved),
        ('withholding_income', s.withholding_income),
        ('withholding_local', s.withholding_local),
        ('payout_payable', s.payout)
    ) AS v(code, amount)
    UNION ALL
    SELECT id, coalesce(%(no_revenue)s::jsonb ->> key, 'fee_revenue:' || key), fee - vat + on_top
    FROM component
    UNION ALL
    SELECT id, v.code, v.amount FROM component CROSS JOIN LATERAL (VALUES
        ('vat_payable', -vat),
        ('input_vat', vat)
    ) AS v(code, amount)
    WHERE key = ANY(%(purchases)s)
), expected AS (
    SELECT id, code, sum(amount) AS amount FROM moved GROUP BY id, code
), found AS (
    SELECT s.id, a.code, sum(e.credit - e.debit) AS amount
    FROM s
    JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.template = 'statement'
         AND j.reference = s.public_id
    JOIN LATERAL (
        SELECT j.id, j.basis_on
        UNION ALL
        SELECT r.id, r.basis_on FROM settlements_journal r
        WHERE r.marketplace_id = %(marketplace)s AND r.reverses_id = j.id
    ) k ON true
    JOIN ledger_entry e ON e.marketplace_id = %(marketplace)s AND e.journal_id = k.id
         AND e.basis_on = k.basis_on
    JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.id = e.account_id
    GROUP BY s.id, a.code
)
SELECT coalesce(x.id, f.id), coalesce(x.code, f.code), coalesce(x.amount, 0)::bigint,
       coalesce(f.amount, 0)::bigint
FROM expected x FULL JOIN found f ON f.id = x.id AND f.code = x.code
WHERE coalesce(x.amount, 0) <> coalesce(f.amount, 0)
ORDER BY 1, 2
"""


def look(*, on: date, at: datetime) -> int:
    """Compare the statements of a night, and those that differed before, with the ledger.

    Returns how many differences have gone by themselves. One that people have explained is opened
    again only if it has changed since. The caller holds the transaction.
    """
    rows = LedgerDifference.objects.open().select_for_update(no_key=True)
    known = {(row.statement_id, row.account): row for row in rows}
    closed = Statement.objects.filter(closed_on=on).values_list("pk", flat=True)
    asked = {*closed, *(statement for statement, _ in known)}
    if not asked:
        return 0
    for statement, account, expected, found in _differing(asked):
        row = known.pop((statement, account), None)
        _note(row, statement, account, expected, found, on=on, at=at)
    for row in known.values():
        _close(row, by=None, at=at, reason="")
    return len(known)


@transaction.atomic
def explain(row: LedgerDifference, *, by, at: datetime, reason: str) -> LedgerDifference:
    """Say why it differs, once it was looked into. It moves no money."""
    row = LedgerDifference.objects.select_for_update(no_key=True).get(pk=row.pk)
    return _close(row, by=by, at=at, reason=reason)


def _note(row, statement: int, account: str, expected: int, found: int, *, on, at) -> None:
    if row is None:
        rows = LedgerDifference.objects.select_for_update(no_key=True)
        row = rows.filter(statement=statement, account=account).first()
    if row is None:
        row = LedgerDifference(statement_id=statement, account=account, found_on=on)
    has_changed = (row.expected, row.found) != (expected, found)
    row.expected, row.found, row.difference = expected, found, found - expected
    row.save()
    if row.state != State.OPEN and (has_changed or row.closed_by_id is None):
        again = {"found_on": on, "closed_by": None, "closed_at": None, "reason": ""}
        states.move(row, State.OPEN, by=None, at=at, changes=again)


def _close(row: LedgerDifference, *, by, at: datetime, reason: str) -> LedgerDifference:
    changed = {"closed_by": by, "closed_at": at, "reason": reason}
    states.move(row, State.RESOLVED, by=by, at=at, reason=reason, changes=changed)
    return row


def _differing(statements: Iterable[int]) -> Iterator[tuple[int, str, int, int]]:
    """(statement, account, expected, found) where the two are not the same."""
    parameters = {
        "marketplace": tenancy.current_id(),
        "statements": sorted(statements),
        "no_revenue": Jsonb(dict(ledger.NO_REVENUE)),
        "purchases": sorted(ledger.PURCHASES),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERING, parameters)
        return iter(cursor.fetchall())
