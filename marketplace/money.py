"""Rounding, splitting, reading and writing amounts of money. Only this module rounds or splits.

An amount is an `int` in the currency's minor unit (the won, the centavo); a rate is an `int` in
parts per million. Between the inputs and the one named rounding of a quantity everything is an
integer or a ratio of integers, never a float. Source: the settlement arithmetic, sections 1 and 2.
"""

import re
from collections.abc import Callable, Sequence
from math import gcd
from typing import Final, TypeAlias

from marketplace.refusals import Refused, gettext_noop

FLOOR: Final = "floor"
CEIL: Final = "ceil"
HALF_UP: Final = "half_up"
HALF_EVEN: Final = "half_even"

MILLION: Final = 1_000_000

Rounder: TypeAlias = Callable[[int, int], int]


class NegativeAmount(Refused):
    code = "negative_amount"
    message = gettext_noop("An amount below zero cannot be rounded or split: %(amount)s.")


class NothingToSplitOver(Refused):
    code = "nothing_to_split_over"
    message = gettext_noop("There is nothing that %(total)s could be split over.")


class UnreadableAmount(Refused):
    code = "unreadable_amount"
    message = gettext_noop("“%(text)s” is not an amount of money.")


class TooManyDecimals(Refused):
    code = "too_many_decimals"
    message = gettext_noop(
        "“%(text)s” has more decimals than the currency, which has %(exponent)s."
    )


class AmbiguousAmount(Refused):
    code = "ambiguous_amount"
    message = gettext_noop(
        "“%(text)s” can be read in two ways: its last separator may divide thousands or decimals."
    )


class AmountTooLarge(Refused):
    code = "amount_too_large"
    message = gettext_noop("“%(text)s” is larger than any amount that can be kept.")


def rounder(mode: str) -> Rounder:
    """Return the function `(numerator, denominator) -> whole units` of a mode.

    For inner loops: it expects numerator ≥ 0 and denominator > 0 and does not look.
    """
    return _ROUNDERS[mode]


def proportion(numerator: int, denominator: int, mode: str) -> Callable[[int], int]:
    """Return the function `amount -> amount × numerator / denominator`, rounded by a mode.

    For inner loops, as `rounder` is, and one call cheaper: it looks at nothing either.
    """
    common = gcd(numerator, denominator)
    factor, unit = numerator // common, denominator // common
    if mode == FLOOR:
        return lambda amount: amount * factor // unit
    if mode == HALF_UP:
        twice, two_units = 2 * factor, 2 * unit
        return lambda amount: (amount * twice + unit) // two_units
    rounded = _ROUNDERS[mode]
    return lambda amount: rounded(amount * factor, unit)


def round_ratio(numerator: int, denominator: int, mode: str) -> int:
    """Round numerator / denominator (≥ 0) to a whole minor unit. A negative one is refused."""
    if numerator < 0 or denominator <= 0:
        raise NegativeAmount(amount=f"{numerator}/{denominator}")
    return _ROUNDERS[mode](numerator, denominator)


def share(amount: int, rate_ppm: int, mode: str) -> int:
    """Return `rate_ppm` of an amount ≥ 0, rounded once."""
    return round_ratio(amount * rate_ppm, MILLION, mode)


def included_vat(amount: int, vat_rate_ppm: int, mode: str = HALF_UP) -> int:
    """Return the VAT contained in an amount ≥ 0 that includes it: amount × r / (1,000,000 + r)."""
    return round_ratio(amount * vat_rate_ppm, MILLION + vat_rate_ppm, mode)


def floor_to(amount: int, unit: int) -> int:
    """Cut an amount ≥ 0 to a multiple of `unit`: 9,999 to a unit of 10 is 9,990."""
    return round_ratio(amount, unit, FLOOR) * unit


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` ≥ 0 over parts by weight, largest remainder first; the parts sum to it.

    Each part gets the floor of its exact share; what is left over goes one unit each to the
    largest fractions, on a tie to the earlier part. All weights zero count as equal weights.
    Refuses a negative total or weight, and a total above 0 without any weight.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise NegativeAmount(amount=total if total < 0 else min(weights))
    if not weights:
        if total:
            raise NothingToSplitOver(total=total)
        return []
    whole = sum(weights)
    if not whole:
        weights = [1] * len(weights)
        whole = len(weights)
    parts = []
    fractions = []
    for weight in weights:
        part, fraction = divmod(total * weight, whole)
        parts.append(part)
        fractions.append(fraction)
    left = total - sum(parts)
    if left:
        # The sort is stable, so that equal fractions keep the order of the parts.
        for at in sorted(range(len(parts)), key=fractions.__getitem__, reverse=True)[:left]:
            parts[at] += 1
    return parts


def parse(text: str, exponent: int, *, decimal_separator: str = ".") -> int:
    """Read an amount in major units as people and spreadsheets write it, exactly.

    "12,900" and "12900.00" are 12900 in a currency of exponent 0; "1,234.5" is 123450 with
    exponent 2. The other one of "." and "," may divide thousands, and then in threes only.
    Refuses anything else: signs other than a leading "-", symbols, exponents, bare separators,
    digits of other scripts; decimals the currency does not have unless they are zeros; and
    "1.000", which is a thousand in half of the world.
    """
    grouping = "." if decimal_separator == "," else ","
    found = re.fullmatch(
        _AMOUNT % (re.escape(grouping), re.escape(decimal_separator)), text.strip()
    )
    if found is None or len(text) > 64:
        raise UnreadableAmount(text=text[:64])
    whole, decimals = found["whole"].replace(grouping, ""), found["decimals"] or ""
    looks_grouped = len(whole) <= 3 and whole.strip("0") and grouping not in found["whole"]
    if len(decimals) == 3 != exponent and looks_grouped:
        raise AmbiguousAmount(text=text)
    if decimals[exponent:].strip("0"):
        raise TooManyDecimals(text=text, exponent=exponent)
    amount = int(whole + decimals[:exponent].ljust(exponent, "0"))
    if amount > _LARGEST:
        raise AmountTooLarge(text=text)
    return -amount if found["sign"] else amount


def plain(amount: int, exponent: int) -> str:
    """Write an amount in major units without its currency, as parse() reads it: 1,234.50."""
    digits = str(abs(amount)).rjust(exponent + 1, "0")
    whole, decimals = digits[: len(digits) - exponent], digits[len(digits) - exponent :]
    sign = "-" if amount < 0 else ""
    return f"{sign}{int(whole):,}" + (f".{decimals}" if decimals else "")


def format_amount(amount: int, *, currency: str, exponent: int, locale: str) -> str:
    """Write an amount for people: 12,900원 in Korean, ₩12,900 otherwise.

    `locale` is a language code such as "ko" or "en-us"; a currency without a symbol of its own
    is written with its code.
    """
    sign, number = "-" if amount < 0 else "", plain(abs(amount), exponent)
    is_korean = locale.split("-")[0].split("_")[0] == "ko"
    if is_korean and currency in _KOREAN_UNITS:
        return f"{sign}{number}{_KOREAN_UNITS[currency]}"
    symbol = (is_korean and _SYMBOLS_IN_KOREAN.get(currency)) or _SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{currency} {number}"


def _floor(numerator: int, denominator: int) -> int:
    return numerator // denominator


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        return whole + 1
    return whole


_ROUNDERS: Final[dict[str, Rounder]] = {
    FLOOR: _floor,
    CEIL: _ceil,
    HALF_UP: _half_up,
    HALF_EVEN: _half_even,
}
MODES: Final = tuple(_ROUNDERS)

# [0-9] and not \d, which takes the digits of every script.
_AMOUNT: Final = (
    r"(?P<sign>-?)(?P<whole>[0-9]+|[0-9]{1,3}(?:%s[0-9]{3})+)(?:%s(?P<decimals>[0-9]+))?"
)
_LARGEST: Final = 2**63 - 1  # what a bigint column holds

_SYMBOLS: Final = {
    "KRW": "₩",
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "BRL": "R$",
    "THB": "฿",
    "VND": "₫",
    "TWD": "NT$",
    "SGD": "S$",
}
_SYMBOLS_IN_KOREAN: Final = {"USD": "US$", "JPY": "JP¥"}
_KOREAN_UNITS: Final = {"KRW": "원"}
