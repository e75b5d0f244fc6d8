"""Revenue reports as CSV: rows read by themselves, with exact amounts."""

from datetime import date

import pytest

from settlements import revenue_files
from settlements.revenue_files import Row, Unreadable

HEAD = "seller,stream,app,on,amount,version,state\n"


def read(*rows, exponent=0, head=HEAD):
    return revenue_files.read(head + "\n".join(rows), exponent=exponent)


class TestRead:
    def test_reads_a_row(self):
        assert read('A, ads ,game-1,2026-09-08,"100,000",1,final') == [
            Row(2, "A", "ads", "game-1", date(2026, 9, 8), 100_000, 1, True)
        ]

    def test_takes_columns_in_any_order_and_without_apps(self):
        head = "state,version,amount,on,stream,seller\r\n"
        [row] = read("provisional,2,5,2026-09-08,ads,A", head=head)
        assert (row.app, row.version, row.amount, row.is_final) == ("", 2, 5, False)

    @pytest.mark.parametrize(
        ("text", "exponent", "amount"),
        [("12.34", 2, 1234), ("12.3", 2, 1230), ("12", 2, 1200), ("1,234", 0, 1234), ("0", 0, 0)],
    )
    def test_reads_amounts_of_the_currency(self, text, exponent, amount):
        [row] = read(f'A,ads,,2026-09-08,"{text}",1,final', exponent=exponent)
        assert row.amount == amount

    @pytest.mark.parametrize(
        ("column", "cells"),
        [
            ("amount", "2026-09-08,1.5,1,final"),
            ("amount", "2026-09-08,-1,1,final"),
            ("amount", '2026-09-08,"1,23",1,final'),
            ("amount", "2026-09-08,1000000000000001,1,final"),
            ("on", "20260908,1,1,final"),
            ("on", "2026-02-30,1,1,final"),
            ("version", "2026-09-08,1,0,final"),
            ("version", "2026-09-08,1,²,final"),
            ("state", "2026-09-08,1,1,Final"),
        ],
    )
    def test_tells_what_of_a_row_cannot_be_read_and_goes_on(self, column, cells):
        wrong, right = read(f"A,ads,,{cells}", "A,ads,,2026-09-08,1,1,final")
        assert isinstance(wrong, Unreadable)
        assert (wrong.number, wrong.refusal.params["field"]) == (2, column)
        assert isinstance(right, Row)
        assert right.number == 3

    def test_passes_over_empty_rows_and_refuses_longer_ones(self):
        empty, longer = "", "A,ads,,2026-09-08,1,1,final,more"
        [found] = read(empty, ",,,", longer)
        assert (found.number, found.refusal.code) == (4, "revenue_row_too_long")

    @pytest.mark.parametrize("head", ["", "seller\n", HEAD.replace("app", "apps"), "on," + HEAD])
    def test_refuses_other_columns(self, head):
        with pytest.raises(revenue_files.ColumnsWrong):
            read(head=head)

    def test_refuses_a_file_that_is_too_long(self, monkeypatch):
        monkeypatch.setattr(revenue_files, "MOST_ROWS", 1)
        with pytest.raises(revenue_files.TooManyRows):
            read("A,ads,,2026-09-08,1,1,final", "A,ads,,2026-09-09,1,1,final")
