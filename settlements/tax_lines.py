"""What the lines of a month come to, as tax invoices and the ledger want it. Reads, writes nothing.

The month of a line is that of its basis date. One pass over the month's lines, added up by the
database; memory grows with sellers and terms, not with lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from django.db import connection

from marketplace import tenancy
from settlements import adjustments, tax_invoices, vat
from settlements.fee_rules import SALE_VAT_RULE
from settlements.models import FeeRule, LineTerms
from settlements.tax_invoices import Amount

# A reversal changes what the month of its sale was charged; only reversals look that up.
_OWED = """
SELECT l.seller_id, coalesce(date_trunc('month', f.basis_on)::date, %(month)s), l.terms_id, p.at,
       a.reason_code, a.tax_kind, sum(l.charges[3 * p.at + 2]), sum(l.charges[3 * p.at + 3]),
       max(l.basis_on)
FROM settlement_line l
LEFT JOIN LATERAL (
    SELECT basis_on FROM orders_outcome
    WHERE l.kind = 2 AND marketplace_id = %(marketplace)s AND line_id = l.order_line_id
      AND sequence = 0
    LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT reason_code, tax_kind FROM settlements_adjustment
    WHERE l.kind = 3 AND marketplace_id = %(marketplace)s AND id = -l.order_line_id
    LIMIT 1
) a ON true
CROSS JOIN LATERAL generate_series(0, cardinality(l.charges) / 3 - 1) p(at)
WHERE l.marketplace_id = %(marketplace)s AND l.basis_on >= %(month)s AND l.basis_on < %(after)s
GROUP BY 1, 2, 3, 4, 5, 6
"""

_CAME_LATE = """
SELECT DISTINCT date_trunc('month', basis_on)::date FROM settlement_line
WHERE marketplace_id = %(marketplace)s AND basis_on >= %(since)s AND basis_on < %(month)s
  AND run_on = %(on)s
"""


@dataclass(slots=True)
class Owed:
    """What one seller was charged in a month, of what one month was charged before."""

    components: dict[str, Amount] = field(default_factory=dict)
    last_on: date = date.min


Key = tuple[int, str, date]  # seller, kind of invoice, month that was charged


def owed(month: date) -> dict[Key, Owed]:
    """What the lines of a month come to, but for what is outside the scope of VAT, or the VAT of
    the marketplace's own sales, or supplied by the seller, who invoices that."""
    found: dict[Key, Owed] = {}
    rows = list(_rows(_OWED, month=month, after=tax_invoices.after(month)))
    named = _named({terms_id for _, _, terms_id, *_ in rows if terms_id})
    for seller_id, charged_in, terms_id, at, reason, tax_kind, fee, fee_vat, last_on in rows:
        if terms_id:
            component, vat_kind = named[terms_id][at]
            kind = tax_invoices.kind_of(vat_kind)
        else:
            component, vat_kind, kind = adjustments.component(reason), vat.EXCLUSIVE, tax_kind
        if kind == tax_invoices.OUTSIDE_SCOPE or adjustments.is_purchase(component):
            continue  # what sellers supply, they invoice themselves
        one = found.setdefault((seller_id, kind, charged_in), Owed())
        more = {component: tax_invoices.amount(int(fee), int(fee_vat), vat_kind)}
        one.components = tax_invoices.added([one.components, more])
        one.last_on = max(one.last_on, last_on)
    return found


def months_that_changed(on: date, *, since: date) -> list[date]:
    """Months before that of `on` which got lines in the night of `on`."""
    months = _rows(_CAME_LATE, on=on, since=since, month=tax_invoices.first_of(on))
    return sorted(month for (month,) in months)


def _named(terms: set[int]) -> dict[int, list[tuple[str, str]]]:
    """(component, kind of VAT) of each charge of each terms, in their order."""
    keys = dict(LineTerms.objects.filter(pk__in=terms).values_list("pk", "key"))
    ids = {rule_id for _, _, charges in keys.values() for rule_id, *_ in charges}
    rules = {
        pk: (component, vat_kind)
        for pk, component, vat_kind in FeeRule.objects.filter(pk__in=ids).values_list(
            "pk", "component", "vat_kind"
        )
    }
    rules[SALE_VAT_RULE.id] = SALE_VAT_RULE.component, SALE_VAT_RULE.vat_kind
    return {pk: [rules[rule_id] for rule_id, *_ in key[2]] for pk, key in keys.items()}


def _rows(query: str, **words) -> Iterator[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"marketplace": tenancy.current_id(), **words})
        yield from cursor.fetchall()
