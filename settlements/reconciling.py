"""Hold payment providers' settlement files against orders; nothing that differs is absorbed.

A file is taken in whole and once. What it says was deposited is posted: from clearing to the bank,
the provider's fee and its input VAT. Where provider and orders differ, a discrepancy waits for
people, and money that nobody can explain stands on the suspense account until somebody does. Every
night looks again: an order that came late explains its payment by itself.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, Sum

from marketplace import audit, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import refunds
from orders.models import Payment
from settlements import chart, ledger, matching, missing_files, provider_files, tenders
from settlements.models import Account, Discrepancy, ProviderFile, ProviderRow
from settlements.provider_files import Format, Row

DEPOSIT = "provider_deposit"  # template: what a file says was paid out on a day
MOVE = "reconciliation"  # template: to suspense, back from it, or where it belongs
APPROVAL = "book_discrepancy"
GRACE = timedelta(days=3)  # after which a provider should have named a payment
State = Discrepancy.State


class MoneyOnSuspense(Refused):
    code = "discrepancy_has_money_on_suspense"
    message = gettext_noop(
        "%(amount)s of it stands on the suspense account. Say where it belongs: book it on an "
        "account, with a second person."
    )


class AccountNotForBooking(Refused):
    code = "discrepancy_account_not_usable"
    message = gettext_noop("A discrepancy cannot be booked on “%(account)s”. Choose another.")


@transaction.atomic
def import_file(content: bytes, *, name: str, format: Format, by, at: datetime) -> ProviderFile:  # noqa: A002 (the word of the trade)
    """Take in a settlement file. The same file, or the same row in another one, counts once.

    Raises provider_files.ProviderFileRefused, and then nothing was taken in.
    """
    one_at_a_time()
    digest = hashlib.sha256(content).hexdigest()
    known = ProviderFile.objects.filter(digest=digest).first()
    if known is not None:
        return known
    market = Marketplace.objects.get(pk=tenancy.current_id())
    rows = provider_files.read(content, format, exponent=market.currency_exponent)
    new = _unknown(format.code, rows)
    file = ProviderFile.objects.create(
        provider=format.code,
        name=name[:200],
        digest=digest,
        rows=len(rows),
        known_rows=len(rows) - len(new),
        first_sold_on=min(row.sold_on for row in rows),
        last_sold_on=max(row.sold_on for row in rows),
        imported_at=at,
        imported_by=by,
    )
    ProviderRow.objects.bulk_create([_stored(row, file) for row in new], batch_size=2000)
    _post_deposits(file, new)
    on = at.astimezone(market.tz).date()
    match({row.provider_id for row in new}, on=on, at=at)
    _look_for_missing(file, format, market, on=on, at=at)
    missing_files.close_covered(at=at)
    told = {"rows": len(rows), "known": file.known_rows, "digest": digest}
    audit.record("provider_file.imported", by=by, at=at, obj=file, data=told)
    return file


@transaction.atomic
def match(provider_ids: Collection[str], *, on: date, at: datetime) -> int:
    """Compare some payments with what their provider says; returns how many agree.

    A difference becomes a discrepancy, or changes the one that is open; one that has gone is
    resolved by itself.
    """
    ids = sorted(provider_ids)
    rows = Discrepancy.objects.open().filter(provider_id__in=_with_siblings(ids))
    open_ones = {(row.provider_id, row.side): row for row in rows.select_for_update()}
    agreed = 0
    for side, provider_id, expected, found in _pairs(ids):
        verdict = matching.judge(side, expected, found)
        known = open_ones.get((provider_id, side))
        if verdict is not None:
            _note(known, verdict, side, provider_id, expected or 0, found or 0, on)
        else:
            agreed += 1
            if known is not None:
                _suspend(known, 0, on)
                known.expected, known.found = expected or 0, found or 0
                known.difference = known.found - known.expected
                known.save()
                _close(known, State.RESOLVED, by=None, at=at)
    return agreed


def rematch(*, on: date, at: datetime) -> dict[str, int]:
    """Look at every open discrepancy again. Returns how many have been explained, and what is on
    suspense."""
    one_at_a_time()
    before = list(Discrepancy.objects.open().values_list("provider_id", flat=True))
    if not before:
        return {"explained": 0, "suspended": 0}
    match(set(before), on=on, at=at)
    rows = Discrepancy.objects.open()
    suspended = rows.aggregate(suspended=Sum("suspended"))["suspended"]
    return {"explained": len(before) - rows.count(), "suspended": int(suspended or 0)}


@transaction.atomic
def resolve(discrepancy: Discrepancy, *, by, at: datetime, reason: str) -> Discrepancy:
    """Say why it differs, where no money is unexplained. Raises MoneyOnSuspense otherwise."""
    discrepancy = _locked(discrepancy)
    if discrepancy.suspended:
        raise MoneyOnSuspense(amount=discrepancy.suspended)
    return _close(discrepancy, State.RESOLVED, by=by, at=at, reason=reason)


@transaction.atomic
def book(discrepancy: Discrepancy, *, account: str, by, at: datetime, reason: str) -> Discrepancy:
    """Book a difference on the account where it belongs. Called once two people have agreed.

    What stands on suspense leaves it; what a provider will never pay leaves the clearing account.
    Raises AccountNotForBooking.
    """
    discrepancy = _locked(discrepancy)
    refuse_account(account)
    draft = _move(discrepancy, at.astimezone(tenancy.current().tz).date())
    draft.debit(chart.SUSPENSE, discrepancy.suspended)
    rest = discrepancy.difference - discrepancy.suspended
    draft.debit(chart.CLEARING, rest)
    draft.credit(account, discrepancy.difference)
    ledger.post_on_open_day(draft)
    discrepancy.suspended = 0
    discrepancy.moves += 1
    discrepancy.account = account
    discrepancy.save(update_fields=["suspended", "moves", "account"])
    return _close(discrepancy, State.BOOKED, by=by, at=at, reason=reason)


def refuse_account(code: str) -> None:
    """Raise AccountNotForBooking where a difference cannot be booked on an account."""
    row = Account.objects.filter(code=code).first()
    if row is None or row.is_per_seller or code in (chart.SUSPENSE, chart.CLEARING):
        raise AccountNotForBooking(account=row.label if row else code)


def one_at_a_time() -> None:
    """Let whoever else reconciles wait until this transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('reconciling', %s))",
            [tenancy.current_id()],
        )


def _unknown(provider: str, rows: list[Row]) -> list[Row]:
    """The rows that no earlier file of the provider brought."""
    stored = ProviderRow.objects.filter(
        provider=provider, provider_id__in={row.provider_id for row in rows}
    )
    names = ("provider_id", "kind", "paid_out_on", "gross", "fee", "occurrence")
    known = set(stored.values_list(*names))
    return [row for row in rows if row.key not in known]


def _stored(row: Row, file: ProviderFile) -> ProviderRow:
    return ProviderRow(
        file=file,
        provider=file.provider,
        number=row.number,
        provider_id=row.provider_id,
        kind=row.kind,
        sold_on=row.sold_on,
        paid_out_on=row.paid_out_on,
        gross=row.gross,
        fee=row.fee,
        fee_vat=row.fee_vat,
        deposit=row.deposit,
        occurrence=row.occurrence,
    )


def _post_deposits(file: ProviderFile, rows: list[Row]) -> None:
    """One journal for each day on which the provider paid out."""
    by_day: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[row.paid_out_on].append(row)
    for day in sorted(by_day):
        draft = ledger.Draft(DEPOSIT, f"{file.public_id}:{day}", day)
        draft.debit(chart.BANK, sum(row.deposit for row in by_day[day]))
        draft.debit(chart.PROVIDER_FEE, sum(row.fee for row in by_day[day]))
        draft.debit(chart.INPUT_VAT, sum(row.fee_vat for row in by_day[day]))
        draft.credit(chart.CLEARING, sum(row.gross for row in by_day[day]))
        ledger.post_on_open_day(draft)


def _with_siblings(provider_ids: Collection[str]) -> set[str]:
    """The payments, and the others of their orders: refunds are looked at order by order."""
    orders = Payment.objects.filter(provider_id__in=provider_ids).values("order")
    siblings = Payment.objects.filter(order__in=orders).exclude(provider_id="")
    return {*provider_ids, *siblings.values_list("provider_id", flat=True)}


def _pairs(ids: list[str]):
    """(side, provider's id, expected, found) of every payment, and of what was given back on it."""
    payments = list(Payment.objects.filter(provider_id__in=ids))
    paid: dict[str, int] = defaultdict(int)
    of_order: dict[str, int] = {}
    for payment in payments:
        paid[payment.provider_id] += payment.amount
        of_order.setdefault(payment.provider_id, payment.order_id)
    found: dict[tuple[str, str], int] = {}
    sums = ProviderRow.objects.filter(provider_id__in=ids).values_list("provider_id", "kind")
    for provider_id, kind, gross in sums.annotate(Sum("gross")).order_by():
        found[provider_id, kind] = gross
    for provider_id in ids:
        expected, row = paid.get(provider_id), found.get((provider_id, matching.PAYMENT))
        if expected is not None or row is not None:
            yield matching.PAYMENT, provider_id, expected, row
    yield from _refund_pairs(ids, of_order, found)


def _refund_pairs(ids: list[str], of_order: dict[str, int], found: dict):
    """What was given back, order by order: how it is split over payments is the provider's.

    What is expected back of what went through a provider, is the rule of tenders.parts().
    """
    orders = {of_order[provider_id] for provider_id in ids if provider_id in of_order}
    back = refunds.due(orders)
    ids_of: dict[int, list[str]] = defaultdict(list)
    most: dict[int, int] = defaultdict(int)
    paid: dict[int, Counter[str]] = defaultdict(Counter)
    for payment in Payment.objects.filter(order__in=orders).order_by("sequence"):
        account = tenders.account_of(payment.kind, payment.provider_id)
        paid[payment.order_id][account] += payment.amount
        if payment.provider_id:
            ids_of[payment.order_id].append(payment.provider_id)
            most[payment.order_id] += payment.amount
    named = [provider_id for several in ids_of.values() for provider_id in several]
    rows = ProviderRow.objects.filter(kind=matching.REFUND, provider_id__in=named)
    given = dict(rows.values_list("provider_id").annotate(Sum("gross")).order_by())
    for order_id, several in sorted(ids_of.items()):
        total = sum(given.get(provider_id, 0) for provider_id in set(several))
        if total or several[0] in ids:
            left = [(sum(paid[order_id].values()) - back[order_id], [*paid[order_id].items()])]
            kept = tenders.parts(paid[order_id], left, given_back=-total)[chart.CLEARING]
            expected = min(max(paid[order_id][chart.CLEARING] - kept, 0), most[order_id])
            yield matching.REFUND, several[0], -expected, total
    for provider_id in ids:
        if provider_id not in of_order and (provider_id, matching.REFUND) in found:
            yield matching.REFUND, provider_id, None, found[provider_id, matching.REFUND]


def _note(known, verdict, side: str, provider_id: str, expected: int, found: int, on: date) -> None:
    if known is None:
        known = Discrepancy(provider_id=provider_id, side=side, found_on=on)
    known.kind = verdict.kind
    known.expected, known.found, known.difference = expected, found, verdict.difference
    known.save()
    _suspend(known, verdict.suspended, on)


def _suspend(discrepancy: Discrepancy, wanted: int, on: date) -> None:
    """Let as much of it stand on suspense as is unexplained, by the journal that is missing."""
    missing = wanted - discrepancy.suspended
    if not missing:
        return
    draft = _move(discrepancy, on)
    draft.debit(chart.CLEARING, missing)
    draft.credit(chart.SUSPENSE, missing)
    ledger.post_on_open_day(draft)
    discrepancy.suspended = wanted
    discrepancy.moves += 1
    discrepancy.save(update_fields=["suspended", "moves"])


def _move(discrepancy: Discrepancy, on: date) -> ledger.Draft:
    return ledger.Draft(MOVE, f"{discrepancy.public_id}:{discrepancy.moves + 1}", on)


def _close(discrepancy: Discrepancy, state: str, *, by, at: datetime, reason: str = ""):
    changes = {"closed_by": by, "closed_at": at, "reason": reason}
    states.move(discrepancy, state, by=by, at=at, reason=reason, changes=changes)
    return discrepancy


def _locked(discrepancy: Discrepancy) -> Discrepancy:
    one_at_a_time()
    return Discrepancy.objects.select_for_update(no_key=True).get(pk=discrepancy.pk)


def _look_for_missing(
    file: ProviderFile, format_: Format, market: Marketplace, *, on: date, at: datetime
) -> None:
    """Payments that the provider should have named by now and has not.

    What was sold before its first file is not asked about.
    """
    known = ProviderFile.objects.filter(provider=file.provider).aggregate(
        first=Min("first_sold_on"), last=Max("last_sold_on")
    )
    first_day = max(file.first_sold_on - GRACE, known["first"])
    end = known["last"] - GRACE + timedelta(days=1)
    named = ProviderRow.objects.filter(provider_id=OuterRef("provider_id"))
    payments = Payment.objects.filter(
        ~Exists(named),
        ~Q(provider_id=""),
        provider_id__startswith=format_.id_prefix,
        approved_at__gte=datetime.combine(first_day, time(), market.tz),
        approved_at__lt=datetime.combine(end, time(), market.tz),
    )
    if format_.payment_kinds:
        payments = payments.filter(kind__in=format_.payment_kinds)
    judged = Discrepancy.objects.filter(side=matching.PAYMENT).values("provider_id")
    ids = payments.exclude(provider_id__in=judged).values_list("provider_id", flat=True)
    match(set(ids), on=on, at=at)
