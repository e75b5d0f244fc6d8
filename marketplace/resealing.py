"""Seal sealed fields again with the newest key, so that older ones can be retired.

A key may leave FIELD_KEYS once `counts()` names it for no field of any marketplace.
"""

from collections import Counter

from django.apps import apps
from django.db import models, transaction
from django.db.models.functions import Substr

from marketplace import sealing

BATCH = 500


def rotate() -> Counter[str]:
    """Seal every field of the marketplace in use that an older key sealed; how many of each.

    Locks few rows at a time. A value that cannot be read is left and counted as unreadable.
    """
    done: Counter[str] = Counter()
    for model, name in _fields():
        after = 0
        while batch := _batch(model, name, after):
            after = batch[-1]
            done += _reseal(model, name, batch)
    return done


def counts() -> dict[str, dict[str, int]]:
    """How many values of each field of the marketplace in use each key has sealed."""
    found = {}
    for model, name in _fields():
        rows = model._base_manager.exclude(**{name: None}).annotate(key=_key(name))
        keys = rows.order_by().values_list("key").annotate(models.Count("pk"))
        found[f"{model._meta.label}.{name}"] = {bytes(key).hex(): count for key, count in keys}
    return found


def _fields() -> list[tuple[type[models.Model], str]]:
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, sealing.SealedField)
    ]


def _key(name: str) -> Substr:
    start = len(sealing.VERSION) + 1
    return Substr(name, start, sealing.KEY_ID, output_field=models.BinaryField())


def _older(model, name: str):
    newest = bytes.fromhex(sealing.newest_key_id())
    rows = model._base_manager.exclude(**{name: None})
    return rows.annotate(key=_key(name)).exclude(key=newest)


def _batch(model, name: str, after: int) -> list[int]:
    rows = _older(model, name).filter(pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def _reseal(model, name: str, keys: list[int]) -> Counter[str]:
    done: Counter[str] = Counter()
    field = model._meta.get_field(name)
    for key in keys:  # one after the other: a sealed file is large
        row = _older(model, name).filter(pk=key).select_for_update(of=("self",)).first()
        if row is None:
            continue
        try:
            sealing.seal(row, **{name: sealing.reveal(row, name)})
        except sealing.Unreadable:
            done[f"{field}: unreadable"] += 1
            continue
        row.save(update_fields=[name, *filter(None, [field.index])])
        done[str(field)] += 1
    return done
