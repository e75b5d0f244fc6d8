"""Lists of bank transactions: what is read, and what is wrong by row and column."""

from datetime import date, time

import pytest

from settlements import bank_files
from settlements.bank_files import BankFileRefused

HEADER = "date,paid_in,paid_out,balance,counterparty,memo,reference\n"
STANDARD = bank_files.load_format("standard")
KOREAN = bank_files.load_format("korean")


def read(rows, *, format_=STANDARD, exponent=0, encoding="utf-8", header=HEADER):
    return bank_files.read((header + rows).encode(encoding), format_, exponent=exponent)


def problems(rows, **given):
    with pytest.raises(BankFileRefused) as refused:
        read(rows, **given)
    return [(each.row, each.column, each.code) for each in refused.value.problems]


def said(rows):
    return [(row.number, row.amount, row.balance) for row in rows]


FIRST = "2026-09-01,1000,,1500,가나상사,입금,R1\n"
SECOND = "2026-09-01,,300,1200,다라,출금,\n"
THIRD = "2026-09-02,50,,1250,마바,,\n"


class TestRead:
    def test_reads_what_is_paid_in_and_out(self):
        first, second = read(FIRST + SECOND)
        assert (first.on, first.time, first.amount, first.balance) == (
            date(2026, 9, 1),
            None,
            1000,
            1500,
        )
        assert (first.counterparty, first.memo, first.reference) == ("가나상사", "입금", "R1")
        assert (first.opening, second.amount, second.balance) == (500, -300, 1200)

    def test_turns_a_list_around_that_runs_backwards(self):
        assert said(read(THIRD + SECOND + FIRST)) == [
            (4, 1000, 1500),
            (3, -300, 1200),
            (2, 50, 1250),
        ]

    def test_turns_one_day_around_by_its_balances(self):
        assert said(read(SECOND + FIRST)) == [(3, 1000, 1500), (2, -300, 1200)]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
    def test_reads_what_banks_write_above_the_columns_and_the_time(self, encoding):
        header = "계좌번호,140-012\n\n거래일시,적요,보낸분/받는분,출금액,입금액,잔액,거래점\n"
        rows = '2026-09-01 09:05:11,대체,홍길동,0,"1,000","1,000",본점\n'
        [row] = read(rows, format_=KOREAN, encoding=encoding, header=header)
        assert (row.number, row.time, row.amount) == (4, time(9, 5, 11), 1000)
        assert (row.counterparty, row.memo) == ("홍길동", "대체")

    def test_reads_minor_units_and_a_cancelled_payment(self):
        [row] = read("2026-09-01,,-1.50,2.00,,,\n", exponent=2)
        assert (row.amount, row.balance) == (150, 200)

    def test_tells_rows_apart_that_say_the_same(self):
        rows = read("2026-09-01,100,,100,가,,\n2026-09-01,,100,0,가,,\n2026-09-01,100,,100,가,,\n")
        assert [row.occurrence for row in rows] == [1, 1, 2]
        assert len({row.key for row in rows}) == 3

    def test_names_a_row_that_does_not_follow(self):
        with pytest.raises(BankFileRefused) as refused:
            read(FIRST + THIRD)
        [problem] = refused.value.problems
        assert (problem.row, problem.column, problem.code) == (3, "balance", "does_not_follow")
        assert dict(problem.values) == {"before": 2, "expected": "1,550", "found": "1,250"}

    @pytest.mark.parametrize(
        ("row", "column", "code"),
        [
            (",100,,100,,,\n", "date", "empty"),
            ("2026/09/01,100,,100,,,\n", "date", "not_a_date"),
            ("2026-09-01,100,,,,,\n", "balance", "empty"),
            ("2026-09-01,십만,,100,,,\n", "paid_in", "not_an_amount"),
            ("2026-09-01,,,100,,,\n", "paid_in", "one_amount"),
            ("2026-09-01,100,100,100,,,\n", "paid_out", "one_amount"),
        ],
    )
    def test_names_what_is_wrong(self, row, column, code):
        assert problems(FIRST + row) == [(3, column, code)]

    def test_names_columns_that_are_missing(self):
        header = "date,paid_in,balance\n"
        assert problems("", header=header) == [(1, "paid_out", "column_missing")]
        assert problems("", header="") == [
            (1, column, "column_missing") for column in ("balance", "date", "paid_in", "paid_out")
        ]

    def test_refuses_what_is_no_text_or_has_no_rows(self):
        assert problems("") == [(1, "", "no_rows")]
        assert problems(FIRST, encoding="utf-16") == [(1, "", "not_decodable")]

    def test_refuses_too_many_rows(self, monkeypatch):
        monkeypatch.setattr(bank_files, "MOST_ROWS", 1)
        assert problems(FIRST + SECOND) == [(3, "", "too_many_rows")]


class TestLoadFormat:
    def test_refuses_one_that_does_not_exist(self):
        with pytest.raises(bank_files.UnknownFormat) as refused:
            bank_files.load_format("../presets")
        assert "korean, standard" in str(refused.value)
