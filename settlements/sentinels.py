"""What the night looks at before it ends: money that is stuck, and figures that must agree.

Each check reads only what this night touched, so it does not slow as history grows; `verify`
recomputes everything. A finding is counted and listed, it does not undo the night.
"""

from datetime import date

from django.db import connection

from marketplace import tenancy
from orders.models import OutcomeToSettle
from settlements.models import Statement

# Lines of the statements that closed tonight against the statements' totals. The dates keep the
# search to the months that the statements name.
_LINES_DIFFER = """
SELECT count(*) FROM settlements_statement s
LEFT JOIN LATERAL (
    SELECT count(*) AS lines, sum(l.fee) AS fee, sum(l.vat) AS vat, sum(l.net) AS net
    FROM settlement_line l
    WHERE l.marketplace_id = %(marketplace)s AND l.statement_id = s.id
      AND l.basis_on BETWEEN s.first_basis_on AND s.last_basis_on
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


def watch(on: date) -> dict[str, int]:
    """Counts of what is wrong after the night of `on`; all zero on a good one."""
    closed = list(Statement.objects.filter(closed_on=on).values_list("pk", "payout"))
    parameters = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "statements": [pk for pk, _ in closed],
    }
    with connection.cursor() as cursor:
        cursor.execute(_LINES_DIFFER, parameters)
        [lines_differ] = cursor.fetchone()
        cursor.execute(_LEDGER_DIFFERS, parameters)
        [owed] = cursor.fetchone()
    return {
        "waiting_outcomes": OutcomeToSettle.objects.filter(basis_on__lte=on).count(),
        "overdue_statements": Statement.objects.due_on(on).count(),
        "statements_differ_from_lines": lines_differ,
        "ledger_differs_from_statements": int(owed - sum(payout for _, payout in closed)),
    }
