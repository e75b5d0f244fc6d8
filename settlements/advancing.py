"""Pay eligible sellers ahead once goods are shipped, and take that back when the sale is settled.

A night pays ahead on what was shipped until then, due on the next business day, to sellers whose
contract or grade allows it on that day. It takes back what was confirmed, cancelled or returned
since: on the statement of the sale, or on the next one. Sales, fees and tax are settled as ever.
"""

from datetime import date, datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q
from django.utils import translation
from django.utils.translation import gettext

from marketplace import changes, tenancy
from marketplace.refusals import Refused
from orders import remainders
from orders.folding import SHIPPING
from orders.models import Claim, OrderLine
from sellers import grades
from sellers.models import Seller
from settlements import adjusting, adjustments, estimates, fast, fees, rate_cards
from settlements.contracts import Contracts
from settlements.models import Adjustment, FastSettlement, SellerContract, SettlementTerms
from settlements.rating import RateBook

LOOKED_BACK = timedelta(days=7)  # a parcel that is reported later is not paid ahead any more
_AT_ONCE = 2_000
_ENDED = (OrderLine.Status.CONFIRMED, OrderLine.Status.CANCELLED, OrderLine.Status.RETURNED)


def night(on: date, *, at: datetime) -> dict[str, int]:
    """Take back and pay ahead what a night calls for; returns how many lines of each.

    Repeating it finds none. The caller holds the transaction.
    """
    return {"taken_back": _take_back(on, at), "paid_ahead": _pay(on, at)}


def _pay(on: date, at: datetime) -> int:
    shares = _shares(on)
    if not shares:
        return 0
    book = RateBook(on=on, first_seller=min(shares), end_seller=max(shares) + 1, only=shares)
    made = []
    with translation.override(tenancy.current().locale):
        text = gettext("Order %(order)s, line %(line)s: paid ahead after shipment")
    lines = _lines(on).filter(seller__in=shares).select_related("order").order_by("pk")
    for line in lines.iterator(chunk_size=_AT_ONCE):
        try:
            net = _expected_net(line, book)
        except Refused:
            continue  # it cannot be settled either; the night that has to will tell why
        if amount := fast.advanced(net, shares[line.seller_id]):
            row = FastSettlement(
                seller_id=line.seller_id,
                order_line=line,
                on=on,
                units=line.units_left,
                units_left=line.units_left,
                advanced=amount,
            )
            made.append((row, _told(text, line)))
    FastSettlement.objects.bulk_create([row for row, _ in made], batch_size=_AT_ONCE)
    reason = Adjustment.Reason.FAST_ADVANCE
    _store([_adjustment(row, row.advanced, reason, told, on, at) for row, told in made], at)
    return len(made)


def _expected_net(line: OrderLine, book: RateBook) -> int:
    """What the units left of a line would come to if they were settled today."""
    day = book.seller_day(line.seller_id, line.paid_on)
    kind = estimates.kind_of_line(line)
    plan = day.plans.get(kind) or day.plan(kind, line.paid_on)
    left = remainders.remaining(
        line.unit_price,
        line.quantity,
        line.seller_discount,
        line.platform_discount,
        line.partner_discount,
        line.units_left,
    )
    return fees.figures(plan.terms(line.unit_price), *estimates.amounts_of(left))[3]


def _take_back(on: date, at: datetime) -> int:
    rows = list(
        FastSettlement.objects.filter(ended_on__isnull=True)
        .filter(Q(order_line__status__in=_ENDED) | Q(order_line__units_left__lt=F("units_left")))
        .select_related("order_line__order")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    with translation.override(tenancy.current().locale):
        settled = gettext("Order %(order)s, line %(line)s: paid ahead, now settled with the sale")
        lost = gettext("Order %(order)s, line %(line)s: paid ahead, now cancelled or returned")
    made = []
    for row in rows:
        line = row.order_line
        is_over = line.status in _ENDED
        stays = 0 if is_over else fast.kept(row.advanced, row.units, line.units_left)
        back = max(row.open - stays, 0)
        row.taken_back, row.units_left = row.taken_back + back, line.units_left
        row.ended_on = None if row.open else on
        if not back:
            continue
        if line.status == OrderLine.Status.CONFIRMED:
            about = (Adjustment.Reason.FAST_OFFSET, _told(settled, line), line.confirmed_on)
        else:
            about = (Adjustment.Reason.FAST_CLAWBACK, _told(lost, line), on)
        made.append(_adjustment(row, -back, *about, at))
    changed = ["taken_back", "units_left", "ended_on"]
    FastSettlement.objects.bulk_update(rows, changed, batch_size=_AT_ONCE)
    _store(made, at)
    return len(made)


def _shares(on: date) -> dict[int, int]:
    """The share that each seller is paid ahead by its contract or grade of a day, if any.

    Only of sellers who have shipped. Nobody from whose income tax is withheld: it is due once the
    income is.
    """
    if not any(
        rule.objects.published().filter(fast_ppm__gt=0).exists()
        for rule in (SellerContract, SettlementTerms)
    ):
        return {}
    active = Seller.objects.filter(state=Seller.State.ACTIVE)
    shipped = _lines(on).filter(seller__in=active).values_list("seller_id", flat=True)
    sellers = sorted(set(shipped))
    if not sellers:
        return {}
    usual = rate_cards.payout_terms().on(on)
    agreed = Contracts(first_seller=sellers[0], end_seller=sellers[-1] + 1, only=sellers)
    held = grades.grade_on(sellers, on)
    found = {}
    for seller_id in sellers:
        contract = agreed.on(seller_id, on)
        if contract is not None and contract.is_service:
            continue
        grade = held[seller_id].grade if seller_id in held else None
        own = contract.fast_ppm if contract else None
        if share := fast.share_ppm(own, grade, usual.fast_grades, usual.fast_ppm):
            found[seller_id] = share
    return found


def _lines(on: date):
    """Lines of goods that were shipped lately, and for which nothing was paid ahead."""
    return OrderLine.objects.filter(
        ~Exists(FastSettlement.objects.filter(order_line=OuterRef("pk"))),
        ~Exists(Claim.objects.filter(line=OuterRef("pk"), state__in=Claim.OPEN_STATES)),
        status__in=(OrderLine.Status.SHIPPED, OrderLine.Status.DELIVERED),
        paid_on__isnull=False,
        shipped_on__gt=on - LOOKED_BACK,
        shipped_on__lte=on,
        units_left__gt=0,
    ).exclude(stream=SHIPPING)


def _adjustment(
    row: FastSettlement, amount: int, reason: str, text: str, basis_on: date, at: datetime
) -> Adjustment:
    return Adjustment(
        seller_id=row.seller_id,
        fast_settlement=row,
        state=Adjustment.State.APPROVED,
        amount=amount,
        tax_kind=adjustments.OUTSIDE_SCOPE,
        reason_code=reason,
        reason=text,
        basis_on=basis_on,
        requested_at=at,
    )


def _store(rows: list[Adjustment], at: datetime) -> None:
    for reason in sorted({row.reason_code for row in rows}):
        adjusting.name_account(reason)
    Adjustment.objects.bulk_create(rows, batch_size=_AT_ONCE)
    told = [(row.public_id, row.seller_id, {}) for row in rows]
    if told:
        changes.announce_many("adjustment.approved", told, at=at)


def _told(text: str, line: OrderLine) -> str:
    return text % {"order": line.order.number, "line": line.number}
