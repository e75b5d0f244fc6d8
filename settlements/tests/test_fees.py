import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import money
from settlements import fees, vat
from settlements.fee_rules import MARGINAL, WHOLE, Band, Benefit, Rule
from settlements.fees import Charge, Terms

amounts = st.integers(0, 10**10)
rates = st.integers(0, 1_000_000)
SALES = frozenset({"sales"})


def rule(component="sales", rate_ppm=120_000, **fields):
    given_fields = {"id": 1, "rank": 1, "vat_kind": vat.EXCLUSIVE, **fields}
    return Rule(component=component, rate_ppm=rate_ppm, **given_fields)


def terms(*rules, benefits=(), vat_rate_ppm=100_000):
    rules = rules or (rule(),)
    return Terms(1, vat_rate_ppm, tuple(Charge.pinned(each, benefits) for each in rules))


def charge(base, *rules, quantity=1, **kwargs):
    """The (fee, VAT) of each component of a line without discounts."""
    return [part[1:] for part in fees.charge(terms(*rules, **kwargs), quantity, base)]


@st.composite
def any_rules(draw):
    """A rule of any shape that may be published."""
    low = draw(st.none() | st.integers(0, 10_000))
    high = draw(st.none() | st.integers(low or 0, 50_000))
    ends = sorted(draw(st.sets(st.integers(1, 10**6), max_size=4)))
    starts = [0, *ends]
    bands = tuple(
        Band(start, end, draw(rates)) for start, end in zip(starts, [*ends, None], strict=True)
    )
    return rule(
        rate_ppm=draw(rates),
        fixed_amount=draw(st.integers(0, 1_000)),
        per_unit=draw(st.booleans()),
        min_amount=low,
        max_amount=high,
        mode=draw(st.sampled_from(money.MODES)),
        vat_kind=draw(st.sampled_from(vat.KINDS)),
        vat_mode=draw(st.sampled_from(money.MODES)),
        bands=bands if draw(st.booleans()) else (),
        band_kind=draw(st.sampled_from([WHOLE, MARGINAL])),
    )


benefit_lists = st.lists(st.builds(Benefit, st.just(SALES), rates, rates), max_size=2)


def exactly(base, rule, benefits, quantity):
    """The exact fee read straight off the page, in fractions."""
    off = sum(benefit.points_off_ppm for benefit in benefits)
    bands = rule.bands or (Band(0, None, rule.rate_ppm),)
    exact = Fraction(0)
    for band in bands:
        rate = Fraction(max(band.rate_ppm - off, 0), 1_000_000)
        if rule.band_kind == MARGINAL:
            top = base if band.end is None else min(base, band.end)
            exact += max(top - band.start, 0) * rate
        elif band.start <= base and (band.end is None or base < band.end):
            exact = base * rate
    exact += rule.fixed_amount * (quantity if rule.per_unit else 1)
    for benefit in benefits:
        exact *= Fraction(1_000_000 - benefit.percent_off_ppm, 1_000_000)
    exact = max(exact, rule.min_amount or 0)
    return exact if rule.max_amount is None else min(exact, rule.max_amount)


class TestCharge:
    def test_charges_vat_on_the_rounded_fee(self):
        assert charge(33_333, rule(rate_ppm=77_000)) == [(2_566, 257)]  # 256.6, not 256.66

    def test_takes_points_off_the_rate_and_percents_off_the_fee(self):
        points = [Benefit(SALES, points_off_ppm=10_000)]
        percent = [Benefit(SALES, percent_off_ppm=100_000)]
        assert charge(100_000, benefits=points) == [(11_000, 1_100)]
        assert charge(100_000, benefits=percent) == [(10_800, 1_080)]

    def test_adds_points_and_multiplies_percents(self):
        benefits = [Benefit(SALES, 10_000, 100_000), Benefit(SALES, 10_000, 100_000)]
        assert charge(100_000, benefits=benefits) == [(8_100, 810)]

    def test_ignores_a_benefit_on_another_component(self):
        assert charge(100_000, benefits=[Benefit(frozenset({"live"}), 10_000)]) == [(12_000, 1_200)]

    def test_makes_a_benefit_beyond_the_rate_free_and_never_a_gift(self):
        assert charge(100_000, benefits=[Benefit(SALES, 200_000)]) == [(0, 0)]

    def test_still_takes_the_minimum_after_a_whole_percent_off(self):
        assert charge(100_000, rule(min_amount=500), benefits=[Benefit(SALES, 0, 1_000_000)]) == [
            (500, 50)
        ]

    def test_takes_fixed_amount_and_minimum_of_a_free_line(self):
        assert charge(0, rule(fixed_amount=100)) == [(100, 10)]
        assert charge(0, rule(min_amount=70)) == [(70, 7)]

    def test_takes_nothing_without_units(self):
        assert charge(0, rule(fixed_amount=100, min_amount=70), quantity=0) == [(0, 0)]

    def test_takes_a_per_unit_amount_for_each_unit(self):
        assert charge(0, rule(fixed_amount=330, per_unit=True), quantity=3) == [(990, 99)]

    def test_cuts_at_the_maximum(self):
        assert charge(10**9, rule(max_amount=40_000)) == [(40_000, 4_000)]

    def test_takes_each_base_from_the_line(self):
        bases = ["list_amount", "after_seller_discount", "buyer_paid", "shipping", "amount"]
        rules = [rule(f"c{at}", base=base, id=at) for at, base in enumerate(bases)]
        parts = fees.charge(terms(*rules), 1, 10_000, 1_000, 500, 301)
        assert [base for base, _, _ in parts] == [10_000, 9_000, 8_199, 10_000, 10_000]

    def test_starts_from_the_rounded_fee_of_an_earlier_component(self):
        live = rule("live", 100_000, id=2, base="fee:sales", fixed_amount=0)
        parts = fees.charge(terms(rule(rate_ppm=77_000), live), 1, 33_333)
        assert parts == ((33_333, 2_566, 257), (2_566, 256, 26))

    def test_starts_from_nothing_where_the_earlier_component_matched_no_rule(self):
        assert charge(33_333, rule("live", base="fee:sales", fixed_amount=9)) == [(9, 1)]

    @pytest.mark.parametrize(
        ("kind", "base", "fee"),
        [
            (WHOLE, 99_999, 11_999),
            (WHOLE, 100_000, 10_000),
            (MARGINAL, 100_000, 12_000),
            (MARGINAL, 1_234_567, 110_765),
        ],
    )
    def test_goes_by_tiers(self, kind, base, fee):
        bands = (
            Band(0, 100_000, 120_000),
            Band(100_000, 500_000, 100_000),
            Band(500_000, None, 80_000),
        )
        assert charge(base, rule(bands=bands, band_kind=kind, vat_kind=vat.EXEMPT)) == [(fee, 0)]

    @pytest.mark.parametrize(
        "line", [(-1, 100), (1, -1), (1, 100, 101), (1, 100, -1), (1, 100, 0, 0, -1)]
    )
    def test_refuses_lines_that_cannot_be(self, line):
        with pytest.raises(fees.NotChargeable):
            fees.charge(terms(), *line)

    @given(amounts, any_rules(), benefit_lists, st.integers(1, 9))
    def test_rounds_what_the_page_says_exactly_once(self, base, any_rule, benefits, quantity):
        exact = exactly(base, any_rule, benefits, quantity)
        fee = money.round_ratio(exact.numerator, exact.denominator, any_rule.mode)
        ((_, got, _),) = fees.charge(terms(any_rule, benefits=benefits), quantity, base)
        assert got == fee

    @given(amounts, amounts, any_rules(), benefit_lists)
    def test_does_not_fall_when_the_base_rises(self, one, other, any_rule, benefits):
        if any_rule.band_kind == WHOLE and any_rule.bands:
            return  # the next band of a whole tier may be cheaper altogether
        pinned = terms(any_rule, benefits=benefits)
        lower, higher = sorted((one, other))
        assert fees.charge(pinned, 1, lower)[0][1] <= fees.charge(pinned, 1, higher)[0][1]

    @given(amounts, any_rules(), st.integers(1, 9))
    def test_stays_within_its_limits(self, base, any_rule, quantity):
        ((_, fee, fee_vat),) = fees.charge(terms(any_rule), quantity, base)
        assert fee >= (any_rule.min_amount or 0)
        assert any_rule.max_amount is None or fee <= any_rule.max_amount
        assert 0 <= fee_vat <= fee

    @given(amounts, rates, rates)
    def test_lies_between_nothing_and_the_base(self, base, rate_ppm, points_off_ppm):
        pinned = terms(rule(rate_ppm=rate_ppm), benefits=[Benefit(SALES, points_off_ppm)])
        assert 0 <= fees.charge(pinned, 1, base)[0][1] <= base


class TestFigures:
    def test_leave_the_price_less_fees_and_the_vat_on_top_of_them(self):
        rules = [
            rule("sales", base="after_seller_discount", rate_ppm=0, fixed_amount=660),
            rule("payment", 25_850, base="buyer_paid", mode=money.HALF_UP, vat_kind=vat.INCLUSIVE),
        ]
        pinned = terms(*rules)
        parts = ((9_000, 660, 66), (8_199, 212, 19))
        assert fees.figures(pinned, 2, 10_000, 1_000, 500, 301) == (parts, 872, 85, 8_062)


class TestExplain:
    def test_tells_each_step(self):
        pinned = terms(rule(rate_ppm=77_000), benefits=[Benefit(SALES, 10_000, 100_000)])
        (told,) = fees.explain(pinned, 1, 33_333)
        assert (told.component, told.base_kind, told.base) == ("sales", "list_amount", 33_333)
        assert (told.slices, told.rate_ppm) == (((33_333, 67_000),), 67_000)
        assert told.exact == told.unclamped == Fraction(33_333 * 67 * 9, 10_000)
        assert (told.fee, told.vat_exact, told.vat) == (2_009, Fraction(2_009, 10), 201)

    def test_tells_the_slices_of_a_marginal_tier(self):
        bands = (Band(0, 100, 120_000), Band(100, 500, 100_000), Band(500, None, 80_000))
        pinned = terms(rule(bands=bands, band_kind=MARGINAL))
        (told,) = fees.explain(pinned, 1, 500)
        assert told.slices == ((100, 120_000), (400, 100_000))
        (told,) = fees.explain(pinned, 1, 501)
        assert told.slices == ((100, 120_000), (400, 100_000), (1, 80_000))

    def test_tells_what_a_limit_changed(self):
        (told,) = fees.explain(terms(rule(max_amount=50)), 1, 1_000)
        assert (told.unclamped, told.exact, told.fee) == (120, 50, 50)

    def test_takes_over_what_is_kept(self):
        pinned = terms(rule(keep_on_refund=True))
        kept = fees.charge(pinned, 2, 2_000)
        (told,) = fees.explain(pinned, 0, 0, kept=kept)
        assert (told.base, told.exact, told.fee, told.vat) == (2_000, 240, 240, 24)

    @given(amounts, any_rules(), benefit_lists, st.integers(0, 9))
    def test_rounds_to_what_charge_took(self, base, any_rule, benefits, quantity):
        pinned = terms(any_rule, benefits=benefits)
        base = base if quantity else 0
        (told,) = fees.explain(pinned, quantity, base)
        assert ((told.base, told.fee, told.vat),) == fees.charge(pinned, quantity, base)
        assert told.fee == money.round_ratio(*told.exact.as_integer_ratio(), told.mode)
        assert told.vat == money.round_ratio(*told.vat_exact.as_integer_ratio(), told.vat_mode)
        assert sum(part for part, _ in told.slices) == base


class TestTerms:
    @given(any_rules(), benefit_lists)
    def test_come_back_from_their_stored_key(self, any_rule, benefits):
        pinned = terms(any_rule, benefits=benefits)
        stored = json.loads(json.dumps(pinned.key()))
        rebuilt = Terms.from_key(stored, {any_rule.id: any_rule})
        assert (rebuilt, rebuilt.key(), hash(rebuilt)) == (pinned, pinned.key(), hash(pinned))

    def test_have_one_key_in_whatever_order_benefits_come(self):
        benefits = [Benefit(SALES, 1, 5), Benefit(SALES, 2, 7)]
        assert terms(benefits=benefits).key() == terms(benefits=benefits[::-1]).key()

    def test_differ_by_what_their_rules_say(self):
        assert terms(rule(rate_ppm=1)) != terms(rule(rate_ppm=2))
