import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import debts, payables

amounts = st.integers(0, 10**9)
signed = st.integers(-(10**9), 10**9)


class TestReserveOffered:
    @pytest.mark.parametrize("policy", [debts.CARRY_FORWARD, debts.INVOICE_SELLER])
    def test_is_what_is_due(self, policy):
        assert debts.reserve_offered(-900, due=300, reserve=1_000, policy=policy) == 300

    def test_covers_a_debt_from_what_is_not_due_yet(self):
        policy = debts.DEDUCT_FROM_RESERVE
        assert debts.reserve_offered(-900, due=300, reserve=1_000, policy=policy) == 900
        assert debts.reserve_offered(-5_000, due=300, reserve=1_000, policy=policy) == 1_000
        assert debts.reserve_offered(-100, due=300, reserve=1_000, policy=policy) == 300
        assert debts.reserve_offered(5_000, due=300, reserve=1_000, policy=policy) == 300

    def test_gives_nothing_while_debts_have_taken_of_later_reserves(self):
        policy = debts.CARRY_FORWARD
        assert debts.reserve_offered(100, due=-400, reserve=600, policy=policy) == 0

    @given(signed, signed, amounts, st.sampled_from(debts.POLICIES))
    def test_pays_out_nothing_that_is_not_due(self, gross, due, reserve, policy):
        offered = debts.reserve_offered(gross, due=due, reserve=reserve, policy=policy)
        assert 0 <= offered <= reserve
        made = payables.settle(gross, reserve_released=offered)
        free = min(max(due, 0), reserve)
        assert made.payout <= max(gross, 0) + free


class TestInvoiced:
    def test_is_the_debt_where_the_policy_says_so(self):
        assert debts.invoiced(-700, policy=debts.INVOICE_SELLER) == 700
        assert debts.invoiced(700, policy=debts.INVOICE_SELLER) == 0
        assert debts.invoiced(-700, policy=debts.CARRY_FORWARD) == 0
