"""A seller's sales of a month as the VAT return asks for them, by two dates.

The tax office counts a card sale on the day it was approved; statements count it on the day the
purchase was confirmed. Both are shown, so that a seller can find why they differ. A reversal counts
on its own day by either. Sales that the marketplace issues are its own, and told apart. What is
paid and not confirmed yet is in neither: it is told apart. Figures are sums over outcomes of order
lines; nothing is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.db import connection

from marketplace import tenancy
from marketplace.models import Marketplace
from orders import pricing
from orders.models import OrderLine, Payment
from sellers.models import Seller
from settlements import fee_cuts, line_payments, sale_means, tax_invoices
from settlements.contracts import Contracts
from settlements.sale_means import Part, Sold

APPROVAL: Final = "approval"
CONFIRMATION: Final = "confirmation"
_BATCH: Final = 5_000

# What of a discount was taken off fees is neither paid to the seller nor part of its sales.
_OUTCOMES = f"""
SELECT l.id, l.order_id, l.tax_kind, o.rate_on, o.list_amount - o.seller_discount - c.now,
       o.platform_discount + o.partner_discount - c.now,
       coalesce(b.list_amount - b.seller_discount, 0) - c.before,
       coalesce(b.platform_discount + b.partner_discount, 0) - c.before,
       o.sequence, l.paid_on, o.basis_on
FROM orders_outcome o
JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
LEFT JOIN orders_outcome b ON b.marketplace_id = %(marketplace)s AND b.line_id = o.line_id
     AND b.sequence = o.sequence - 1
CROSS JOIN LATERAL (
    SELECT coalesce(sum({fee_cuts.OF_LINE}), 0)::bigint AS now,
           coalesce(sum({fee_cuts.OF_LINE}) FILTER (WHERE l.sequence < o.sequence), 0)::bigint
           AS before
    FROM settlement_line l
    WHERE %(has_cuts)s AND l.marketplace_id = %(marketplace)s AND l.order_line_id = o.line_id
      AND l.sequence <= o.sequence AND date_trunc('month', l.basis_on)::date = ANY(%(cut_in)s)
) c
WHERE o.marketplace_id = %(marketplace)s AND o.seller_id = %(seller)s
"""  # noqa: S608 (all parts are constants)
_CONFIRMED = _OUTCOMES + "AND o.basis_on >= %(first)s AND o.basis_on < %(end)s"
_APPROVED = (
    _OUTCOMES
    + "AND o.sequence = 0 AND l.seller_id = %(seller)s AND l.paid_on >= %(first)s "
    + "AND l.paid_on < %(end)s UNION ALL"
    + _OUTCOMES
    + "AND o.sequence > 0 AND o.basis_on >= %(first)s AND o.basis_on < %(end)s"
)


@dataclass(slots=True)
class Sales:
    """Sales of a month by one date: by (means, tax kind), and how many lines they come from."""

    parts: dict[tuple[str, str], Part] = field(default_factory=dict)
    lines: int = 0
    by_platform: Part = field(default_factory=Part)  # issued by the marketplace: none of these

    def add(self, means: str, tax_kind: str, more: Part) -> None:
        old = self.parts.get((means, tax_kind), Part())
        self.parts[means, tax_kind] = Part(old.sales + more.sales, old.vat + more.vat)

    def add_by_platform(self, before: Sold, now: Sold, rate_ppm: int, tax_kind: str) -> None:
        """Add a sale of the marketplace's own, with the VAT in what the buyer paid."""
        old, new = (pricing.sale_vat(sold.buyer_paid, rate_ppm, tax_kind) for sold in (before, now))
        more = now.after_seller_discount - before.after_seller_discount
        self.by_platform = Part(self.by_platform.sales + more, self.by_platform.vat + new - old)

    @property
    def total(self) -> Part:
        return self._sum(self.parts)

    def of(self, means: str) -> dict[str, Part]:
        """By kind of tax, and in all, what was paid by one means."""
        own = {kind: self.parts.get((means, kind), Part()) for kind in KINDS}
        return own | {"total": self._sum(own)}

    def of_kind(self, tax_kind: str) -> Part:
        return self._sum({key: part for key, part in self.parts.items() if key[1] == tax_kind})

    def _sum(self, parts) -> Part:
        return Part(sum(p.sales for p in parts.values()), sum(p.vat for p in parts.values()))


KINDS: Final = (pricing.TAXABLE, pricing.EXEMPT)


@dataclass(frozen=True, slots=True)
class View:
    """A month by both dates, and how many lines paid in it are not confirmed yet."""

    month: date
    approval: Sales
    confirmation: Sales
    unconfirmed: int


def of_month(seller: Seller, month: date) -> View:
    """The view of a month of one seller of the marketplace in use."""
    closed_on = Marketplace.objects.get(pk=tenancy.current_id()).last_closed_on
    cut_in = fee_cuts.until(closed_on) if closed_on else []
    words = {
        "marketplace": tenancy.current_id(),
        "has_cuts": bool(cut_in),
        "cut_in": cut_in,
        "seller": seller.pk,
        "first": month,
        "end": tax_invoices.after(month),
    }
    contracts = Contracts(first_seller=seller.pk, end_seller=seller.pk + 1)
    unconfirmed = OrderLine.objects.filter(
        seller=seller,
        status__in=("paid", "preparing", "shipped", "delivered"),
        paid_on__gte=words["first"],
        paid_on__lt=words["end"],
    )
    return View(
        month=month,
        approval=_added(_APPROVED, words, seller, contracts),
        confirmation=_added(_CONFIRMED, words, seller, contracts),
        unconfirmed=unconfirmed.count(),
    )


def _added(query: str, words: dict, seller: Seller, contracts: Contracts) -> Sales:
    sales = Sales()
    for batch in _batches(query, words):
        paid_by = line_payments.of_orders({order_id for _, order_id, *_ in batch}, _means)
        for line_id, _, tax_kind, rate_on, after, funded, old_after, old_funded, *_ in batch:
            rate_ppm = contracts.schedule(seller.pk, rate_on).vat_rate_ppm
            now, before = Sold(after, after - funded), Sold(old_after, old_after - old_funded)
            contained = (
                pricing.sale_vat(old_after, rate_ppm, tax_kind),
                pricing.sale_vat(after, rate_ppm, tax_kind),
            )
            if contracts.is_issued_by_platform(seller.pk, rate_on):
                sales.add_by_platform(before, now, rate_ppm, tax_kind)
                continue
            shares = sale_means.shares(paid_by[line_id])
            changed = sale_means.change(before, now, shares, contained)
            for means, part in changed.items():
                sales.add(means, tax_kind, part)
            sales.lines += 1
    return sales


def _batches(query: str, words: dict) -> Iterator[Sequence[tuple]]:
    with connection.cursor() as cursor:
        cursor.execute(query, words)
        while rows := cursor.fetchmany(_BATCH):
            yield rows


def _means(payment: Payment) -> str:
    return sale_means.means_of(payment.kind, payment.cash_receipt)
