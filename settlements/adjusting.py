"""Adjustments: asked for, approved by a second person, and settled by the night like a sale.

A settlement line names an order line by its id; the line of an adjustment names −id of that
(docs/decisions/0017). It falls due by the seller's terms, counted from its basis date.
"""

from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Sum
from django.utils import translation
from django.utils.translation import gettext

from marketplace import approvals, changes, reasons, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from sellers.models import PerformanceDay, Seller
from settlements import (
    adjusted,
    adjustments,
    chart,
    ledger,
    monthly_fees,
    prepaying,
    proofs,
    sealed_lines,
    supply_invoices,
)
from settlements.contracts import Contract, Contracts
from settlements.models import Account, Adjustment, MonthlyFee, SettlementLine
from settlements.rating import RateBook
from settlements.statement_book import StatementBook

State = Adjustment.State
LARGEST = 10**15
REACH = timedelta(days=366)  # how far from today a basis date may lie


class AmountNotUsable(Refused):
    code = "adjustment_amount_not_usable"
    message = gettext_noop("Write an amount other than 0, and of at most %(most)s.")


class BasisTooFar(Refused):
    code = "adjustment_basis_too_far"
    message = gettext_noop(
        "The basis date must lie within a year of today, and not before the marketplace opened."
    )


class AdvertisingGiven(Refused):
    code = "advertising_cannot_be_given"
    message = gettext_noop(
        "Advertising is only charged. Take a charge back on its own page, or give a compensation."
    )


class NotACharge(Refused):
    code = "not_a_charge_of_advertising"
    message = gettext_noop("Only an approved charge of advertising can be taken back.")


class TakenBackBefore(Refused):
    code = "charge_taken_back_before"
    message = gettext_noop(
        "%(charge)s was asked to be taken back already, by %(reversal)s. Decide on that one."
    )


@transaction.atomic
def request(
    seller: Seller,
    *,
    amount: int,
    tax_kind: str,
    reason_code: str,
    reason: str,
    basis_on: date,
    document: str = "",
    by,
    at: datetime,
) -> Adjustment:
    """Ask for an adjustment; at once approved where no second person is needed.

    Raises AmountNotUsable, AdvertisingGiven, BasisTooFar, reasons.ReasonMissing.
    """
    reason = reasons.given(reason)
    if reason_code == adjustments.ADVERTISING and amount > 0:
        raise AdvertisingGiven(field="reason_code")
    market = Marketplace.objects.get(pk=tenancy.current_id())
    if not 0 < abs(amount) <= LARGEST:
        raise AmountNotUsable(field="amount", most=f"{LARGEST:,}")
    today = at.astimezone(market.tz).date()
    if basis_on < market.first_open_on or abs(basis_on - today) > REACH:
        raise BasisTooFar(field="basis_on")
    adjustment = Adjustment.objects.create(
        seller=seller,
        amount=amount,
        tax_kind=tax_kind,
        reason_code=reason_code,
        reason=reason,
        document=document,
        basis_on=basis_on,
        requested_by=by,
        requested_at=at,
    )
    ask(adjustment, by=by, at=at, reason=reason)
    return adjustment


@transaction.atomic
def take_back(charge: Adjustment, *, reason: str, by, at: datetime) -> Adjustment:
    """Ask to take a charge of advertising back, whole, today; a second person approves of it.

    What the prepayment paid of it is given back to the prepayment, the rest on the statement.
    Raises NotACharge, TakenBackBefore, reasons.ReasonMissing.
    """
    reason = reasons.given(reason)
    charge = Adjustment.objects.select_for_update(no_key=True).get(pk=charge.pk)
    if not is_charge(charge):
        raise NotACharge()
    if reversal := reversal_of(charge):
        raise TakenBackBefore(charge=charge.public_id, reversal=reversal.public_id)
    adjustment = Adjustment.objects.create(
        seller_id=charge.seller_id,
        charge=charge,
        amount=-charge.amount,
        tax_kind=charge.tax_kind,
        reason_code=adjustments.ADVERTISING,
        reason=reason,
        document=charge.document,
        basis_on=at.astimezone(tenancy.current().tz).date(),
        requested_by=by,
        requested_at=at,
    )
    ask(adjustment, by=by, at=at, reason=reason)
    return adjustment


def is_charge(adjustment: Adjustment) -> bool:
    """Whether it is an approved charge of advertising."""
    is_standing = adjustment.state in (State.APPROVED, State.SETTLED)
    is_charged = adjustment.reason_code == adjustments.ADVERTISING and adjustment.amount < 0
    return is_standing and is_charged


def reversal_of(charge: Adjustment) -> Adjustment | None:
    """What takes a charge of advertising back, or is asked to."""
    rows = charge.follow_ups.filter(reason_code=adjustments.ADVERTISING)
    return rows.exclude(state=State.WITHDRAWN).first()


def ask(adjustment: Adjustment, *, by, at: datetime, reason: str) -> None:
    """Ask a second person to approve it. Raises approvals.AlreadyAsked, states.IllegalMove."""
    if adjustment.state != State.REQUESTED:
        raise states.IllegalMove(old=adjustment.state, new=State.APPROVED)
    approvals.ask("approve_adjustment", adjustment, by=by, at=at, reason=reasons.given(reason))
    adjustment.refresh_from_db()


@transaction.atomic
def approve(adjustment: Adjustment, *, by, at: datetime) -> Adjustment:
    """Let the next night settle it. Called by the approval. Raises states.IllegalMove.

    A charge of advertising is paid from what the seller has paid in advance, as far as there is
    any; one that is taken back gives that back.
    """
    is_alone = by is not None and by.pk == adjustment.requested_by_id
    states.move(
        adjustment,
        State.APPROVED,
        by=by,
        at=at,
        changes={"approved_by": None if is_alone else by},
    )
    name_account(adjustment.reason_code)
    changes.announce(
        "adjustment.approved", adjustment.public_id, at=at, seller_id=adjustment.seller_id
    )
    if adjustment.reason_code == adjustments.ADVERTISING:
        move = prepaying.pay if adjustment.amount < 0 else prepaying.give_back
        move(adjustment, by=by, at=at)
    return adjustment


def withdraw(adjustment: Adjustment, *, by, at: datetime, reason: str) -> Adjustment:
    """Give up an adjustment that nobody approved of. Raises states.IllegalMove."""
    states.move(adjustment, State.WITHDRAWN, by=by, at=at, reason=reasons.given(reason))
    return adjustment


def waiting(on: date) -> dict[int, int]:
    """How many adjustments of each seller the night of a day has to settle."""
    rows = Adjustment.objects.to_settle(on).values_list("seller_id")
    return dict(rows.annotate(Count("pk")))


def settle(*, on: date, first_seller: int, end_seller: int, at: datetime) -> int:
    """Make the lines of the approved adjustments of some sellers; returns how many.

    The caller holds the transaction and has entered the marketplace. Repeating finds none.
    """
    rows = list(
        Adjustment.objects.to_settle(on)
        .filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
        .select_for_update()
        .order_by("seller_id", "pk")
    )
    if not rows:
        return 0
    sellers = {row.seller_id for row in rows}
    book = RateBook(on=on, first_seller=first_seller, end_seller=end_seller, only=sellers)
    statements = StatementBook(book, first_seller=first_seller, end_seller=end_seller)
    lines = [_line(row, book, statements, on) for row in rows]
    statements.save()
    SettlementLine.objects.bulk_create(lines, batch_size=2000)
    Adjustment.objects.bulk_update(rows, ["statement"], batch_size=2000)
    settled = Adjustment.objects.filter(pk__in=[row.pk for row in rows])
    states.move_many(settled, State.SETTLED, by=None, at=at)
    supply_invoices.hold_missing(rows, at=at)
    return len(rows)


def charge_monthly(on: date, *, at: datetime) -> int:
    """Make the monthly fees of the month that ends on a day; returns how many are new.

    A seller's contract may say another fee than the marketplace's rule. None on any other day, and
    none a second time.
    """
    rule = MonthlyFee.objects.all().on(on)
    if (on + timedelta(days=1)).day != 1 or rule is None:
        return 0
    month = on.replace(day=1)
    standard = monthly_fees.Fee(rule.amount, rule.threshold)
    sold = _sales(month, on)
    sellers = [seller_id for seller_id, _ in sold]
    contracts = Contracts(
        first_seller=min(sellers, default=0), end_seller=max(sellers, default=0) + 1, only=sellers
    )
    made = []
    for seller_id, sales in sold:
        contract = contracts.on(seller_id, on)
        own = contract.monthly if contract else monthly_fees.NOTHING
        amount = monthly_fees.agreed(standard, own, on=on).due(sales)
        if not amount:
            continue
        made.append(
            Adjustment(
                seller_id=seller_id,
                state=State.APPROVED,
                amount=-amount,
                tax_kind=rule.tax_kind,
                reason_code=Adjustment.Reason.MONTHLY_FEE,
                reason=_monthly_reason(month, contract if own else None),
                basis_on=on,
                requested_at=at,
                monthly_fee=rule,
                month=month,
            )
        )
    known = set(Adjustment.objects.filter(month=month).values_list("seller_id", flat=True))
    made = [row for row in made if row.seller_id not in known]
    if made:
        Adjustment.objects.bulk_create(made, batch_size=2000)
        name_account(Adjustment.Reason.MONTHLY_FEE)
        told = [(row.public_id, row.seller_id, {}) for row in made]
        changes.announce_many("adjustment.approved", told, at=at)
    return len(made)


def open_months(on: date) -> None:
    """Make sure that the lines' table has the months of what the night of a day settles."""
    months = set(Adjustment.objects.to_settle(on).dates("basis_on", "month"))
    with connection.cursor() as cursor:
        for month in sorted(months):
            cursor.execute("SELECT open_settlement_month('settlement_line', %s)", [month])


def name_account(reason_code: str) -> None:
    """The account of a reason, named in the marketplace's language and in English.

    Nothing where it is one of the chart's own, which has its name.
    """
    code = ledger.account_of(adjustments.component(reason_code))
    if code in chart.BY_CODE:
        return
    account = ledger.account(code)
    with translation.override(tenancy.current().locale):
        account.name = str(Adjustment.Reason(reason_code).label)
    with translation.override("en"):
        account.name_english = str(Adjustment.Reason(reason_code).label)
    Account.objects.bulk_create([account], ignore_conflicts=True)


def _line(row: Adjustment, book: RateBook, statements: StatementBook, on: date) -> SettlementLine:
    fee, vat, net = adjusted.figures(row, book.contracts)
    component = adjustments.component(row.reason_code)
    if row.reason_code == adjustments.FAST_ADVANCE:
        tally = statements.tally_of_day(row.seller_id, book.calendar.add_business_days(on, 1))
    else:
        is_supply = adjustments.is_purchase(component)
        tally = statements.tally(row.seller_id, row.basis_on, row.basis_on, is_of_sale=is_supply)
    tally.add(
        ((component, True),), row.basis_on.toordinal(), (0, 0, 0, 0, fee, vat, net, fee, fee, vat)
    )
    row.statement_id = tally.statement_id
    day = row.basis_on.isoformat()
    said = (sealed_lines.NO_TERMS, row.public_id, 1, 0, "adjustment", row.reason_code, day, day)
    told = proofs.line(*said, (*[0] * 10, fee, vat, net, fee, fee, vat))
    return SettlementLine(
        basis_on=row.basis_on,
        seller_id=row.seller_id,
        order_line_id=row.order_line_id,
        sequence=0,
        kind=SettlementLine.Kind.ADJUSTMENT,
        statement_id=tally.statement_id,
        terms_id=0,
        rate_on=row.basis_on,
        run_on=on,
        quantity=0,
        list_amount=0,
        seller_discount=0,
        platform_discount=0,
        partner_discount=0,
        charges=[fee, fee, vat],
        fee=fee,
        vat=vat,
        net=net,
        digest=proofs.line_digest(told),
    )


def _sales(month: date, last: date) -> list[tuple[int, int]]:
    """What each seller sold in a month, less what was returned in it."""
    rows = (
        PerformanceDay.objects.filter(on__gte=month, on__lte=last)
        .values_list("seller_id")
        .annotate(Sum("sales_confirmed"), Sum("sales_returned"))
        .order_by("seller_id")
    )
    return [(seller_id, sold - returned) for seller_id, sold, returned in rows]


def _monthly_reason(month: date, contract: Contract | None) -> str:
    """For which month, and by which version of the seller's contract where that speaks of it."""
    said = {"month": f"{month:%Y-%m}", "number": contract.number if contract else 0}
    with translation.override(tenancy.current().locale):
        if contract is not None:
            text = gettext("Monthly fee for %(month)s, by version %(number)s of your contract")
            return text % said
        return gettext("Monthly fee for %(month)s") % said
