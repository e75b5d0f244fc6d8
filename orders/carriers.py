"""Who carries parcels in Korea, and what their tracking numbers look like.

Values in, values out. Only the form of a number is judged: whether the carrier knows it, only
the carrier can say. Names are proper names, in English here and translated at the edges.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from marketplace.refusals import Refused, gettext_noop


class UnknownCarrier(Refused):
    code = "unknown_carrier"
    message = gettext_noop(
        "“%(value)s” is no carrier known here. Choose one of the list, or “other”."
    )


class TrackingNumberMissing(Refused):
    code = "tracking_number_missing"
    message = gettext_noop("The tracking number is missing. It is printed on the carrier's label.")


class TrackingNumberNotUsable(Refused):
    code = "tracking_number_not_usable"
    message = gettext_noop(
        "“%(value)s” is no tracking number of this carrier: those have %(form)s digits."
        " Compare it with the label, or choose another carrier."
    )


class TrackingNumberOdd(Refused):
    code = "tracking_number_not_usable"
    message = gettext_noop(
        "“%(value)s” is no tracking number: enter 6 to 30 letters and digits, as on the label."
    )


class TrackingNumberMadeUp(Refused):
    code = "tracking_number_made_up"
    message = gettext_noop(
        "“%(value)s” looks made up. Enter the number on the label; ship without one only by"
        " “direct delivery”."
    )


@dataclass(frozen=True, slots=True)
class Carrier:
    """`lengths` count the digits that a number may have; none means no number is needed."""

    code: str
    name: str
    names: tuple[str, ...]  # as sellers write it in their files, in plain form
    lengths: tuple[int, ...] = ()
    has_letters: bool = False

    @property
    def needs_number(self) -> bool:
        return bool(self.lengths)

    @property
    def form(self) -> str:
        if len(self.lengths) > 3:
            return f"{self.lengths[0]}–{self.lengths[-1]}"
        return ", ".join(map(str, self.lengths))


_COUNTED_UP: Final = "0123456789" * 4
_SOME: Final = tuple(range(8, 17))
_ANY: Final = tuple(range(6, 31))
CARRIERS: Final = (
    Carrier(
        "cj", gettext_noop("CJ Logistics"), ("cj대한통운", "대한통운", "cj택배", "cj"), (10, 12)
    ),
    Carrier("hanjin", gettext_noop("Hanjin"), ("한진택배", "한진"), (10, 12)),
    Carrier("lotte", gettext_noop("Lotte"), ("롯데택배", "롯데", "롯데글로벌로지스"), (10, 12, 13)),
    Carrier("epost", gettext_noop("Korea Post"), ("우체국택배", "우체국", "우체국소포"), (13,)),
    Carrier("logen", gettext_noop("Logen"), ("로젠택배", "로젠"), (11,)),
    Carrier("kdexp", gettext_noop("Kyungdong"), ("경동택배", "경동"), _SOME),
    Carrier("daesin", gettext_noop("Daesin"), ("대신택배", "대신"), (13,)),
    Carrier("ilyang", gettext_noop("Ilyang"), ("일양로지스", "일양"), _SOME),
    Carrier("cvs", gettext_noop("CU or GS25 parcel"), ("편의점택배", "gs25", "cu"), (10, 11, 12)),
    Carrier(
        "other", gettext_noop("Other carrier"), ("기타", "기타택배"), tuple(range(6, 31)), True
    ),
    Carrier("direct", gettext_noop("Direct delivery"), ("직접전달", "업체직송", "직접배송")),
)
_BY_NAME: Final = {
    name: carrier
    for carrier in CARRIERS
    for name in (carrier.code, carrier.name.casefold().replace(" ", ""), *carrier.names)
}


def find(name: str) -> Carrier:
    """The carrier of a code or of a name as people write it. Raises UnknownCarrier."""
    plain = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    if plain not in _BY_NAME:
        raise UnknownCarrier(value=name[:40], field="carrier")
    return _BY_NAME[plain]


def tracking_number(carrier: Carrier, value: str) -> str:
    """The number without spaces and dashes. Refuses one that the carrier cannot have given."""
    number = re.sub(r"[\s\u2010-\u2015-]", "", unicodedata.normalize("NFKC", value)).upper()
    if not number and not carrier.needs_number:
        return ""
    if not number:
        raise TrackingNumberMissing(field="tracking_number")
    if not carrier.needs_number or carrier.has_letters:
        if not re.fullmatch(r"[A-Z0-9]{6,30}", number, re.ASCII):
            raise TrackingNumberOdd(value=value[:40], field="tracking_number")
    elif not re.fullmatch(r"[0-9]+", number, re.ASCII) or len(number) not in carrier.lengths:
        raise TrackingNumberNotUsable(value=value[:40], form=carrier.form, field="tracking_number")
    if len(set(number)) == 1 or number in _COUNTED_UP:
        raise TrackingNumberMadeUp(value=value[:40], field="tracking_number")
    return number
