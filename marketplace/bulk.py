"""Write thousands of rows by one statement of SQL, with one array a column.

Django's `bulk_create` prepares every value of every row by itself, which costs more than the
database needs to store them.
"""

import json
import struct
import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.db import connection, models
from psycopg import Connection, Cursor, adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

_BIGINT: Final = adapters.types["int8"].oid
_BIGINTS: Final = adapters.types["int8"].array_oid
_LENGTH: Final = b"\0\0\0\x08"  # of an element, which it is preceded by


def write(
    rows: Sequence[models.Model], *, unique: Sequence[str] = (), update: Collection[str] = ()
) -> None:
    """Insert rows of one model; of those that are there by `unique`, `update` these fields.

    For models whose values are stored as they are: no field may set itself when it is saved.
    Either all rows have their keys or none has; those that the database gives are not read back.
    """
    if not rows:
        return
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if field is not meta.pk or rows[0].pk]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    arrays = ", ".join(f"%b::{field.db_type(connection)}[]" for field in fields)
    statement = f'INSERT INTO "{meta.db_table}" ({columns}) SELECT * FROM unnest({arrays})'  # noqa: S608 (names of the model's own)
    if unique:
        found = ", ".join(f'"{meta.get_field(name).column}"' for name in unique)
        changed = [f'"{meta.get_field(name).column}"' for name in update]
        written = ", ".join(f"{column} = EXCLUDED.{column}" for column in changed)
        statement += f" ON CONFLICT ({found}) DO UPDATE SET {written}"
    with connection.wrap_database_errors, cursor() as binary:
        binary.execute(statement, [_column(field, rows) for field in fields])


class Bigints(bytes):
    """Whole numbers as PostgreSQL sends and takes an array of bigint."""


def bigints(numbers: Iterable[int]) -> Bigints:
    """One or more numbers as one parameter, for `cursor`.

    Raises OverflowError where one is no bigint.
    """
    values = array("q", numbers)
    if sys.byteorder == "little":
        values.byteswap()
    plain = values.tobytes()
    elements = bytearray(_LENGTH + bytes(8)) * len(values)
    for at in range(8):
        elements[4 + at :: 12] = plain[at::8]
    return _array(len(values), elements)


def column(found: Cursor, at: int) -> Bigints:
    """A column of the rows that a binary query found, as a parameter for the next one.

    It has to be a bigint that is never null. The rows can still be fetched.
    """
    result = found.pgresult
    values = [result.get_value(row, at) for row in range(result.ntuples)]
    return _array(len(values), _LENGTH.join([b"", *values]))


def _array(length: int, elements: bytes | bytearray) -> Bigints:
    return Bigints(struct.pack(">iiIii", 1, 0, _BIGINT, length, 1) + elements)


def as_text(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array: for a usual cursor, which takes long over a list."""
    return f"{{{','.join(map(str, numbers))}}}"


def cursor(of: Connection | None = None) -> Cursor:
    """A cursor that binds on the server, and takes `bigints` as a parameter.

    Arrays that are bound as `%b` cost half of what text costs. The connection is the thread's
    own; a thread beside has none, and names the one `of` which it is.
    """
    made = Cursor(of or connection.connection)
    made.adapters.register_dumper(Bigints, _BigintsDumper)
    return made


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = _BIGINTS

    def dump(self, obj: Bigints) -> bytes:
        return obj


def _column(field: models.Field, rows: Sequence[models.Model]) -> list:
    values = [getattr(row, field.attname) for row in rows]
    if isinstance(field, models.JSONField):
        return [None if value is None else json.dumps(value) for value in values]
    return values
