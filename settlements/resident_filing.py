"""Files for the tax office with the resident registration numbers of the persons in them.

Each is made in memory for whoever asks, and stored nowhere; the audit trail keeps who took it out,
why, for which month and for how many people. Who is in a month is told without any number first,
so that finance can ask those for it of whom it is missing. Whether the caller has proved who they
are again is checked at the edge.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from marketplace import audit, identifiers, reasons, sealing, sheets
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller
from settlements import invoicing, statutory, tax_files
from settlements.models import ResidentNumber, TaxInvoice

Purpose = ResidentNumber.Purpose
COLUMNS: Final = (
    *statutory.WITHHOLDING_COLUMNS[:3],
    "resident_number",
    *statutory.WITHHOLDING_COLUMNS[3:],
)
_CODE: Final = statutory.WITHHOLDING_COLUMNS.index("seller")
_NAME: Final = statutory.WITHHOLDING_COLUMNS.index("name")


class NobodyToFile(Refused):
    code = "nobody_to_file"
    message = gettext_noop("Nobody in %(month)s whose number is to be told.")


class NumberUnreadable(Refused):
    code = "resident_number_unreadable"
    message = gettext_noop(
        "The number of “%(seller)s” was sealed with a key that is no longer in FIELD_KEYS. Put the "
        "key back, or have the seller enter the number again."
    )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of whom a month is reported, and whether their number is kept."""

    seller: Seller
    name: str
    has_number: bool


def of_withholding(month: date) -> list[Person]:
    """From whom tax was withheld in a month, by code."""
    rows = statutory.withheld_in(month)
    sellers = {seller.code: seller for seller in _sellers_of({row[_CODE] for row in rows})}
    return _persons((sellers[row[_CODE]], row[_NAME]) for row in rows)


def of_invoices(month: date) -> list[Person]:
    """To whom tax invoices of a month were issued as to persons, by code."""
    named = {}
    for invoice in _invoices(month):
        receiver = invoicing.receiver(invoice)
        named[invoice.seller] = receiver["representative"] or receiver["name"]
    return _persons(sorted(named.items(), key=lambda one: one[0].code))


@transaction.atomic
def withholding(month: date, *, by, at: datetime, reason: str) -> bytes:
    """The report of withheld tax as CSV; the number of who has entered none is empty.

    Raises NobodyToFile, NumberUnreadable, reasons.ReasonMissing.
    """
    rows = statutory.withheld_in(month)
    sellers = _sellers_of({row[_CODE] for row in rows})
    numbers = _taken_out(Purpose.WITHHOLDING, month, sellers, by=by, at=at, reason=reason)
    by_code = {
        seller.code: identifiers.written_resident_number(numbers[seller.pk])
        for seller in sellers
        if seller.pk in numbers
    }
    told = [(*row[:3], by_code.get(row[_CODE], ""), *row[3:]) for row in rows]
    return sheets.write(sheets.CSV, COLUMNS, told)


@transaction.atomic
def invoices(month: date, *, by, at: datetime, reason: str) -> bytes:
    """The tax invoices to persons of a month as a ZIP of XML; the `ID` of who has none is missing.

    Raises NobodyToFile, NumberUnreadable, reasons.ReasonMissing.
    """
    rows = _invoices(month)
    sellers = {row.seller for row in rows}
    numbers = _taken_out(Purpose.TAX_INVOICE, month, sellers, by=by, at=at, reason=reason)
    return tax_files.zipped(rows, numbers)


def _taken_out(
    purpose: ResidentNumber.Purpose,
    month: date,
    sellers: Collection[Seller],
    *,
    by,
    at: datetime,
    reason: str,
) -> dict[int, str]:
    """Numbers by seller, once it is written down who takes them out, and why."""
    reason = reasons.given(reason)
    rows = list(ResidentNumber.objects.filter(seller__in=sellers).select_for_update(of=("self",)))
    if not rows:
        raise NobodyToFile(month=f"{month:%Y-%m}")
    names = {seller.pk: seller.name for seller in sellers}
    numbers = {row.seller_id: _revealed(row, names[row.seller_id]) for row in rows}
    ResidentNumber.objects.filter(pk__in=[row.pk for row in rows]).update(
        last_used_for=purpose, last_used_at=at
    )
    told = {
        "purpose": purpose.value,
        "month": f"{month:%Y-%m}",
        "persons": len(numbers),
        "missing": len(sellers) - len(numbers),
    }
    audit.record(
        "residentnumber.taken_out", by=by, at=at, obj=ResidentNumber, reason=reason, data=told
    )
    return numbers


def _revealed(row: ResidentNumber, name: str) -> str:
    try:
        return sealing.reveal(row, "number")
    except sealing.Unreadable:
        raise NumberUnreadable(seller=name) from None


def _persons(named) -> list[Person]:
    named = list(named)
    rows = ResidentNumber.objects.filter(seller__in=[seller for seller, _name in named])
    known = set(rows.values_list("seller_id", flat=True))
    return [Person(seller, name, seller.pk in known) for seller, name in named]


def _sellers_of(codes: set[str]) -> list[Seller]:
    return list(Seller.objects.filter(code__in=codes).order_by("code"))


def _invoices(month: date) -> list[TaxInvoice]:
    """The issued invoices of a month whose receiver was a person, by their numbers."""
    # Who has registered a business since then is known by the number that is still kept.
    person = Q(seller__seller_type=Seller.Type.INDIVIDUAL)
    person |= Q(seller__in=ResidentNumber.objects.values("seller"))
    rows = TaxInvoice.objects.issued().filter(person, month=month)
    rows = rows.select_related("seller", "original", "issuer").order_by("number")
    return [row for row in rows if invoicing.receiver(row)["is_person"]]
