"""What is proposed for bank transactions: by amount and day, by who is named, and how surely."""

from datetime import date

import pytest

from marketplace.calendars import Calendar
from settlements import bank_proposals
from settlements.bank_proposals import BATCH, MOVEMENT, Debtor, Movement, Transaction

FRIDAY = date(2026, 9, 4)
CALENDAR = Calendar(closed=frozenset({date(2026, 9, 8)}))  # a Tuesday


def moved(key, amount=1_000, on=FRIDAY, *, kind=MOVEMENT, journals=None):
    return Movement(kind, f"T:{key}", on, amount, journals or (key,))


def row(key=1, amount=1_000, on=FRIDAY, text=""):
    return Transaction(key, on, amount, text)


def debtor(owed=1_000, *, key=7, code="A12", name="주식회사 한빛상사", numbers=("stm_9",)):
    return Debtor(key, code, name, numbers, owed)


def propose(rows, movements=(), debtors=()):
    found = bank_proposals.propose(rows, movements, debtors, CALENDAR)
    return {key: [(each.code, each.is_exact) for each in many] for key, many in found.items()}


class TestPropose:
    def test_finds_the_only_movement_of_the_same_amount(self):
        movements = [moved(1), moved(2, 999), moved(3, -1_000)]
        assert propose([row()], movements) == {1: [("movement:T:1", True)]}

    @pytest.mark.parametrize(
        ("on", "count"),
        [
            (date(2026, 9, 10), 1),  # Monday, Wednesday, Thursday: the Tuesday is closed
            (date(2026, 9, 11), 0),
            (date(2026, 9, 1), 1),
            (date(2026, 8, 31), 0),
        ],
    )
    def test_looks_three_business_days_around(self, on, count):
        assert len(propose([row()], [moved(1, on=on)])[1]) == count

    def test_is_exact_neither_with_two_movements_nor_with_two_transactions(self):
        near, far = moved(2, on=date(2026, 9, 3)), moved(1, on=date(2026, 9, 1))
        assert propose([row()], [far, near]) == {
            1: [("movement:T:2", False), ("movement:T:1", False)]
        }
        assert propose([row(1), row(2)], [near]) == {
            1: [("movement:T:2", False)],
            2: [("movement:T:2", False)],
        }

    def test_is_not_exact_where_a_journal_of_a_batch_is_proposed_alone(self):
        batch = moved(9, -3_000, kind=BATCH, journals=(1, 2))
        rows = [row(1, -3_000), row(2, -1_000)]
        assert propose(rows, [batch]) == {1: [("batch:T:9", True)], 2: []}
        assert propose(rows, [batch, moved(1, -1_000)]) == {
            1: [("batch:T:9", False)],
            2: [("movement:T:1", False)],
        }

    @pytest.mark.parametrize(
        ("text", "is_exact"),
        [
            ("정산 A12 입금", True),
            ("a12정산", True),
            ("stm_9", True),
            ("한빛 상사", False),
            ("(주)한빛상사", False),
        ],
    )
    def test_finds_a_debtor_by_code_number_or_name(self, text, is_exact):
        assert propose([row(text=text)], (), [debtor()]) == {1: [("debt:A12", is_exact)]}

    @pytest.mark.parametrize("text", ["A123", "BA12", "한빛", ""])
    def test_finds_no_debtor_by_a_part_of_a_word(self, text):
        assert propose([row(text=text)], (), [debtor()]) == {1: []}

    def test_never_proposes_more_than_the_debt_and_a_part_only_to_people(self):
        assert propose([row(text="A12")], (), [debtor(999)]) == {1: []}
        assert propose([row(text="A12")], (), [debtor(1_001)]) == {1: [("debt:A12", False)]}

    def test_proposes_no_debt_for_what_is_paid_out(self):
        assert propose([row(amount=-1_000, text="A12")], (), [debtor()]) == {1: []}

    def test_is_not_exact_where_a_movement_fits_as_well(self):
        found = propose([row(text="A12")], [moved(1)], [debtor()])
        assert found == {1: [("movement:T:1", False), ("debt:A12", False)]}

    def test_skips_an_empty_name(self):
        assert propose([row(text="가")], (), [debtor(name="", code="", numbers=())]) == {1: []}
