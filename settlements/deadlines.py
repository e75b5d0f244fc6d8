"""Guard the legal deadline of payouts: warn ahead, and on request refuse what would break it.

A marketplace watches a pack of settlements.deadline_packs, or none. Watching changes nothing;
only once two people have switched it on are settlement terms, contracts and calendars refused that
would pay after the deadline.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from marketplace import audit, calendar_days, money, tenancy, versions
from marketplace.calendars import Calendar
from marketplace.models import CalendarVersion
from marketplace.refusals import Refused, gettext_noop
from settlements import deadline_packs, due_dates, ledger, rate_cards
from settlements.deadline_packs import Breach, Pack
from settlements.due_dates import DueTerms
from settlements.models import (
    Account,
    DeadlineGuard,
    Hold,
    HoldMovement,
    LedgerEntry,
    PayoutForecast,
    SellerContract,
    SettlementTerms,
    Statement,
)

DueRow = SettlementTerms | SellerContract  # what names the dates of payment
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


# Statements whose own money was not sent by its latest day: it waits in them, or in a payout that
# was not sent by then, or it lay below the minimum payout and was carried into a later statement
# of which the same is true, or into none so far. Those excluded from payment owe nothing.
_PAST = """
WITH unpaid AS (
    SELECT s.id, s.seller_id, s.first_basis_on, s.carry_in,
           (p.sent_at AT TIME ZONE %(zone)s)::date AS sent_on
    FROM settlements_statement s
    LEFT JOIN settlements_payoutitem i ON i.marketplace_id = %(marketplace)s
         AND i.statement_id = s.id AND i.is_live
    LEFT JOIN settlements_payout p ON p.marketplace_id = %(marketplace)s AND p.id = i.payout_id
    WHERE s.marketplace_id = %(marketplace)s AND s.due_on <= %(on)s AND s.payout > 0
      AND (s.state = 'payable' OR s.state = 'in_payout')
      AND NOT EXISTS (
          SELECT FROM settlements_hold h
          WHERE h.marketplace_id = %(marketplace)s AND h.statement_id = s.id
            AND h.kind = 'exclusion' AND h.state = 'placed'
      )
)
SELECT id FROM unpaid
WHERE first_basis_on < %(before)s AND coalesce(sent_on > first_basis_on + %(days)s, true)
UNION
SELECT s.id FROM settlements_statement s
LEFT JOIN LATERAL (
    SELECT id FROM settlements_statement
    WHERE marketplace_id = %(marketplace)s AND seller_id = s.seller_id AND state <> 'open'
      AND carry_out <= 0 AND (closed_on, due_on) > (s.closed_on, s.due_on)
    ORDER BY closed_on, due_on LIMIT 1
) t ON true
LEFT JOIN unpaid u ON u.id = t.id
WHERE s.marketplace_id = %(marketplace)s AND s.carry_out > 0 AND s.net > 0
  AND s.first_basis_on < %(before)s
  AND s.seller_id IN (
      SELECT seller_id FROM settlements_sellerbalance
      WHERE marketplace_id = %(marketplace)s AND carry > 0
      UNION SELECT seller_id FROM unpaid WHERE carry_in > 0
  )
  AND (t.id IS NULL
       OR (u.id IS NOT NULL AND coalesce(u.sent_on > s.first_basis_on + %(days)s, true)))
"""


class CalendarPaysTooLate(Refused):
    code = "calendar_pays_too_late"
    message = gettext_noop(
        "With this calendar, %(terms)s would pay on %(due_on)s what was confirmed on %(basis_on)s; "
        "“%(pack)s” wants it paid by %(latest_on)s. Keep more days open, or shorten the terms "
        "first."
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


def publish_calendar(version: CalendarVersion, *, by, at: datetime) -> CalendarVersion:
    """Publish a calendar.

    Raises CalendarPaysTooLate where that is refused, or what calendar_days.publish raises.
    """
    found = watched()
    if found is not None and found[0].refuses_terms:
        for terms, breach in late_by_calendar(found[1], version):
            raise CalendarPaysTooLate(
                terms=_named(terms),
                pack=found[1].name,
                basis_on=breach.basis_on,
                due_on=breach.due_on,
                latest_on=breach.latest_on,
            )
    return calendar_days.publish(version, by=by, at=at)


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
    return _first_breach(pack, terms, calendar, _days(valid_from))


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


def past(on: date) -> QuerySet:
    """Closed statements with money that was not sent by its latest day, before `on`; held ones too.

    It is in no payout, in one that was not sent in time, or below the minimum payout and carried
    on. Those excluded from payment by two people are left out. None where no deadline is watched.
    """
    found = watched()
    if found is None:
        return Statement.objects.none()
    days, market = found[1].days, tenancy.current()
    parameters = {
        "marketplace": market.pk,
        "zone": market.zone,
        "on": on,
        "before": on - timedelta(days=days),
        "days": days,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAST, parameters)
        return Statement.objects.filter(pk__in=[key for (key,) in cursor.fetchall()])


def held_past(on: date) -> QuerySet:
    """Holds that keep money of statements back whose latest day lies before `on`.

    That of an order line counts from its confirmation, other money from the earliest basis date on
    the statements that it was kept back of. None where no deadline is watched.
    """
    found = watched()
    if found is None:
        return Hold.objects.none()
    kept = HoldMovement.objects.filter(hold=OuterRef("pk"), taken__gt=0).order_by()
    earliest = kept.values("hold").annotate(since=Min("statement__first_basis_on"))
    rows = Hold.objects.filter(kind=Hold.Kind.LINE, taken__gt=0).annotate(
        kept_since=Coalesce("order_line__confirmed_on", Subquery(earliest.values("since")))
    )
    return rows.filter(kept_since__lt=on - timedelta(days=found[1].days))


def late_by_terms(pack: Pack, *, on: date) -> Iterator[tuple[DueRow, Breach]]:
    """Published settlement terms and contracts, in force on a day or later, that pay too late."""
    return _late(pack, on, calendar_days.load)


def late_by_calendar(pack: Pack, version: CalendarVersion) -> Iterator[tuple[DueRow, Breach]]:
    """Published settlement terms and contracts that would pay too late with a calendar."""
    calendar = calendar_days.of(version)
    return _late(pack, version.valid_from, lambda _since: calendar)


def late_calendars(
    pack: Pack, *, on: date
) -> Iterator[tuple[CalendarVersion, tuple[DueRow, Breach]]]:
    """Calendars, drafts too, that begin after a day, with the first terms that they make late."""
    for version in CalendarVersion.objects.filter(valid_from__gt=on).order_by("valid_from", "pk"):
        if (late := next(late_by_calendar(pack, version), None)) is not None:
            yield version, late


def _late(
    pack: Pack, on: date, calendar_on: Callable[[date], Calendar]
) -> Iterator[tuple[DueRow, Breach]]:
    known: dict[tuple[DueTerms, date], Breach | None] = {}  # contracts mostly say the same
    for row, since, until in _in_force(on):
        key = (rate_cards.read_due_terms(row), since)
        if key not in known:
            known[key] = _first_breach(pack, key[0], calendar_on(since), _days(since))
        if (breach := known[key]) is not None and breach.basis_on < until:
            yield row, breach


def _in_force(on: date) -> Iterator[tuple[DueRow, date, date]]:
    """What names payment dates on a day or later: the row, from when, and before when it does."""
    of_sellers: defaultdict[int | None, list[DueRow]] = defaultdict(list)
    of_sellers[None] += SettlementTerms.objects.published().order_by("valid_from")
    contracts = SellerContract.objects.published().select_related("seller")
    for contract in contracts.order_by("seller_id", "valid_from"):
        of_sellers[contract.seller_id].append(contract)
    for rows in of_sellers.values():
        ends = [row.valid_from for row in rows[1:]]
        for row, until in zip(rows, [*ends, date.max], strict=True):
            if until > on and row.cycle:
                yield row, max(row.valid_from, on), until


def _first_breach(
    pack: Pack, terms: DueTerms, calendar: Calendar, days: Iterable[date]
) -> Breach | None:
    try:
        return next(deadline_packs.breaches(pack, terms, calendar, days), None)
    except (calendar_days.OutsideCalendar, due_dates.NoDueDateLeft):
        return None


def _days(first: date) -> Iterator[date]:
    return (first + timedelta(days=count) for count in range(_LOOKED_AT))


def _named(row: DueRow) -> str:
    return f"{row.seller} {row}" if isinstance(row, SellerContract) else str(row)


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
