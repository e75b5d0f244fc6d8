"""Draft a seller's contract, and bring it into force once it can be settled by."""

from datetime import date, datetime

from django.db import transaction

from marketplace import changes, tenancy, versions
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller
from settlements import contracts, deadlines, rate_cards
from settlements.models import FeeRule, SellerContract
from settlements.schedules import Schedule


class ChangeScheduled(Refused):
    code = "contract_change_scheduled"
    message = gettext_noop(
        "Version %(number)s of this contract is published and begins on %(valid_from)s. Wait until "
        "it is in force before you publish another."
    )


def draft(seller: Seller, *, valid_from: date, by, at: datetime) -> SellerContract:
    """Draft the next version of a seller's contract: a copy of the newest one in force or coming.

    The first one says nothing yet, so that everything is as for every other seller.
    """
    newest = SellerContract.objects.published().filter(seller=seller).order_by("valid_from").last()
    if newest is not None:
        return versions.revise(newest, valid_from=valid_from, by=by, at=at)
    return versions.draft(SellerContract, valid_from=valid_from, by=by, at=at, seller=seller)


@transaction.atomic
def publish(contract: SellerContract, *, by, at: datetime) -> SellerContract:
    """Publish a version of a contract, and announce it to its seller.

    Raises ChangeScheduled while another version is yet to begin, schedules.Unpublishable for rules
    that cannot be charged, rate_cards.NoVersionInForce where its fee schedule says nothing on its
    first day, due_dates.BadDueTerms, deadlines.PaysTooLate where that is refused, or what
    marketplace.versions raises about its day.
    """
    versions.publish(contract, by=by, at=at)
    # Even the first contract of a seller changes what held before it.
    versions.refuse_closed_days(contract)
    if contract.cycle:
        due = rate_cards.read_due_terms(contract)
        deadlines.ensure(due, valid_from=contract.valid_from)
    _refuse_second_change(contract, at.astimezone(tenancy.current().tz).date())
    schedule_of(contract).ensure_publishable()
    changes.announce(
        "contract.published",
        contract.seller.public_id,
        at=at,
        seller_id=contract.seller_id,
        version=contract.number,
        valid_from=contract.valid_from.isoformat(),
    )
    return contract


def before(contract: SellerContract) -> SellerContract | None:
    """The published version that holds until this one begins; None where there is none."""
    return (
        SellerContract.objects.published()
        .filter(seller=contract.seller_id, valid_from__lte=contract.valid_from)
        .exclude(pk=contract.pk)
        .order_by("-valid_from")
        .first()
    )


def schedule_of(contract: SellerContract) -> Schedule:
    """The fees of a contract on its first day, published or not.

    Raises rate_cards.NoVersionInForce, or due_dates.BadDueTerms for payment days that mean none.
    """
    said = contracts.read(contract, list(FeeRule.objects.filter(contract=contract)))
    schedule = rate_cards.schedules(said.schedule or rate_cards.STANDARD).on(contract.valid_from)
    return contracts.with_own_terms(schedule, said)


def _refuse_second_change(contract: SellerContract, today: date) -> None:
    others = SellerContract.objects.published().filter(seller=contract.seller_id)
    if coming := others.filter(valid_from__gt=today).exclude(pk=contract.pk).first():
        raise ChangeScheduled(number=coming.number, valid_from=coming.valid_from)
