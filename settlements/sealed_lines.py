"""The lines of statements as the rows that their seals are computed over: those of lines.csv.

A line is stored with the digest of its row, which whoever settled it computed of what it meant to
store (settlements.proofs); closing a statement asks for the digests alone. Here the database
writes the rows of what is stored, for sellers' files and wherever lines are verified, so that the
one finds the other out. A row ends with the beginning of its own digest, by which a reader finds
the line that was damaged.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection
from psycopg.types.json import Jsonb

from marketplace import tenancy
from settlements import proofs
from settlements.models import Statement

NO_TERMS = "-"  # of an adjustment, which goes by none
UNKNOWN = "?"  # stands for terms that do not exist; verification names the line

# Of s, a settlement line; l, its order line; n, the order; a, the adjustment; k, how the terms are
# called. A text that a spreadsheet would run as a formula gets an apostrophe, and so does one that
# has it.
_ORDER_NUMBER = """
CASE WHEN left(n.number, 1) IN
          ('=', '+', '-', '@', E'\\t', E'\\r', E'\\n', '＝', '＋', '－', '＠', '''')
     THEN '''' || n.number ELSE coalesce(n.number, a.public_id) END"""
_LINE_NUMBER = "coalesce(l.number, 1)"
_TEXT = f"""concat(
    k.label, ',"', replace({_ORDER_NUMBER}, '"', '""'), '",', {_LINE_NUMBER}, ',', s.sequence, ',',
    CASE s.kind WHEN 1 THEN 'sale' WHEN 2 THEN 'reversal' ELSE 'adjustment' END,
    ',"', replace(coalesce(l.stream, a.reason_code), '"', '""'), '",', s.rate_on, ',', s.basis_on,
    ',', coalesce(l.unit_price, 0), ',', coalesce(l.quantity, 0),
    ',', coalesce(l.seller_discount, 0), ',', coalesce(l.platform_discount, 0),
    ',', coalesce(l.partner_discount, 0), ',', s.quantity, ',', s.list_amount,
    ',', s.seller_discount, ',', s.platform_discount, ',', s.partner_discount,
    ',', s.fee, ',', s.vat, ',', s.net, ',', array_to_string(s.charges, ' '), ',',
    CASE WHEN s.sequence > 0 THEN (
        SELECT string_agg(concat_ws(' ', o.quantity, o.list_amount, o.seller_discount,
                                    o.platform_discount, o.partner_discount),
                          ';' ORDER BY o.sequence)
        FROM orders_outcome o
        WHERE o.marketplace_id = s.marketplace_id AND o.line_id = s.order_line_id
          AND o.sequence <= s.sequence
    ) END
)"""  # noqa: S608 (all parts are constants)
DIGEST = f"sha256(convert_to({_TEXT}, 'UTF8'))"

# The look-ups are lateral and by keys, as in settlements.runs: nothing to plan wrongly. Days only
# leave out the months before: were both ends known to the planner, it would rather read all lines
# of those days for each statement where it has not seen many statements yet. Neighbours are looked
# up one after the other, which spares the cache of the processor.
_LOOKED_UP = f"""
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
    WHERE s.order_line_id < 0 AND marketplace_id = %(marketplace)s AND id = -s.order_line_id
    LIMIT 1
) a ON true
CROSS JOIN LATERAL (
    SELECT coalesce(%(labels)s::jsonb ->> s.terms_id::text, '{UNKNOWN}') AS label
) k
"""  # noqa: S608 (all parts are constants)
_OF_STATEMENTS = """
    SELECT t.at, lines.*
    FROM unnest(%(statements)s::bigint[], %(first)s::date[], %(last)s::date[])
         WITH ORDINALITY AS t(statement, first_on, last_on, at)
    CROSS JOIN LATERAL (
        SELECT {columns} FROM settlement_line
        WHERE marketplace_id = %(marketplace)s AND statement_id = t.statement
          AND basis_on >= t.first_on AND basis_on + 0 <= t.last_on
        OFFSET 0
    ) lines
"""
_WHOLE_LINES = f"""
FROM ({_OF_STATEMENTS.format(columns="*")} ORDER BY order_line_id) s
{_LOOKED_UP}
"""
# What is sorted is a digest, and not the row that it is of; hence OFFSET 0, too.
_SUMMED_UP = """
SELECT at, count(*), count(digest), array_agg(DISTINCT terms_id), encode(sha256(
    string_agg(digest, ''::bytea ORDER BY order_number COLLATE "C", line, sequence)
), 'hex')
FROM (
    {before}
    SELECT s.at, {order_number} AS order_number, {line} AS line, s.sequence, s.terms_id,
           {digest} AS digest
    {lines}
    OFFSET 0
) digested
GROUP BY at
"""
_ORDERED = {"order_number": _ORDER_NUMBER, "line": _LINE_NUMBER}
# Lines that need no more than their place are looked up at once, by arrays of keys, and hashed:
# nested loops are off, as the planner expects ten rows of an array.
_STORED = _SUMMED_UP.format(
    before=f"""
    WITH s AS MATERIALIZED (
        {_OF_STATEMENTS.format(columns="order_line_id, sequence, terms_id, digest")}
    ), l AS MATERIALIZED (
        SELECT id, order_id, number FROM orders_orderline
        WHERE marketplace_id = %(marketplace)s AND id = ANY(ARRAY(SELECT order_line_id FROM s))
    ), n AS MATERIALIZED (
        SELECT id, number FROM orders_order
        WHERE marketplace_id = %(marketplace)s AND id = ANY(ARRAY(SELECT order_id FROM l))
    )
    """,  # noqa: S608 (all parts are constants)
    digest="s.digest",
    lines="""
    FROM s
    LEFT JOIN l ON l.id = s.order_line_id
    LEFT JOIN n ON n.id = l.order_id
    LEFT JOIN LATERAL (
        SELECT public_id FROM settlements_adjustment
        WHERE s.order_line_id < 0 AND marketplace_id = %(marketplace)s AND id = -s.order_line_id
        LIMIT 1
    ) a ON true
    """,
    **_ORDERED,
)
_COMPUTED = _SUMMED_UP.format(before="", digest=DIGEST, lines=_WHOLE_LINES, **_ORDERED)
_TEXTS = f"""
SELECT {_TEXT} {_WHOLE_LINES} ORDER BY {_ORDER_NUMBER} COLLATE "C", {_LINE_NUMBER}, s.sequence
"""
_ALTERED = f"""
SELECT {_ORDER_NUMBER} || '/' || {_LINE_NUMBER} || '#' || s.sequence,
       encode({DIGEST}, 'hex'), encode(s.digest, 'hex')
FROM settlement_line s
{_LOOKED_UP}
WHERE s.marketplace_id = %(marketplace)s AND s.digest <> {DIGEST}
  AND (%(statement)s::bigint IS NULL OR s.statement_id = %(statement)s)
"""  # noqa: S608 (all parts are constants)
_MEMORY = "64MB"  # in which the digests of a batch of statements are sorted


@dataclass(frozen=True, slots=True)
class Digest:
    """What the lines of a statement come to: how many, the labels of their terms, the digest."""

    lines: int = 0
    labels: frozenset[str] = frozenset()
    sha256: str = proofs.digest("")


def digests(
    statements: Sequence[Statement], terms: Mapping[int, str], *, again: bool = False
) -> list[Digest]:
    """The SHA-256 over the digests of a statement's rows, by order, line and sequence.

    Of each of the statements, in their order; from what is stored with lines, or from their
    figures `again`. `terms` are the digests of terms documents by the id of the terms.
    """
    labels = _labels(terms)
    with_lines = [statement for statement in statements if statement.first_basis_on]
    with connection.cursor() as cursor:
        _as_iso(cursor)
        with _settings(cursor, work_mem=_MEMORY, enable_nestloop="on" if again else "off"):
            query = _COMPUTED if again else _STORED
            found, undigested = _summed_up(cursor, query, with_lines, labels)
        if undigested:
            # Lines from before digests were stored have none.
            found |= _summed_up(cursor, _COMPUTED, undigested, labels)[0]
    return [found.get(statement.pk, Digest()) for statement in statements]


def _summed_up(
    cursor, query: str, statements: Sequence[Statement], labels: Mapping[str, str]
) -> tuple[dict[int, Digest], list[Statement]]:
    """Digests by statement, and the statements some of whose lines have none stored."""
    cursor.execute(query, _parameters(statements, labels))
    found, undigested = {}, []
    for at, lines, digested, used, sha256 in cursor:
        statement = statements[at - 1]
        named = frozenset(labels.get(str(terms_id), UNKNOWN) for terms_id in used)
        found[statement.pk] = Digest(lines, named, sha256)
        if digested < lines:
            undigested.append(statement)
    return found, undigested


def rows(statement: Statement, terms: Mapping[int, str]) -> list[bytes]:
    """The rows of lines.csv below its header."""
    if statement.first_basis_on is None:
        return []
    with connection.cursor() as cursor:
        _as_iso(cursor)
        cursor.execute(_TEXTS, _parameters([statement], _labels(terms)))
        return [f"{text},{proofs.digest(text)[:8]}\n".encode() for (text,) in cursor]


def altered(
    terms: Mapping[int, str], statement: Statement | None = None
) -> list[tuple[str, str, str]]:
    """Lines whose row does not have the digest stored with them: name, right digest, stored one.

    Of one statement, or of all. Reads every line.
    """
    parameters = {
        "marketplace": tenancy.current_id(),
        "labels": Jsonb(_labels(terms)),
        "statement": statement.pk if statement else None,
    }
    with connection.cursor() as cursor:
        _as_iso(cursor)
        cursor.execute(_ALTERED, parameters)
        return cursor.fetchall()


def _as_iso(cursor) -> None:
    """Days as ISO writes them, whatever the server's habit is, until the transaction ends."""
    cursor.execute("SELECT set_config('datestyle', 'ISO, YMD', true)")


@contextmanager
def _settings(cursor, **settings: str) -> Iterator[None]:
    """Settings of the transaction for a while; one that fails ends with the transaction."""
    before = {}
    for name, value in settings.items():
        cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [name, name, value])
        before[name] = cursor.fetchone()[0]
    yield
    for name, value in before.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def _labels(terms: Mapping[int, str]) -> dict[str, str]:
    labels = {str(key): proofs.label(digest) for key, digest in terms.items()}
    return labels | {"0": NO_TERMS}


def _parameters(statements: Sequence[Statement], labels: Mapping[str, str]) -> dict:
    return {
        "marketplace": tenancy.current_id(),
        "labels": Jsonb(labels),
        "statements": [statement.pk for statement in statements],
        "first": [statement.first_basis_on for statement in statements],
        "last": [statement.last_basis_on for statement in statements],
    }
