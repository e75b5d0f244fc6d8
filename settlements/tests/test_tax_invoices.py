"""Which invoices a month needs, and the dates and numbers of the tax office."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import tax_invoices, vat
from settlements.tax_invoices import (
    ANEW,
    CHANGE,
    INVOICE,
    TAKEN_BACK,
    Amount,
    Issued,
    Planned,
    plan,
)

AUG, SEP = date(2026, 8, 1), date(2026, 9, 1)
LAST = date(2026, 9, 24)


def of(supply, tax=None):
    return {"sales": Amount(supply, supply // 10 if tax is None else tax)}


class TestPlan:
    def test_writes_one_invoice_on_the_last_day_of_the_month(self):
        assert plan(SEP, SEP, of(12_000), LAST, []) == [
            Planned(INVOICE, of(12_000), date(2026, 9, 30))
        ]

    def test_needs_none_for_nothing(self):
        assert plan(SEP, SEP, {}, LAST, []) == []
        assert plan(SEP, SEP, {"a": Amount(5, 1), "b": Amount(-5, -1)}, LAST, []) == []

    def test_corrects_an_earlier_month_on_the_day_of_the_reversal(self):
        [planned] = plan(SEP, AUG, of(-3_000), LAST, [])
        assert (planned.leg, planned.reason) == (CHANGE, "02")
        assert (planned.supply, planned.vat, planned.written_on) == (-3_000, -300, LAST)

    def test_makes_a_month_below_zero_a_correction(self):
        [planned] = plan(SEP, SEP, of(-3_000), LAST, [])
        assert planned.leg == CHANGE

    def test_takes_a_wrong_one_back_and_writes_it_anew(self):
        legs = plan(SEP, SEP, of(15_000), LAST, [Issued(INVOICE, of(12_000))])
        assert [(each.leg, each.supply, each.vat, each.reason) for each in legs] == [
            (TAKEN_BACK, -12_000, -1_200, "01"),
            (ANEW, 15_000, 1_500, "01"),
        ]
        assert {each.written_on for each in legs} == {date(2026, 9, 30)}

    def test_takes_back_the_last_one_when_it_was_written_anew_before(self):
        issued = [
            Issued(INVOICE, of(12_000)),
            Issued(TAKEN_BACK, of(-12_000)),
            Issued(ANEW, of(15_000)),
        ]
        assert plan(SEP, SEP, of(15_000), LAST, issued) == []
        taken_back, anew = plan(SEP, SEP, of(14_000), LAST, issued)
        assert (taken_back.supply, anew.supply) == (-15_000, 14_000)

    def test_writes_nothing_anew_when_nothing_is_left(self):
        [taken_back] = plan(SEP, SEP, {}, LAST, [Issued(INVOICE, of(12_000))])
        assert (taken_back.leg, taken_back.supply) == (TAKEN_BACK, -12_000)

    def test_adds_to_a_correction_by_another_one(self):
        [planned] = plan(SEP, AUG, of(-5_000), LAST, [Issued(CHANGE, of(-3_000))])
        assert (planned.leg, planned.supply) == (CHANGE, -2_000)

    amounts = st.dictionaries(
        st.sampled_from(["sales", "shipping", "live"]),
        st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**8), 10**8)).map(
            lambda pair: Amount(*pair)
        ),
    )

    @given(st.lists(amounts, min_size=1, max_size=5), st.sampled_from([AUG, SEP]))
    def test_together_says_what_is_owed_however_often_it_changes(self, histories, charged_in):
        issued = []
        for owed in histories:
            for planned in plan(SEP, charged_in, owed, LAST, issued):
                issued.append(Issued(planned.leg, planned.components))
            said = tax_invoices.total(tax_invoices.added(each.components for each in issued))
            assert said == tax_invoices.total(owed)
            assert sum(each.leg == INVOICE for each in issued) <= 1

    @given(amounts, st.sampled_from([AUG, SEP]))
    def test_plans_nothing_the_second_time(self, owed, charged_in):
        issued = [Issued(p.leg, p.components) for p in plan(SEP, charged_in, owed, LAST, [])]
        if issued:
            assert plan(SEP, charged_in, owed, LAST, issued) == []


class TestAmount:
    def test_is_without_the_vat_that_is_contained(self):
        assert tax_invoices.amount(11_000, 1_000, vat.INCLUSIVE) == (10_000, 1_000)
        assert tax_invoices.amount(11_000, 1_100, vat.EXCLUSIVE) == (11_000, 1_100)
        assert tax_invoices.amount(11_000, 0, vat.EXEMPT) == (11_000, 0)


class TestKindOf:
    def test_is_decided_by_the_supply(self):
        kinds = [tax_invoices.kind_of(kind) for kind in vat.KINDS]
        assert kinds == ["taxable", "taxable", "exempt"]


class TestDates:
    @pytest.mark.parametrize(
        ("month", "end", "deadline"),
        [
            (date(2026, 9, 1), date(2026, 9, 30), date(2026, 10, 10)),
            (date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 10)),
            (date(2028, 2, 1), date(2028, 2, 29), date(2028, 3, 10)),
        ],
    )
    def test_follow_the_month(self, month, end, deadline):
        assert tax_invoices.end_of(month) == end
        assert tax_invoices.deadline(month) == deadline

    def test_count_months_back_over_a_year(self):
        assert tax_invoices.months_before(date(2026, 1, 1), 2) == date(2025, 11, 1)


class TestApprovalNumber:
    def test_is_read_with_hyphens(self):
        read = tax_invoices.approval_number(" 20261002-41000096-0000123A ")
        assert read == "20261002410000960000123a"

    @pytest.mark.parametrize("text", ["", "123", "2026100241000096000012345", "x" * 24])
    def test_is_refused_otherwise(self, text):
        with pytest.raises(tax_invoices.NotAnApprovalNumber):
            tax_invoices.approval_number(text)
