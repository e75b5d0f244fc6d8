"""What an adjustment comes to: its VAT, and what the seller gets or is charged.

An adjustment is a fee of a component of its own: above zero it is charged to the seller, below
zero it is given. So statement, ledger and tax invoice treat it like every other fee. Amounts are
minor units. Source: the settlement arithmetic, sections 5 and 6.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from settlements import vat
from settlements.fee_rules import SALE_VAT

TAXABLE: Final = "taxable"
EXEMPT: Final = "exempt"
OUTSIDE_SCOPE: Final = "outside_scope"  # no consideration for a supply, such as a contract penalty

COMPONENT: Final = "adj_"  # and the code of the reason
# What the seller supplies to the marketplace: no fee that is given back, but a purchase.
REVENUE_SHARE: Final = "revenue_share"
HOST_COMMISSION: Final = "host_commission"
AFFILIATE_COMMISSION: Final = "affiliate_commission"
PURCHASE_REASONS: Final = (REVENUE_SHARE, HOST_COMMISSION, AFFILIATE_COMMISSION)
SERVICE: Final = "service"
ADVERTISING: Final = "advertising"  # 광고비: a charge, or one that is taken back
MONTHLY_FEE: Final = "monthly_fee"
VAT_ROUNDING: Final = "vat_rounding"  # 단수차: the VAT of a month's invoice less that of its lines
FEE_CUT: Final = "fee_cut"  # discounts that the marketplace funds, taken off its fees
FUNDING_OFFSET: Final = "funding_offset"  # the same discounts, which lines paid before
FAST_ADVANCE: Final = "fast_advance"  # paid ahead of a purchase's confirmation
FAST_OFFSET: Final = "fast_offset"  # the same, once the sale is settled
FAST_CLAWBACK: Final = "fast_clawback"  # the same, where the sale came to nothing
FAST: Final = (FAST_ADVANCE, FAST_OFFSET, FAST_CLAWBACK)
AD_PREPAID: Final = "ad_prepaid"  # drawn from what was paid in advance, or given back to it
AD_REFUND: Final = "ad_refund"  # of what was paid in advance, to the seller
PREPAID: Final = (AD_PREPAID, AD_REFUND)
WITH_VAT: Final = (VAT_ROUNDING, FEE_CUT)  # they name their VAT themselves
NO_FEES: Final = (  # neither charged nor given back
    *PURCHASE_REASONS,
    FUNDING_OFFSET,
    *FAST,
    *PREPAID,
)
# Beside the components of fee schedules: what the marketplace charges for its services, and what
# belongs to these charges. Everything else is added to a statement or deducted from it.
FEE_REASONS: Final = (SERVICE, ADVERTISING, MONTHLY_FEE, VAT_ROUNDING, FEE_CUT)
INVOICED: Final = (TAXABLE, EXEMPT)  # supplies for which a business has to issue an invoice

_PURCHASES: Final = frozenset(COMPONENT + reason for reason in PURCHASE_REASONS)
FEES_BESIDE: Final = frozenset(COMPONENT + reason for reason in FEE_REASONS)
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


def is_fee(component: str) -> bool:
    """Whether a component is a fee of the marketplace, and no other addition or deduction.

    The VAT of a sale that the marketplace issues is neither.
    """
    if component.startswith(COMPONENT):
        return component in FEES_BESIDE
    return component != SALE_VAT


class Split(NamedTuple):
    """What a statement's components come to: fees apart from what else is added and deducted.

    Of the VAT on fees that part is on top which the fees do not contain. Additions and deductions
    are both above zero, VAT included; a component is one or the other by what it comes to. List
    amount − seller's discount − fee − VAT on top − VAT of sales + additions − deductions = net.
    """

    fee: int
    vat: int
    vat_on_top: int
    additions: int
    deductions: int

    @property
    def fee_with_vat(self) -> int:
        return self.fee + self.vat_on_top

    @property
    def other(self) -> int:
        """What the other additions and deductions come to together."""
        return self.additions - self.deductions


class LineSplit(NamedTuple):
    """Of a settlement line: its fees and their VAT, or what it adds or deducts beside them."""

    fee: int
    vat: int
    other: int  # above zero in favour of the seller, with its VAT


def split_line(fee: int, tax: int, net: int, reason_code: str = "") -> LineSplit:
    """Tell a line's fees from what it adds or deducts; only adjustments have a reason."""
    if reason_code and not is_fee(component(reason_code)):
        return LineSplit(0, 0, net)
    return LineSplit(fee, tax, 0)


def split(components: Mapping[str, Sequence[int]]) -> Split:
    """Tell fees from other additions and deductions; `components` has (fee, VAT, of it on top)."""
    fees = [sums for component, sums in components.items() if is_fee(component)]
    others = [
        -fee - on_top
        for component, (fee, _, on_top) in components.items()
        if component != SALE_VAT and not is_fee(component)
    ]
    fee, tax, on_top = (sum(column) for column in zip((0, 0, 0), *fees, strict=True))
    return Split(
        fee=fee,
        vat=tax,
        vat_on_top=on_top,
        additions=sum(net for net in others if net > 0),
        deductions=-sum(net for net in others if net < 0),
    )


def reason_of(stream: str) -> str:
    """The reason of what a seller supplies by a stream of reported revenue."""
    return _BY_STREAM.get(stream, REVENUE_SHARE)
