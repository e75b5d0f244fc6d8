"""How long a resident registration number is kept: while the law asks for it, and no day longer.

Source: what a report rests on is kept for five years from the day by which it was to be handed in
(국세기본법 제85조의3 제2항); the reports of a year's payments to persons are handed in by the 10th
of March after it (소득세법 제164조 제1항), after every other one that the number is needed for. How
many years they are is told: the law, and who reads it, may change.
"""

from datetime import date
from typing import Final

# Why a number is erased, as the audit trail keeps it.
PERIOD_OVER: Final = "retention_over"
NEVER_NEEDED: Final = "never_needed"


def kept_until(last_income_on: date, years: int) -> date:
    """The last day on which the number of somebody is kept who was last paid on a day."""
    return date(last_income_on.year + 1 + years, 3, 10)


def reason_to_erase(
    *, last_income_on: date | None, entered_on: date, has_left: bool, on: date, years: int
) -> str | None:
    """Why a number is erased on a day; None where it stays.

    Somebody who left without an income that is reported is erased at once. Who still sells, and
    entered the number of late, is kept as if the income came on the day of entering.
    """
    if has_left and last_income_on is None:
        return NEVER_NEEDED
    last_on = last_income_on or entered_on
    if not has_left:
        last_on = max(last_on, entered_on)
    return PERIOD_OVER if on > kept_until(last_on, years) else None
