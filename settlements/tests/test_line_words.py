"""An explained component in words: whoever has them computes the fee again by hand."""

from datetime import date

import pytest

from settlements import fees, line_words
from settlements.explanations import Component
from settlements.fee_rules import Benefit, Rule


def _component(quantity, amount, *, before=None, benefits=(), **rule):
    """A component as it is explained; `before` is quantity and amount of what is taken back."""
    given = {"id": 1, "rank": 3, "component": "sales", "vat_kind": "exclusive", **rule}
    charge = fees.Charge.pinned(Rule(**given), benefits)
    terms = fees.Terms(1, 100_000, (charge,))
    if before is None:
        [old], [new] = [None], fees.explain(terms, quantity, amount)
    else:
        kept = fees.charge(terms, *before)
        [old], [new] = (
            fees.explain(terms, *before, 0, 0, 0, kept),
            fees.explain(terms, quantity, amount, 0, 0, 0, kept),
        )
    return Component(
        code="sales",
        schedule="standard",
        schedule_name="Standard",
        version=2,
        valid_from=date(2026, 1, 1),
        contract=None,
        charge=charge,
        before=old,
        after=new,
        fee=new.fee - (old.fee if old else 0),
        vat=new.vat - (old.vat if old else 0),
    )


VAT = "; VAT on top "


def _told(component):
    return line_words.describe(component, {"sales": "Sales fee"})


class TestDescribe:
    @pytest.mark.parametrize(
        ("rule", "benefits", "figures"),
        [
            ({"rate_ppm": 30_000}, (), "33,333 × 3 % = 999.99, rounded (cut) to 999"),
            (
                {"rate_ppm": 30_000, "fixed_amount": 500},
                (),
                "33,333 × 3 % + 500 = 1,499.99, rounded (cut) to 1,499",
            ),
            (
                {"rate_ppm": 30_000, "fixed_amount": 500},
                (Benefit(frozenset({"sales"}), percent_off_ppm=100_000),),
                "(33,333 × 3 % + 500) × (1 − 10 %) = 1,349.991, rounded (cut) to 1,349",
            ),
            (
                {"rate_ppm": 30_000, "min_amount": 2_000},
                (),
                "33,333 × 3 % = 999.99, at least 2,000 is charged, rounded (cut) to 2,000",
            ),
            (
                {"rate_ppm": 30_000, "max_amount": 100},
                (),
                "33,333 × 3 % = 999.99, at most 100 is charged, rounded (cut) to 100",
            ),
        ],
    )
    def test_tells_all_that_is_computed(self, rule, benefits, figures):
        told = _told(_component(1, 33_333, benefits=benefits, **rule))
        assert told[0] == "Sales fee: rule 3 of Standard, version 2"
        assert told[1].startswith(figures + VAT), told

    def test_tells_what_a_grade_took_off_the_rate(self):
        benefit = Benefit(frozenset({"sales"}), points_off_ppm=5_000)
        told = _told(_component(1, 10_000, rate_ppm=30_000, benefits=[benefit]))
        assert told[1] == "benefit: 0.5 percentage points off the rate"
        assert told[2].startswith("10,000 × 2.5 % = 250, rounded (cut) to 250")

    def test_tells_both_sides_of_a_reversal(self):
        component = _component(1, 11_111, before=(3, 33_333), rate_ppm=77_000)
        told = _told(component)
        assert told[1].startswith("before: 33,333 × 7.7 % = 2,566.641, rounded (cut) to 2,566")
        assert told[2].startswith("after: 11,111 × 7.7 % = 855.547, rounded (cut) to 855")
        assert told[3] == "difference: fee -1,711, VAT -171"
        assert component.base == -22_222

    def test_tells_that_a_fee_is_kept(self):
        component = _component(0, 0, before=(1, 10_000), rate_ppm=30_000, keep_on_refund=True)
        assert _told(component)[1:] == ["kept on a refund: nothing of it is given back"]
        assert (component.fee, component.vat) == (0, 0)
