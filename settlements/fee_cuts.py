"""Take discounts that the marketplace funds off its fees, where its terms say so.

Lines pay a seller the discount beside its sales. At the end of a month two lines say together that
it was no payment: one takes the discount off the fees, with their VAT, the other takes back what
was paid. They come to nothing for the seller; fees, VAT and tax invoice are less.
"""

from collections.abc import Collection, Iterator
from datetime import date, datetime

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import TruncMonth
from django.utils import translation
from django.utils.translation import gettext

from marketplace import tenancy
from settlements import adjustments, funding, rate_cards, sale_issuers, tax_invoices
from settlements.funding import Cut
from settlements.models import Adjustment, SettlementTerms

Month = tuple[int, date]
"""A seller's id, and the first day of a month of basis dates."""

Found = tuple[str, str, str, object, object]
"""What, which, which of its figures, what it should be, what it is."""

# Of a line the discount is taken off its fees, with their VAT, and off no more than these.
_CHARGED = f"(l.list_amount - l.seller_discount - l.net - {sale_issuers.SALE_VAT})"
OF_LINE = f"""
CASE WHEN l.platform_discount > 0
     THEN least(l.platform_discount, greatest({_CHARGED}, 0))
     ELSE greatest(l.platform_discount, least({_CHARGED}, 0)) END
"""
_FUNDED = f"""
SELECT l.seller_id, date_trunc('month', l.basis_on)::date, sum({OF_LINE})::bigint,
       sum({_CHARGED})::bigint, sum(l.vat)::bigint
FROM settlement_line l
WHERE l.marketplace_id = %(marketplace)s AND l.basis_on >= %(since)s AND l.basis_on < %(end)s
  AND l.kind <> 3
GROUP BY 1, 2
HAVING bool_or(l.platform_discount <> 0)
"""  # noqa: S608 (all parts are constants)


def first_month() -> date | None:
    """The month from whose end on discounts have been a cut; None where they never were."""
    rows = SettlementTerms.objects.published().filter(funding_as=funding.FEE_CUT)
    begins_on = rows.order_by("valid_from").values_list("valid_from", flat=True).first()
    return begins_on and tax_invoices.first_of(begins_on)


def of(months: Collection[date]) -> list[date]:
    """Those of some months whose discounts are a cut: by the terms of their last day."""
    first = first_month()
    if first is None:
        return []
    terms = rate_cards.payout_terms()
    ends = {month: tax_invoices.end_of(month) for month in months if month >= first}
    return [month for month, on in ends.items() if terms.on(on).funding_as == funding.FEE_CUT]


def until(on: date) -> list[date]:
    """The months up to that of a day whose discounts are a cut."""
    months, month = [], first_month()
    while month and month <= on:
        months.append(month)
        month = tax_invoices.after(month)
    return of(months)


def missing(months: Collection[date], *, at: datetime) -> list[Adjustment]:
    """The lines, not stored yet, that some months still need. None a second time."""
    return [
        row
        for (seller_id, month), (more, is_taxed) in sorted(_missing(months).items())
        for row in _adjustments(seller_id, month, more, is_taxed, at)
    ]


def differences(months: Collection[date]) -> Iterator[Found]:
    """Months whose fees are not less by the discounts of their lines."""
    for (seller_id, month), (more, _) in sorted(_missing(months).items()):
        yield "seller", f"{seller_id} {month:%Y-%m}", "cut of fees", (0, 0), tuple(more)


def _missing(months: Collection[date]) -> dict[Month, tuple[Cut, bool]]:
    """What fees of some months have yet to be less by, and whether they bear VAT."""
    cut_in = of(months)
    if not cut_in:
        return {}
    words = {
        "marketplace": tenancy.current_id(),
        "since": min(cut_in),
        "end": tax_invoices.after(max(cut_in)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FUNDED, words)
        wanted = {row[:2]: funding.cut(*row[2:]) for row in cursor.fetchall()}
    made = {
        (seller_id, month): Cut(*sums)
        for seller_id, month, *sums in Adjustment.objects.filter(
            reason_code=adjustments.FEE_CUT,
            basis_on__gte=words["since"],
            basis_on__lt=words["end"],
        )
        .values_list("seller_id", TruncMonth("basis_on"))
        .annotate(Sum("amount"), Sum("vat"))
        .order_by()
    }
    found = {}
    for key in wanted.keys() | made.keys():
        right, there = wanted.get(key, Cut()), made.get(key, Cut())
        more = Cut(right.supply - there.supply, right.vat - there.vat)
        if key[1] in cut_in and any(more):
            found[key] = more, bool(right.vat or there.vat)
    return found


def _adjustments(
    seller_id: int, month: date, more: Cut, is_taxed: bool, at: datetime
) -> Iterator[Adjustment]:
    told = {"month": f"{month:%Y-%m}"}
    with translation.override(tenancy.current().locale):
        texts = (
            gettext("Discounts of %(month)s that the marketplace funds are taken off its fees"),
            gettext("The same discounts of %(month)s, paid to you with your sales before"),
        )
    about = {
        "seller_id": seller_id,
        "state": Adjustment.State.APPROVED,
        "basis_on": tax_invoices.end_of(month),
        "requested_at": at,
    }
    yield Adjustment(
        **about,
        amount=more.supply,
        vat=more.vat,
        tax_kind=adjustments.TAXABLE if is_taxed else adjustments.EXEMPT,
        reason_code=Adjustment.Reason.FEE_CUT,
        reason=texts[0] % told,
    )
    if more.whole:
        yield Adjustment(
            **about,
            amount=-more.whole,
            tax_kind=adjustments.OUTSIDE_SCOPE,
            reason_code=Adjustment.Reason.FUNDING_OFFSET,
            reason=texts[1] % told,
        )
