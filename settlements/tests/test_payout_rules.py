"""Which statements are paid together, and why the others wait."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import payout_rules
from settlements.payout_rules import Due, Payee

AT = datetime(2026, 9, 1, tzinfo=UTC)
amounts = st.lists(st.integers(1, 10**9), max_size=30)
limits = st.none() | st.integers(1, 10**9)


def payee(**given):
    usual = {"is_suspended": False, "account_id": 1, "usable_from": AT, "has_failed": False}
    return Payee(**usual | given)


class TestHindrance:
    def test_is_none_with_an_account_past_its_cooling(self):
        assert payout_rules.hindrance(payee(), at=AT) is None

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ({"account_id": None, "usable_from": None}, payout_rules.NO_ACCOUNT),
            ({"usable_from": AT + timedelta(seconds=1)}, payout_rules.COOLING),
            ({"has_failed": True}, payout_rules.ACCOUNT_FAILED),
            ({"is_suspended": True, "account_id": None}, payout_rules.SUSPENDED),
        ],
    )
    def test_is_named(self, given, reason):
        assert payout_rules.hindrance(payee(**given), at=AT) == reason


class TestSort:
    def test_pays_what_fits_and_leaves_what_is_held(self):
        due = [Due(1, 60), Due(2, 50), Due(3, 30, payout_rules.HELD), Due(4, 40)]
        found = payout_rules.sort(due, payee(), at=AT, payout_limit=100)
        assert (found.paid, found.amount) == ((1, 4), 100)
        assert found.waiting == {
            2: payout_rules.OVER_PAYOUT_LIMIT,
            3: payout_rules.HELD,
        }

    def test_names_the_limit_of_a_batch(self):
        found = payout_rules.sort([Due(1, 101)], payee(), at=AT, batch_limit=100)
        assert found.waiting == {1: payout_rules.OVER_BATCH_LIMIT}

    @given(amounts, limits, limits)
    def test_gives_every_statement_one_place(self, amounts, payout_limit, batch_limit):
        due = [Due(number, amount) for number, amount in enumerate(amounts)]
        found = payout_rules.sort(
            due, payee(), at=AT, payout_limit=payout_limit, batch_limit=batch_limit
        )
        assert sorted([*found.paid, *found.waiting]) == list(range(len(amounts)))
        assert found.amount == sum(amounts[number] for number in found.paid)
        for limit in (payout_limit, batch_limit):
            assert limit is None or found.amount <= limit
        # What waits is too large for what is left, not forgotten.
        least = min(limit for limit in (payout_limit, batch_limit, 10**18) if limit)
        assert all(amounts[number] <= least for number in found.paid)


class TestCut:
    @given(amounts, limits)
    def test_keeps_order_and_limit(self, amounts, limit):
        amounts = [amount for amount in amounts if limit is None or amount <= limit]
        batches = payout_rules.cut(amounts, limit)
        assert [place for batch in batches for place in batch] == list(range(len(amounts)))
        assert all(batches)
        if limit is not None:
            assert all(sum(amounts[place] for place in batch) <= limit for batch in batches)


class TestHasSameName:
    @pytest.mark.parametrize(
        ("given", "known", "is_same"),
        [
            ("(주) 모두 상회", "주식회사모두상회", True),
            ("Kim", "KIM", True),
            ("김상인", "김상임", False),
        ],
    )
    def test_looks_past_spaces_and_legal_forms(self, given, known, is_same):
        assert payout_rules.has_same_name(given, known) is is_same


class TestFailure:
    def test_names_known_codes_and_calls_the_others_refused(self):
        assert payout_rules.failure("0021") == payout_rules.ACCOUNT_CLOSED
        assert payout_rules.failure("Z9") == payout_rules.BANK_REFUSED
