import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import holds, payables
from settlements.holds import Asking

amounts = st.integers(0, 10**9)


def asking(hold_id, wanted, taken=0, subject=None, is_part=False):
    subject = subject or f"hold {hold_id}"
    return Asking(hold_id=hold_id, subject=subject, wanted=wanted, taken=taken, is_part=is_part)


@st.composite
def histories(draw):
    """Holds of a seller on a few subjects, and the nets of the statements that follow."""
    subjects = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
    rounds = st.lists(
        st.tuples(st.lists(amounts, min_size=6, max_size=6), st.integers(-(10**9), 10**9)),
        min_size=1,
        max_size=6,
    )
    return subjects, draw(st.lists(st.booleans(), min_size=6, max_size=6)), draw(rounds)


class TestPlan:
    def test_holds_one_line_once_however_many_hold_it(self):
        plan = holds.plan([asking(1, 700, subject="a"), asking(2, 1_000, subject="a")])
        assert (plan.asked, plan.released) == ({2: 1_000}, {})

    def test_adds_amounts_to_lines(self):
        plan = holds.plan([asking(1, 700, subject="a"), asking(2, 300), asking(3, 50)])
        assert plan.asked_sum == 1_050

    def test_gives_back_what_a_released_hold_has_taken(self):
        plan = holds.plan([asking(1, 0, taken=700), asking(2, 300, taken=100)])
        assert (plan.released, plan.asked) == ({1: 700}, {2: 200})

    def test_gives_back_nothing_that_another_hold_on_the_line_keeps(self):
        plan = holds.plan([asking(1, 0, 700, subject="a"), asking(2, 700, subject="a")])
        assert (plan.released, plan.asked) == ({}, {})

    def test_gives_back_the_part_of_a_line_that_was_returned(self):
        plan = holds.plan([asking(1, 400, taken=1_000)])
        assert (plan.released, plan.asked) == ({1: 600}, {})

    def test_adds_up_the_parts_of_a_line(self):
        parts = [asking(n, 300, subject="a", is_part=True) for n in (1, 2)]
        assert holds.plan(parts).asked == {1: 300, 2: 300}
        assert holds.plan([*parts, asking(3, 500, subject="a")]).asked == {1: 300, 2: 300}
        assert holds.plan([*parts, asking(3, 700, subject="a")]).asked == {3: 700}
        kept = asking(3, 500, taken=500, subject="a")
        assert holds.plan([*parts, kept]).asked == {1: 100}

    def test_gives_back_first_what_a_part_has_beyond_its_own_want(self):
        first = asking(1, 300, taken=600, subject="a", is_part=True)
        second = asking(2, 200, taken=200, subject="a", is_part=True)
        assert holds.plan([first, second]).released == {1: 300}

    @pytest.mark.parametrize("amounts_of", [{"wanted": -1}, {"wanted": 0, "taken": -1}])
    def test_refuses_amounts_below_zero(self, amounts_of):
        with pytest.raises(holds.HoldBelowZero):
            holds.plan([asking(1, **amounts_of)])

    @given(histories())
    def test_never_holds_more_than_asked_nor_makes_debt(self, history):
        subjects, are_parts, rounds = history
        taken = [0] * len(subjects)
        carry = held = 0
        for wanted, net in rounds:
            asked = [
                asking(n, wanted[n], taken[n], subject, are_parts[n])
                for n, subject in enumerate(subjects)
            ]
            plan = holds.plan(asked)
            assert plan == holds.plan(reversed(asked))
            made = payables.settle(
                net, carry_in=carry, released_holds=plan.released_sum, new_holds=plan.asked_sum
            )
            for n, amount in plan.released.items():
                taken[n] -= amount
            for n, amount in plan.filled(made.hold_taken).items():
                taken[n] += amount
            carry = made.carry_out
            held += made.hold_taken - plan.released_sum
            assert sum(taken) == held
            assert min(taken) >= 0
            for subject in set(subjects):
                same = [n for n, name in enumerate(subjects) if name == subject]
                wholes = [wanted[n] for n in same if not are_parts[n]]
                of_parts = sum(wanted[n] for n in same if are_parts[n])
                assert sum(taken[n] for n in same) <= max(*wholes, of_parts, 0)
            assert made.hold_taken <= max(made.gross, 0)
            if made.hold_unfilled:  # what there was is held whole, before anything is paid
                assert made.payable <= 0
                assert made.payout == 0


class TestFilled:
    def test_serves_the_oldest_first(self):
        plan = holds.plan([asking(2, 500), asking(1, 300), asking(3, 200)])
        assert plan.filled(700) == {1: 300, 2: 400}
        assert plan.filled(0) == {}
        assert plan.filled(1_000) == plan.asked
