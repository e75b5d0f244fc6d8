"""The bank's files: amounts to the won, letters of its encoding, and results of any quality."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import transfer_files
from settlements.transfer_files import CSV, FIXED, Result, Transfer

ONE = Transfer(
    reference="pay_01jabcdefghjkmnpqrstvwxyz0",
    bank="088",
    number="0110123456",
    holder="김상인",
    amount=1_234_567,
    memo="모두마켓",
)
names = st.text(st.sampled_from("김상인가나다ABC (주)-"), max_size=40)
transfers = st.builds(
    Transfer,
    reference=st.from_regex(r"pay_[0-7][0-9a-hjkmnp-tv-z]{25}", fullmatch=True),
    bank=st.sampled_from(["004", "088", "090"]),
    number=st.from_regex(r"[0-9]{8,16}", fullmatch=True),
    holder=names,
    amount=st.integers(1, 10**13 - 1),
    memo=names,
)


def as_bank(layout, content, exponent, code="0000"):
    """What a bank would give back: each record of the file it got, with a code."""
    if layout == CSV:
        rows = [line.split(",") for line in content.decode("cp949").splitlines()[1:]]
        lines = [f"{row[5]},{row[3]},{code},정상" for row in rows]
        return "\r\n".join(["지급번호,금액,결과코드,결과내용", *lines]).encode("cp949")
    records = [line for line in content.splitlines() if line.startswith(b"D")]
    lines = [
        b"D" + line[1:8] + line[60:92] + line[27:40] + code.encode() + b" " * 40 for line in records
    ]
    return b"\r\n".join([b"HRESULT", *lines, b"T%07d" % len(lines)])


class TestWrite:
    def test_writes_csv_in_the_banks_letters(self):
        content = transfer_files.write(CSV, [ONE], exponent=0)
        head, row = content.decode("cp949").splitlines()
        assert head == "순번,은행코드,계좌번호,금액,예금주,지급번호,적요"
        assert row == f"1,088,0110123456,1234567,김상인,{ONE.reference},모두마켓"

    def test_writes_major_units_where_a_currency_has_decimals(self):
        content = transfer_files.write(CSV, [ONE], exponent=2)
        assert ",12345.67," in content.decode("cp949")

    def test_writes_records_of_one_width_and_a_sum(self):
        content = transfer_files.write(FIXED, [ONE, ONE], exponent=0)
        records = content.split(b"\r\n")[:-1]
        assert {len(record) for record in records} == {transfer_files.WIDTH}
        assert records[1][27:40] == b"0000001234567"
        assert records[-1][:23] == b"T0000002000000002469134"

    @pytest.mark.parametrize(
        ("field", "text"), [("holder", "김\u0e01"), ("memo", "a\nb"), ("holder", "名\U0001f600")]
    )
    def test_refuses_what_the_bank_cannot_read(self, field, text):
        bad = Transfer(
            reference=ONE.reference,
            bank=ONE.bank,
            number=ONE.number,
            amount=1,
            **{"holder": "x", field: text},
        )
        with pytest.raises(transfer_files.UnwritableTransfer, match=field):
            transfer_files.write(CSV, [bad], exponent=0)

    @given(st.lists(transfers, max_size=5, unique_by=lambda each: each.reference))
    def test_comes_back_as_it_went_in_fixed_width(self, sent):
        content = transfer_files.write(FIXED, sent, exponent=0)
        assert content == transfer_files.write(FIXED, sent, exponent=0)
        if not sent:
            return
        back = transfer_files.read(FIXED, as_bank(FIXED, content, 0), exponent=0)
        assert [(row.reference, row.amount) for row in back] == [
            (each.reference, each.amount) for each in sent
        ]
        assert all(row.is_paid and not row.problem for row in back)

    @given(
        st.lists(transfers, min_size=1, max_size=5, unique_by=lambda each: each.reference),
        st.sampled_from([0, 2]),
    )
    def test_comes_back_as_it_went_in_csv(self, sent, exponent):
        content = transfer_files.write(CSV, sent, exponent=exponent)
        back = transfer_files.read(CSV, as_bank(CSV, content, exponent), exponent=exponent)
        assert [(row.reference, row.amount) for row in back] == [
            (each.reference, each.amount) for each in sent
        ]


class TestRead:
    def test_reads_utf8_and_codes_that_a_spreadsheet_cut(self):
        text = '\ufeff지급번호,금액,결과코드\npay_x,"1,000",0\npay_y,1000,11\n'
        assert transfer_files.read(CSV, text.encode(), exponent=0) == [
            Result(2, "pay_x", 1_000, "0000"),
            Result(3, "pay_y", 1_000, "0011"),
        ]

    def test_tells_rows_that_it_cannot_read_apart(self):
        text = "지급번호,금액,결과코드\npay_x,1000.50,0000\n,5,0000\npay_z,7,0000\n"
        first, second, third = transfer_files.read(CSV, text.encode("cp949"), exponent=0)
        assert (first.problem.code, second.problem.code) == (
            "too_many_decimals",
            "result_incomplete",
        )
        assert (third.amount, third.problem) == (7, None)

    @pytest.mark.parametrize(
        ("layout", "content", "why"),
        [
            (CSV, "이름,금액\n".encode("cp949"), "column is missing"),
            (CSV, b"\xff\xfe\x00", "letters"),
            (CSV, "지급번호,금액,결과코드\n".encode("cp949"), "no result"),
            (FIXED, b"X", "record H"),
            (FIXED, b"H\r\nD0000001\r\nT0000002", "cut short"),
        ],
    )
    def test_refuses_what_is_no_file_of_results(self, layout, content, why):
        with pytest.raises(transfer_files.NotAResultFile, match=why):
            transfer_files.read(layout, content, exponent=0)
