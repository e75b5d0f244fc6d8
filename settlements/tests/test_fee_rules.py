import pytest

from settlements import fee_rules
from settlements.fee_rules import BAND_ON_PREVIOUS_SALES, Band, Benefit, Rule

BANDS = (Band(0, 1_000, 120_000), Band(1_000, None, 80_000))


class TestRule:
    def test_has_a_tier_by_previous_sales_only_where_it_says_so(self):
        rule = Rule(id=1, rank=1, component="sales", vat_kind="exclusive", bands=BANDS)
        assert rule.tier_rate_ppm(5_000) is None

    @pytest.mark.parametrize(("sales", "rate"), [(0, 120_000), (999, 120_000), (1_000, 80_000)])
    def test_takes_the_band_of_the_previous_sales(self, sales, rate):
        rule = Rule(
            id=1,
            rank=1,
            component="sales",
            vat_kind="exclusive",
            bands=BANDS,
            band_basis=BAND_ON_PREVIOUS_SALES,
        )
        assert rule.tier_rate_ppm(sales) == rate


class TestBenefit:
    @pytest.mark.parametrize("ppm", [-1, 1_000_001])
    def test_refuses_less_than_nothing_and_more_than_everything(self, ppm):
        with pytest.raises(fee_rules.BenefitOutOfRange):
            Benefit(frozenset({"sales"}), points_off_ppm=ppm)
        with pytest.raises(fee_rules.BenefitOutOfRange):
            Benefit(frozenset({"sales"}), percent_off_ppm=ppm)


class TestBandAt:
    @pytest.mark.parametrize(("amount", "at"), [(-5, 0), (0, 0), (999, 0), (1_000, 1), (10**12, 1)])
    def test_is_half_open(self, amount, at):
        assert fee_rules.band_at(BANDS, amount) == BANDS[at]
