"""Settlement files that do not come: days of sales that no file of a payment provider covers.

A provider is expected from the first day that a file of it covers on, and each of its days so many
days later as the marketplace says. A live marketplace whose orders name a provider's payments, and
that has never had a file, misses one of every day. What is missing is listed until a file covers
it, nothing is known any more to have gone through the provider that day, as where another one's
file covers it, or somebody says why none will come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Count, Q, Sum

from marketplace import states, tenancy
from marketplace.models import Marketplace
from orders.models import Payment
from settlements import provider_files
from settlements.models import MissingFile, ProviderFile, ProviderRow

LOOKS_BACK: Final = timedelta(days=92)  # what is older has been found by an earlier night
ANY: Final = ""  # the provider, where no file of any has ever come
_DAY: Final = timedelta(days=1)
State = MissingFile.State


@dataclass(frozen=True, slots=True)
class _Covered:
    """What the files of a provider cover: half-open spans of days of sales."""

    provider: str
    payments: Q
    spans: tuple[tuple[date, date], ...]

    def holds(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self.spans)


@dataclass(frozen=True, slots=True)
class _Missing:
    provider: str
    day: date
    payments: int
    amount: int


def look(*, on: date, at: datetime) -> int:
    """Note what is missing after the night of `on`; returns how many are missing no more.

    The caller holds the transaction. Repeating it changes nothing.
    """
    came = close_covered(at=at)
    first = on - LOOKS_BACK
    rows = MissingFile.objects.filter(day__gte=first).select_for_update(no_key=True)
    known = {(row.provider, row.day): row for row in rows}
    for found in _missing(first, on):
        row = known.get((found.provider, found.day))
        if row is None:
            MissingFile.objects.create(
                provider=found.provider,
                day=found.day,
                payments=found.payments,
                amount=found.amount,
                found_on=on,
            )
            continue
        if (row.payments, row.amount) != (found.payments, found.amount):
            row.payments, row.amount = found.payments, found.amount
            row.save(update_fields=["payments", "amount"])
        if row.state != State.OPEN and row.closed_by_id is None:  # what people explained stays so
            again = {"found_on": on, "closed_at": None}
            states.move(row, State.OPEN, by=None, at=at, changes=again)
    return came


def close_covered(*, at: datetime) -> int:
    """Close what is covered by a file by now, or asks for none any more; returns how many.

    None is asked for where nothing is left of the day's payments that would have gone through the
    provider: another one's file covers them, or their orders say otherwise now.
    """
    rows = list(MissingFile.objects.open().select_for_update(no_key=True))
    if not rows:
        return 0
    market = Marketplace.objects.get(pk=tenancy.current_id())
    known = _covered()
    covered = {each.provider: each for each in known}
    come = [row for row in rows if _has_come(row, covered) or not _is_asked_for(row, known, market)]
    for row in come:
        _close(row, by=None, at=at, reason="")
    return len(come)


@transaction.atomic
def explain(row: MissingFile, *, by, at: datetime, reason: str) -> MissingFile:
    """Say why no file will come. It moves no money."""
    row = MissingFile.objects.select_for_update(no_key=True).get(pk=row.pk)
    return _close(row, by=by, at=at, reason=reason)


def has_come(day: date) -> bool:
    """Whether every provider has said what it paid out on a day, if only that it was nothing.

    It has once a row of it is of that day or a later one. Who has said nothing for three months
    is no longer waited for.
    """
    rows = ProviderRow.objects.filter(paid_out_on__gte=day - LOOKS_BACK)
    begun = [
        provider
        for provider in ProviderFile.objects.values_list("provider", flat=True).distinct()
        if rows.filter(provider=provider, paid_out_on__lte=day).exists()
    ]
    later = rows.filter(paid_out_on__gte=day)
    return bool(begun) and all(later.filter(provider=each).exists() for each in begun)


def _has_come(row: MissingFile, covered: dict[str, _Covered]) -> bool:
    if row.provider != ANY:
        return row.provider in covered and covered[row.provider].holds(row.day)
    return any(each.holds(row.day) for each in covered.values())


def _is_asked_for(row: MissingFile, known: list[_Covered], market: Marketplace) -> bool:
    """Whether anything is still thought to have gone through the provider on that day."""
    of = next((each for each in known if each.provider == row.provider), None)
    return _sold(of or _Covered(row.provider, Q(), ()), row.day, known, market) is not None


def _missing(first: date, on: date) -> Iterator[_Missing]:
    """Days of sales up to the night of `on` that should be covered and are not."""
    market = Marketplace.objects.get(pk=tenancy.current_id())
    last = on - timedelta(days=market.provider_file_days)
    covered = _covered()
    if not covered and market.state == Marketplace.State.LIVE:
        covered = [
            _Covered(ANY, Q(), ((market.first_open_on - _DAY, market.first_open_on - _DAY),))
        ]
    for each in covered:
        day = max(first, min(start for start, _ in each.spans))
        while day <= last:
            if not each.holds(day) and (found := _sold(each, day, covered, market)):
                yield found
            day += _DAY


def _sold(of: _Covered, day: date, covered: list[_Covered], market: Marketplace) -> _Missing | None:
    """What went through a provider on a day, and is not known to have gone through another."""
    payments = Payment.objects.filter(
        of.payments,
        ~Q(provider_id=""),
        approved_at__gte=datetime.combine(day, time(), market.tz),
        approved_at__lt=datetime.combine(day + _DAY, time(), market.tz),
    )
    for other in covered:
        if other is not of and other.holds(day):
            payments = payments.exclude(other.payments)
    sums = payments.aggregate(payments=Count("pk"), amount=Sum("amount"))
    if not sums["payments"]:
        return None
    return _Missing(of.provider, day, sums["payments"], int(sums["amount"]))


def _covered() -> list[_Covered]:
    spans: dict[str, list[tuple[date, date]]] = {}
    files = ProviderFile.objects.order_by("provider", "first_sold_on")
    for provider, *span in files.values_list("provider", "first_sold_on", "last_sold_on"):
        spans.setdefault(provider, []).append((span[0], span[1]))
    return [_Covered(code, _payments(code), tuple(found)) for code, found in spans.items()]


def _payments(provider: str) -> Q:
    """Which payments go through a provider, as its format says."""
    if provider not in provider_files.available():
        return Q(provider_id__startswith="")
    format_ = provider_files.load_format(provider)
    through = Q(provider_id__startswith=format_.id_prefix)
    return through & Q(kind__in=format_.payment_kinds) if format_.payment_kinds else through


def _close(row: MissingFile, *, by, at: datetime, reason: str) -> MissingFile:
    changed = {"closed_by": by, "closed_at": at, "reason": reason}
    states.move(row, State.RESOLVED, by=by, at=at, reason=reason, changes=changed)
    return row
