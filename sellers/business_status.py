"""What the tax office says of sellers' businesses: whom to ask about, and what was answered.

The service is called by those who need an answer, outside any transaction; here stands what it
said, with the moment it was asked at.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction

from marketplace import audit, identifiers, outbox
from marketplace.refusals import Refused, gettext_noop
from sellers import business_rules
from sellers.gateways.interface import Said
from sellers.models import BusinessStatus, Seller

TOPIC = "seller.business_to_ask"  # by which the outbox has a worker ask


class NoNumber(Refused):
    code = "seller_without_business_number"
    message = gettext_noop("The seller has named no business registration number of ten digits.")


def numbers(sellers: Collection[int]) -> dict[int, str]:
    """Ten digits by seller id; sellers who named no Korean business number are left out."""
    found = {}
    rows = Seller.objects.filter(pk__in=sellers).exclude(business_number="")
    for key, text in rows.values_list("pk", "business_number"):
        try:
            found[key] = identifiers.business_number(text).digits
        except identifiers.NotABusinessNumber:
            continue
    return found


def of(sellers: Collection[int]) -> dict[int, BusinessStatus]:
    """What is known of sellers' businesses, by seller id."""
    return {row.seller_id: row for row in BusinessStatus.objects.filter(seller__in=sellers)}


def of_seller(seller: Seller) -> BusinessStatus | None:
    """What is known of a seller's business under the number that the seller has now."""
    known = BusinessStatus.objects.filter(seller=seller).first()
    return known if known and numbers([seller.pk]).get(seller.pk) == known.number else None


def unknown(sellers: Collection[int], *, at: datetime, days: int) -> dict[int, str]:
    """The numbers, by seller id, of which no answer is at most `days` old at a moment."""
    known = of(sellers)
    return {
        key: number
        for key, number in numbers(sellers).items()
        if not (
            key in known
            and known[key].number == number
            and business_rules.is_fresh(known[key].answered_at, at=at, days=days)
        )
    }


def to_ask(sellers: Collection[int], *, at: datetime, days: int) -> dict[int, str]:
    """Of the unknown ones those that may be asked about now, not again right after an outage."""
    asked = unknown(sellers, at=at, days=days)
    known = of(asked)
    return {
        key: number
        for key, number in asked.items()
        if key not in known or business_rules.may_be_asked(known[key].failed_at, at=at)
    }


def record(asked: Mapping[int, str], said: Mapping[str, Said], *, at: datetime) -> None:
    """Write down what a service said of some numbers, by seller id; the caller's transaction.

    The caller has locked the sellers. What was left out counts as not answered; what is known of
    it stays.
    """
    known = of(asked)
    for key, number in sorted(asked.items()):
        row = known.get(key) or BusinessStatus(seller_id=key)
        if row.number != number:  # nothing that is known is about this number
            row.number, row.status, row.closed_on = number, "", None
            row.since = row.answered_at = None
        if answer := said.get(number):
            _take(row, answer, at)
        else:
            row.failed_at = at
        row.save()


@transaction.atomic
def ask_anew(seller: Seller, *, by, at: datetime, reason: str = "") -> None:
    """Have a worker ask about a seller's business at once. Raises NoNumber."""
    if not numbers([seller.pk]):
        raise NoNumber()
    audit.record("business_status.asked", by=by, at=at, obj=seller, reason=reason)
    outbox.add(TOPIC, seller_id=seller.pk)


def _take(row: BusinessStatus, answer: Said, at: datetime) -> None:
    changed = (row.status, row.closed_on) != (answer.status, answer.closed_on)
    before = row.status
    row.answered_at, row.failed_at = at, None
    row.status, row.closed_on = answer.status, answer.closed_on
    if changed:
        row.since = at
        row.save()
        data = {"before": before, "after": answer.status, "number": row.number}
        audit.record("business_status.changed", by=None, at=at, obj=row, data=data)
