"""Which tax invoices a month of one seller needs: pure arithmetic over what lines come to.

A line belongs to the month of its basis date (공급시기), whenever it is paid out. Reversals of the
same month net with its sales. A reversal of what an earlier month charged changes that month's
amount: it is a correction (수정세금계산서) written in the month of the reversal, which names the
month that was charged. A line that comes in after its month's invoice was issued makes that
invoice wrong: it is taken back whole and written anew.

Sources: 부가가치세법 제15조, 제34조 제3항 (one invoice a month, written on its last day, issued by
the 10th of the next); 시행령 제70조 제1항 (reasons and dates of corrections). Amounts are minor
units.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple, TypeAlias

from marketplace.refusals import Refused, gettext_noop
from settlements import vat

TAXABLE: Final = "taxable"  # 세금계산서
EXEMPT: Final = "exempt"  # 계산서
OUTSIDE_SCOPE: Final = "outside_scope"  # no supply, so no invoice
KINDS: Final = (TAXABLE, EXEMPT)

INVOICE: Final = "invoice"
CHANGE: Final = "change"
TAKEN_BACK: Final = "taken_back"
ANEW: Final = "anew"

MISTAKE: Final = "01"  # 기재사항의 착오·정정
AMOUNT_CHANGED: Final = "02"  # 공급가액 변동
REASONS: Final = {INVOICE: "", CHANGE: AMOUNT_CHANGED, TAKEN_BACK: MISTAKE, ANEW: MISTAKE}

DEADLINE_DAY: Final = 10  # of the next month
WARNING_DAYS: Final = 5  # before the deadline
APPROVAL_DIGITS: Final = 24
_APPROVAL: Final = re.compile(r"[0-9]{8}[0-9a-z]{16}")


class NotAnApprovalNumber(Refused):
    code = "not_an_approval_number"
    message = gettext_noop(
        "“%(text)s” is no national approval number: it has 24 places and begins with a date."
    )


class Amount(NamedTuple):
    """What is supplied, without VAT, and the VAT on it."""

    supply: int
    vat: int


Components: TypeAlias = Mapping[str, Amount]


@dataclass(frozen=True, slots=True)
class Planned:
    """An invoice that is to be drawn up."""

    leg: str
    components: dict[str, Amount]
    written_on: date

    @property
    def supply(self) -> int:
        return total(self.components).supply

    @property
    def vat(self) -> int:
        return total(self.components).vat

    @property
    def reason(self) -> str:
        return REASONS[self.leg]


@dataclass(frozen=True, slots=True)
class Issued:
    """What an invoice that was issued says."""

    leg: str
    components: dict[str, Amount]


def plan(
    month: date,
    original_month: date,
    owed: Components,
    last_on: date,
    issued: Sequence[Issued],
) -> list[Planned]:
    """Return the invoices that are missing, so that all together say what is owed.

    `owed` is what the lines of `month` come to for one seller and kind of tax, of what
    `original_month` charged; `last_on` is the last basis date among them. `issued` are the
    invoices of the same that were issued before.
    """
    missing = less(owed, added(each.components for each in issued))
    if not any(missing.values()):
        return []
    if any(each.leg in (INVOICE, ANEW) for each in issued):
        written_on = end_of(month)
        before = added(each.components for each in issued)
        anew = [Planned(ANEW, clean(owed), written_on)] if any(total(owed)) else []
        return [Planned(TAKEN_BACK, less({}, before), written_on), *anew]
    if not any(total(missing)):
        return []  # components that cancel out to the won leave nothing to invoice
    if original_month == month and not issued and sum(total(missing)) > 0:
        return [Planned(INVOICE, missing, end_of(month))]
    return [Planned(CHANGE, missing, last_on)]


def amount(fee: int, fee_vat: int, vat_kind: str) -> Amount:
    """What is supplied for a fee: without the VAT that is contained in it."""
    return Amount(fee - fee_vat if vat_kind == vat.INCLUSIVE else fee, fee_vat)


def kind_of(vat_kind: str) -> str:
    """The kind of invoice for a fee rule's VAT; none for what is outside its scope."""
    if vat_kind == vat.OUTSIDE_SCOPE:
        return OUTSIDE_SCOPE
    return EXEMPT if vat_kind == vat.EXEMPT else TAXABLE


def total(components: Components) -> Amount:
    return Amount(
        sum(each.supply for each in components.values()),
        sum(each.vat for each in components.values()),
    )


def added(parts: Iterable[Components]) -> dict[str, Amount]:
    sums: dict[str, Amount] = {}
    for part in parts:
        for component, (supply, tax) in part.items():
            before = sums.get(component, Amount(0, 0))
            sums[component] = Amount(before.supply + supply, before.vat + tax)
    return clean(sums)


def less(whole: Components, part: Components) -> dict[str, Amount]:
    """What is left of `whole` without `part`."""
    return added([whole, {name: Amount(-one.supply, -one.vat) for name, one in part.items()}])


def clean(components: Components) -> dict[str, Amount]:
    """By name, without components that come to nothing."""
    return {name: components[name] for name in sorted(components) if any(components[name])}


def first_of(day: date) -> date:
    return day.replace(day=1)


def read_month(text: str | None) -> date | None:
    """The month of an address, such as 2026-09; None where it names none."""
    try:
        return date.fromisoformat(f"{text}-01") if text else None
    except ValueError:
        return None


def after(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def end_of(month: date) -> date:
    """The last day of a month."""
    return after(month) - timedelta(days=1)


def deadline(month: date) -> date:
    """The last day on which the invoices of a month may be issued."""
    return after(month).replace(day=DEADLINE_DAY)


def months_before(month: date, count: int) -> date:
    """The first day of the month so many months before."""
    for _ in range(count):
        month = first_of(month - timedelta(days=1))
    return month


def months_back(last: date, first: date, most: int) -> list[date]:
    """The months from that of `last` back to that of `first`, `most` of them; never none."""
    found = [first_of(last)]
    while found[-1] > first_of(first) and len(found) < most:
        found.append(months_before(found[-1], 1))
    return found


def approval_number(text: str) -> str:
    """Read a national approval number, hyphens and spaces allowed. Raises NotAnApprovalNumber."""
    found = re.sub(r"[\s-]", "", text).lower()
    if not _APPROVAL.fullmatch(found):
        raise NotAnApprovalNumber(text=text[:40], field="approval_number")
    return found
