"""The life of every versioned rule: drafted, published, and from then on never edited.

A version holds from its `valid_from` until a later one begins. Days that are closed keep the
rules that they were closed under, so a new version begins after the last of them. What a version
says is its own app's business; here it only gets a number and comes into force.
"""

import hashlib

from django.db import connection, transaction
from django.db.models import CASCADE, Max, UniqueConstraint

from marketplace import audit, tenancy
from marketplace.jobs import NIGHT
from marketplace.models import JobRun, Marketplace, VersionedRule
from marketplace.refusals import Refused, gettext_noop


class NotADraft(Refused):
    code = "not_a_draft"
    message = gettext_noop("Version %(number)s is published and is never edited. Draft a new one.")


class BeginsInClosedDays(Refused):
    code = "begins_in_closed_days"
    message = gettext_noop(
        "This version begins on %(valid_from)s, but days are closed up to %(closed_on)s. "
        "Let it begin later."
    )


class BeginsWithAnother(Refused):
    code = "begins_with_another"
    message = gettext_noop("Version %(number)s already begins on %(valid_from)s.")


@transaction.atomic
def draft(model, *, valid_from, by, at=None, **fields):
    """Make the next version of a rule as a draft.

    The audit entry is left out where no `at` is told: a draft that is published by the same
    process, such as the opening of a marketplace, is one deed.
    """
    _lock()
    scope = {name: fields[name] for name in _scope(model)}
    last = model.objects.filter(**scope).aggregate(last=Max("number"))["last"] or 0
    version = model.objects.create(number=last + 1, valid_from=valid_from, **fields)
    if at is not None:
        _record("drafted", version, by, at)
    return version


def enact(model, *, valid_from, by, at, **fields):
    """Write the first version of a rule, in force at once: for a marketplace that is being opened.

    Nobody else sees it before it is open, so there is nobody to wait for and nothing to refuse.
    """
    version = model.objects.create(
        number=1,
        valid_from=valid_from,
        state=VersionedRule.State.PUBLISHED,
        published_at=at,
        published_by=by,
        **fields,
    )
    _record("published", version, by, at)
    return version


@transaction.atomic
def revise(version, *, valid_from, by, at):
    """Draft the next version of a rule as a copy of this one with all its parts, to be edited."""
    apart = {"id", "number", "valid_from", "state", "published_at", "published_by"}
    copied = draft(
        type(version),
        valid_from=valid_from,
        by=by,
        at=at,
        **{
            field.name: getattr(version, field.name)
            for field in version._meta.concrete_fields
            if field.name not in apart
        },
    )
    for relation in _parts(version):
        parts = list(relation.related_model.objects.filter(**{relation.field.name: version}))
        for part in parts:
            part.pk = None
            setattr(part, relation.field.name, copied)
        relation.related_model.objects.bulk_create(parts, batch_size=2000)
    return copied


@transaction.atomic
def publish(version, *, by, at):
    """Bring a draft into force from its `valid_from`.

    Raises BeginsInClosedDays, unless it is the first version of its rule and begins before or
    with the marketplace; BeginsWithAnother when two versions would begin on one day; NotADraft.
    """
    marketplace = _lock()
    model = type(version)
    stored = model.objects.select_for_update().get(pk=version.pk)
    if stored.state != VersionedRule.State.DRAFT:
        raise NotADraft(number=stored.number)
    scope = {name: getattr(stored, name) for name in _scope(model)}
    published = model.objects.published().filter(**scope)
    numbers = dict(published.values_list("valid_from", "number"))
    if numbers or stored.valid_from > marketplace.first_open_on:
        refuse_closed_days(stored)
    if stored.valid_from in numbers:
        raise BeginsWithAnother(number=numbers[stored.valid_from], valid_from=stored.valid_from)
    values = {"state": VersionedRule.State.PUBLISHED, "published_at": at, "published_by": by}
    model.objects.filter(pk=stored.pk).update(**values)
    version.refresh_from_db()
    _record("published", version, by, at)
    return version


def fingerprint(version) -> str:
    """A digest of what a version says with all its parts; it changes with any of them.

    Computed by the database: a fee schedule has tens of thousands of rules.
    """
    digests = [_digest(type(version), "id", version.pk)]
    for relation in _parts(version):
        digests.append(_digest(relation.related_model, relation.field.column, version.pk))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _digest(model, column, key) -> str:
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        # Only names of the model's own table go into the text of the statement.
        cursor.execute(
            "SELECT md5(coalesce(string_agg(md5(part::text), '' ORDER BY part.id), '')) "  # noqa: S608
            f"FROM {table} part WHERE marketplace_id = %s AND {column} = %s",
            [tenancy.current_id(), key],
        )
        [digest] = cursor.fetchone()
    return digest


def _parts(version) -> list:
    """The relations to what belongs to a version, unlike results, which only name it."""
    return [r for r in version._meta.related_objects if r.on_delete is CASCADE]


def refuse_closed_days(version):
    """Raise BeginsInClosedDays for a version that begins on a day that is closed.

    A night that has begun counts as closed: its parts must not be closed under two versions.
    """
    marketplace = _lock()
    begun_on = JobRun.objects.filter(kind=NIGHT).aggregate(on=Max("on"))["on"]
    closed_on = max(filter(None, (marketplace.last_closed_on, begun_on)), default=None)
    if closed_on is not None and version.valid_from <= closed_on:
        raise BeginsInClosedDays(valid_from=version.valid_from, closed_on=closed_on)


def _lock() -> Marketplace:
    """One at a time per marketplace, and none while a night begins or ends."""
    return Marketplace.objects.select_for_update(no_key=True).get(pk=tenancy.current_id())


def _scope(model) -> list[str]:
    """What a number is counted within, from the model's own constraint: [] or ["schedule"]."""
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields[-1:] == ("number",):
            return [name for name in constraint.fields if name not in ("marketplace", "number")]
    raise TypeError(f"{model.__name__} has no unique version number")


def _record(deed, version, by, at):
    audit.record(
        f"{version._meta.model_name}.{deed}",
        by=by,
        at=at,
        obj=version,
        data={"number": version.number, "valid_from": version.valid_from.isoformat()},
    )
