"""What sellers supplied to the marketplace, by month, and how much of it their invoices cover.

Reads settled lines and recorded invoices; settlements.supply_invoices decides about holds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from django.db import connection
from django.db.models import Sum

from marketplace import tenancy
from settlements import adjustments
from settlements.models import PayeeInvoice

Month: TypeAlias = tuple[int, date]
"""A seller's id, and the first day of a month of basis dates."""

# By the dates of the adjustments, so that only the months are searched which hold their lines.
_SUPPLIED = """
SELECT a.seller_id, date_trunc('month', a.basis_on)::date, l.statement_id, s.state <> 'open',
       -sum(l.fee)::bigint, -sum(l.vat)::bigint
FROM settlements_adjustment a
CROSS JOIN LATERAL (
    SELECT fee, vat, statement_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = -a.id AND sequence = 0
      AND basis_on = a.basis_on
    LIMIT 1
) l
JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
WHERE a.marketplace_id = %(marketplace)s AND a.seller_id = ANY(%(sellers)s)
  AND a.basis_on >= %(since)s AND a.state = 'settled'
  AND a.reason_code = ANY(%(reasons)s) AND a.tax_kind = ANY(%(kinds)s)
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Supplied:
    """What a seller supplied in a month on one statement. Amounts in minor units."""

    month: Month
    statement_id: int
    is_closed: bool
    supply: int
    vat: int

    @property
    def gross(self) -> int:
        return self.supply + self.vat


@dataclass(frozen=True, slots=True)
class Balance:
    """Of a month: what was supplied, and what invoices say. Amounts in minor units."""

    supply: int = 0
    vat: int = 0
    invoiced_supply: int = 0
    invoiced_vat: int = 0

    @property
    def missing_supply(self) -> int:
        return self.supply - self.invoiced_supply

    @property
    def missing_vat(self) -> int:
        return self.vat - self.invoiced_vat

    @property
    def missing(self) -> int:
        """What no invoice covers; never below zero."""
        return max(self.missing_supply + self.missing_vat, 0)


def supplied(months: Collection[Month]) -> list[Supplied]:
    """What was supplied in some months and has to be invoiced, by statement.

    It may name further months of the same sellers, none of them earlier.
    """
    if not months:
        return []
    parameters = {
        "marketplace": tenancy.current_id(),
        "sellers": sorted({seller_id for seller_id, _ in months}),
        "since": min(month for _, month in months),
        "reasons": list(adjustments.PURCHASE_REASONS),
        "kinds": list(adjustments.INVOICED),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUPPLIED, parameters)
        return [Supplied(row[:2], *row[2:]) for row in cursor.fetchall()]


def balances(
    months: Collection[Month], rows: Collection[Supplied] | None = None
) -> dict[Month, Balance]:
    """What stands against what in some months. `rows` where supplied() was asked of them before."""
    supply: dict[Month, list[int]] = {month: [0, 0] for month in months}
    for row in supplied(months) if rows is None else rows:
        if row.month in supply:
            supply[row.month][0] += row.supply
            supply[row.month][1] += row.vat
    invoices = PayeeInvoice.objects.filter(
        seller__in={seller_id for seller_id, _ in months}, month__in={month for _, month in months}
    )
    said = {
        (seller_id, month): sums
        for seller_id, month, *sums in invoices.values_list("seller", "month")
        .annotate(Sum("supply"), Sum("vat"))
        .order_by()
    }
    return {month: Balance(*sums, *said.get(month, (0, 0))) for month, sums in supply.items()}
