"""The lines of statements as the bytes that their seals are computed over: the file lines.csv.

The database writes most of each row; a row ends with its own check sum, by which a reader finds
the line that was damaged. Nothing is kept in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

from django.db import connection

from marketplace import tenancy
from settlements.models import Statement

NO_TERMS = b"-"  # of an adjustment, which goes by none
UNKNOWN = b"?"  # stands for terms that do not exist; verification names the line

# The look-ups are lateral and by unique keys, as in settlements.runs: nothing to plan wrongly.
# A text that a spreadsheet would run as a formula gets an apostrophe, and so does one that has it.
_ROWS = """
COPY (
    SELECT t.at, s.terms_id,
           CASE WHEN left(n.number, 1) = ANY (%(marked)s) THEN '''' || n.number
                ELSE coalesce(n.number, a.public_id) END AS "order",
           coalesce(l.number, 1), s.sequence,
           CASE s.kind WHEN 1 THEN 'sale' WHEN 2 THEN 'reversal' ELSE 'adjustment' END,
           coalesce(l.stream, a.reason_code) AS stream, s.rate_on, s.basis_on,
           coalesce(l.unit_price, 0), coalesce(l.quantity, 0), coalesce(l.seller_discount, 0),
           coalesce(l.platform_discount, 0), coalesce(l.partner_discount, 0),
           s.quantity, s.list_amount,
           s.seller_discount, s.platform_discount, s.partner_discount, s.fee, s.vat, s.net,
           array_to_string(s.charges, ' '),
           CASE WHEN s.sequence > 0 THEN (
               SELECT string_agg(concat_ws(' ', o.quantity, o.list_amount, o.seller_discount,
                                           o.platform_discount, o.partner_discount),
                                 ';' ORDER BY o.sequence)
               FROM orders_outcome o
               WHERE o.marketplace_id = %(marketplace)s AND o.line_id = s.order_line_id
                 AND o.sequence <= s.sequence
           ) END
    FROM unnest(%(statements)s::bigint[], %(first)s::date[], %(last)s::date[])
         WITH ORDINALITY AS t(id, first_on, last_on, at)
    JOIN LATERAL (
        SELECT * FROM settlement_line
        WHERE marketplace_id = %(marketplace)s AND statement_id = t.id
          AND basis_on BETWEEN t.first_on AND t.last_on
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT order_id, number, stream, unit_price, quantity, seller_discount,
               platform_discount, partner_discount
        FROM orders_orderline WHERE marketplace_id = %(marketplace)s AND id = s.order_line_id
        LIMIT 1
    ) l ON true
    LEFT JOIN LATERAL (
        SELECT number FROM orders_order WHERE marketplace_id = %(marketplace)s AND id = l.order_id
        LIMIT 1
    ) n ON true
    LEFT JOIN LATERAL (
        SELECT public_id, reason_code FROM settlements_adjustment
        WHERE marketplace_id = %(marketplace)s AND id = -s.order_line_id
        LIMIT 1
    ) a ON s.order_line_id < 0
    ORDER BY t.at, coalesce(n.number, a.public_id) COLLATE "C", l.number, s.sequence
) TO STDOUT (FORMAT csv, FORCE_QUOTE ("order", stream))
"""
_MARKED = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'"]


def rows(
    statements: Sequence[Statement], digests: Mapping[int, str]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Each row of statements, by statement and then by order, line and sequence.

    Yields the position of its statement, the label of its terms, and the row. `digests` are
    those of terms documents by the id of the terms.
    """
    labels = {str(key).encode(): digest[:12].encode() for key, digest in digests.items()}
    labels[b"0"] = NO_TERMS
    with_lines = [(at, one) for at, one in enumerate(statements) if one.first_basis_on]
    parameters = {
        "marketplace": tenancy.current_id(),
        "marked": _MARKED,
        "statements": [statement.pk for _, statement in with_lines],
        "first": [statement.first_basis_on for _, statement in with_lines],
        "last": [statement.last_basis_on for _, statement in with_lines],
    }
    positions = {str(n).encode(): at for n, (at, _) in enumerate(with_lines, 1)}
    with connection.cursor() as cursor:
        # Days as ISO writes them, whatever the server's habit is.
        cursor.execute("SELECT set_config('datestyle', 'ISO, YMD', true)")
        with cursor.copy(_ROWS, parameters) as copy:
            for data in copy:  # the server sends one row at a time
                at, terms_id, rest = bytes(data).split(b",", 2)
                label = labels.get(terms_id, UNKNOWN)
                row = b"%b,%b" % (label, rest[:-1])
                yield positions[at], label, b"%b,%08x\n" % (row, crc32(row))
