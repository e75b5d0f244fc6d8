"""The audit trail: who did what, when and why, and the proof that nobody has edited it since.

`record()` writes an entry in the transaction of the deed. `seal()` afterwards binds committed
entries into blocks, each naming the hash of the block before it, so writers never wait for the
chain. `verify()` recomputes everything and names what does not agree.

Entries hold ids and codes, never names, addresses or account numbers: they cannot be erased.
A chain shows any edit except the loss of its newest blocks; against that, keep the newest hash
of each day somewhere else.
"""

import hashlib
import json
from contextvars import ContextVar
from datetime import UTC, datetime

from django.db import connection, transaction

from marketplace import tenancy
from marketplace.models import AuditEntry, AuditSeal, AuditSealMember

BLOCK = 1000
# What acted, where no person did at a page, such as "api_key:3f9d02ab"; set around a request.
through: ContextVar[str] = ContextVar("jangteo_audit_through", default="")
GENESIS = "0" * 64


def record(action, *, by, at, obj=None, reason="", data=None) -> AuditEntry:
    """Write down one deed. `by` is a user, or None when the system acted by itself.

    What a program did in the name of a user is told with the key that it used.
    `obj` is a row, or a model when the deed concerns a set of its rows. `data` is JSON without
    floats, whose text would not be the same everywhere.
    """
    told = entry(action, by=by, at=at, obj=obj, reason=reason, data=data)
    told.save(force_insert=True)
    return told


def entry(action, *, by, at, obj=None, reason="", data=None) -> AuditEntry:
    """What `record()` writes down, not written yet: for a statement that writes more with it."""
    _refuse_floats(data)
    if through.get():
        data = {**(data or {}), "through": through.get()}
    return AuditEntry(
        marketplace_id=tenancy.current_id(),
        at=at,
        actor=by,
        action=action,
        object_type=obj._meta.label_lower if obj is not None else "",
        object_key="" if obj is None or isinstance(obj, type) else str(obj.pk),
        reason=reason,
        data=data or {},
    )


@transaction.atomic
def seal(*, at) -> int:
    """Chain every committed entry that is in no block yet; returns how many were sealed.

    One sealer per marketplace at a time: a second one waits, then takes what is left.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('audit.seal', %s))",
            [tenancy.current_id()],
        )
    # Read after the lock, so that the blocks of the sealer before us are seen. A difference of
    # sets, since an anti-join over tables that just grew is planned as a loop in a loop.
    sealed = AuditSealMember.objects.values_list("entry_id")
    keys = [key for (key,) in AuditEntry.objects.values_list("pk").difference(sealed)]
    keys.sort()
    last = AuditSeal.objects.order_by("-number").first()
    for start in range(0, len(keys), BLOCK):
        entries = AuditEntry.objects.filter(pk__in=keys[start : start + BLOCK]).order_by("pk")
        last = _seal_block(list(entries), last, at)
    return len(keys)


def verify() -> list[str]:
    """Recompute the chain of the marketplace in use; return what is wrong, one sentence each."""
    problems: list[str] = []
    previous, expected = GENESIS, 1
    for block in AuditSeal.objects.order_by("number").iterator():
        name = f"block {block.number}"
        if block.number != expected:
            problems.append(f"blocks {expected} to {block.number - 1} are missing")
        elif block.previous_hash != previous:
            problems.append(f"{name} does not follow the hash of the block before it")
        problems += _verify_block(block, name)
        previous, expected = block.hash, block.number + 1
    return problems


def _seal_block(entries, last, at) -> AuditSeal:
    hashes = {entry.pk: _entry_hash(entry) for entry in entries}
    block = AuditSeal(
        number=last.number + 1 if last else 1,
        entries=len(entries),
        sealed_at=at,
        previous_hash=last.hash if last else GENESIS,
    )
    block.hash = _block_hash(block, hashes)
    block.save(force_insert=True)
    AuditSealMember.objects.bulk_create(
        AuditSealMember(seal=block, entry_id=key, hash=value) for key, value in hashes.items()
    )
    return block


def _verify_block(block, name) -> list[str]:
    problems = []
    members = AuditSealMember.objects.filter(seal=block).order_by("entry_id")
    hashes = dict(members.values_list("entry_id", "hash"))
    entries = AuditEntry.objects.in_bulk(list(hashes))
    for key, value in hashes.items():
        if key not in entries:
            problems.append(f"{name}: entry {key} is missing")
        elif _entry_hash(entries[key]) != value:
            problems.append(f"{name}: entry {key} was changed")
    if len(hashes) != block.entries:
        problems.append(f"{name} holds {len(hashes)} entries where {block.entries} were sealed")
    if _block_hash(block, hashes) != block.hash:
        problems.append(f"{name} does not agree with its own hash")
    return problems


def _entry_hash(entry: AuditEntry) -> str:
    return _sha256(
        {
            "id": entry.pk,
            "marketplace": entry.marketplace_id,
            "at": _utc(entry.at),
            "actor": entry.actor_id,
            "action": entry.action,
            "object_type": entry.object_type,
            "object_key": entry.object_key,
            "reason": entry.reason,
            "data": entry.data,
        }
    )


def _block_hash(block: AuditSeal, hashes: dict[int, str]) -> str:
    return _sha256(
        {
            "marketplace": block.marketplace_id,
            "number": block.number,
            "sealed_at": _utc(block.sealed_at),
            "previous_hash": block.previous_hash,
            "entries": sorted(hashes.items()),
        }
    )


def _sha256(value) -> str:
    """Of one fixed text: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _refuse_floats(value) -> None:
    if isinstance(value, float):
        raise TypeError("audit data holds no floats; use integers or text")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
