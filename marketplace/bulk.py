"""Write thousands of rows by one statement of SQL, with one array a column.

Django's `bulk_create` prepares every value of every row by itself, which costs more than the
database needs to store them.
"""

import json
from collections.abc import Collection, Sequence

from django.db import connection, models


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
    arrays = ", ".join(f"%s::{field.db_type(connection)}[]" for field in fields)
    statement = f'INSERT INTO "{meta.db_table}" ({columns}) SELECT * FROM unnest({arrays})'  # noqa: S608 (names of the model's own)
    if unique:
        found = ", ".join(f'"{meta.get_field(name).column}"' for name in unique)
        changed = [f'"{meta.get_field(name).column}"' for name in update]
        written = ", ".join(f"{column} = EXCLUDED.{column}" for column in changed)
        statement += f" ON CONFLICT ({found}) DO UPDATE SET {written}"
    with connection.cursor() as cursor:
        cursor.execute(statement, [_column(field, rows) for field in fields])


def _column(field: models.Field, rows: Sequence[models.Model]) -> list:
    values = [getattr(row, field.attname) for row in rows]
    if isinstance(field, models.JSONField):
        return [None if value is None else json.dumps(value) for value in values]
    return values
