"""What a Korean operator reports to the tax office of what its sellers did, as rows of files.

Three reports: the sales of each seller by month (판매·결제대행 자료, 부가가치세법 제75조); the sums
of tax invoices by receiver (매출처별 세금계산서·계산서 합계표); what was withheld of persons'
income (원천세, 간이지급명세서). Each is tied to the ledger of a quarter. Amounts are minor units.
Columns are what the reports are made from, not the forms themselves (docs/tax.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import connection

from marketplace import tenancy
from settlements import (
    adjustments,
    invoicing,
    ledger,
    sale_issuers,
    tax_invoices,
    tax_ties,
    withheld_ties,
)
from settlements.models import TaxInvoice
from settlements.tax_invoices import Amount

SALES_COLUMNS: Final = (
    "quarter",
    "month",
    "seller",
    "business_number",
    "seller_type",
    "company",
    "sales",
    "reversals",
    "amount",
    "taxable",
    "exempt",
    "buyers_paid",
    "platform_discount",
    "partner_discount",
)
# What the marketplace issues is its own sale, and none of a seller's to report.
SALES: Final = f"""
SELECT to_char(l.basis_on, 'YYYY"Q"Q'), to_char(l.basis_on, 'YYYY-MM'), r.code, r.business_number,
       r.seller_type, coalesce(nullif(p.company, ''), r.name),
       count(*) FILTER (WHERE l.kind = 1), count(*) FILTER (WHERE l.kind = 2),
       sum(l.list_amount - l.seller_discount),
       coalesce(sum(l.list_amount - l.seller_discount) FILTER (WHERE o.tax_kind = 'taxable'), 0),
       coalesce(sum(l.list_amount - l.seller_discount) FILTER (WHERE o.tax_kind = 'exempt'), 0),
       sum(l.list_amount - l.seller_discount - l.platform_discount - l.partner_discount),
       sum(l.platform_discount), sum(l.partner_discount)
FROM settlement_line l
JOIN orders_orderline o ON o.marketplace_id = %(marketplace)s AND o.id = l.order_line_id
JOIN sellers_seller r ON r.marketplace_id = %(marketplace)s AND r.id = l.seller_id
LEFT JOIN sellers_sellerprofile p ON p.marketplace_id = %(marketplace)s AND p.seller_id = r.id
WHERE l.marketplace_id = %(marketplace)s AND l.kind IN (1, 2)
      AND (%(seller)s::bigint IS NULL OR l.seller_id = %(seller)s::bigint)
      AND NOT {sale_issuers.BY_PLATFORM}
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 2, r.code COLLATE "C"
"""  # noqa: S608 (all parts are constants)

INVOICE_COLUMNS: Final = (
    "quarter",
    "kind",
    "business_number",
    "name",
    "invoices",
    "supply",
    "vat",
)
PERSONS: Final = "persons"  # stands for all receivers without a registration

WITHHOLDING_COLUMNS: Final = (
    "month",
    "seller",
    "name",
    "statements",
    "service_net",
    "withholding_income",
    "withholding_local",
)
# By the day of payment: only then tax is withheld, and reported.
WITHHOLDING: Final = f"""
SELECT to_char(payment.paid_on, 'YYYY-MM'), r.code, coalesce(nullif(p.representative, ''), r.name),
       sum(payment.times), sum(payment.times * t.service_net),
       sum(payment.times * t.withholding_income), sum(payment.times * t.withholding_local)
FROM ({withheld_ties.PAYMENTS}) payment
JOIN settlements_statement t ON t.marketplace_id = %(marketplace)s AND t.id = payment.statement_id
JOIN sellers_seller r ON r.marketplace_id = %(marketplace)s AND r.id = t.seller_id
LEFT JOIN sellers_sellerprofile p ON p.marketplace_id = %(marketplace)s AND p.seller_id = r.id
WHERE (%(seller)s::bigint IS NULL OR t.seller_id = %(seller)s::bigint)
      AND (%(month)s::date IS NULL
           OR payment.paid_on >= %(month)s::date
              AND payment.paid_on < (%(month)s::date + interval '1 month')::date)
GROUP BY 1, 2, 3
HAVING sum(payment.times * (t.withholding_income + t.withholding_local)) <> 0
ORDER BY 1, r.code COLLATE "C"
"""  # noqa: S608 (all parts are constants)

_SOLD = f"""
SELECT coalesce(sum(l.list_amount - l.seller_discount)
                FILTER (WHERE NOT {sale_issuers.BY_PLATFORM}), 0),
       coalesce(sum(l.list_amount - l.seller_discount)
                FILTER (WHERE {sale_issuers.BY_PLATFORM}), 0),
       coalesce(sum(l.list_amount - l.seller_discount)
                FILTER (WHERE s.closed_on IS NULL OR s.closed_on >= %(end)s), 0)
FROM settlement_line l
LEFT JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
WHERE l.marketplace_id = %(marketplace)s AND l.basis_on >= %(first)s AND l.basis_on < %(end)s
"""  # noqa: S608 (all parts are constants)
_SOLD_BEFORE = """
SELECT coalesce(sum(l.list_amount - l.seller_discount), 0)
FROM settlements_statement s
JOIN settlement_line l ON l.marketplace_id = %(marketplace)s AND l.statement_id = s.id
     AND l.basis_on BETWEEN s.first_basis_on AND s.last_basis_on
WHERE s.marketplace_id = %(marketplace)s AND s.closed_on >= %(first)s AND s.closed_on < %(end)s
  AND (l.basis_on < %(first)s OR l.basis_on >= %(end)s)
"""
# What buyers paid for sales that the marketplace issues, and the VAT in it.
_OWN = f"""
SELECT coalesce(sum(l.list_amount - l.seller_discount - l.platform_discount - l.partner_discount)
                FILTER (WHERE o.tax_kind = 'taxable'), 0),
       coalesce(sum(l.list_amount - l.seller_discount - l.platform_discount - l.partner_discount)
                FILTER (WHERE o.tax_kind = 'exempt'), 0),
       coalesce(sum({sale_issuers.SALE_VAT}), 0),
       coalesce(sum({sale_issuers.SALE_VAT})
                FILTER (WHERE s.closed_on IS NULL OR s.closed_on >= %(end)s), 0)
FROM settlement_line l
JOIN orders_orderline o ON o.marketplace_id = %(marketplace)s AND o.id = l.order_line_id
LEFT JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
WHERE l.marketplace_id = %(marketplace)s AND l.basis_on >= %(first)s AND l.basis_on < %(end)s
  AND l.kind IN (1, 2) AND {sale_issuers.BY_PLATFORM}
"""  # noqa: S608 (all parts are constants)
_OWN_BEFORE = f"""
SELECT coalesce(sum({sale_issuers.SALE_VAT}), 0)
FROM settlements_statement s
JOIN settlement_line l ON l.marketplace_id = %(marketplace)s AND l.statement_id = s.id
     AND l.basis_on BETWEEN s.first_basis_on AND s.last_basis_on
WHERE s.marketplace_id = %(marketplace)s AND s.closed_on >= %(first)s AND s.closed_on < %(end)s
  AND (l.basis_on < %(first)s OR l.basis_on >= %(end)s)
"""  # noqa: S608 (all parts are constants)
_TAKEN_OFF_FEES = """
SELECT coalesce(sum((components -> %(offset)s ->> 0)::bigint), 0) FROM settlements_statement
WHERE marketplace_id = %(marketplace)s AND closed_on >= %(first)s AND closed_on < %(end)s
"""
_BOOKED = """
SELECT coalesce(sum(e.debit - e.credit) FILTER (WHERE a.code = ANY(%(sales)s)), 0),
       coalesce(sum(e.credit - e.debit) FILTER (WHERE a.code = %(income)s), 0),
       coalesce(sum(e.credit - e.debit) FILTER (WHERE a.code = %(local)s), 0),
       coalesce(sum(e.credit - e.debit) FILTER (WHERE a.code = %(sale_vat)s), 0)
FROM ledger_entry e
JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.id = e.account_id
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = e.journal_id
WHERE e.marketplace_id = %(marketplace)s AND e.basis_on >= %(first)s AND e.basis_on < %(end)s
  AND j.template = 'statement'
"""


@dataclass(frozen=True, slots=True)
class SalesTie:
    """From the sales that are reported to what the ledger took up as sold."""

    reported: int
    by_platform: int  # sales that the marketplace issues, which are its own
    closed_elsewhere: int  # on statements that are open, or closed in a later quarter
    of_other_quarters: int  # on statements closed in this one
    taken_off_fees: int  # discounts that are no funding in the end, but a cut of fees
    booked: int

    @property
    def unexplained(self) -> int:
        taken_up = self.reported + self.by_platform - self.closed_elsewhere + self.of_other_quarters
        return self.booked - (taken_up - self.taken_off_fees)


@dataclass(frozen=True, slots=True)
class OwnSalesTie:
    """Sales that the marketplace issues, by what buyers paid: its own VAT return has them.

    From the VAT in them to what the ledger owes for them.
    """

    taxable: int  # with the VAT
    exempt: int
    vat: int
    closed_elsewhere: int  # of the VAT: on statements that are open, or closed in a later quarter
    of_other_quarters: int  # on statements closed in this one
    booked: int

    @property
    def is_empty(self) -> bool:
        """Whether every sale is issued by its seller."""
        return not any((self.taxable, self.exempt, self.vat, self.of_other_quarters, self.booked))

    @property
    def unexplained(self) -> int:
        return self.booked - (self.vat - self.closed_elsewhere + self.of_other_quarters)


@dataclass(frozen=True, slots=True)
class InvoiceTie:
    """What is summed up by receiver, the drafts that are not in it, and the months' own ties.

    Of months that are over; the running one has no drafts yet.
    """

    reported: Amount
    drafts: Amount
    months: list[tuple[date, tax_ties.Tie]]

    @property
    def unexplained(self) -> int:
        """Between the summary and the invoices of its months, and between these and the ledger."""
        told = sum(self.reported) + sum(self.drafts)
        invoiced = sum(sum(tie.invoiced) for _, tie in self.months)
        beyond = sum(
            abs(sum(tie.unexplained)) + abs(sum(tie.not_invoiced)) for _, tie in self.months
        )
        return abs(told - invoiced) + beyond


@dataclass(frozen=True, slots=True)
class Quarter:
    """The ties of a quarter, and the day by which its sales are reported."""

    first: date
    end: date
    due_on: date
    sales: SalesTie
    own: OwnSalesTie
    invoices: InvoiceTie
    withholding: withheld_ties.WithholdingTie


def quarter(day: date) -> Quarter:
    """The ties of the quarter that a day lies in; it reads every line of it."""
    first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    months = [first]
    while len(months) < 3:
        months.append(tax_invoices.after(months[-1]))
    end = tax_invoices.after(months[-1])
    words = {
        "marketplace": tenancy.current_id(),
        "first": first,
        "end": end,
        "sales": [ledger.CLEARING, ledger.PLATFORM_FUNDING, ledger.PARTNER_FUNDING],
        "offset": adjustments.component(adjustments.FUNDING_OFFSET),
        "income": ledger.WITHHOLDING_INCOME,
        "local": ledger.WITHHOLDING_LOCAL,
        "sale_vat": ledger.SALE_VAT_PAYABLE,
    }
    sold, by_platform, elsewhere = _row(_SOLD, words)
    [of_others] = _row(_SOLD_BEFORE, words)
    [taken_off] = _row(_TAKEN_OFF_FEES, words)
    taxable, exempt, own_vat, own_elsewhere = _row(_OWN, words)
    [own_before] = _row(_OWN_BEFORE, words)
    booked, income, local, booked_vat = _row(_BOOKED, words)
    return Quarter(
        first=first,
        end=end,
        due_on=end.replace(day=15),
        sales=SalesTie(sold, by_platform, elsewhere, of_others, taken_off, booked),
        own=OwnSalesTie(taxable, exempt, own_vat, own_elsewhere, own_before, booked_vat),
        invoices=_invoices([month for month in months if _is_over(month)]),
        withholding=withheld_ties.of(first, end, (income, local)),
    )


def invoice_sums(seller_id: int | None = None) -> Iterator[tuple]:
    """Sums of issued invoices by quarter, kind and receiver as they stand on the invoices."""
    sums: dict[tuple, list[int]] = {}
    rows = TaxInvoice.objects.issued().select_related("seller").order_by("pk")
    if seller_id is not None:
        rows = rows.filter(seller_id=seller_id)
    for row in rows.iterator(chunk_size=2000):
        receiver = invoicing.receiver(row)
        who = (PERSONS, "") if receiver["is_person"] else (receiver["number"], receiver["name"])
        day = row.written_on
        key = (f"{day.year}Q{(day.month + 2) // 3}", row.kind, *who)
        one = sums.setdefault(key, [0, 0, 0])
        for at, more in enumerate((1, row.supply, row.vat)):
            one[at] += more
    for key in sorted(sums):
        yield *key, *sums[key]


def withheld_in(month: date) -> list[tuple]:
    """The rows of a month's report of withheld tax, by WITHHOLDING_COLUMNS."""
    words = {"marketplace": tenancy.current_id(), "seller": None, "month": month}
    with connection.cursor() as cursor:
        cursor.execute(WITHHOLDING, words)
        return cursor.fetchall()


def _is_over(month: date) -> bool:
    closed_on = tenancy.current().last_closed_on
    return closed_on is not None and closed_on >= tax_invoices.end_of(month)


def _invoices(months: list[date]) -> InvoiceTie:
    drafts, reported = Amount(0, 0), Amount(0, 0)
    rows = TaxInvoice.objects.filter(month__in=months).values_list("state", "supply", "vat")
    for state, supply, tax in rows:
        if state == TaxInvoice.State.DRAFT:
            drafts = Amount(drafts.supply + supply, drafts.vat + tax)
        else:
            reported = Amount(reported.supply + supply, reported.vat + tax)
    return InvoiceTie(reported, drafts, [(month, tax_ties.of_month(month)) for month in months])


def _row(query: str, words: dict) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, words)
        return [int(value) for value in cursor.fetchone()]
