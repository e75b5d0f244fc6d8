"""What a statement comes to: what is held, reserved, withheld, paid out and carried over.

Amounts are minor units. Which lines, holds and reserves belong to a statement is decided
elsewhere. Source: the settlement arithmetic, section 9.
"""

from dataclasses import dataclass
from typing import Final

from marketplace import money
from marketplace.refusals import Refused, gettext_noop
from settlements import withholding
from settlements.withholding import Withholding

_NONE_WITHHELD: Final = Withholding(0)


class ReserveOutOfRange(Refused):
    code = "reserve_out_of_range"
    message = gettext_noop("A reserve keeps back less than everything, not %(ppm)s ppm.")


class AmountBelowZero(Refused):
    code = "statement_amount_below_zero"
    message = gettext_noop("“%(field)s” of a statement cannot be below zero: %(amount)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """The figures of a statement. What comes in goes out:

    gross + reserve_released = hold_taken + reserve + withheld + payout + carry_out
    + reserve_released_left.
    """

    gross: int
    hold_taken: int
    hold_unfilled: int
    payable: int
    reserve: int
    withholding_income: int
    withholding_local: int
    available: int  # what would be paid were there no minimum; the payout, or nothing
    payout: int
    carry_out: int
    reserve_used: int  # of the released reserve, paid out or against a debt
    reserve_released_left: int
    base_carried: int

    @property
    def is_paid(self) -> bool:
        return self.payout > 0


def settle(
    lines_net: int,
    *,
    carry_in: int = 0,
    released_holds: int = 0,
    new_holds: int = 0,
    reserve_ppm: int = 0,
    reserve_released: int = 0,
    minimum_payout: int = 0,
    tax: Withholding = _NONE_WITHHELD,
) -> Payable:
    """Return the figures of a statement whose lines sum to `lines_net`.

    `carry_in` is what an earlier statement left, a debt when negative; `new_holds` is asked to be
    held back, and a hold never makes debt; `tax` is due only when something is paid. Below
    `minimum_payout`, or with nothing to pay, all is carried over and a released reserve stays
    released, but for what of it covers a debt. Refuses a reserve of everything and amounts below
    zero where there can be none.
    """
    _refuse_below_zero(
        released_holds=released_holds,
        new_holds=new_holds,
        reserve_released=reserve_released,
        minimum_payout=minimum_payout,
    )
    if not 0 <= reserve_ppm < money.MILLION:
        raise ReserveOutOfRange(ppm=reserve_ppm)
    gross = lines_net + carry_in + released_holds
    hold = min(new_holds, max(gross, 0))
    payable = gross - hold
    reserve = money.share(payable, reserve_ppm, money.FLOOR) if payable > 0 else 0
    available = payable - reserve - tax.total + reserve_released
    is_paid = available > 0 and available >= minimum_payout
    covered = min(reserve_released, max(-payable, 0))
    used = reserve_released if is_paid else covered
    return Payable(
        gross=gross,
        hold_taken=hold,
        hold_unfilled=new_holds - hold,
        payable=payable,
        reserve=reserve if is_paid else 0,
        withholding_income=tax.income if is_paid else 0,
        withholding_local=tax.local if is_paid else 0,
        available=available,
        payout=available if is_paid else 0,
        carry_out=0 if is_paid else payable + covered,
        reserve_used=used,
        reserve_released_left=reserve_released - used,
        base_carried=withholding.carried(tax, is_paid=is_paid),
    )


def _refuse_below_zero(**amounts: int) -> None:
    for field, amount in amounts.items():
        if amount < 0:
            raise AmountBelowZero(field=field, amount=amount)
