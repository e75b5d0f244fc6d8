import datetime as dt
from dataclasses import replace

import pytest

from listings.models import Finding, Revision
from marketplace import approvals, tenancy
from marketplace.models import Approval, Marketplace, Membership, User
from orders.models import Claim, ImportProfile, Order
from sellers.models import Seller, SellerMember, SellerProfile
from settlements import demonstration, nights, verification
from settlements.models import (
    AdPrepaymentMovement,
    FeeScheduleVersion,
    RevenueLine,
    RevenueReport,
    SellerContract,
)

AT = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
SMALL = [replace(exhibit, shops=2, orders_a_day=3) for exhibit in demonstration.EXHIBITS]


@pytest.mark.django_db
class TestFill:
    @pytest.mark.parametrize("exhibit", SMALL, ids=lambda exhibit: exhibit.preset)
    def test_makes_a_past_up_to_yesterday_once(self, exhibit):
        assert list(demonstration.fill(exhibit, days=3, at=AT)) == [(1, 3), (2, 3), (3, 3)]
        market = Marketplace.objects.get(slug=exhibit.slug)
        assert market.first_open_on == dt.date(2026, 3, 17)
        with tenancy.use(market.pk):
            numbers = set(Order.objects.values_list("number", flat=True))
        assert numbers
        assert len(list(demonstration.fill(exhibit, days=3, at=AT))) == 3
        with tenancy.use(market.pk):
            assert set(Order.objects.values_list("number", flat=True)) == numbers

    def test_contracts_with_two_shops_from_the_first_day_once(self):
        exhibit = replace(SMALL[0], shops=4)
        for _ in range(2):
            [*_] = demonstration.fill(exhibit, days=2, at=AT)
        with tenancy.use(code="market"):
            _busiest, *shops = Seller.objects.order_by("code").values_list("pk", flat=True)[:3]
            contracts = SellerContract.objects.published().order_by("seller")
            told = contracts.values_list("seller", "valid_from", "sale_issuer", "fast_ppm")
            assert list(told) == [
                (shops[0], dt.date(2026, 3, 18), "platform", None),
                (shops[1], dt.date(2026, 3, 18), "seller", 800_000),
            ]

    def test_lets_hosts_bring_sales_of_live_shows(self):
        live = replace(demonstration.EXHIBITS[2], shops=4, orders_a_day=15)
        [*_] = demonstration.fill(live, days=20, at=AT)
        with tenancy.use(code="live") as market:
            contracts = SellerContract.objects.published().filter(seller__code__contains="-H")
            assert set(contracts.values_list("income_kind", flat=True)) == {"service"}
        demonstration.people(live, "password")
        host = SellerMember.objects.get(user__email="host@live.example", marketplace=market)
        nights.close_day(market.pk, dt.date(2026, 3, 19), at=AT)
        with tenancy.use(market.pk):
            assert RevenueReport.objects.filter(seller=host.seller_id).exists()
            reports = RevenueReport.objects.filter(source="orders", state="settled")
            assert reports.values("seller").distinct().count() == 2
            assert RevenueLine.objects.count() > reports.count()
            assert list(verification.verify(on=dt.date(2026, 3, 19))) == []

    def test_leaves_a_marketplace_alone_whose_nights_were_run(self):
        [*_] = demonstration.fill(SMALL[0], days=2, at=AT)
        with tenancy.use(code="market"):
            Marketplace.objects.filter(slug="market").update(last_closed_on=dt.date(2026, 3, 18))
        assert list(demonstration.fill(SMALL[0], days=5, at=AT)) == []


@pytest.mark.django_db
class TestPeople:
    def test_lets_operators_and_shopkeepers_in(self):
        [*_] = demonstration.fill(SMALL[0], days=1, at=AT)
        demonstration.people(SMALL[0], "first-password")
        demonstration.people(SMALL[0], "second-password")
        market = Marketplace.objects.get(slug="market")
        assert set(
            Membership.objects.filter(marketplace=market).values_list("user__email", "role")
        ) == {("owner@market.example", "owner"), ("finance@market.example", "finance")}
        members = SellerMember.objects.filter(marketplace=market)
        assert set(members.values_list("user__email", "role", "user__is_staff")) == {
            ("seller@market.example", "owner", False),
            ("staff@market.example", "staff", False),
        }
        assert User.objects.count() == 4
        assert User.objects.get(email="seller@market.example").check_password("second-password")


@pytest.mark.django_db
class TestDesks:
    @pytest.mark.parametrize("exhibit", SMALL, ids=lambda exhibit: exhibit.preset)
    def test_leaves_something_for_everybody_once(self, exhibit):
        [*_] = demonstration.fill(exhibit, days=3, at=AT)
        demonstration.people(exhibit, "a-password")
        for _ in range(2):
            demonstration.desks(exhibit, "a-password", at=AT)
        with tenancy.use(code=exhibit.slug):
            waiting = Seller.objects.waiting()
            assert waiting.count() == 2
            profiles = SellerProfile.objects.exclude(address="").exclude(representative="")
            assert profiles.count() == Seller.objects.count()
            states = Revision.objects.exclude(state="approved").values_list("state", flat=True)
            assert sorted(states) == ["blocked", "draft", "submitted", "submitted"]
            assert Revision.objects.get(state="draft").sent_back_for
            assert set(Finding.objects.values_list("severity", flat=True)) == {"block", "warn"}
            [asked] = Approval.objects.waiting()
            assert asked.asked_by.email == exhibit.address("owner")
            assert asked.fingerprint
            draft = FeeScheduleVersion.objects.get(state="draft")
            assert draft.valid_from == dt.date(2027, 1, 1)
            assert ImportProfile.objects.get().code == "shop-orders"

    def test_has_an_exchange_to_answer_one_to_send_and_one_to_decide(self):
        [*_] = demonstration.fill(SMALL[0], days=9, at=AT)
        demonstration.people(SMALL[0], "a-password")
        demonstration.desks(SMALL[0], "a-password", at=AT)
        with tenancy.use(code="market"):
            exchanges = Claim.objects.filter(type="exchange").order_by("pk")
            found = list(exchanges.values_list("state", "fault", "line__status"))
            assert found == [
                ("requested", "seller", "delivered"),
                ("collected", "seller", "delivered"),
                ("arbitration", "seller", "delivered"),
            ]
            assert len(set(exchanges.values_list("reason", flat=True))) == 3

    def test_lets_the_second_person_put_the_fees_into_force(self):
        [*_] = demonstration.fill(SMALL[0], days=2, at=AT)
        demonstration.people(SMALL[0], "a-password")
        demonstration.desks(SMALL[0], "a-password", at=AT)
        with tenancy.use(code="market"):
            second = User.objects.get(email="finance@market.example")
            approvals.approve(Approval.objects.waiting().get(), by=second, at=AT)
            version = FeeScheduleVersion.objects.get(number=2)
            assert version.state == "published"
            rates = version.rules.filter(category__code="living").values_list("rate_ppm", flat=True)
            assert list(rates) == [105_000]


@pytest.mark.django_db
class TestAdvertising:
    def test_is_paid_in_advance_and_drawn_once(self):
        [*_] = demonstration.fill(SMALL[0], days=1, at=AT)
        demonstration.people(SMALL[0], "a-password")
        for _ in range(2):
            demonstration.advertising(SMALL[0], at=AT)
        with tenancy.use(code="market"):
            rows = AdPrepaymentMovement.objects.order_by("pk")
            assert list(rows.values_list("amount", "balance")) == [
                (300_000, 300_000), (-132_000, 168_000), (-88_000, 80_000),
            ]  # fmt: skip
