"""Tables for spreadsheets, inert whatever stands in their cells."""

import io

import openpyxl
import pytest

from marketplace import sheets

HOSTILE = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1"]


class TestWrite:
    def test_csv_opens_in_korean_excel(self):
        found = sheets.write("csv", ["주문번호", "수량"], [["A-1", 2], ["가,나", None]])
        assert found == '\ufeff주문번호,수량\r\nA-1,2\r\n"가,나",\r\n'.encode()

    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_text_is_a_formula(self, text):
        assert f"'{text}"[:2] in sheets.write("csv", ["a"], [[text]]).decode("utf-8-sig")
        book = openpyxl.load_workbook(io.BytesIO(sheets.write("xlsx", ["a"], [[text]])))
        cell = book.active["A2"]
        assert cell.data_type == "s"
        assert cell.value.startswith("'")

    def test_xlsx_keeps_numbers_as_numbers_and_long_codes_as_text(self):
        found = sheets.write("xlsx", ["n", "code"], [[12_000, "689123456784"]])
        sheet = openpyxl.load_workbook(io.BytesIO(found)).active
        assert [[cell.value for cell in row] for row in sheet.rows] == [
            ["n", "code"],
            [12_000, "689123456784"],
        ]
