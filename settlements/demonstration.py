"""The marketplaces that bin/demo shows: one from each preset, with a past and with people.

Made again, it keeps what there is. Who is who: an owner and a second operator of each
marketplace, since some decisions need two people, the owner and a member of staff of its
busiest shop, and a host of live shows where there are any.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace import tenancy
from marketplace.models import Marketplace, Membership, User
from sellers.models import Seller, SellerMember
from settlements import (
    demonstration_books,
    demonstration_contracts,
    demonstration_desks,
    demonstration_payouts,
    demonstration_prepayments,
    demonstration_tax,
    opening,
    simulated_people,
    simulating,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    preset: str
    slug: str
    name: str
    seed: int
    shops: int
    orders_a_day: int
    has_hosts: bool = False

    def address(self, who: str) -> str:
        """The log-in of somebody in this marketplace."""
        return f"{who}@{self.slug}.example"


EXHIBITS = (
    Exhibit(
        preset="open-market", slug="market", name="모두마켓", seed=20, shops=16, orders_a_day=45
    ),
    Exhibit(preset="app-in-app", slug="apps", name="앱마당", seed=21, shops=8, orders_a_day=20),
    Exhibit(
        preset="live-commerce",
        slug="live",
        name="라이브장터",
        seed=22,
        shops=10,
        orders_a_day=25,
        has_hosts=True,
    ),
)

OPERATORS = {"owner": Membership.Role.OWNER, "finance": Membership.Role.FINANCE}
_OPERATOR_NAMES = {"owner": "김운영", "finance": "이정산"}
SHOPKEEPERS = {"seller": SellerMember.Role.OWNER, "staff": SellerMember.Role.STAFF}
_SHOPKEEPER_NAMES = {"seller": "박대표", "staff": "최직원"}
HOST = "host"
_HOST_NAME = "한진행"
TRACKED_DAYS = 4  # before, a parcel is told of without its number: one by one takes long


def fill(exhibit: Exhibit, *, days: int, at: datetime) -> Iterator[tuple[int, int]]:
    """Open the marketplace and make up its past, unless nights were run already.

    Yields how many days of how many have been made up. A past that was interrupted goes on.
    """
    market = Marketplace.objects.filter(slug=exhibit.slug).first()
    if market is None:
        market = opening.open_marketplace(
            exhibit.preset,
            exhibit.slug,
            name=exhibit.name,
            first_open_on=at.date() - timedelta(days=days),
            at=at,
        )
    if market.last_closed_on is not None:
        return
    played = simulating.run(
        exhibit.slug,
        days=days,
        seed=exhibit.seed,
        orders_a_day=exhibit.orders_a_day,
        shops=exhibit.shops,
        tracked_days=min(TRACKED_DAYS, days),
        at=at,
    )
    for done, (_, total) in enumerate(played, 1):
        if done == 1:  # there are shops now
            demonstration_contracts.sign(exhibit.slug, at=at - timedelta(days=days))
        yield done, total


def people(exhibit: Exhibit, password: str) -> None:
    """Let its operators and shopkeepers log in with this password."""
    market = Marketplace.objects.get(slug=exhibit.slug)
    for who, role in OPERATORS.items():
        user = _user(exhibit.address(who), _OPERATOR_NAMES[who], password, is_staff=True)
        Membership.objects.get_or_create(user=user, marketplace=market, role=role)
    with tenancy.use(market.pk):
        # The simulation numbers its shops from the busiest down.
        sellers = Seller.objects.active().order_by("code")
        shop = sellers.first()
        host = sellers.filter(code__contains=simulated_people.HOST_CODE).first()
    if shop is None:
        return
    members = [(who, _SHOPKEEPER_NAMES[who], shop, role) for who, role in SHOPKEEPERS.items()]
    if host is not None:
        members.append((HOST, _HOST_NAME, host, SellerMember.Role.OWNER))
    for who, name, seller, role in members:
        user = _user(exhibit.address(who), name, password, is_staff=False)
        SellerMember.objects.get_or_create(
            user=user, marketplace=market, seller=seller, defaults={"role": role}
        )


def desks(exhibit: Exhibit, password: str, *, at: datetime) -> None:
    """Let the operators, and these people's shop, find what waits for them."""
    applicants = [
        _user(exhibit.address(f"applicant{number}"), name, password, is_staff=False)
        for number, name in enumerate(demonstration_desks.applicant_names(exhibit.slug), 1)
    ]
    demonstration_desks.lay_out(
        exhibit.slug,
        operator=User.objects.get(email=exhibit.address("owner")),
        shopkeeper=User.objects.get(email=exhibit.address("seller")),
        applicants=applicants,
        at=at,
    )


def payday(exhibit: Exhibit, *, at: datetime) -> None:
    """Let shops name their accounts and be paid what the nights have closed; most of it.

    What they were charged in months that are over is invoiced.
    """
    demonstration_tax.invoice(
        exhibit.slug, operator=User.objects.get(email=exhibit.address("owner")), at=at
    )
    demonstration_payouts.pay(
        exhibit.slug,
        operator=User.objects.get(email=exhibit.address("owner")),
        second=User.objects.get(email=exhibit.address("finance")),
        at=at,
    )


def advertising(exhibit: Exhibit, *, at: datetime) -> None:
    """Let the busiest shop pay for advertising in advance."""
    demonstration_prepayments.pay(
        exhibit.slug,
        operator=User.objects.get(email=exhibit.address("owner")),
        second=User.objects.get(email=exhibit.address("finance")),
        at=at,
    )


def books(exhibit: Exhibit, *, at: datetime) -> None:
    """Let the operators reconcile a payment provider's file, sign a day and close a month."""
    demonstration_books.keep(
        exhibit.slug,
        operator=User.objects.get(email=exhibit.address("owner")),
        second=User.objects.get(email=exhibit.address("finance")),
        at=at,
    )


def _user(email: str, name: str, password: str, *, is_staff: bool) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name, is_staff=is_staff)
        user.emailaddress_set.create(email=email, verified=True, primary=True)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user
