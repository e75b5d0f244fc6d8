from datetime import date

import pytest

from settlements import rule_checks
from settlements.fee_rules import Band, Rule
from settlements.rule_checks import Finding


def rule(number=1, **fields):
    return Rule(
        **{"id": number, "rank": number, "component": "sales", "vat_kind": "exclusive", **fields}
    )


def codes(*rules, components=("sales", "payment")):
    return [finding.code for finding in rule_checks.findings(components, rules)]


class TestFindings:
    def test_finds_nothing_wrong_with_a_plain_rule(self):
        assert codes(rule(rate_ppm=120_000, min_amount=10, max_amount=10)) == []

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"component": "gift"}, "component_unknown"),
            ({"base": "weight"}, "base_unknown"),
            ({"base": "fee:gift"}, "base_unknown"),
            ({"base": "fee:sales"}, "base_is_later"),
            ({"base": "fee:payment"}, "base_is_later"),
            ({"base": "shipping"}, "base_needs_its_stream"),
            ({"base": "amount", "stream": "goods"}, "base_needs_its_stream"),
            ({"rate_ppm": -1}, "rate_out_of_range"),
            ({"rate_ppm": 1_000_001}, "rate_out_of_range"),
            ({"fixed_amount": -1}, "amount_below_zero"),
            ({"min_amount": 2, "max_amount": 1}, "minimum_above_maximum"),
            ({"mode": "up"}, "rounding_unknown"),
            ({"vat_mode": "up"}, "rounding_unknown"),
            ({"vat_kind": ""}, "vat_kind_unknown"),
            ({"date_from": date(2026, 1, 1), "date_to": date(2026, 1, 1)}, "dates_empty"),
        ],
    )
    def test_forbids_a_rule_that_cannot_be_computed(self, fields, code):
        (found,) = rule_checks.findings(("sales", "payment"), [rule(**fields)])
        assert (found.code, found.rule_ids, found.forbids) == (code, (1,), True)

    @pytest.mark.parametrize("prices", [{"price_from": 1}, {"price_to": 9_000}])
    @pytest.mark.parametrize(
        ("stream", "expected"),
        [("host", ["price_band_without_price"]), ("goods", []), ("shipping", []), (None, [])],
    )
    def test_forbids_prices_where_lines_have_no_unit_price(self, prices, stream, expected):
        found = rule_checks.findings(("sales",), [rule(stream=stream, **prices)])
        assert [each.code for each in found if each.forbids] == expected

    def test_forbids_prices_of_rules_for_every_stream_that_such_lines_come_to(self):
        banded = {"number": 2, "price_from": 1}
        of_host = {"stream": "host"}

        def found(*rules):
            every = rule_checks.findings(("sales",), rules)
            return [(each.code, each.rule_ids) for each in every if each.forbids]

        refused = [("price_band_without_price", (2,))]
        assert found(rule(**of_host), rule(**banded)) == []
        assert found(rule(**of_host, grade="gold"), rule(**banded)) == refused
        assert found(rule(3, **of_host), rule(**banded)) == refused
        assert found(rule(**of_host, grade="gold"), rule(**banded, stream="goods")) == []

    def test_forbids_an_empty_price_band(self):
        assert "prices_empty" in codes(rule(price_from=5, price_to=5))

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"bands": (Band(1, None, 0),)}, "tiers_not_contiguous"),
            ({"bands": (Band(0, 5, 0),)}, "tiers_not_contiguous"),
            ({"bands": (Band(0, 5, 0), Band(6, None, 0))}, "tiers_not_contiguous"),
            ({"bands": (Band(0, 0, 0), Band(0, None, 0))}, "tier_empty"),
            ({"bands": (Band(0, None, -1),)}, "rate_out_of_range"),
            ({"bands": (Band(0, None, 0),), "band_kind": ""}, "tier_kind_unknown"),
            ({"bands": (Band(0, None, 0),), "band_basis": ""}, "tier_basis_unknown"),
            (
                {
                    "bands": (Band(0, None, 0),),
                    "band_kind": "marginal",
                    "band_basis": "previous_period_sales",
                },
                "tiers_on_previous_sales_are_whole",
            ),
        ],
    )
    def test_forbids_tiers_that_do_not_hold_every_amount_once(self, fields, code):
        assert codes(rule(**fields)) == [code]

    def test_takes_a_fee_on_an_earlier_fee_and_bases_with_their_stream(self):
        assert (
            codes(
                rule(1, component="payment", base="fee:sales"),
                rule(2, base="shipping", stream="shipping"),
                rule(3, base="amount", stream="ad_revenue"),
            )
            == []
        )

    def test_forbids_a_rank_or_a_component_twice(self):
        assert codes(rule(1, grade="gold"), rule(2, rank=1)) == ["rank_repeated"]
        assert codes(rule(), components=("sales", "sales")) == ["component_repeated"]

    def test_forbids_the_code_of_what_is_no_fee(self):
        assert "component_reserved" in codes(rule(), components=("sales", "sale_vat"))

    def test_takes_the_same_rank_in_two_components(self):
        assert codes(rule(1), rule(2, rank=1, component="payment")) == []


class TestBandProblems:
    def test_finds_nothing_wrong_with_bands_that_meet(self):
        assert rule_checks.band_problems([rule(1, price_to=100), rule(2, price_from=100)]) == ()

    def test_forbids_bands_that_overlap(self):
        rules = [rule(1, price_to=100), rule(2, price_from=90)]
        assert rule_checks.band_problems(rules) == (
            Finding("price_bands_overlap", "sales", (1, 2), True, 90, 100),
        )

    def test_forbids_a_band_inside_another(self):
        rules = [rule(1), rule(2, price_from=0, price_to=None, component="payment")]
        rules += [rule(3, grade="a", price_from=1), rule(4, grade="a", price_from=5, price_to=9)]
        (gap, overlap) = rule_checks.band_problems(rules)
        assert (gap.code, gap.start, gap.end) == ("price_band_gap", 0, 1)
        assert (overlap.code, overlap.rule_ids) == ("price_bands_overlap", (3, 4))

    def test_tells_gaps_between_and_at_both_ends_without_forbidding(self):
        rules = [rule(1, price_from=10, price_to=20), rule(2, price_from=30, price_to=40)]
        found = rule_checks.band_problems(rules)
        assert [(each.start, each.end) for each in found] == [(0, 10), (20, 30), (40, None)]
        assert not any(each.forbids for each in found)

    def test_tells_no_gap_where_a_rule_for_every_price_is_behind(self):
        assert rule_checks.band_problems([rule(1, price_from=10, price_to=20), rule(2)]) == ()

    def test_forbids_a_rule_behind_one_for_every_price(self):
        assert rule_checks.band_problems([rule(1), rule(2, price_from=10)])[0] == Finding(
            "never_applies", "sales", (1, 2)
        )

    def test_looks_only_at_rules_with_the_same_other_conditions(self):
        assert rule_checks.band_problems([rule(1, grade="gold"), rule(2)]) == ()
