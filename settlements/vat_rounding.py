"""Settle what the VAT of a month's invoice differs from the sum of its lines (단수차).

For sellers whose contract computes VAT once for the invoice. The difference is a line of the month;
what is taken off and what is invoiced are then equal to the won. Source: the settlement arithmetic,
section 5.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, datetime

from django.db import connection
from django.utils import translation
from django.utils.translation import gettext

from marketplace import tenancy
from settlements import adjustments, tax_invoices, vat
from settlements.contracts import Contracts
from settlements.fee_rules import SALE_VAT_RULE
from settlements.models import Adjustment, FeeRule, LineTerms, SellerContract
from settlements.vat import Charged, Rounding

Month = tuple[int, date]
"""A seller's id, and the first day of a month of basis dates."""

Found = tuple[str, str, str, object, object]
"""What, which, which of its figures, what it should be, what it is."""

_CHARGED = """
SELECT l.seller_id, date_trunc('month', l.basis_on)::date, l.terms_id, p.at, a.reason_code,
       a.tax_kind, CASE WHEN l.kind = 3 THEN l.basis_on END,
       sum(l.charges[3 * p.at + 2])::bigint, sum(l.charges[3 * p.at + 3])::bigint
FROM settlement_line l
LEFT JOIN LATERAL (
    SELECT reason_code, tax_kind FROM settlements_adjustment
    WHERE l.kind = 3 AND marketplace_id = %(marketplace)s AND id = -l.order_line_id
    LIMIT 1
) a ON true
CROSS JOIN LATERAL generate_series(0, cardinality(l.charges) / 3 - 1) p(at)
WHERE l.marketplace_id = %(marketplace)s AND l.seller_id = ANY(%(sellers)s)
  AND l.basis_on >= %(since)s AND l.basis_on < %(end)s
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


def first_month() -> date | None:
    """The first month of a contract that computes VAT once; None where there is none."""
    rows = _agreements().order_by("valid_from").values_list("valid_from", flat=True)
    begins_on = rows.first()
    return begins_on and tax_invoices.first_of(begins_on)


def missing(months: Collection[date], *, at: datetime) -> list[Adjustment]:
    """The lines, not stored yet, that some months still need. None a second time."""
    return [
        _adjustment(seller_id, month, more, at)
        for (seller_id, month), more in sorted(_missing(months).items())
    ]


def differences(months: Collection[date]) -> Iterator[Found]:
    """Months whose lines do not come to the VAT of their invoice."""
    for (seller_id, month), more in sorted(_missing(months).items()):
        yield "seller", f"{seller_id} {month:%Y-%m}", "VAT beyond its lines", (0, 0), tuple(more)


def _agreements():
    return SellerContract.objects.published().filter(vat_level=vat.BY_INVOICE)


def _missing(months: Collection[date]) -> dict[Month, Rounding]:
    """What is still to be settled of some months.

    The contract of a month's last day says how its VAT is computed.
    """
    sellers = sorted(set(_agreements().values_list("seller_id", flat=True)))
    if not sellers or not months:
        return {}
    agreed = Contracts(first_seller=sellers[0], end_seller=sellers[-1] + 1, only=sellers)
    charged: defaultdict[Month, list[Charged]] = defaultdict(list)
    settled: defaultdict[Month, Rounding] = defaultdict(Rounding)
    words = {
        "sellers": sellers,
        "since": min(months),
        "end": tax_invoices.after(max(months)),
    }
    rows = list(_rows(_CHARGED, **words))
    terms = _vat_of_terms({terms_id for _, _, terms_id, *_ in rows if terms_id})
    for seller_id, month, terms_id, at, reason, tax_kind, basis_on, fees, tax in rows:
        contract = agreed.on(seller_id, tax_invoices.end_of(month))
        if month not in months or contract is None or contract.vat_level != vat.BY_INVOICE:
            continue
        key = (seller_id, month)
        if reason == adjustments.VAT_ROUNDING:
            settled[key] = Rounding(on_top=tax + fees, contained=-fees)
        elif terms_id:
            charged[key].append(Charged(*terms[terms_id][at], fees, tax))
        elif tax_kind == adjustments.TAXABLE and reason not in adjustments.PURCHASE_REASONS:
            rate = agreed.schedule(seller_id, basis_on).vat_rate_ppm
            charged[key].append(Charged(vat.EXCLUSIVE, rate, fees, tax))
    found = {}
    for key in charged.keys() | settled.keys():
        wanted, there = vat.rounding(charged[key]), settled[key]
        more = Rounding(wanted.on_top - there.on_top, wanted.contained - there.contained)
        if any(more):
            found[key] = more
    return found


def _vat_of_terms(terms: set[int]) -> dict[int, list[tuple[str, int]]]:
    """Kind of VAT and its rate of each charge of each terms, in their order."""
    keys = dict(LineTerms.objects.filter(pk__in=terms).values_list("pk", "key"))
    ids = {rule_id for _, _, charges in keys.values() for rule_id, *_ in charges}
    kinds = dict(FeeRule.objects.filter(pk__in=ids).values_list("pk", "vat_kind"))
    kinds[SALE_VAT_RULE.id] = SALE_VAT_RULE.vat_kind
    return {pk: [(kinds[rule_id], key[1]) for rule_id, *_ in key[2]] for pk, key in keys.items()}


def _adjustment(seller_id: int, month: date, more: Rounding, at: datetime) -> Adjustment:
    fee, tax, _ = adjustments.rounding(more)
    return Adjustment(
        seller_id=seller_id,
        state=Adjustment.State.APPROVED,
        amount=-fee,
        vat=-tax,
        tax_kind=adjustments.TAXABLE,
        reason_code=Adjustment.Reason.VAT_ROUNDING,
        reason=_reason(month),
        basis_on=tax_invoices.end_of(month),
        requested_at=at,
    )


def _reason(month: date) -> str:
    with translation.override(tenancy.current().locale):
        text = gettext("VAT on all fees of %(month)s together, less the VAT of its lines")
        return text % {"month": f"{month:%Y-%m}"}


def _rows(query: str, **words) -> Iterator[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"marketplace": tenancy.current_id(), **words})
        yield from cursor.fetchall()
