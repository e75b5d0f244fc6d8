import datetime as dt
from dataclasses import replace

import pytest

from marketplace import tenancy
from marketplace.models import Marketplace, Membership, User
from orders.models import Order
from sellers.models import SellerMember
from settlements import demonstration

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
