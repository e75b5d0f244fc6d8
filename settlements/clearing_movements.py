"""What has moved on the clearing account, by order, since it was last proven. Reading only.

Each statement starts from what is new and looks up the rest of it row by row, by an index: OFFSET 0
keeps the planner from joining whole tables, which it would choose by guesses about ones under
row-level security that have just been filled. So a night costs what it has brought.
"""

from datetime import date
from typing import Any, Final

from django.db import connection

from marketplace import tenancy
from settlements import chart, ledger, reconciling
from settlements.models import Account, ClearingProof

_ALL: Final = 2**63 - 1  # as the highest id: whatever there is

# Buyers' money of the lines of statements that closed on some days, by order line.
SETTLED = """
SELECT l.order_line_id, o.order_id, l.amount
FROM (
    SELECT id, first_basis_on, last_basis_on FROM settlements_statement
    WHERE marketplace_id = %(marketplace)s AND closed_on > %(after)s AND closed_on <= %(on)s
    OFFSET 0
) s
CROSS JOIN LATERAL (
    SELECT order_line_id,
           sum(list_amount - seller_discount - platform_discount - partner_discount)::bigint
           AS amount
    FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND statement_id = s.id
      AND basis_on >= s.first_basis_on AND basis_on + 0 <= s.last_basis_on
    GROUP BY order_line_id
    OFFSET 0
) l
CROSS JOIN LATERAL (
    SELECT order_id FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND id = l.order_line_id
    OFFSET 0
) o
"""

# The order that each of a provider's ids belongs to: that of its first payment.
ORDER_OF = """
SELECT p.order_id FROM orders_payment p
WHERE p.marketplace_id = %(marketplace)s AND p.provider_id = {id} AND p.provider_id <> ''
ORDER BY p.id LIMIT 1
"""

# What a journal has moved on clearing.
MOVED = """
SELECT debit - credit AS amount FROM ledger_entry
WHERE marketplace_id = %(marketplace)s AND journal_id = j.id AND basis_on = j.basis_on
  AND account_id = %(account)s
OFFSET 0
"""

# What rows of providers, journals of discrepancies, and journals that book an order's item moved on
# clearing since the last proof, by order; none where no order knows the payment.
CAME = f"""
WITH came AS (
    SELECT o.order_id, -r.gross AS amount
    FROM settlements_providerrow r
    LEFT JOIN LATERAL ({ORDER_OF.format(id="r.provider_id")}) o ON true
    WHERE r.marketplace_id = %(marketplace)s AND r.id > %(last_row)s AND r.id <= %(row)s
    UNION ALL
    SELECT o.order_id, e.amount
    FROM settlements_journal j
    CROSS JOIN LATERAL (
        SELECT provider_id FROM settlements_discrepancy
        WHERE marketplace_id = %(marketplace)s AND public_id = split_part(j.reference, ':', 1)
        OFFSET 0
    ) d
    CROSS JOIN LATERAL ({MOVED}) e
    LEFT JOIN LATERAL ({ORDER_OF.format(id="d.provider_id")}) o ON true
    WHERE j.marketplace_id = %(marketplace)s AND j.template = '{reconciling.MOVE}'
      AND j.id > %(last_journal)s AND j.id <= %(journal)s
    UNION ALL
    SELECT m.order_id, e.amount
    FROM settlements_journal j
    CROSS JOIN LATERAL (
        SELECT reference FROM settlements_journal
        WHERE marketplace_id = %(marketplace)s AND id = coalesce(j.reverses_id, j.id)
          AND template = '{ledger.BY_ORDER}'
        OFFSET 0
    ) b
    CROSS JOIN LATERAL (
        SELECT order_id FROM settlements_manualjournal
        WHERE marketplace_id = %(marketplace)s AND public_id = b.reference
        OFFSET 0
    ) m
    CROSS JOIN LATERAL ({MOVED}) e
    WHERE j.marketplace_id = %(marketplace)s
      AND j.template IN ('{ledger.BY_ORDER}', '{ledger.REVERSAL}')
      AND j.id > %(last_journal)s AND j.id <= %(journal)s
)
"""  # noqa: S608 (all parts are constants)
_HAS_MOVED = f"""{CAME}
SELECT EXISTS (SELECT FROM came WHERE order_id = %(order)s)
"""  # noqa: S608 (all parts are constants)


def since(last: ClearingProof | None) -> dict[str, Any]:
    """What a statement asks for all that came after a proof."""
    return {
        "marketplace": tenancy.current_id(),
        "account": account_id() or 0,
        "after": last.day if last else date.min,
        "last_row": last.last_row if last else 0,
        "last_journal": last.last_journal if last else 0,
    }


def account_id() -> int | None:
    """The key of the clearing account; None while nothing was ever posted on it."""
    return Account.objects.filter(code=chart.CLEARING).values_list("pk", flat=True).first()


def has_moved(order_id: int) -> bool:
    """Whether rows of providers, or journals, have moved anything of an order."""
    words = {**since(ClearingProof.objects.order_by("-day").first()), "order": order_id}
    with connection.cursor() as cursor:
        cursor.execute(_HAS_MOVED, {**words, "row": _ALL, "journal": _ALL})
        [has_moved] = cursor.fetchone()
    return has_moved
