"""Numbers that identify businesses and people, and the public ids of our own objects.

A wrong check digit is a warning and not a refusal: an operator decides on the papers. Check digits
say nothing about whether a business is open; that is looked up elsewhere.
"""

import os
import re
import time
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from marketplace.refusals import Refused, gettext_noop

WRONG_CHECK_DIGIT: Final = "wrong_check_digit"

_BUSINESS_WEIGHTS: Final = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_PERSON_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_CENTURIES: Final = {"1": 1900, "2": 1900, "3": 2000, "4": 2000}  # by the seventh digit
_FOREIGN_CENTURIES: Final = {"5": 1900, "6": 1900, "7": 2000, "8": 2000}
# Numbers given since then end in digits drawn by lot, to people of any age.
_LAST_CHECK_DIGIT_ON: Final = date(2020, 10, 4)
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32
_PUBLIC_ID: Final = re.compile(rf"[a-z]+_[0-7][{_ALPHABET}]{{25}}")


class NotABusinessNumber(Refused):
    code = "not_a_business_number"
    message = gettext_noop("“%(text)s” is not a business registration number of ten digits.")


class NotACorporationNumber(Refused):
    code = "not_a_corporation_number"
    message = gettext_noop("“%(text)s” is not a corporation registration number of 13 digits.")


class NotAResidentNumber(Refused):
    code = "not_a_resident_number"
    # It does not repeat what was typed: a refusal is shown, and may be logged.
    message = gettext_noop(
        "A resident or foreigner registration number has 13 digits: the date of birth, then seven "
        "digits of which the first tells the century, such as 900101-1234567."
    )


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is stored (digits only) and shown, and what is odd about it, if anything."""

    digits: str
    shown: str
    warning: str | None = None  # a code: WRONG_CHECK_DIGIT


def business_number(text: str) -> Number:
    """Read a Korean business registration number (사업자등록번호), hyphens and spaces allowed.

    Refuses what is not ten digits, and 0000000000, whose check digit would pass.
    """
    digits = _digits(text)
    if len(digits) != 10 or not digits.strip("0"):
        raise NotABusinessNumber(text=text[:40])
    total = sum(int(d) * weight for d, weight in zip(digits, _BUSINESS_WEIGHTS, strict=False))
    total += int(digits[8]) * 5 // 10
    return Number(digits, f"{digits[:3]}-{digits[3:5]}-{digits[5:]}", _warning(digits, total))


def corporation_number(text: str) -> Number:
    """Read a Korean corporation registration number (법인등록번호), hyphens and spaces allowed.

    Refuses what is not 13 digits, and thirteen zeros.
    """
    digits = _digits(text)
    if len(digits) != 13 or not digits.strip("0"):
        raise NotACorporationNumber(text=text[:40])
    total = sum(int(digit) * (1 + at % 2) for at, digit in enumerate(digits[:12]))
    return Number(digits, f"{digits[:6]}-{digits[6:]}", _warning(digits, total))


@dataclass(frozen=True, slots=True)
class ResidentNumber:
    """A person's number as it is sealed; printing the value tells no digit of it."""

    digits: str = field(repr=False)
    is_foreigner: bool
    warning: str | None = None  # a code: WRONG_CHECK_DIGIT


def resident_number(text: str, *, on: date) -> ResidentNumber:
    """Read a Korean resident (주민등록번호) or foreigner registration number (외국인등록번호).

    Hyphens and spaces are allowed. Refuses what has not 13 digits, begins with no date from 1900
    to `on`, or names no century. The check digit only warns: numbers given since October 2020 have
    none, and anybody may have been given such a one. Raises NotAResidentNumber.
    """
    digits = _digits(text)
    if len(digits) != 13:
        raise NotAResidentNumber()
    century = (_CENTURIES | _FOREIGN_CENTURIES).get(digits[6])
    born_on = _date(century + int(digits[:2]), digits[2:6]) if century else None
    if born_on is None or born_on > on:
        raise NotAResidentNumber()
    is_foreigner = digits[6] in _FOREIGN_CENTURIES
    total = sum(int(d) * weight for d, weight in zip(digits, _PERSON_WEIGHTS, strict=False))
    check = ((13 if is_foreigner else 11) - total % 11) % 10
    is_odd = born_on <= _LAST_CHECK_DIGIT_ON and int(digits[12]) != check
    return ResidentNumber(digits, is_foreigner, WRONG_CHECK_DIGIT if is_odd else None)


def written_resident_number(digits: str) -> str:
    """As forms want it: 900101-1234567."""
    return f"{digits[:6]}-{digits[6:]}"


def masked_resident_number(digits: str) -> str:
    """As its owner may see it again: 900101-*******."""
    return f"{digits[:6]}-*******"


def public_id(prefix: str) -> str:
    """Return a new id for an object that outsiders name: "ord_" and 26 characters of a UUIDv7.

    Ids made later sort later, to the millisecond; the rest is random.
    """
    # The clock is read here and not told: it orders ids and decides nothing.
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    return f"{prefix}_{_base32(_uuid7(milliseconds, random))}"


def is_public_id(text: str, prefix: str) -> bool:
    """Say whether `text` could be a public id with this prefix."""
    return text.startswith(f"{prefix}_") and _PUBLIC_ID.fullmatch(text) is not None


def _digits(text: str) -> str:
    """Return the digits of a number written with hyphens and spaces; nothing if there is more."""
    digits = re.sub(r"[\s-]", "", text)
    return digits if re.fullmatch(r"[0-9]+", digits) else ""


def _date(year: int, month_and_day: str) -> date | None:
    try:
        return date(year, int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        return None


def _warning(digits: str, total: int) -> str | None:
    return None if int(digits[-1]) == -total % 10 else WRONG_CHECK_DIGIT


def _uuid7(milliseconds: int, random: int) -> int:
    """Return the 128 bits of RFC 9562, section 5.7: 48 of time, version, 12, variant, 62."""
    high, low = random >> 62 & 0xFFF, random & (1 << 62) - 1
    return (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low


def _base32(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
