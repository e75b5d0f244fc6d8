"""The partner's share of a reported amount: exact figures, and restatements that add up."""

from hypothesis import given
from hypothesis import strategies as st

from settlements import fees, shares
from settlements.fee_rules import Rule
from settlements.fees import Charge, Terms

amounts = st.integers(0, 10**12)


def terms(rate_ppm=150_000, **fields):
    fields = {"vat_kind": "exclusive", "base": "amount", "component": "ad_share", **fields}
    return Terms(1, 100_000, (Charge(Rule(id=1, rank=1, rate_ppm=rate_ppm, **fields)),))


class TestOf:
    def test_is_what_the_rules_leave(self):
        share = shares.of(terms(), 100_000)
        assert (share.kept, share.share) == (15_000, 85_000)
        assert share.charged == ((100_000, 15_000, 1_500),)

    def test_is_not_lessened_by_the_vat_of_a_component(self):
        for kind in ("exclusive", "inclusive", "exempt"):
            assert shares.of(terms(vat_kind=kind), 33_333).share == 33_333 - 4_999

    def test_is_everything_where_nothing_is_kept(self):
        assert shares.of(terms(0), 100_000).share == 100_000
        assert shares.of(Terms(1, 100_000, ()), 100_000).share == 100_000

    def test_of_nothing_is_nothing_even_with_a_minimum(self):
        assert shares.of(terms(min_amount=500), 0).share == 0
        assert shares.of(terms(min_amount=500), 100).share == -400

    @given(amounts, st.integers(0, 1_000_000))
    def test_lies_between_nothing_and_the_amount(self, amount, rate_ppm):
        share = shares.of(terms(rate_ppm), amount)
        assert 0 <= share.share <= amount
        assert share.kept == fees.figures(terms(rate_ppm), 1, amount)[1] if amount else True


class TestDifference:
    def test_is_that_of_remainders_not_of_the_difference(self):
        # 855, 856 and 855 kept: three differences of 11,111 at 7.7 % add up to 2,566.
        kept = [11_111 - shares.difference(terms(77_000), b, b + 11_111) for b in (0, 11_111)]
        assert kept == [855, 856]

    @given(st.lists(amounts, min_size=1), st.integers(0, 1_000_000), st.integers(0, 500))
    def test_of_any_number_of_restatements_adds_up(self, said, rate_ppm, least):
        pinned = terms(rate_ppm, min_amount=least)
        before = [0, *said[:-1]]
        steps = [shares.difference(pinned, *step) for step in zip(before, said, strict=True)]
        assert sum(steps) == shares.of(pinned, said[-1]).share


class TestTaxKind:
    def test_goes_by_whether_the_partner_is_registered(self):
        kinds = ["individual", "sole_proprietor", "corporation"]
        assert [shares.tax_kind(kind) for kind in kinds] == ["outside_scope", "taxable", "taxable"]
