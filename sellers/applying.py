"""A business asks to sell in a marketplace, and what it hears about that.

An application is a seller who waits: the operator decides (sellers.deciding). One that was turned
down stays as it is; whoever applied may apply again, which leaves the old one behind.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from marketplace import audit, changes, identifiers, tenancy
from marketplace.models import AuditEntry, Marketplace
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller, SellerMember, SellerProfile

State = Seller.State


class ClosedToApplications(Refused):
    code = "closed_to_applications"
    message = gettext_noop("This marketplace takes in no new sellers.")


class AlreadyWaiting(Refused):
    code = "application_already_waiting"
    message = gettext_noop(
        "Your application for “%(name)s” is still waiting. You can apply again once it is decided."
    )


class NumberTaken(Refused):
    code = "business_number_taken"
    message = gettext_noop(
        "A shop with the business registration number %(number)s is already here, or has applied. "
        "If it is yours, ask its owner to invite you, or ask the operator."
    )


class NumberMissing(Refused):
    code = "business_number_missing"
    message = gettext_noop("A business needs its business registration number to apply.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What an applicant tells. An individual has no business number."""

    shop_name: str
    seller_type: str
    business_number: str
    company: str
    representative: str
    mail_order_report: str
    address: str
    phone: str
    contact_email: str


@transaction.atomic
def apply(application: Application, *, by, at: datetime) -> Seller:
    """Write the application down; `by` becomes the owner of the shop.

    Raises ClosedToApplications, AlreadyWaiting, NumberMissing, NumberTaken, and what
    identifiers.business_number() raises. A wrong check digit is for the operator to judge.
    """
    marketplace = Marketplace.objects.get(pk=tenancy.current_id())
    if marketplace.state == Marketplace.State.ARCHIVED:
        raise ClosedToApplications()
    _one_at_a_time()
    if (waiting := _shops_of(by).waiting().first()) is not None:
        raise AlreadyWaiting(name=waiting.name)
    number = _free_number(application)
    _leave_rejected(by)
    seller = Seller(
        name=application.shop_name,
        seller_type=application.seller_type,
        business_number=number,
        joined_on=timezone.localdate(at, marketplace.tz),
    )
    seller.code = seller.public_id
    seller.save(force_insert=True)
    SellerProfile.objects.create(
        seller=seller,
        company=application.company,
        representative=application.representative,
        mail_order_report=application.mail_order_report,
        address=application.address,
        phone=application.phone,
        contact_email=application.contact_email,
    )
    SellerMember.objects.create(marketplace=marketplace, seller=seller, user=by)
    audit.record(
        "seller.applied", by=by, at=at, obj=seller, data={"seller_type": seller.seller_type}
    )
    changes.announce("seller.applied", seller.public_id, at=at, seller_id=seller.pk)
    return seller


def latest_of(user) -> Seller | None:
    """The shop that the user's newest place is in, whatever came of it."""
    return _shops_of(user).order_by("-pk").first()


def rejection(seller: Seller) -> str | None:
    """Why the application was turned down; None when it was not."""
    if seller.state != State.TERMINATED:
        return None
    ends = AuditEntry.objects.filter(
        object_type=Seller._meta.label_lower,
        object_key=str(seller.pk),
        action=f"seller.{State.TERMINATED}",
        data__from=State.ONBOARDING,
    )
    return ends.values_list("reason", flat=True).first()


def _one_at_a_time() -> None:
    """Applications are rare: two at once wait for each other, so none is taken twice."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('seller.apply', %s))",
            [tenancy.current_id()],
        )


def _shops_of(user):
    return Seller.objects.filter(members__user=user)


def _free_number(application: Application) -> str:
    if application.seller_type == Seller.Type.INDIVIDUAL:
        return ""
    if not application.business_number.strip():
        raise NumberMissing()
    number = identifiers.business_number(application.business_number)
    taken = Seller.objects.filter(business_number__in={number.digits, number.shown})
    if taken.exclude(state=State.TERMINATED).exists():
        raise NumberTaken(number=number.shown)
    return number.digits


def _leave_rejected(user) -> None:
    """The new application takes the place of those that were turned down."""
    over = _shops_of(user).filter(state=State.TERMINATED)
    rejected = [seller.pk for seller in over if rejection(seller) is not None]
    SellerMember.objects.filter(user=user, seller_id__in=rejected).delete()
