"""A claim on some units of a line holds what exactly these are worth, until it is decided.

The line of the tests is 3 × 11,111 less a discount of 1,000, at a fee of 7.7 % rounded half up, and
its VAT: 29,594 for three units, 19,729 for two, 9,864 for one. So the units taken back are worth
9,865, then 9,865, then 9,864.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import tenancy
from orders import claims, outcomes, remainders
from orders.outcomes import Reduced
from orders.tests.test_remainders import sold_lines
from settlements import hold_book, holding, nights, reversals, sentinels, verification
from settlements.models import Hold, SellerBalance, Statement
from settlements.tests import make
from settlements.tests.test_fees import any_rules, rule, terms

SEP_8, DUE = date(2026, 9, 8), date(2026, 9, 11)
AT = datetime(2026, 9, 9, 3, tzinfo=UTC)
THREE, LAST_UNIT, SECOND_UNIT, FIRST_UNIT = 29_594, 9_865, 9_865, 9_864
HALF_UP = {"rate_ppm": 77_000, "mode": "half_up"}


class TestWorths:
    def test_is_what_each_reversal_takes_to_the_won(self):
        units = remainders.units_of(11_111, 3, 1_000)
        pinned = terms(rule(base="after_seller_discount", **HALF_UP))
        sold = units.remainder()
        assert reversals.value(pinned, sold).net == THREE
        assert reversals.worths(pinned, sold, units, [1, 1, 1]) == [9_865, 9_865, 9_864]
        assert reversals.worths(pinned, sold, units, [2, 5, 1]) == [19_730, 9_864, 0]

    def test_is_more_than_the_line_where_a_fee_is_kept(self):
        """1,000 less 30 and its VAT: the whole price goes back, the fee and its VAT do not."""
        units = remainders.units_of(1_000, 1)
        pinned = terms(rule("payment", 30_000, keep_on_refund=True))
        assert reversals.worths(pinned, units.remainder(), units, [1]) == [1_000]

    def test_is_nothing_where_the_seller_would_get_something(self):
        units = remainders.units_of(100, 2)
        pinned = terms(rule(rate_ppm=0, fixed_amount=500, per_unit=True))
        assert reversals.worths(pinned, units.remainder(), units, [1, 1]) == [0, 0]

    @given(sold_lines(), any_rules(), any_rules(), st.lists(st.integers(0, 5), max_size=5))
    def test_of_each_claim_is_what_its_reversal_then_takes(self, sold, one, other, quantities):
        pinned = terms(one, other)
        units = remainders.units_of(*sold)
        original = units.remainder()
        for quantity, worth in zip(
            quantities, reversals.worths(pinned, original, units, quantities), strict=True
        ):
            after = remainders.take_back(units, min(quantity, len(units.discounts)))
            taken = reversals.reversed_between(
                pinned, original, units.remainder(), after.remainder()
            )
            assert worth == max(taken.net, 0)
            units = after


@pytest.fixture
def market(db):
    return make.market(first_open_on=SEP_8)


@pytest.fixture
def line(market):
    with tenancy.use(market.pk):
        seller = make.seller()
        make.contract(seller, rules=[HALF_UP])
        return make.sold(
            seller, unit_price=11_111, quantity=3, seller_discount=1_000, category="gold"
        )


@pytest.fixture
def act(market, line):
    """Do something in the marketplace, and close nights of it."""

    class Act:
        def claim(self, quantity=1, **given):
            given = {"type": "return", "fault": "buyer", **given}
            with tenancy.use(market.pk):
                return claims.request(line, quantity=quantity, by=None, at=AT, **given)

        def decide(self, claim, how, day=9, **given):
            at = datetime(2026, 9, day, 3, tzinfo=UTC)
            with tenancy.use(market.pk):
                return getattr(claims, how)(claim, by=None, at=at, **given)

        def complete(self, claim, day):
            self.decide(self.decide(claim, "approve"), "complete", day)

        def close(self, day):
            nights.close_day(market.pk, date(2026, 9, day), at=AT)
            with tenancy.use(market.pk):
                assert [str(found) for found in verification.verify(on=date(2026, 9, day))] == []
                found = sentinels.watch(date(2026, 9, day), at=make.AT).items()
                # Some claims wait for their answer longer than they should.
                assert {name for name, count in found if count} <= {sentinels.CLAIMS}

        def held(self):
            """What each hold keeps, the oldest first."""
            with tenancy.use(market.pk):
                taken = list(Hold.objects.order_by("pk").values_list("taken", flat=True))
                assert SellerBalance.objects.get().held == sum(taken)
                return taken

        def last(self):
            with tenancy.use(market.pk):
                row = Statement.objects.latest("due_on")
                return row.net, row.released_holds, row.hold_taken, row.payout

    return Act()


class TestClaimOnSomeUnits:
    def test_before_settlement_holds_these_and_pays_the_others(self, act):
        act.claim()
        act.close(11)
        assert act.held() == [LAST_UNIT]
        assert act.last() == (THREE, 0, LAST_UNIT, 19_729)

    def test_after_the_line_was_paid_holds_these_of_what_comes(self, act, market, line):
        act.close(11)
        act.claim(2)
        with tenancy.use(market.pk):
            make.sold(
                line.seller, number="O2", unit_price=100_000, category="gold", confirmed_on=DUE
            )
        act.close(16)
        assert act.held() == [19_730]
        assert act.last() == (91_530, 0, 19_730, 71_800)

    def test_adds_up_with_another_claim_on_other_units(self, act):
        act.claim()
        act.claim()
        act.close(11)
        assert act.held() == [LAST_UNIT, SECOND_UNIT]
        assert act.last() == (THREE, 0, 19_730, 9_864)

    def test_of_all_units_holds_the_line(self, act):
        act.claim(2)
        act.claim(1)
        act.close(11)
        assert act.held() == [19_730, FIRST_UNIT]
        assert act.last() == (THREE, 0, THREE, 0)

    def test_is_taken_back_by_its_completion_to_the_won(self, act):
        claim = act.claim()
        act.close(11)
        act.complete(claim, 14)
        act.close(17)
        assert act.last() == (-LAST_UNIT, LAST_UNIT, 0, 0)
        assert act.held() == [0]

    def test_is_taken_back_where_sale_and_reversal_share_a_statement(self, act):
        act.complete(act.claim(), 8)
        act.close(11)
        assert act.last() == (19_729, 0, 0, 19_729)

    def test_stays_held_while_another_claim_of_the_line_is_completed_first(self, act):
        first, second = act.claim(2), act.claim(1)
        act.close(11)
        assert act.held() == [19_730, FIRST_UNIT]
        act.complete(second, 14)
        act.close(16)  # the second's reversal is still to come: nothing has moved
        assert act.held() == [19_730, FIRST_UNIT]
        act.close(17)
        # The unit that goes back first is worth a won more than the one that went last before.
        assert act.last() == (-LAST_UNIT, LAST_UNIT, 0, 0)
        assert act.held() == [SECOND_UNIT + FIRST_UNIT, 0]
        act.complete(first, 18)
        act.close(23)
        assert act.last() == (-19_729, 19_729, 0, 0)
        assert act.held() == [0, 0]

    def test_gives_back_what_is_not_agreed_to(self, act):
        claim = act.claim(2)
        act.close(11)
        assert act.held() == [19_730]
        act.decide(claim, "approve", 12, quantity=1)
        act.close(14)  # a statement of its own: nothing was sold
        assert act.held() == [LAST_UNIT]
        assert act.last() == (0, SECOND_UNIT, 0, SECOND_UNIT)

    def test_gives_back_all_of_it_once_it_is_withdrawn(self, act):
        first, _second = act.claim(), act.claim()
        act.close(11)
        act.decide(first, "withdraw")
        act.close(14)
        assert act.held() == [0, LAST_UNIT]
        assert act.last() == (0, SECOND_UNIT, 0, SECOND_UNIT)

    def test_for_an_exchange_holds_these_too(self, act, market):
        claim = act.decide(act.claim(2, type="exchange"), "approve")
        act.close(11)
        assert act.held() == [19_730]
        act.decide(claim, "reject", reason="하자 없음")
        act.close(14)
        assert act.last() == (0, 19_730, 0, 19_730)

    def test_is_worth_less_once_the_price_was_reduced(self, act, market, line):
        """1,500 more of discount: 3 units come to 28,222, 2 to 18,814; so one is worth 9,408."""
        act.claim()
        act.close(11)
        with tenancy.use(market.pk):
            outcomes.record([], [Reduced(line.pk, 1_500, "seller", date(2026, 9, 11), "goodwill")])
        act.close(16)
        assert act.held() == [9_408]
        assert act.last() == (-1_372, 457, 0, 0)

    def test_holds_once_what_the_whole_line_is_held_for(self, act, market, line):
        claim = act.claim()
        with tenancy.use(market.pk):
            whole = holding.Terms(reason="document", note="서류", condition="서류 확인")
            whole = holding.hold_line(line, whole, by=None, at=AT)
        act.close(11)
        assert sum(act.held()) == THREE
        with tenancy.use(market.pk):
            holding.release(whole, reason="확인", by=None, at=AT)
        act.close(14)
        with tenancy.use(market.pk):
            assert Hold.objects.get(claim=claim).taken == LAST_UNIT
        assert act.last() == (0, 19_729, 0, 19_729)

    def test_gives_back_what_was_held_of_the_whole_line_before(self, act, market):
        """As holds stand that were placed when a claim still held its whole line."""
        act.claim()
        act.close(11)
        with tenancy.use(market.pk):
            seller = SellerBalance.objects.get()
            Hold.objects.update(taken=THREE)
            with_surplus = hold_book.HoldBook({seller.seller_id}, is_locking=False).surpluses()
            assert with_surplus == {seller.seller_id}
            holding.sweep(on=DUE + timedelta(days=3), at=AT)
            assert Statement.objects.open().count() == 1
