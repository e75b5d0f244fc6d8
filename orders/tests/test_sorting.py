"""Sorting with little memory gives what sorting with much gives."""

from hypothesis import given
from hypothesis import strategies as st

from orders import sorting
from orders.sorting import Sorter

rows = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9)), max_size=60)


def walked(rows, in_memory):
    with Sorter(key_length=3, in_memory=in_memory) as sorter:
        for number, (text, value) in enumerate(rows):
            sorter.add([text, value, number, {"a": [text, None]}])
        assert sorter.count == len(rows)
        first, second = list(sorter), list(sorter)
    assert first == second
    return first


class TestSorter:
    @given(rows, st.integers(1, 20))
    def test_sorts_alike_in_memory_and_on_disk(self, rows, in_memory):
        expected = sorted(
            (
                [text, value, number, {"a": [text, None]}]
                for number, (text, value) in enumerate(rows)
            ),
            key=lambda row: row[:3],
        )
        assert walked(rows, in_memory) == expected

    def test_keeps_few_files_open(self, monkeypatch):
        monkeypatch.setattr(sorting, "RUNS_AT_ONCE", 2)
        rows = [(str(number % 7), number) for number in range(50)]
        assert walked(rows, in_memory=3) == walked(rows, in_memory=1_000)
