"""Coming payouts beside what the nights then write, and each difference item by item."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace import tenancy
from marketplace.tests import make as people
from orders import claims, exchanging
from orders.models import OrderLine
from orders.verdicts import ACCEPTED
from settlements import adjusting, forecasts, holding, nights, revenue_reporting
from settlements.models import PayoutForecast, SellerBalance, Statement
from settlements.revenue_reporting import NewReport
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

SEP_1, SEP_8 = date(2026, 9, 1), date(2026, 9, 8)
DAY = timedelta(days=1)


@pytest.fixture
def market():
    return make.market(first_open_on=SEP_8)


def close(market, on):
    nights.close_day(market.pk, on, at=make.AT)


def of_seller(market, seller, on=SEP_8):
    with tenancy.use(market.pk):
        return forecasts.of_seller(seller, on=on)


def keep(market, on):
    with tenancy.use(market.pk):
        return forecasts.keep(on, first_seller=0, end_seller=2**62)


def compare(market, seller, due_on, made_on, on):
    with tenancy.use(market.pk):
        found = forecasts.compare(seller, due_on, made_on=made_on, on=on)
    assert sum(change.amount for change in found.changes) == found.difference
    return found


def delivered(seller, number, *, due=SEP_8, **fields):
    """A line that is confirmed by itself in the night of a day."""
    line = make.placed(seller, number=number, status="delivered", **fields)
    OrderLine.objects.filter(pk=line.pk).update(delivered_on=due - 7 * DAY, confirm_due_on=due)
    return line


def reasons(comparison):
    return {(change.reason, change.amount) for change in comparison.changes}


class TestOfSeller:
    def test_gives_each_line_the_day_on_which_it_falls_due(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            delivered(seller, "1", unit_price=100_000, category="gold")
            delivered(seller, "2", due=SEP_8 + DAY, unit_price=100_000, category="gold")
        forecast = of_seller(market, seller)
        assert [day.net for day in forecast.days] == [96_700, 96_700]
        close(market, SEP_8 + DAY)
        with tenancy.use(market.pk):
            written = dict(Statement.objects.values_list("due_on", "net"))
        assert {day.due_on: day.net for day in forecast.days} == written

    def test_takes_off_what_was_paid_ahead(self, market):
        """Nine tenths of 8,680 the day after, and the rest once the line is confirmed."""
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, valid_from=SEP_8, fast_ppm=900_000)
            line = delivered(seller, "1", due=SEP_8 + DAY)
            OrderLine.objects.filter(pk=line.pk).update(shipped_on=SEP_8 - DAY)
        close(market, SEP_8)
        keep(market, SEP_8)
        forecast = of_seller(market, seller, SEP_8 + DAY)
        assert [(day.net, day.lines) for day in forecast.days] == [(7_812, 1), (868, 1)]
        due_on = forecast.days[1].due_on
        close(market, SEP_8 + DAY)
        found = compare(market, seller, due_on, SEP_8, SEP_8 + 2 * DAY)
        assert (found.was, found.now, found.changes) == (868, 868, [])

    @pytest.mark.parametrize("seed", range(3))
    def test_equals_the_statements_that_the_nights_write(self, market, seed):
        chance = random.Random(seed)
        with tenancy.use(market.pk):
            sellers = [make.seller(code) for code in "ABC"]
            for number in range(30):
                price, quantity = chance.randint(1, 99_999), chance.randint(1, 5)
                delivered(
                    chance.choice(sellers),
                    f"N{number}",
                    due=SEP_8 + chance.randint(-3, 4) * DAY,
                    unit_price=price,
                    quantity=quantity,
                    paid_on=SEP_1 - chance.randint(0, 9) * DAY,
                    category=chance.choice(["gold", "rice", "beauty", None]),
                    seller_discount=chance.randint(0, price * quantity // 2),
                )
        forecast = {seller.pk: of_seller(market, seller) for seller in sellers}
        close(market, SEP_8 + 4 * DAY)
        with tenancy.use(market.pk):
            for seller in sellers:
                written = Statement.objects.filter(seller=seller)
                assert {day.due_on: (day.lines, day.net) for day in forecast[seller.pk].days} == {
                    row.due_on: (row.lines, row.net) for row in written
                }

    def test_lets_what_was_not_sent_yet_come_later(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            for status in ("paid", "shipped", "delivered"):
                line = make.placed(seller, number=status, status=status, paid_on=SEP_8)
                if status != "paid":
                    OrderLine.objects.filter(pk=line.pk).update(shipped_on=SEP_8)
                if status == "delivered":
                    OrderLine.objects.filter(pk=line.pk).update(delivered_on=SEP_8)
        days = of_seller(market, seller).days
        firsts = {
            stage: next(day.due_on for day in days if day.stages[stage][0])
            for stage in ("delivered", "shipped", "paid")
        }
        assert SEP_8 < firsts["delivered"] < firsts["shipped"] < firsts["paid"]

    def test_holds_lines_with_an_open_claim_without_a_day(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            line = delivered(seller, "1", unit_price=100_000, category="gold")
            claims.request(line, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
        forecast = of_seller(market, seller)
        assert (forecast.days, len(forecast.held), forecast.held_net) == ((), 1, 96_700)

    def test_holds_a_line_whose_replacement_is_not_sent(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            line = delivered(seller, "1", unit_price=100_000, category="gold")
            told = {"by": None, "at": make.AT}
            claim = claims.request(line, type="exchange", quantity=1, fault="seller", **told)
            exchanging.collect(claims.approve(claim, **told), **told)
        forecast = of_seller(market, seller)
        assert (forecast.days, len(forecast.held), forecast.held_net) == ((), 1, 96_700)

    def test_carries_a_debt_over_the_days(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            SellerBalance.objects.create(seller=seller, carry=-100_000)
            for number in range(2):
                delivered(
                    seller,
                    str(number),
                    due=SEP_8 + number * DAY,
                    unit_price=100_000,
                    category="gold",
                )
        first, second = of_seller(market, seller).days
        assert (first.payable.payout, first.payable.carry_out) == (0, -3_300)
        assert second.payable.payout == 96_700 - 3_300

    def test_expects_adjustments_that_wait_for_their_night(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            delivered(seller, "1", unit_price=100_000, category="gold")
            said = {"tax_kind": "taxable", "reason_code": "compensation", "basis_on": SEP_8}
            operator = people.user("operator@example.org")
            row = adjusting.request(
                seller, amount=10_000, reason="배송 사고", by=operator, at=make.AT, **said
            )
        assert [day.net for day in of_seller(market, seller).days] == [96_700]
        with tenancy.use(market.pk):
            adjusting.approve(row, by=None, at=make.AT)
        keep(market, SEP_8 - DAY)
        [day] = of_seller(market, seller).days
        assert (day.net, day.lines, day.stages["beside"]) == (96_700 + 11_000, 2, [1, 11_000])
        with tenancy.use(market.pk):
            lines = forecasts.lines_of(seller, day.due_on, on=SEP_8)
            assert [line.said for line in lines] == ["", "배송 사고"]
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert Statement.objects.get().net == day.net
        found = compare(market, seller, day.due_on, SEP_8 - DAY, SEP_8 + DAY)
        assert (found.was, found.now, found.changes) == (107_700, 107_700, [])

    def test_expects_shares_of_reported_revenue_and_that_they_wait_for_an_invoice(self):
        market = make.market("apps", preset="app-in-app", first_open_on=SEP_8)
        daily = {"cycle": "daily", "lag_days": 0, "lag_kind": "calendar", "holiday": "none"}
        rule = {"component": "ad_share", "stream": "ads", "base": "amount", "rate_ppm": 150_000}
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, valid_from=SEP_8, rules=[rule], **daily)
            said = {"seller_code": "A", "stream": "ads", "on": SEP_8, "amount": 100_000}
            reports = [NewReport(**said, version=1, is_final=True)]
            at = datetime(2026, 9, 8, 3, tzinfo=UTC)
            [verdict] = revenue_reporting.accept_many(reports, source="api", at=at)
            assert verdict.result == ACCEPTED
        keep(market, SEP_8 - DAY)
        [day] = of_seller(market, seller).days
        assert (day.net, day.needs_invoice) == (93_500, 93_500)
        assert (day.payable.hold_taken, day.payable.payout) == (93_500, 0)
        close(market, day.due_on)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert (statement.net, statement.hold_taken, statement.payout) == (93_500, 93_500, 0)
        found = compare(market, seller, day.due_on, SEP_8 - DAY, day.due_on + DAY)
        assert (found.was, found.now, found.changes) == (93_500, 93_500, [])

    def test_takes_off_what_holds_keep_back_day_after_day(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            for number in range(2):
                due = SEP_8 + number * DAY
                delivered(seller, str(number), due=due, unit_price=100_000, category="gold")
            third = delivered(seller, "3", due=SEP_8 + DAY, unit_price=10_000)
            terms = holding.Terms(reason="manual", note="확인 중", condition="확인이 끝나면")
            holding.hold_amount(seller, 100_000, terms, by=None, at=make.AT)
            holding.hold_line(third, terms, by=None, at=make.AT)
        days = of_seller(market, seller).days
        expected = {day.due_on: (day.payable.hold_taken, day.payable.payout) for day in days}
        assert list(expected.values()) == [(96_700, 0), (3_300 + 8_680, 96_700 - 3_300)]
        close(market, days[-1].due_on)
        with tenancy.use(market.pk):
            written = Statement.objects.values_list("due_on", "hold_taken", "payout")
            assert {due_on: figures for due_on, *figures in written} == {
                due_on: list(figures) for due_on, figures in expected.items()
            }

    def test_tells_nothing_of_another_seller(self, market):
        with tenancy.use(market.pk):
            seller, other = make.seller("A"), make.seller("B")
            delivered(other, "1")
            make.sold(other, number="2", confirmed_on=SEP_8)
        assert of_seller(market, seller).days == ()


class TestKeep:
    def test_leaves_a_row_for_each_seller_and_day(self, market):
        with tenancy.use(market.pk):
            a, b = make.seller("A"), make.seller("B")
            make.sold(a, number="0", unit_price=100_000, category="gold", confirmed_on=SEP_8)
            line = delivered(a, "1", due=SEP_8 + DAY, unit_price=100_000, category="gold")
            held = delivered(b, "2", unit_price=100_000, category="gold")
            claims.request(held, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
        close(market, SEP_8)
        assert keep(market, SEP_8) == 3
        assert keep(market, SEP_8) == 3  # a repetition replaces what it left
        with tenancy.use(market.pk):
            rows = PayoutForecast.objects.order_by("seller", "due_on")
            settled, open_, claimed = rows
            assert (settled.settled, settled.expected, settled.items) == (96_700, 0, [])
            assert (open_.settled, open_.expected) == (0, 96_700)
            assert open_.items == [[line.pk, 0, 100_000, 96_700]]
            assert (claimed.seller, claimed.due_on, claimed.expected) == (b, None, 96_700)

    def test_serves_all_sellers_range_by_range(self, market, settings):
        settings.LINES_A_SHARD = 1
        with tenancy.use(market.pk):
            for code in "ABC":
                delivered(make.seller(code), code, due=SEP_8 + DAY)
        close(market, SEP_8)
        assert forecasts.keep_night(market.pk, SEP_8) == 3
        with tenancy.use(market.pk):
            assert PayoutForecast.objects.values("seller").distinct().count() == 3

    def test_is_too_late_once_the_next_night_has_begun(self, market):
        with tenancy.use(market.pk):
            delivered(make.seller(), "1", due=SEP_8 + 9 * DAY)
        close(market, SEP_8 + DAY)
        assert forecasts.keep_night(market.pk, SEP_8) == 0
        with tenancy.use(market.pk):
            assert not PayoutForecast.objects.exists()
        assert forecasts.keep_night(market.pk, SEP_8 + DAY) == 1

    def test_forgets_after_two_weeks(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            for days in (14, 15):
                PayoutForecast.objects.create(seller=seller, made_on=SEP_8 - days * DAY)
            assert forecasts.forget(SEP_8) == 1
            assert PayoutForecast.objects.get().made_on == SEP_8 - 14 * DAY


class TestCompare:
    """After the night of 8 September three lines are expected on one day."""

    @pytest.fixture
    def kept(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            lines = [
                delivered(
                    seller, str(n), due=SEP_8 + DAY, unit_price=100_000, quantity=2, category="gold"
                )
                for n in range(3)
            ]
        close(market, SEP_8)
        keep(market, SEP_8)
        [day] = of_seller(market, seller, SEP_8 + DAY).days
        return seller, lines, day.due_on

    def test_finds_nothing_where_all_went_as_forecast(self, market, kept):
        seller, _, due_on = kept
        found = compare(market, seller, due_on, SEP_8, SEP_8 + DAY)
        assert (found.was, found.now, found.changes) == (580_200, 580_200, [])
        close(market, SEP_8 + DAY)
        found = compare(market, seller, due_on, SEP_8, SEP_8 + 2 * DAY)
        assert (found.was, found.now, found.changes) == (580_200, 580_200, [])
        close(market, due_on)
        found = compare(market, seller, due_on, SEP_8, due_on + DAY)
        assert (found.now, found.changes) == (580_200, [])

    def test_names_new_sales_claims_and_what_comes_later(self, market, kept):
        seller, (held, later, cancelled), due_on = kept
        with tenancy.use(market.pk):
            claims.request(held, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
            OrderLine.objects.filter(pk=later.pk).update(confirm_due_on=SEP_8 + 20 * DAY)
            OrderLine.objects.filter(pk=cancelled.pk).update(status="cancelled", units_left=0)
            make.sold(
                seller, number="new", unit_price=50_000, category="gold", confirmed_on=SEP_8 + DAY
            )
        found = compare(market, seller, due_on, SEP_8, SEP_8 + DAY)
        expected = {
            ("held", -193_400),
            ("later", -193_400),
            ("cancelled", -193_400),
            ("new_sale", 48_350),
        }
        assert reasons(found) == expected
        close(market, due_on)
        found = compare(market, seller, due_on, SEP_8, due_on + DAY)
        assert reasons(found) == expected
        assert found.now == 48_350

    def test_names_what_was_reduced_and_what_was_returned(self, market, kept):
        seller, (reduced, returned, _), due_on = kept
        with tenancy.use(market.pk):
            OrderLine.objects.filter(pk=reduced.pk).update(units_left=1)
        assert reasons(compare(market, seller, due_on, SEP_8, SEP_8 + DAY)) == {
            ("reduced", -96_700)
        }
        close(market, SEP_8 + DAY)
        with tenancy.use(market.pk):
            make.returned(returned, left=1, on=SEP_8 + DAY)
        close(market, due_on)
        found = compare(market, seller, due_on, SEP_8, due_on + DAY)
        assert ("returned", -96_700) in reasons(found)

    def test_keeps_nothing_of_other_sellers_or_nights(self, market, kept):
        seller, _, due_on = kept
        with tenancy.use(market.pk):
            other = make.seller("B")
            assert forecasts.compare(other, due_on, made_on=SEP_8, on=SEP_8 + DAY) is None
            assert forecasts.compare(seller, due_on, made_on=SEP_1, on=SEP_8 + DAY) is None
            assert [row.made_on for row in forecasts.kept_for(seller, due_on)] == [SEP_8]
