"""What a fee schedule can say: rules with their conditions, tiers, and benefits on top.

Values only; `schedules` chooses among rules, `fees` computes by them. Amounts are minor units,
rates parts per million. Source: the settlement arithmetic, section 4.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from marketplace import money
from marketplace.money import MILLION
from marketplace.refusals import Refused, gettext_noop
from settlements import vat

# What a fee is taken from. A shipping or revenue line brings its amount as `list_amount`.
LIST_AMOUNT: Final = "list_amount"
AFTER_SELLER_DISCOUNT: Final = "after_seller_discount"
BUYER_PAID: Final = "buyer_paid"
SHIPPING: Final = "shipping"
AMOUNT: Final = "amount"
FEE_OF: Final = "fee:"  # and the component: the rounded fee of an earlier one
RETURN_SHIPPING: Final = "return_shipping"  # a stream, charged as shipping where no rule names it
BASES: Final = (LIST_AMOUNT, AFTER_SELLER_DISCOUNT, BUYER_PAID, SHIPPING, AMOUNT)

# The VAT of a sale that the marketplace issues, taken off its seller beside the fees: a component
# that no schedule may list.
SALE_VAT: Final = "sale_vat"

WHOLE: Final = "whole"
MARGINAL: Final = "marginal"
BAND_ON_BASE: Final = "base"
BAND_ON_PREVIOUS_SALES: Final = "previous_period_sales"


class BenefitOutOfRange(Refused):
    code = "benefit_out_of_range"
    message = gettext_noop("A benefit takes off from nothing to everything, not %(ppm)s ppm.")


@dataclass(frozen=True, slots=True)
class Band:
    """A rate for amounts from `start` up to, but not with, `end`; None has no end."""

    start: int
    end: int | None
    rate_ppm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a fee schedule: how a component is computed, and on which lines.

    A condition that is None holds for every line. Dates and prices are half open. `bands`, where
    given, replace `rate_ppm`; on the sales of the previous closed period they are `whole` only.
    """

    id: int
    rank: int
    component: str
    base: str = LIST_AMOUNT
    rate_ppm: int = 0
    fixed_amount: int = 0
    per_unit: bool = False  # the fixed amount is due for each unit
    min_amount: int | None = None
    max_amount: int | None = None
    mode: str = money.FLOOR
    vat_kind: str
    vat_mode: str = money.HALF_UP
    keep_on_refund: bool = False
    bands: tuple[Band, ...] = ()
    band_kind: str = WHOLE
    band_basis: str = BAND_ON_BASE

    stream: str | None = None
    category_id: int | None = None  # with its whole subtree
    listing_kind: str | None = None
    channel: str | None = None
    seller_type: str | None = None
    seller_id: int | None = None
    grade: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    price_from: int | None = None
    price_to: int | None = None

    contract_id: int | None = None  # where a seller's own contract says it

    def __hash__(self) -> int:
        return hash(self.id)  # a rule has thirty fields, and rules are hashed often

    def tier_rate_ppm(self, previous_sales: int) -> int | None:
        """Return the rate of the band the previous closed period's sales fall in, if there is."""
        if not self.bands or self.band_basis != BAND_ON_PREVIOUS_SALES:
            return None
        return band_at(self.bands, previous_sales).rate_ppm


# No fee of any schedule, so it is no row, has no id, and no benefit touches it.
SALE_VAT_RULE: Final = Rule(
    id=0,
    rank=0,
    component=SALE_VAT,
    base=BUYER_PAID,
    mode=money.HALF_UP,
    vat_kind=vat.OUTSIDE_SCOPE,
)


@dataclass(frozen=True, slots=True)
class Benefit:
    """What a grade or a campaign takes off the components it names.

    `points_off_ppm` comes off the rate, `percent_off_ppm` off the fee before its limits.
    """

    components: frozenset[str]
    points_off_ppm: int = 0
    percent_off_ppm: int = 0

    def __post_init__(self) -> None:
        for ppm in (self.points_off_ppm, self.percent_off_ppm):
            if not 0 <= ppm <= MILLION:
                raise BenefitOutOfRange(ppm=ppm)


def band_at(bands: Sequence[Band], amount: int) -> Band:
    """Return the band that holds `amount`; below the first one, the first."""
    return bands[bisect_right([band.start for band in bands[1:]], amount)]
