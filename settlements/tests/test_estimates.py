"""Estimates beside the lines that the night writes: the same figures, whatever the line."""

import random
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from listings.models import Category
from marketplace import calendar_days, tenancy
from orders import claims, confirming, exchanging, verdicts
from orders.models import OrderLine
from settlements import estimates, nights, runs
from settlements.estimates import CONFIRMED, DELIVERED, IN_STATEMENTS, PAID, SHIPPED, Item
from settlements.models import SettlementLine
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_1, SEP_8 = date(2026, 9, 1), date(2026, 9, 8)
NIGHT = datetime(2026, 9, 9, 2, tzinfo=ZoneInfo("Asia/Seoul"))


@pytest.fixture
def market():
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def _settle(on=SEP_8):
    nights._open_months(on)
    return runs.settle(on=on, first_seller=0, end_seller=2**62)


def _open(seller, status, **given):
    """A line that is sold and not confirmed."""
    number = given.pop("number", f"O-{status}")
    units_left = given.pop("units_left", None)
    line = make.placed(seller, number=number, status=status, **given)
    if units_left is not None:
        OrderLine.objects.filter(pk=line.pk).update(units_left=units_left)
    return line


class TestOfItem:
    def test_charges_what_the_schedule_says(self, market):
        item = Item(unit_price=33_333, quantity=3, category_id=_category("gold"))
        found = estimates.of_item(make.seller(), item, on=SEP_1)
        # 3 % of 99,999 is 2,999.97, cut to 2,999; VAT 299.9.
        assert (found.fee, found.vat, found.net) == (2_999, 300, 99_999 - 3_299)
        assert (found.schedule, found.version, found.grade) == ("standard", 1, "seed")
        [part] = found.components
        assert (part.component, part.base, part.rate_ppm) == ("sales", 99_999, 30_000)

    def test_gives_the_benefit_of_the_grade_of_that_day(self, market):
        seller = make.seller()
        make.graded(seller, "power", effective_from=date(2026, 9, 5))
        item = Item(unit_price=100_000, category_id=_category("gold"))
        before, after = (
            estimates.of_item(seller, item, on=day) for day in (date(2026, 9, 4), date(2026, 9, 5))
        )
        assert (before.fee, after.fee) == (3_000, 2_800)
        assert (before.grade, after.grade) == ("seed", "power")

    def test_leaves_the_discounts_of_others_to_their_funders(self, market):
        item = Item(
            unit_price=100_000,
            category_id=_category("gold"),
            seller_discount=1_000,
            platform_discount=2_000,
            partner_discount=3_000,
        )
        found = estimates.of_item(make.seller(), item, on=SEP_1)
        assert (found.fee, found.vat, found.net) == (2_970, 297, 99_000 - 3_267)

    def test_charges_a_live_sale_its_own_component(self, market):
        item = Item(unit_price=10_000, category_id=_category("gold"), channel="live")
        found = estimates.of_item(make.seller(), item, on=SEP_1)
        assert [(part.component, part.fee) for part in found.components] == [
            ("sales", 300),
            ("live", 300),
        ]

    @pytest.mark.parametrize(
        "given",
        [
            {"unit_price": -1},
            {"unit_price": 1, "quantity": 0},
            {"unit_price": 1, "seller_discount": 2},
            {"unit_price": 1, "platform_discount": -1},
            {"unit_price": 10**15 + 1},
        ],
    )
    def test_refuses_what_no_order_could_have(self, market, given):
        with pytest.raises(verdicts.NotBetween):
            estimates.of_item(make.seller(), Item(**given), on=SEP_1)

    def test_refuses_discounts_that_only_together_are_too_much(self, market):
        item = Item(unit_price=10, seller_discount=6, platform_discount=6)
        with pytest.raises(estimates.fees.NotChargeable):
            estimates.of_item(make.seller(), item, on=SEP_1)

    def test_refuses_a_day_before_the_first_rules(self, market):
        with pytest.raises(calendar_days.NoCalendar):
            estimates.of_item(make.seller(), Item(unit_price=1), on=date(1999, 1, 1))


class TestExpected:
    def test_sums_each_stage_apart(self, market):
        seller = make.seller()
        for status in ("paid", "preparing", "shipped", "delivered"):
            _open(seller, status, unit_price=100_000, category="gold")
        make.sold(seller, number="settled", unit_price=100_000, category="gold")
        _settle()
        make.sold(seller, number="waits", unit_price=100_000, category="gold")
        found = estimates.expected(seller, on=SEP_8)
        counts = {stage: part.lines for stage, part in found.stages.items()}
        assert counts == {PAID: 2, SHIPPED: 1, DELIVERED: 1, CONFIRMED: 1, IN_STATEMENTS: 1}
        assert {part.net // part.lines for part in found.stages.values()} == {96_700}
        assert (found.net, found.lines, found.held.lines) == (6 * 96_700, 6, 0)
        assert found.stages[PAID].sales == 200_000

    def test_tells_nothing_of_another_seller(self, market):
        seller, other = make.seller("A"), make.seller("B")
        _open(other, "delivered")
        make.sold(other, number="O2")
        claim = _open(other, "shipped")
        _claim(claim)
        assert estimates.expected(seller, on=SEP_8) == estimates.Expected()

    def test_leaves_out_what_nobody_has_paid(self, market):
        seller = make.seller()
        _open(seller, "pending_payment", paid_on=None)
        _open(seller, "delivered", paid_on=None)
        assert estimates.expected(seller, on=SEP_8).lines == 0

    def test_holds_a_line_as_long_as_a_claim_is_open(self, market):
        seller = make.seller()
        line = _open(seller, "delivered", unit_price=100_000, category="gold", quantity=2)
        claim = _claim(line)
        found = estimates.expected(seller, on=SEP_8)
        assert (found.lines, found.held.lines, found.held.net) == (0, 1, 193_400)
        claims.reject(claim, by=None, at=make.AT)
        found = estimates.expected(seller, on=SEP_8)
        assert (found.held.lines, found.stages[DELIVERED].net) == (0, 193_400)

    def test_holds_a_line_until_its_replacement_has_arrived(self, market):
        seller = make.seller()
        line = _open(seller, "delivered", unit_price=100_000, category="gold", quantity=2)
        claim = claims.approve(_claim(line, "exchange"), by=None, at=make.AT)
        parcel = {"carrier": "cj", "tracking_number": "689123456784"}
        for step, words in ((exchanging.collect, {}), (exchanging.resend, parcel)):
            claim = step(claim, **words, by=None, at=make.AT)
            assert estimates.expected(seller, on=SEP_8).held.net == 193_400
        claims.complete(claim, by=None, at=make.AT)
        found = estimates.expected(seller, on=SEP_8)
        assert (found.held.lines, found.stages[DELIVERED].net) == (0, 193_400)

    def test_counts_only_the_units_that_are_left(self, market):
        seller = make.seller()
        _open(
            seller,
            "delivered",
            unit_price=10_000,
            quantity=3,
            category="gold",
            seller_discount=100,
            units_left=2,
        )
        # Of the discount 34 + 33 are on the first two units: 19,933, of which 597 and 60.
        assert estimates.expected(seller, on=SEP_8).net == 19_933 - 597 - 60

    def test_takes_waiting_reversals_off(self, market):
        seller = make.seller()
        settled = make.sold(seller, number="settled", unit_price=33_333, quantity=3)
        _settle()
        make.returned(settled, left=1, on=SEP_8)
        make.returned(settled, left=0, on=SEP_8)
        both = make.sold(seller, number="both", unit_price=7_777, quantity=2, category="gold")
        make.returned(both, left=1, on=SEP_8)
        confirmed = estimates.expected(seller, on=SEP_8).stages[CONFIRMED]
        _settle()
        lines = SettlementLine.objects.exclude(order_line_id=settled.pk, sequence=0)
        assert (confirmed.lines, confirmed.net) == (4, sum(line.net for line in lines))
        assert confirmed.fee == sum(line.fee for line in lines)
        assert confirmed.vat == sum(line.vat for line in lines)
        assert estimates.expected(seller, on=SEP_8).stages[CONFIRMED].lines == 0

    @pytest.mark.parametrize("seed", range(3))
    def test_equals_the_line_that_the_night_writes(self, market, seed):
        sellers = _sellers_with_one_random_line_each(random.Random(seed))
        estimated = {}
        for seller in sellers:
            part = estimates.expected(seller, on=SEP_8).stages[DELIVERED]
            assert part.lines == 1
            estimated[seller.pk] = (part.sales, part.fee, part.vat, part.net)
        assert confirming.confirm_due(SEP_8, at=NIGHT) == len(sellers)
        _settle()
        written = {
            line.seller_id: (line.list_amount - line.seller_discount, line.fee, line.vat, line.net)
            for line in SettlementLine.objects.all()
        }
        assert estimated == written

    def test_asks_the_same_number_of_queries_of_many_lines(self, market):
        seller = make.seller()
        _open(seller, "delivered")
        estimates.expected(seller, on=SEP_8)
        with CaptureQueriesContext(
            connection,
        ) as few:
            estimates.expected(seller, on=SEP_8)
        for number in range(20):
            _open(seller, "shipped", number=f"M{number}", unit_price=1_000 + number)
        with CaptureQueriesContext(connection) as many:
            found = estimates.expected(seller, on=SEP_8)
        assert found.lines == 21
        assert len(many) == len(few)


def _sellers_with_one_random_line_each(chance, count=40):
    categories = list(Category.objects.values_list("code", flat=True))
    sellers = []
    for number in range(count):
        kind = chance.choice(["individual", "sole_proprietor", "corporation"])
        seller = make.seller(f"S{number}", seller_type=kind)
        if chance.random() < 0.5:
            grade = chance.choice(["power", "big_power", "platinum"])
            make.graded(seller, grade, effective_from=SEP_1 + timedelta(chance.randint(-3, 3)))
        price, quantity = chance.randint(1, 99_999), chance.randint(1, 9)
        by_seller = chance.randint(0, price * quantity // 3)
        line = _open(
            seller,
            "delivered",
            number=f"N{number}",
            unit_price=price,
            quantity=quantity,
            category=chance.choice([*categories, None]),
            channel=chance.choice(["", "live"]),
            paid_on=SEP_1 + timedelta(chance.randint(0, 4)),
            seller_discount=by_seller,
            platform_discount=chance.randint(0, price * quantity // 3),
            partner_discount=chance.randint(0, price * quantity // 3),
            units_left=chance.randint(1, quantity),
        )
        OrderLine.objects.filter(pk=line.pk).update(confirm_due_on=SEP_8)
        sellers.append(seller)
    return sellers


def _claim(line, kind="cancel"):
    return claims.request(line, type=kind, quantity=1, fault="buyer", by=None, at=make.AT)


def _category(code):
    return Category.objects.get(code=code).pk
