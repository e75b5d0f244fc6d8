"""Many parcels from what a seller pastes or uploads."""

import pytest

from orders import shipping_sheets as sheets
from orders.models import OrderLine, Shipment
from orders.tests import make
from sellers.models import Seller

CJ, HANJIN = "689123456784", "5555666677"


def rows(text):
    return [(row.order, row.line, row.carrier, row.tracking_number) for row in sheets.read(text)]


class TestRead:
    def test_finds_columns_by_their_headings(self):
        text = "택배사,송장번호,상품명,주문번호,항목\ncj,1,차,A-1,2\n\nhanjin,2,컵,A-2,\n"
        assert rows(text) == [("A-1", "2", "cj", "1"), ("A-2", "", "hanjin", "2")]

    @pytest.mark.parametrize("mark", [",", "\t", ";"])
    def test_takes_three_columns_without_headings(self, mark):
        assert rows(f"A-1{mark} cj {mark}1") == [("A-1", "", "cj", "1")]

    def test_leaves_out_rows_that_are_not_filled_in(self):
        assert rows("Order number,Carrier,Tracking number\nA-1,,\nA-2,cj,1") == [
            ("A-2", "", "cj", "1")
        ]

    def test_undoes_what_marks_a_text_in_our_own_list(self):
        assert rows("'=A-1,cj,1") == [("=A-1", "", "cj", "1")]

    def test_refuses_what_has_too_few_columns_and_names_the_row(self):
        with pytest.raises(sheets.ColumnsMissing) as refused:
            sheets.read("A-1,cj,1\nA-2,cj")
        assert refused.value.params == {"row": 2, "found": 2, "field": "text"}

    def test_refuses_nothing_and_too_much(self):
        for text in ("", "\n\n", "주문번호,택배사,송장번호\n"):
            with pytest.raises(sheets.SheetEmpty):
                sheets.read(text)
        with pytest.raises(sheets.SheetTooLong):
            sheets.read("A-1,cj,1\n" * (sheets.MOST_ROWS + 1))
        with pytest.raises(sheets.SheetNotUsable):
            sheets.read("A-1,cj," + "1" * 200_000)


class TestDecode:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
    def test_reads_what_korean_excel_saves(self, encoding):
        assert sheets.decode("주문번호".encode(encoding)) == "주문번호"

    def test_refuses_a_workbook_and_a_flood(self):
        with pytest.raises(sheets.SheetNotText):
            sheets.decode(b"PK\x03\x04\x00\x00\xff\xff")
        with pytest.raises(sheets.SheetTooLong):
            sheets.decode(b"1" * (sheets.MOST_BYTES + 1))


@pytest.mark.django_db
@pytest.mark.usefixtures("market")
class TestShip:
    def orders(self):
        make.seller("dokebi")
        make.accepted(
            make.order("A-1", [make.line(1), make.line(2, quantity=2), make.line(3, "dokebi")]),
            make.order("A-2"),
            make.order("A-3", [make.line(1, "dokebi")]),
        )
        make.told(*(make.event("paid", 0, order=f"A-{n}") for n in (1, 2, 3)))

    def ship(self, text):
        hanok = Seller.objects.get(code="hanok")
        told = sheets.ship(hanok, sheets.read(text), by=None, at=make.day(1))
        return [row.refusal.code if row.refusal else row.parcel.order.number for row in told]

    def shipped(self):
        lines = OrderLine.objects.filter(status="shipped").order_by("order__number", "number")
        return list(lines.values_list("order__number", "number"))

    def test_good_rows_go_through_and_bad_ones_say_why(self):
        self.orders()
        text = f"A-1,CJ대한통운,{CJ}\nA-9,cj,{CJ}\nA-3,cj,{CJ}\nA-2,cj,12\nA-2,비둘기,{CJ}"
        assert self.ship(text) == [
            "A-1",
            "unknown_order",
            "unknown_order",
            "tracking_number_not_usable",
            "unknown_carrier",
        ]
        assert self.shipped() == [("A-1", 1), ("A-1", 2)]

    def test_the_same_sheet_again_changes_nothing(self):
        self.orders()
        text = f"A-1,cj,{CJ}\nA-2,hanjin,{HANJIN}"
        assert self.ship(text) == self.ship(text) == ["A-1", "A-2"]
        assert Shipment.objects.count() == 2

    def test_rows_of_one_number_are_one_parcel(self):
        self.orders()
        heading = "주문번호,항목,택배사,송장번호\n"
        assert self.ship(f"{heading}A-1,1,cj,{CJ}\nA-1,2,cj,{CJ}") == ["A-1", "A-1"]
        [parcel] = Shipment.objects.all()
        assert parcel.lines.count() == 2
        assert self.ship(f"{heading}A-1,1,cj,{CJ}\nA-1,2,cj,{CJ}") == ["A-1", "A-1"]
        assert Shipment.objects.count() == 1

    def test_a_row_may_name_a_line_of_the_sellers_own_only(self):
        self.orders()
        heading = "주문번호,항목,택배사,송장번호\n"
        text = f"{heading}A-1,2,cj,{CJ}\nA-1,3,hanjin,{HANJIN}\nA-2,x,cj,{CJ}"
        assert self.ship(text) == ["A-1", "unknown_line", "unknown_line"]
        assert self.ship(f"{heading}A-2,{'1' * 5_000},cj,{CJ}") == ["unknown_line"]
        assert self.shipped() == [("A-1", 2)]
