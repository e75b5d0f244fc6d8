"""What a bank said that does not fit: kept for people, with what is expected and what was found."""

from datetime import datetime

from django.db.models.functions import Abs, Coalesce

from marketplace import changes, states
from marketplace.identifiers import is_public_id
from settlements.models import Payout, PayoutException

Kind = PayoutException.Kind


def raise_for(
    payout: Payout,
    kind: str,
    *,
    at: datetime,
    source: str = "",
    expected: int | None = None,
    found: int | None = None,
) -> str:
    """Keep one about a payout, once while it is open. Returns its kind."""
    _, is_new = PayoutException.objects.get_or_create(
        payout=payout,
        kind=kind,
        state=PayoutException.State.OPEN,
        found=found,
        defaults={
            "reference": payout.public_id,
            "source": source[:200],
            "expected": expected,
            "raised_at": at,
        },
    )
    if is_new:
        _tell(kind, payout.public_id, at)
    return kind


def raise_unknown(
    reference: str, kind: str, *, at: datetime, source: str, found: int | None = None
) -> str:
    """Keep one that names no payout of ours. Returns its kind."""
    PayoutException.objects.create(
        kind=kind, reference=reference[:60], source=source[:200], found=found, raised_at=at
    )
    _tell(kind, reference if is_public_id(reference, "pay") else "", at)
    return kind


def resolve(exception: PayoutException, *, by, at: datetime, reason: str) -> None:
    """Close one with what was found out. Raises states.IllegalMove when that was done."""
    found_out = {"resolved_at": at, "resolved_by": by, "resolution": reason}
    state = PayoutException.State.RESOLVED
    states.move(exception, state, by=by, at=at, reason=reason, changes=found_out)


def at_stake():
    """How much money each is about, as an expression: the difference, or what came unasked."""
    return Abs(Coalesce("found", 0) - Coalesce("expected", 0))


def _tell(kind: str, reference: str, at: datetime) -> None:
    changes.announce("payout.exception", reference, at=at, kind=str(kind))
