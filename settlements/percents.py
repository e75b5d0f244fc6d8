"""Rates as people write them: "12 %" and "13.2" for 120,000 and 132,000 parts per million."""

import re
from fractions import Fraction

from marketplace.money import MILLION
from marketplace.refusals import Refused, gettext_noop

PPM_OF_ONE = 10_000  # parts per million of one percent

_WRITTEN = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,20})?)\s*[%％]?\s*", re.ASCII)


class NotAPercent(Refused):
    code = "not_a_percent"
    message = gettext_noop("“%(found)s” is not a percentage from 0 to 100, such as 3.3 %%.")


class PercentTooFine(Refused):
    code = "percent_too_fine"
    message = gettext_noop("“%(found)s” is finer than a millionth: use at most four decimals.")


def parse(text: str) -> int:
    """Return the parts per million that a percentage stands for, exactly or not at all."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise NotAPercent(found=text[:40])
    rate_ppm = Fraction(written[1]) * PPM_OF_ONE
    if rate_ppm.denominator != 1:
        raise PercentTooFine(found=text[:40])
    if rate_ppm > MILLION:
        raise NotAPercent(found=text[:40])
    return int(rate_ppm)


def show(rate_ppm: int) -> str:
    """Write a rate as it is typed: 33,000 ppm is "3.3 %"."""
    whole, rest = divmod(rate_ppm, PPM_OF_ONE)
    decimals = f"{rest:04}".rstrip("0")
    return f"{whole}{'.' if decimals else ''}{decimals} %"


def with_vat(rate_ppm: int, vat_rate_ppm: int) -> str:
    """Write what a rate comes to with the VAT on top of it: 12 % is "13.2 %" at 10 %."""
    exact = Fraction(rate_ppm * (MILLION + vat_rate_ppm), MILLION * PPM_OF_ONE)
    scaled = exact * 10**6
    whole, decimals = divmod(int(scaled), 10**6)
    digits = f"{decimals:06}".rstrip("0")
    cut = "…" if scaled.denominator != 1 else ""
    return f"{whole}{'.' if digits else ''}{digits}{cut} %"
