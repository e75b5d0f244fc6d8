"""The lines of statements as the rows that their seals are computed over: those of lines.csv.

The database writes each row and its digest; a row ends with the beginning of its own digest, by
which a reader finds the line that was damaged. Digests leave the database one for a statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from psycopg.types.json import Jsonb

from marketplace import tenancy
from settlements import proofs
from settlements.models import Statement

NO_TERMS = "-"  # of an adjustment, which goes by none
UNKNOWN = "?"  # stands for terms that do not exist; verification names the line

# The look-ups are lateral and by unique keys, as in settlements.runs: nothing to plan wrongly.
# A text that a spreadsheet would run as a formula gets an apostrophe, and so does one that has it.
_TEXT = """
SELECT at, order_number, line, sequence, label, concat(
    label, ',"', replace(order_number, '"', '""'), '",', line, ',', sequence, ',', kind,
    ',"', replace(stream, '"', '""'), '",', rate_on, ',', basis_on, ',', unit_price, ',', ordered,
    ',', ordered_by_seller, ',', ordered_by_platform, ',', ordered_by_partner, ',', quantity,
    ',', list_amount, ',', seller_discount, ',', platform_discount, ',', partner_discount,
    ',', fee, ',', vat, ',', net, ',', array_to_string(charges, ' '), ',', history
) AS text
"""
_FIELDS = """
SELECT t.at, s.sequence, s.rate_on, s.basis_on, s.quantity, s.list_amount, s.seller_discount,
       s.platform_discount, s.partner_discount, s.fee, s.vat, s.net, s.charges,
       coalesce(%(labels)s::jsonb ->> s.terms_id::text, %(unknown)s) AS label,
       CASE WHEN left(n.number, 1) = ANY (%(marked)s) THEN '''' || n.number
            ELSE coalesce(n.number, a.public_id) END AS order_number,
       coalesce(l.number, 1) AS line,
       CASE s.kind WHEN 1 THEN 'sale' WHEN 2 THEN 'reversal' ELSE 'adjustment' END AS kind,
       coalesce(l.stream, a.reason_code) AS stream,
       coalesce(l.unit_price, 0) AS unit_price, coalesce(l.quantity, 0) AS ordered,
       coalesce(l.seller_discount, 0) AS ordered_by_seller,
       coalesce(l.platform_discount, 0) AS ordered_by_platform,
       coalesce(l.partner_discount, 0) AS ordered_by_partner,
       CASE WHEN s.sequence > 0 THEN (
           SELECT string_agg(concat_ws(' ', o.quantity, o.list_amount, o.seller_discount,
                                       o.platform_discount, o.partner_discount),
                             ';' ORDER BY o.sequence)
           FROM orders_outcome o
           WHERE o.marketplace_id = %(marketplace)s AND o.line_id = s.order_line_id
             AND o.sequence <= s.sequence
       ) END AS history
"""
_ROWS = f"""
{_TEXT}
FROM (
    {_FIELDS}
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
) fields
"""  # noqa: S608 (all parts are constants)
# OFFSET 0: what is sorted is a digest, and not the row that it is of.
_SUMMED_UP = """
SELECT at, count(*), array_agg(DISTINCT label), encode(sha256(
    string_agg(digest, ''::bytea ORDER BY order_number COLLATE "C", line, sequence)
), 'hex')
FROM (
    SELECT at, order_number, line, sequence, label, sha256(convert_to(text, 'UTF8')) AS digest
    FROM ({rows}) texts
    OFFSET 0
) digested
GROUP BY at
"""
_DIGESTS = _SUMMED_UP.format(rows=_ROWS)
_TEXTS = f"""
SELECT text FROM ({_ROWS}) texts ORDER BY order_number COLLATE "C", line, sequence
"""  # noqa: S608 (both parts are constants)
_MARKED = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'"]
_MEMORY = "64MB"  # in which the digests of a batch of statements are sorted


@dataclass(frozen=True, slots=True)
class Digest:
    """What the lines of a statement come to: how many, the labels of their terms, the digest."""

    lines: int = 0
    labels: frozenset[str] = frozenset()
    sha256: str = proofs.digest("")


def digests(statements: Sequence[Statement], terms: Mapping[int, str]) -> list[Digest]:
    """The SHA-256 over the digests of a statement's rows, by order, line and sequence.

    Of each of the statements, in their order. `terms` are the digests of terms documents by the
    id of the terms.
    """
    found = [Digest() for _ in statements]
    with_lines = [at for at, statement in enumerate(statements) if statement.first_basis_on]
    parameters = _parameters([statements[at] for at in with_lines], terms)
    with connection.cursor() as cursor:
        _as_iso(cursor)
        cursor.execute("SELECT current_setting('work_mem')")
        [before] = cursor.fetchone()
        _set_memory(cursor, _MEMORY)
        cursor.execute(_DIGESTS, parameters)
        for at, lines, labels, sha256 in cursor:
            found[with_lines[at - 1]] = Digest(lines, frozenset(labels), sha256)
        _set_memory(cursor, before)
    return found


def rows(statement: Statement, terms: Mapping[int, str]) -> list[bytes]:
    """The rows of lines.csv below its header."""
    if statement.first_basis_on is None:
        return []
    with connection.cursor() as cursor:
        _as_iso(cursor)
        cursor.execute(_TEXTS, _parameters([statement], terms))
        return [f"{text},{proofs.digest(text)[:8]}\n".encode() for (text,) in cursor]


def _as_iso(cursor) -> None:
    """Days as ISO writes them, whatever the server's habit is."""
    cursor.execute("SELECT set_config('datestyle', 'ISO, YMD', true)")


def _set_memory(cursor, value: str) -> None:
    cursor.execute("SELECT set_config('work_mem', %s, true)", [value])


def _parameters(statements: Sequence[Statement], terms: Mapping[int, str]) -> dict:
    labels = {str(key): proofs.label(digest) for key, digest in terms.items()}
    return {
        "marketplace": tenancy.current_id(),
        "marked": _MARKED,
        "unknown": UNKNOWN,
        "labels": Jsonb(labels | {"0": NO_TERMS}),
        "statements": [statement.pk for statement in statements],
        "first": [statement.first_basis_on for statement in statements],
        "last": [statement.last_basis_on for statement in statements],
    }
