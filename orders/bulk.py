"""Rows by the thousand in one statement each, in the marketplace in use.

Columns travel as arrays: the number of statements and of parameters does not depend on the
number of rows. COPY would be refused, since the tables are under row-level security.
"""

from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.models import F, Lookup

from marketplace import tenancy


def insert(
    model, columns: Sequence[str], rows: Iterable[Sequence], *, returning="", or_ignore=False
) -> list[tuple]:
    """Insert rows given as tuples of `columns`; return the `returning` columns of those written.

    With `or_ignore`, rows that break a unique constraint are left out.
    """
    arrays = list(zip(*rows, strict=True))
    if not arrays:
        return []
    names = _names(columns)
    sql = (
        f"INSERT INTO {model._meta.db_table} (marketplace_id, {names}) "  # noqa: S608
        f"SELECT %s, {names} FROM unnest({_casts(model, columns)}) AS given({names})"
        + (" ON CONFLICT DO NOTHING" if or_ignore else "")
        + (f" RETURNING {returning}" if returning else "")
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [tenancy.current_id(), *map(_array, arrays)])
        return cursor.fetchall() if returning else []


def update(model, columns: Sequence[str], rows: Iterable[Sequence]) -> int:
    """Set `columns` of the rows whose ids stand first in `rows`; return how many there were."""
    arrays = list(zip(*rows, strict=True))
    if not arrays:
        return 0
    given = ["id", *columns]
    sql = (
        f"UPDATE {model._meta.db_table} AS kept SET "  # noqa: S608
        + ", ".join(f'"{name}" = given."{name}"' for name in columns)
        + f" FROM unnest({_casts(model, given)}) AS given({_names(given)})"
        " WHERE kept.marketplace_id = %s AND kept.id = given.id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*map(_array, arrays), tenancy.current_id()])
        return cursor.rowcount


class _Among(Lookup):
    """One parameter for any number of values, where Django's `in` would take one for each."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler, connection):
        lhs, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.cast_db_type(connection)
        kind = "text" if "char" in kind else kind
        return f"{lhs} = ANY(%s::{kind}[])", [*parameters, _array(self.rhs)]


def among(column: str, values: Iterable) -> Lookup:
    """A condition for filter(): the column holds one of the values. Joins nothing."""
    return _Among(F(column), list(values))


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _casts(model, columns: Sequence[str]) -> str:
    fields = {field.column: field for field in model._meta.concrete_fields}
    types = [fields[name].cast_db_type(connection) for name in columns]
    # A cast to varchar(n) would cut what is too long instead of refusing it.
    return ", ".join(f"%s::{'text' if 'char' in kind else kind}[]" for kind in types)


def _array(values: Iterable) -> str:
    """The text of an array, several times faster than the driver writes it."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):  # choices are strings of a class of their own
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)  # numbers, dates and moments as PostgreSQL reads them
