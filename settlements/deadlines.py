"""Guard the legal deadline of payouts: warn ahead, and on request refuse terms that break it.

A marketplace watches a pack of settlements.deadline_packs, or none. Watching changes nothing;
only once two people have switched it on are settlement terms and contracts refused that would pay
after the deadline.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import F, Max, Q, Sum

from marketplace import audit, calendar_days, money, versions
from marketplace.refusals import Refused, gettext_noop
from settlements import deadline_packs, due_dates, ledger, rate_cards
from settlements.deadline_packs import Breach, Pack
from settlements.due_dates import DueTerms
from settlements.models import (
    Account,
    DeadlineGuard,
    Hold,
    LedgerEntry,
    PayoutForecast,
    SettlementTerms,
    Statement,
)

_LOOKED_AT: Final = 366  # days of confirmation from the first day of terms on
_OWED: Final = (
    ledger.PAYOUT_PAYABLE,
    ledger.SELLER_PAYABLE,
    ledger.SELLER_HELD,
    ledger.SELLER_RESERVE,
)


class PaysTooLate(Refused):
    code = "terms_pay_too_late"
    message = gettext_noop(
        "These terms would pay on %(due_on)s what was confirmed on %(basis_on)s; “%(pack)s” wants "
        "it paid by %(latest_on)s. Choose a shorter lag or cycle."
    )


@dataclass(frozen=True, slots=True)
class Meter:
    """Sellers' money that the marketplace holds, and what of it is to be kept apart."""

    expected: int  # on open statements and still to be settled, as of the last night
    owed: int  # on closed statements and in reserve, not paid out yet, by the ledger
    apart: int

    @property
    def held(self) -> int:
        return self.expected + self.owed


def watched() -> tuple[DeadlineGuard, Pack] | None:
    """The guard of the marketplace in use with its pack; None where no deadline is watched."""
    guard = DeadlineGuard.objects.first()
    return (guard, deadline_packs.pack(guard.pack)) if guard else None


def watch(*, pack: str, warning_days: int, by, at: datetime) -> DeadlineGuard:
    """Watch a deadline, which forbids nothing. Raises deadline_packs.UnknownPack.

    A guard that refuses terms keeps doing so; to change that is `enforce`.
    """
    deadline_packs.pack(pack)
    values = {"pack": pack, "warning_days": warning_days}
    guard, _ = DeadlineGuard.objects.update_or_create(defaults=values)
    audit.record("deadline.watched", by=by, at=at, obj=guard, data=values)
    return guard


def enforce(guard: DeadlineGuard, *, by, at: datetime, refuses_terms: bool) -> DeadlineGuard:
    """Have terms refused that pay too late, or not any more. Asked for by one, done by another."""
    guard.refuses_terms = refuses_terms
    guard.save(update_fields=["refuses_terms"])
    data = {"refuses_terms": refuses_terms}
    audit.record("deadline.enforced", by=by, at=at, obj=guard, data=data)
    return guard


def publish_terms(version: SettlementTerms, *, by, at: datetime) -> SettlementTerms:
    """Publish settlement terms.

    Raises PaysTooLate where that is refused, due_dates.BadDueTerms, or what marketplace.versions
    raises about its day.
    """
    ensure(rate_cards.read_due_terms(version), valid_from=version.valid_from)
    return versions.publish(version, by=by, at=at)


def ensure(terms: DueTerms, *, valid_from: date) -> None:
    """Refuse terms that would pay too late, where the guard refuses such."""
    found = watched()
    if found is None or not found[0].refuses_terms:
        return
    pack = found[1]
    if (breach := first_breach(pack, terms, valid_from=valid_from)) is not None:
        raise PaysTooLate(
            pack=pack.name,
            basis_on=breach.basis_on,
            due_on=breach.due_on,
            latest_on=breach.latest_on,
        )


def first_breach(pack: Pack, terms: DueTerms, *, valid_from: date) -> Breach | None:
    """The first day of confirmation, within a year, that terms would pay too late.

    Days beyond the calendar, or behind the last listed payment date, are left out.
    """
    calendar = calendar_days.load(valid_from)
    days = (valid_from + timedelta(days=count) for count in range(_LOOKED_AT))
    try:
        return next(deadline_packs.breaches(pack, terms, calendar, days), None)
    except (calendar_days.OutsideCalendar, due_dates.NoDueDateLeft):
        return None


def near(on: date):
    """Open statements with money that has to be paid soon: its latest day is near, or past.

    None where no deadline is watched.
    """
    found = watched()
    if found is None:
        return Statement.objects.none()
    guard, pack = found
    until = on + timedelta(days=guard.warning_days - pack.days)
    return Statement.objects.open().filter(first_basis_on__lte=until, net__gt=0)


def past(on: date):
    """Closed statements with money in no payout whose latest day lies before `on`, held ones too.

    Those excluded from payment by two people are left out. None where no deadline is watched.
    """
    found = watched()
    if found is None:
        return Statement.objects.none()
    _, pack = found
    excluded = Hold.objects.placed().filter(kind=Hold.Kind.EXCLUSION)
    unpaid = Statement.objects.payable_on(on).filter(payout__gt=0)
    late = unpaid.filter(first_basis_on__lt=on - timedelta(days=pack.days))
    return late.exclude(pk__in=excluded.values("statement_id"))


def late_by_terms(pack: Pack) -> Iterator[tuple[SettlementTerms, Breach]]:
    """Published settlement terms, from the one in force on, that pay too late."""
    rows = list(SettlementTerms.objects.published().order_by("valid_from"))
    for row in rows[-2:]:
        terms = rate_cards.read_due_terms(row)
        if breach := first_breach(pack, terms, valid_from=row.valid_from):
            yield row, breach


def meter(pack: Pack) -> Meter:
    """Sellers' money that is held, by the forecasts of the last night and by the ledger."""
    last = PayoutForecast.objects.aggregate(on=Max("made_on"))["on"]
    sums = PayoutForecast.objects.filter(made_on=last).aggregate(
        net=Sum(F("settled") + F("expected"))
    )
    accounts = list(Account.objects.filter(Q(code__in=_OWED)).values_list("pk", flat=True))
    legs = LedgerEntry.objects.filter(account_id__in=accounts)
    owed = legs.aggregate(net=Sum(F("credit") - F("debit")))["net"] or 0
    expected = sums["net"] or 0
    apart = money.share(max(expected + int(owed), 0), pack.apart_ppm, money.CEIL)
    return Meter(expected, int(owed), apart)
