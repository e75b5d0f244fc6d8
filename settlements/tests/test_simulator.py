"""What a seller would keep: the same figures as the estimate, with one thing supposed."""

from datetime import date

import pytest

from listings.models import Category
from marketplace import tenancy
from settlements import estimates, simulator
from settlements.estimates import Item
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_1 = date(2026, 9, 1)


@pytest.fixture
def market():
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def gold(unit_price=100_000, **given):
    return Item(unit_price=unit_price, category_id=Category.objects.get(code="gold").pk, **given)


class TestCompare:
    def test_shows_every_grade_of_the_policy_beside_ones_own(self, market):
        seller = make.seller()
        make.graded(seller, "power")
        found = simulator.compare(seller, gold(), on=SEP_1)
        assert (found.own.grade, found.own.fee) == ("power", 2_800)
        assert [each.grade for _, each in found.grades] == [grade.code for grade, _ in found.grades]
        fees = {grade.code: each.fee for grade, each in found.grades}
        assert (fees["seed"], fees["power"]) == (3_000, 2_800)
        for grade, each in found.grades:
            other = make.seller(f"S-{grade.code}")
            make.graded(other, grade.code)
            assert estimates.of_item(other, gold(), on=SEP_1).net == each.net

    def test_supposes_a_grade_for_everything_else(self, market):
        found = simulator.compare(make.seller(), gold(), on=SEP_1, grade="power")
        assert (found.own.grade, found.own.fee) == ("power", 2_800)
        assert dict(found.channels)["live"].grade == "power"

    def test_refuses_a_grade_that_there_is_none_of(self, market):
        with pytest.raises(simulator.UnknownGrade, match="power"):
            simulator.compare(make.seller(), gold(), on=SEP_1, grade="emperor")

    def test_shows_channels_and_categories_that_differ(self, market):
        found = simulator.compare(make.seller(), gold(), on=SEP_1)
        channels = dict(found.channels)
        assert (channels[""].net, channels["live"].net) == (96_700, 93_400)
        nets = [each.net for _, each in found.categories]
        assert nets == sorted(nets, reverse=True)
        codes = {category.code: each.net for category, each in found.categories}
        assert codes["rice"] == 93_400
        assert "gold" not in codes
        assert "fashion_women" not in codes or "fashion" not in codes

    def test_shows_what_others_published_as_long_as_it_is_fresh(self, market):
        seller = make.seller()
        found = simulator.compare(seller, gold(seller_discount=10_000), on=SEP_1)
        gmarket = found.elsewhere[0]
        assert (gmarket.rate.marketplace, gmarket.least, gmarket.most) == (
            "G마켓",
            79_200,
            87_300,
        )
        live = simulator.compare(seller, gold(channel="live"), on=SEP_1)
        assert live.elsewhere == ()
        assert simulator.compare(seller, gold(), on=date(2027, 5, 1)).elsewhere == ()


class TestPriceFor:
    @pytest.mark.parametrize("wanted", [0, 1, 999, 96_700, 123_457])
    @pytest.mark.parametrize("grade", ["", "power"])
    def test_is_the_smallest_price_that_leaves_enough(self, market, wanted, grade):
        seller = make.seller()
        found = simulator.price_for(seller, gold(0, quantity=2), wanted, on=SEP_1, grade=grade)
        price = found.item.unit_price
        assert found.net >= wanted
        if price:
            less = gold(price - 1, quantity=2)
            assert simulator.estimate(seller, less, on=SEP_1, grade=grade).net < wanted

    def test_takes_discounts_into_account(self, market):
        item = gold(0, seller_discount=1_000, platform_discount=500)
        found = simulator.price_for(make.seller(), item, 96_700, on=SEP_1)
        assert found.net >= 96_700
        assert found.item.unit_price == 100_999  # of 99,999 the fee is 2,999 and VAT 300

    def test_says_where_no_price_is_enough(self, market):
        with pytest.raises(simulator.NoSuchPrice):
            simulator.price_for(make.seller(), gold(0), 10**15, on=SEP_1)
