"""What an adjustment comes to: its VAT, and what the seller gets or is charged.

An adjustment is a fee of a component of its own: above zero it is charged to the seller, below
zero it is given. So statement, ledger and tax invoice treat it like every other fee. Amounts are
minor units. Source: the settlement arithmetic, sections 5 and 6.
"""

from typing import Final, NamedTuple

from settlements import vat

TAXABLE: Final = "taxable"
EXEMPT: Final = "exempt"
OUTSIDE_SCOPE: Final = "outside_scope"  # no consideration for a supply, such as a contract penalty

COMPONENT: Final = "adj_"  # and the code of the reason
# What the seller supplies to the marketplace: no fee that is given back, but a purchase.
REVENUE_SHARE: Final = "revenue_share"
HOST_COMMISSION: Final = "host_commission"
AFFILIATE_COMMISSION: Final = "affiliate_commission"
PURCHASE_REASONS: Final = (REVENUE_SHARE, HOST_COMMISSION, AFFILIATE_COMMISSION)
VAT_ROUNDING: Final = "vat_rounding"  # 단수차: the VAT of a month's invoice less that of its lines
FEE_CUT: Final = "fee_cut"  # discounts that the marketplace funds, taken off its fees
FUNDING_OFFSET: Final = "funding_offset"  # the same discounts, which lines paid before
FAST_ADVANCE: Final = "fast_advance"  # paid ahead of a purchase's confirmation
FAST_OFFSET: Final = "fast_offset"  # the same, once the sale is settled
FAST_CLAWBACK: Final = "fast_clawback"  # the same, where the sale came to nothing
FAST: Final = (FAST_ADVANCE, FAST_OFFSET, FAST_CLAWBACK)
WITH_VAT: Final = (VAT_ROUNDING, FEE_CUT)  # they name their VAT themselves
NO_FEES: Final = (*PURCHASE_REASONS, FUNDING_OFFSET, *FAST)  # neither charged nor given back
INVOICED: Final = (TAXABLE, EXEMPT)  # supplies for which a business has to issue an invoice

_PURCHASES: Final = frozenset(COMPONENT + reason for reason in PURCHASE_REASONS)
_BY_STREAM: Final = {"host": HOST_COMMISSION, "affiliate": AFFILIATE_COMMISSION}


class Figures(NamedTuple):
    """Of an adjustment's line; below zero what is given to the seller, but for the net."""

    fee: int
    vat: int
    net: int


def figures(amount: int, tax_kind: str, vat_rate_ppm: int) -> Figures:
    """Return the figures of an adjustment of `amount` before VAT, above zero in favour of the
    seller. Only what is taxable bears VAT, on top; it is rounded half up, away from zero."""
    kind = vat.EXCLUSIVE if tax_kind == TAXABLE else vat.EXEMPT
    size = vat.on_invoice(abs(amount), kind, vat_rate_ppm)
    tax = size if amount > 0 else -size
    return Figures(fee=-amount, vat=-tax, net=amount + tax)


def rounding(difference: vat.Rounding) -> Figures:
    """Return the figures of the line (단수차) that makes a month's VAT that of its invoice.

    VAT on top is charged beside the fees. Of VAT that fees contain, the fees are less by as much.
    """
    fee, tax = -difference.contained, difference.on_top + difference.contained
    return Figures(fee=fee, vat=tax, net=-fee - tax)


def component(reason_code: str) -> str:
    """The fee component under which adjustments for a reason are summed up and booked."""
    return COMPONENT + reason_code


def is_purchase(component: str) -> bool:
    """Whether a component is what sellers supply to the marketplace, with VAT of their own."""
    return component in _PURCHASES


def reason_of(stream: str) -> str:
    """The reason of what a seller supplies by a stream of reported revenue."""
    return _BY_STREAM.get(stream, REVENUE_SHARE)
