"""Reports that come from orders against the orders, recomputed from what remains of their lines."""

from collections.abc import Iterator

from django.db import connection

from marketplace import tenancy
from settlements.share_verification import Found

# An outcome of a referred line waits to be counted or is counted, and is never both.
_COUNTED_ONCE = """
SELECT 'referred line', n.number || '/' || l.number || '#' || o.sequence, 'counted or waiting',
       1, (q.id IS NOT NULL)::int + (c.id IS NOT NULL)::int
FROM orders_referral r
JOIN orders_outcome o ON o.marketplace_id = r.marketplace_id AND o.line_id = r.line_id
JOIN orders_orderline l ON l.marketplace_id = r.marketplace_id AND l.id = r.line_id
JOIN orders_order n ON n.marketplace_id = r.marketplace_id AND n.id = l.order_id
LEFT JOIN orders_outcometocredit q ON q.marketplace_id = r.marketplace_id
     AND q.seller_id = r.seller_id AND q.outcome_id = o.id
LEFT JOIN settlements_revenueline c ON c.marketplace_id = r.marketplace_id
     AND c.order_line_id = r.line_id AND c.sequence = o.sequence
WHERE r.marketplace_id = %(marketplace)s
  AND (q.id IS NOT NULL)::int + (c.id IS NOT NULL)::int <> 1
ORDER BY o.id
"""

# It is counted for who brought it, on the day of the sale, with what it changed of what remains.
_LINES = """
SELECT 'referred line', n.number || '/' || l.number || '#' || c.sequence,
       'referrer, stream, day, basis date, amount',
       concat_ws(', ', s.code, r.stream, f.basis_on, o.basis_on,
                 o.list_amount - o.seller_discount
                 - coalesce(b.list_amount - b.seller_discount, 0)),
       concat_ws(', ', t.code, p.stream, p.on, c.basis_on, c.amount)
FROM settlements_revenueline c
JOIN settlements_revenuereport p ON p.marketplace_id = c.marketplace_id AND p.id = c.report_id
JOIN sellers_seller t ON t.marketplace_id = c.marketplace_id AND t.id = p.seller_id
JOIN orders_orderline l ON l.marketplace_id = c.marketplace_id AND l.id = c.order_line_id
JOIN orders_order n ON n.marketplace_id = c.marketplace_id AND n.id = l.order_id
LEFT JOIN orders_referral r ON r.marketplace_id = c.marketplace_id AND r.line_id = c.order_line_id
LEFT JOIN sellers_seller s ON s.marketplace_id = c.marketplace_id AND s.id = r.seller_id
LEFT JOIN orders_outcome o ON o.marketplace_id = c.marketplace_id
     AND o.line_id = c.order_line_id AND o.sequence = c.sequence
LEFT JOIN orders_outcome b ON b.marketplace_id = c.marketplace_id
     AND b.line_id = c.order_line_id AND b.sequence = c.sequence - 1 AND c.sequence > 0
LEFT JOIN orders_outcome f ON f.marketplace_id = c.marketplace_id
     AND f.line_id = c.order_line_id AND f.sequence = 0
WHERE c.marketplace_id = %(marketplace)s
  AND (s.id, r.stream, f.basis_on, o.basis_on, 'orders',
       o.list_amount - o.seller_discount - coalesce(b.list_amount - b.seller_discount, 0))
      IS DISTINCT FROM (p.seller_id, p.stream, p.on, c.basis_on, p.source, c.amount)
ORDER BY c.id
"""

# Each version of a report is the sum of what was counted up to it.
_SUMS = """
SELECT 'revenue report', p.public_id, 'orders of version ' || v.number,
       coalesce(t.amount, 0)::bigint, v.amount
FROM settlements_revenuereport p
JOIN settlements_revenueversion v ON v.marketplace_id = p.marketplace_id AND v.report_id = p.id
LEFT JOIN LATERAL (
    SELECT sum(c.amount) AS amount FROM settlements_revenueline c
    WHERE c.marketplace_id = p.marketplace_id AND c.report_id = p.id AND c.version <= v.number
) t ON true
WHERE p.marketplace_id = %(marketplace)s AND p.source = 'orders'
  AND v.amount <> coalesce(t.amount, 0)
UNION ALL
SELECT 'revenue report', p.public_id, 'amount', coalesce(sum(c.amount), 0)::bigint, p.amount
FROM settlements_revenuereport p
LEFT JOIN settlements_revenueline c ON c.marketplace_id = p.marketplace_id AND c.report_id = p.id
WHERE p.marketplace_id = %(marketplace)s AND p.source = 'orders'
GROUP BY p.id, p.public_id, p.amount
HAVING p.amount <> coalesce(sum(c.amount), 0)
ORDER BY 2, 3
"""


def differences() -> Iterator[Found]:
    """Every figure of reports from orders that does not follow from the orders."""
    with connection.cursor() as cursor:
        for query in (_COUNTED_ONCE, _LINES, _SUMS):
            cursor.execute(query, {"marketplace": tenancy.current_id()})
            yield from cursor.fetchall()
