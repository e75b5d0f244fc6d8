"""The only way a state changes: along the MOVES table of its model, and never unrecorded.

A move is a compare-and-set in the database, so that of two people who decide at once the second
is refused. Every move leaves an audit entry in the same transaction; the move of a set leaves
one entry for the whole set. Who may ask for a move is for the edges to check.
"""

from collections import Counter

from django.core.exceptions import FieldDoesNotExist
from django.db import connections, transaction
from django.db.models.expressions import RawSQL

from marketplace import audit
from marketplace.refusals import Refused, gettext_noop

SAMPLE = 20  # keys of moved rows that the audit entry of a set names


class IllegalMove(Refused):
    code = "illegal_move"
    message = gettext_noop("This cannot go from “%(old)s” to “%(new)s”.")


def move(obj, to, *, by, at, reason="", changes=None):
    """Move one row from the state it was loaded with, and set `changes` with it.

    Raises IllegalMove when MOVES has no such step, and when the row has been moved by somebody
    else since it was loaded.
    """
    model, field = type(obj), _field(type(obj))
    old = getattr(obj, field)
    if to not in model.MOVES[old]:
        raise IllegalMove(old=old, new=to)
    values = {**(changes or {}), field: to}
    # No savepoint: what is refused is refused before anything is written.
    with transaction.atomic(savepoint=False):
        if moved := model._base_manager.filter(pk=obj.pk, **{field: old}).update(**values):
            for name, value in values.items():
                setattr(obj, name, value)
            audit.record(
                f"{model._meta.model_name}.{to}",
                by=by,
                at=at,
                obj=obj,
                reason=reason,
                data={"from": str(old), "to": str(to)},
            )
    if not moved:
        raise IllegalMove(old=_stored(obj, field), new=to)


@transaction.atomic
def move_many(queryset, to, *, by, at, reason="", changes=None) -> int:
    """Move every selected row by one update, or refuse and move none. Returns how many moved.

    The rows are locked in the order of their keys, so two sets that overlap wait for each other
    instead of ending in a deadlock. The audit entry counts the moves by their first state.
    """
    model, field = queryset.model, _field(queryset.model)
    rows = list(
        queryset.select_for_update(of=("self",), no_key=True)
        .order_by("pk")
        .values_list("pk", field)
    )
    if not rows:
        return 0
    counts = Counter(old for _, old in rows)
    for old in counts:
        if to not in model.MOVES[old]:
            raise IllegalMove(old=old, new=to)
    keys = [pk for pk, _ in rows]
    kind = model._meta.pk.cast_db_type(connections[queryset.db])
    moved = model._base_manager.filter(
        # One array parameter instead of one parameter a row. The rows are locked, so their state
        # is not asked again: on a table without statistics that condition led the planner into
        # a partial index, once for every row.
        pk__in=RawSQL(f"SELECT unnest(%s::{kind}[])", [keys])  # noqa: S611 (the model's own type)
    ).update(**{**(changes or {}), field: to})
    if moved != len(keys):
        raise IllegalMove(old="", new=to)
    audit.record(
        f"{model._meta.model_name}.{to}",
        by=by,
        at=at,
        obj=model,
        reason=reason,
        data={
            "to": str(to),
            "count": moved,
            "from": {str(old): count for old, count in sorted(counts.items())},
            "sample": [str(key) for key in keys[:SAMPLE]],
        },
    )
    return moved


def _field(model) -> str:
    """The name of the field that MOVES is about: `state` or `status`."""
    for name in ("state", "status"):
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        return name
    raise TypeError(f"{model.__name__} has neither a state nor a status")


def _stored(obj, field):
    """What the database says now; for the text of a refusal only."""
    return type(obj)._base_manager.filter(pk=obj.pk).values_list(field, flat=True).first() or ""
