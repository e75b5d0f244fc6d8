import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marketplace import money
from settlements import fees, price_search, vat
from settlements.fee_rules import MARGINAL, WHOLE, Band, Rule
from settlements.fees import Charge, Terms

HIGHEST = 4_000


def terms(*rules):
    return Terms(1, 100_000, tuple(Charge.pinned(rule) for rule in rules))


def rule(component="sales", rate_ppm=120_000, **fields):
    given_fields = {"id": 1, "rank": 1, "vat_kind": vat.EXCLUSIVE, **fields}
    return Rule(component=component, rate_ppm=rate_ppm, **given_fields)


def tried(wanted, chosen, quantity=1, seller_discount=0, other_discount=0):
    """The smallest price found by trying every one."""
    lowest = -(-(seller_discount + other_discount) // quantity)
    for price in range(lowest, HIGHEST + 1):
        held = next(each for start, each in reversed(chosen) if start <= price)
        amounts = (quantity, price * quantity, seller_discount, other_discount)
        if fees.figures(held, *amounts)[3] >= wanted:
            return price
    return None


@st.composite
def any_terms(draw):
    rules = []
    for component in ("sales", "live", "payment")[: draw(st.integers(0, 3))]:
        low = draw(st.none() | st.integers(0, 60))
        ends = sorted(draw(st.sets(st.integers(1, 6_000), max_size=3)))
        rates = st.integers(0, 260_000)
        bands = tuple(
            Band(start, end, draw(rates))
            for start, end in zip([0, *ends], [*ends, None], strict=True)
        )
        bases = ["list_amount", "after_seller_discount", "buyer_paid"]
        is_tiered = draw(st.booleans())
        if rules and not is_tiered:
            bases.append("fee:sales")
        rules.append(
            rule(
                component,
                draw(rates),
                base=draw(st.sampled_from(bases)),
                fixed_amount=draw(st.integers(0, 40)),
                per_unit=draw(st.booleans()),
                min_amount=low,
                max_amount=draw(st.none() | st.integers(low or 0, 300)),
                mode=draw(st.sampled_from(money.MODES)),
                vat_kind=draw(st.sampled_from(vat.KINDS)),
                vat_mode=draw(st.sampled_from(money.MODES)),
                bands=bands if is_tiered else (),
                band_kind=draw(st.sampled_from([WHOLE, MARGINAL])),
            )
        )
    return terms(*rules)


class TestSmallest:
    def test_is_what_the_seller_has_to_ask(self):
        # Of 11,521 a fee of 1,382 (12 % of it is 1,382.52) and VAT of 138 are taken.
        chosen = [(0, terms(rule()))]
        assert price_search.smallest(10_000, chosen, highest=10**9) == 11_520
        assert fees.figures(chosen[0][1], 1, 11_520)[3] == 10_000
        assert fees.figures(chosen[0][1], 1, 11_519)[3] < 10_000

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(any_terms(), min_size=1, max_size=2),
        st.integers(1, 3_000),
        st.integers(-50, 5_000),
        st.integers(1, 3),
        st.integers(0, 200),
        st.integers(0, 200),
    )
    def test_is_the_smallest_of_all_prices(
        self, found, edge, wanted, quantity, seller_discount, other_discount
    ):
        chosen = list(zip([0, edge], found, strict=False))
        given_ = {
            "quantity": quantity,
            "seller_discount": seller_discount,
            "other_discount": other_discount,
        }
        try:
            smallest = price_search.smallest(wanted, chosen, highest=HIGHEST, **given_)
        except price_search.NotSearchable:
            assume(False)
        assert smallest == tried(wanted, chosen, **given_)

    @pytest.mark.parametrize("rate_ppm", [30_000, 120_000, 330_000])
    def test_misses_no_price_before_rounding_falls_back(self, rate_ppm):
        # At 12 %, 41 leaves 37, but 42 leaves 36: fee and VAT both grow by one.
        chosen = [(0, terms(rule(rate_ppm=rate_ppm)))]
        left = [fees.figures(chosen[0][1], 1, price)[3] for price in range(HIGHEST + 1)]
        for wanted in range(2_000):
            first = next(price for price in range(HIGHEST + 1) if left[price] >= wanted)
            assert price_search.smallest(wanted, chosen, highest=HIGHEST) == first

    def test_looks_below_a_tier_that_takes_more_of_everything(self):
        bands = (Band(0, 10_000, 100_000), Band(10_000, None, 300_000))
        chosen = [(0, terms(rule(bands=bands, vat_kind=vat.EXEMPT)))]
        assert price_search.smallest(8_999, chosen, highest=10**6) == 9_998
        assert price_search.smallest(9_000, chosen, highest=10**6) == 9_999
        assert price_search.smallest(9_001, chosen, highest=10**6) == 12_858

    def test_is_none_beyond_the_highest_price(self):
        assert price_search.smallest(10_001, [(0, terms())], highest=10_000) is None
        assert price_search.smallest(10_000, [(0, terms())], highest=10_000) == 10_000

    def test_begins_where_the_buyer_pays_nothing(self):
        found = price_search.smallest(
            0, [(0, terms())], quantity=2, seller_discount=5, other_discount=6, highest=100
        )
        assert found == 6

    @pytest.mark.parametrize(
        "rules",
        [
            [rule(rate_ppm=1_000_000)],
            [rule(rate_ppm=950_000)],  # with its VAT 104.5 %
            [
                rule(),
                rule(
                    "live", base="fee:sales", bands=(Band(0, 10, 1), Band(10, None, 2)), rate_ppm=0
                ),
            ],
        ],
    )
    def test_refuses_where_less_is_left_of_more(self, rules):
        with pytest.raises(price_search.NotSearchable):
            price_search.smallest(100, [(0, terms(*rules))], highest=1_000)
