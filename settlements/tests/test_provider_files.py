"""Settlement files are read whole, or every mistake is told by row and column."""

from datetime import date

import pytest

from settlements import provider_files
from settlements.provider_files import Row

HEADER = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
FORMAT = provider_files.load_format("standard")


def read(text, exponent=0):
    return provider_files.read((HEADER + text).encode(), FORMAT, exponent=exponent)


def problems(text):
    with pytest.raises(provider_files.ProviderFileRefused) as refused:
        read(text)
    return [(found.row, found.column, found.code) for found in refused.value.problems]


class TestRead:
    def test_reads_payments_and_refunds(self):
        rows = read(
            'P1,payment,2026-09-01,2026-09-03,"10,000",300,30,9670\n'
            "P1,refund,2026-09-02,2026-09-03,-4000,-120,-12,-3868\n"
        )
        assert rows == [
            Row(2, "P1", "payment", date(2026, 9, 1), date(2026, 9, 3), 10_000, 300, 30, 9_670),
            Row(3, "P1", "refund", date(2026, 9, 2), date(2026, 9, 3), -4_000, -120, -12, -3_868),
        ]

    def test_takes_a_refund_without_its_sign(self):
        [row] = read("P1,refund,2026-09-02,2026-09-03,4000,120,12,3868\n")
        assert (row.gross, row.fee, row.fee_vat, row.deposit) == (-4_000, -120, -12, -3_868)

    def test_reads_minor_units_of_other_currencies(self):
        [row] = read("P1,payment,2026-09-01,2026-09-03,10.05,0.30,0.03,9.72\n", exponent=2)
        assert (row.gross, row.deposit) == (1_005, 972)

    def test_tells_rows_apart_that_say_the_same(self):
        line = "P1,refund,2026-09-02,2026-09-03,-100,0,0,-100\n"
        assert [row.occurrence for row in read(line * 3)] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("line", "column", "code"),
        [
            (",payment,2026-09-01,2026-09-03,1,0,0,1", "payment_id", "empty"),
            ("P1,chargeback,2026-09-01,2026-09-03,1,0,0,1", "kind", "unknown_kind"),
            ("P1,payment,01.09.2026,2026-09-03,1,0,0,1", "sold_on", "not_a_date"),
            ("P1,payment,2026-09-01,2026-09-03,1.5,0,0,1", "gross", "not_an_amount"),
            ("P1,payment,2026-09-01,2026-09-03,100,3,0,98", "deposit", "does_not_add_up"),
        ],
    )
    def test_tells_a_mistake_by_row_and_column(self, line, column, code):
        good = "P0,payment,2026-09-01,2026-09-03,1,0,0,1\n"
        assert problems(good + line + "\n") == [(3, column, code)]

    def test_refuses_a_file_without_rows_or_columns(self):
        assert problems("") == [(1, "", "no_rows")]
        with pytest.raises(provider_files.ProviderFileRefused, match="no such column"):
            provider_files.read(b"a,b\n1,2\n", FORMAT, exponent=0)

    def test_reads_a_korean_file(self):
        text = (
            "결제번호,구분,매출일,정산지급일,거래금액,수수료,수수료 부가세,지급액\r\n"
            'P1,승인,2026-09-01,2026-09-03,"10,000",300,30,"9,670"\r\n'
        )
        korean = provider_files.load_format("korean")
        [row] = provider_files.read(text.encode("cp949"), korean, exponent=0)
        assert (row.kind, row.gross) == ("payment", 10_000)
        with pytest.raises(provider_files.ProviderFileRefused, match="cp949"):
            provider_files.read(b"\xff\xff\xff", korean, exponent=0)

    def test_knows_its_formats(self):
        with pytest.raises(provider_files.UnknownFormat, match="korean, standard"):
            provider_files.load_format("../x")
