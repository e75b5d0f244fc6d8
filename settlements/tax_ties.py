"""Whether the invoices of a month agree with the ledger, and what lies between them, by name.

Invoices go by basis date, the ledger by the night that closed a statement. What lies between is
lines that were closed in another month, and what bears no invoice; every item is added up from
rows of its own, so that what is left is a difference that nobody has explained.
"""

from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.db.models import Sum

from marketplace import tenancy
from settlements import adjustments, ledger, sale_issuers, tax_invoices
from settlements.models import TaxInvoice
from settlements.tax_invoices import Amount

# Without its VAT a fee is what was taken off the seller, less the VAT, and less that of the sale.
_SUPPLY = f"l.list_amount - l.seller_discount - l.net - l.vat - {sale_issuers.SALE_VAT}"
_LINES = f"""
SELECT coalesce(sum({_SUPPLY}), 0),
       coalesce(sum(l.vat), 0),
       coalesce(sum({_SUPPLY}) FILTER (WHERE a.tax_kind = 'outside_scope'), 0),
       coalesce(sum({_SUPPLY})
                FILTER (WHERE s.closed_on IS NULL OR s.closed_on >= %(after)s), 0),
       coalesce(sum(l.vat) FILTER (WHERE s.closed_on IS NULL OR s.closed_on >= %(after)s), 0)
FROM settlement_line l
LEFT JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
LEFT JOIN settlements_adjustment a ON a.marketplace_id = %(marketplace)s
     AND l.kind = 3 AND a.id = -l.order_line_id
WHERE l.marketplace_id = %(marketplace)s AND l.basis_on >= %(month)s AND l.basis_on < %(after)s
  AND (a.reason_code = ANY(%(no_fees)s)) IS NOT TRUE
"""  # noqa: S608 (all parts are constants)

# Lines of other months on statements that closed in this one; the statements name their days.
_OF_OTHERS = f"""
SELECT coalesce(sum({_SUPPLY}), 0), coalesce(sum(l.vat), 0)
FROM settlements_statement s
JOIN settlement_line l ON l.marketplace_id = %(marketplace)s AND l.statement_id = s.id
     AND l.basis_on BETWEEN s.first_basis_on AND s.last_basis_on
LEFT JOIN settlements_adjustment a ON a.marketplace_id = %(marketplace)s
     AND l.kind = 3 AND a.id = -l.order_line_id
WHERE s.marketplace_id = %(marketplace)s AND s.closed_on >= %(month)s AND s.closed_on < %(after)s
  AND (s.first_basis_on < %(month)s OR s.last_basis_on >= %(after)s)
  AND (l.basis_on < %(month)s OR l.basis_on >= %(after)s)
  AND (a.reason_code = ANY(%(no_fees)s)) IS NOT TRUE
"""  # noqa: S608 (all parts are constants)

_BOOKED = """
SELECT coalesce(sum(e.credit - e.debit) FILTER (WHERE a.code <> %(vat)s), 0),
       coalesce(sum(e.credit - e.debit) FILTER (WHERE a.code = %(vat)s), 0),
       coalesce(sum(e.credit - e.debit)
                FILTER (WHERE a.code <> %(vat)s AND j.template <> 'statement'), 0),
       coalesce(sum(e.credit - e.debit)
                FILTER (WHERE a.code = %(vat)s AND j.template <> 'statement'), 0)
FROM ledger_entry e
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = e.journal_id
JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.id = e.account_id
WHERE e.marketplace_id = %(marketplace)s AND e.basis_on >= %(month)s AND e.basis_on < %(after)s
  AND (a.code IN (%(vat)s, %(rounding)s) OR a.code LIKE %(revenue)s)
"""


@dataclass(frozen=True, slots=True)
class Tie:
    """Supply and VAT of a month, from its invoices to the ledger."""

    invoiced: Amount
    outside_scope: Amount  # charged, and no supply
    lines: Amount
    closed_elsewhere: Amount  # lines of the month on statements open, or closed in another month
    of_other_months: Amount  # lines of other months on statements closed in this one
    by_other_journals: Amount  # by hand, counter-entries: what no statement booked
    booked: Amount

    @property
    def not_invoiced(self) -> Amount:
        """Lines of the month that no invoice says; the drawing up of drafts mends it."""
        return _less(self.lines, _added(self.invoiced, self.outside_scope))

    @property
    def expected(self) -> Amount:
        """What the ledger should show."""
        of_statements = _added(_less(self.lines, self.closed_elsewhere), self.of_other_months)
        return _added(of_statements, self.by_other_journals)

    @property
    def unexplained(self) -> Amount:
        return _less(self.booked, self.expected)

    @property
    def is_tied(self) -> bool:
        return not any(self.not_invoiced) and not any(self.unexplained)


def of_month(month: date) -> Tie:
    """The tie of a month of the marketplace in use; it reads every line of the month once."""
    words = {
        "marketplace": tenancy.current_id(),
        "month": month,
        "after": tax_invoices.after(month),
        "vat": ledger.VAT_PAYABLE,
        "revenue": f"{ledger.FEE_REVENUE}%",
        "rounding": ledger.ROUNDING,
        "no_fees": list(adjustments.NO_FEES),
    }
    supply, tax, outside, later_supply, later_tax = _row(_LINES, words)
    booked, booked_tax, other, other_tax = _row(_BOOKED, words)
    invoiced = TaxInvoice.objects.filter(month=month).aggregate(Sum("supply"), Sum("vat"))
    return Tie(
        invoiced=Amount(invoiced["supply__sum"] or 0, invoiced["vat__sum"] or 0),
        outside_scope=Amount(outside, 0),
        lines=Amount(supply, tax),
        closed_elsewhere=Amount(later_supply, later_tax),
        of_other_months=Amount(*_row(_OF_OTHERS, words)),
        by_other_journals=Amount(other, other_tax),
        booked=Amount(booked, booked_tax),
    )


def _row(query: str, words: dict) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, words)
        return [int(value) for value in cursor.fetchone()]


def _added(one: Amount, other: Amount) -> Amount:
    return Amount(one.supply + other.supply, one.vat + other.vat)


def _less(one: Amount, other: Amount) -> Amount:
    return Amount(one.supply - other.supply, one.vat - other.vat)
