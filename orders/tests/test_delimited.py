"""Rows of files that are whole, and of files that are not."""

import gzip

import pytest

from orders import delimited


@pytest.fixture
def read(tmp_path):
    """Write a file and read it back: its header, and each row or the code of what is wrong."""

    def read(content: bytes, *, encoding="utf-8", delimiter=","):
        path = tmp_path / "orders.csv"
        path.write_bytes(content)
        with delimited.opened(path, encoding, delimiter) as table:
            rows = [
                (number, row if isinstance(row, list) else row.code) for number, row in table.rows()
            ]
            return table.header, rows

    return read


class TestRows:
    def test_are_cells_with_their_line_numbers(self, read):
        assert read(b"a,b\n1,2\n3,4\n") == (["a", "b"], [(2, ["1", "2"]), (3, ["3", "4"])])

    def test_come_without_byte_order_mark_and_carriage_returns(self, read):
        assert read(b"\xef\xbb\xbfa,b\r\n1,2\r\n") == (["a", "b"], [(2, ["1", "2"])])

    def test_come_out_of_gzip_whatever_the_name(self, read):
        assert read(gzip.compress(b"a,b\n1,2")) == (["a", "b"], [(2, ["1", "2"])])

    def test_are_split_at_the_delimiter_of_the_profile(self, read):
        assert read(b"a;b\n1,5;2\n", delimiter=";")[1] == [(2, ["1,5", "2"])]

    def test_may_quote_delimiters_quotes_and_line_ends(self, read):
        content = b'a,b\n"1,2","say ""so"""\n"two\nlines",3\n4,5\n'
        assert read(content)[1] == [
            (2, ["1,2", 'say "so"']),
            (3, ["two\nlines", "3"]),
            (5, ["4", "5"]),
        ]

    def test_take_a_quote_within_a_plain_cell_as_it_is(self, read):
        assert read(b'a,b\n5" pipe,1\n')[1] == [(2, ['5" pipe', "1"])]

    def test_leave_out_rows_without_any_cell_filled(self, read):
        assert read(b"a,b\n\n,\n1,2\n\n")[1] == [(4, ["1", "2"])]

    def test_name_a_wrong_number_of_columns_and_go_on(self, read):
        assert read(b"a,b\n1\n1,2,3\n1,2\n")[1] == [
            (2, "wrong_number_of_columns"),
            (3, "wrong_number_of_columns"),
            (4, ["1", "2"]),
        ]

    def test_lose_only_the_row_that_never_closes_its_quote(self, read):
        content = b'a,b\n1,"open\n2,"closed"\n3,4\n5,"open too\n6,7\n'
        assert read(content)[1] == [
            (2, "quote_not_closed"),
            (3, ["2", "closed"]),
            (4, ["3", "4"]),
            (5, "quote_not_closed"),
            (6, ["6", "7"]),
        ]

    def test_look_for_a_closing_quote_only_so_far(self, read, monkeypatch):
        monkeypatch.setattr(delimited, "LONGEST_RECORD", 3)
        assert read(b'a,b\n1,"x\n2,2\n3,3\n4,y"\n')[1] == [
            (2, "quote_not_closed"),
            (3, ["2", "2"]),
            (4, ["3", "3"]),
            (5, ["4", 'y"']),
        ]

    def test_name_text_after_a_closing_quote(self, read):
        assert read(b'a,b\n"1"1,2\n3,4\n')[1] == [(2, "quote_misplaced"), (3, ["3", "4"])]

    def test_name_bytes_that_are_no_text(self, read):
        assert read(b"a,b\n1,\xff\xfe\n3,4\n")[1] == [(2, "not_decodable"), (3, ["3", "4"])]

    def test_are_read_as_cp949_where_the_profile_says_so(self, read):
        content = "주문,상품\n1,녹차\n".encode("cp949") + b"\xb0,2\n3,4\n"
        assert read(content, encoding="cp949") == (
            ["주문", "상품"],
            [(2, ["1", "녹차"]), (3, "not_decodable"), (4, ["3", "4"])],
        )

    def test_name_cp949_that_is_read_as_utf_8(self, read):
        content = "a,b\n1,녹차\n".encode("cp949")
        assert read(content)[1] == [(2, "not_decodable")]

    def test_name_a_line_without_end_and_go_on(self, read, monkeypatch):
        monkeypatch.setattr(delimited, "LONGEST_LINE", 10)
        assert read(b"a,b\n" + b"1" * 35 + b",2\n3,4\n")[1] == [
            (2, "line_too_long"),
            (3, ["3", "4"]),
        ]


class TestOpened:
    def test_refuses_an_empty_file(self, read):
        with pytest.raises(delimited.FileEmpty):
            read(b"\n\n")

    def test_refuses_a_file_that_is_not_there(self, tmp_path):
        missing = delimited.opened(tmp_path / "missing.csv", "utf-8", ",")
        with pytest.raises(delimited.FileUnreadable), missing:
            pass

    def test_refuses_gzip_that_is_cut_off(self, read):
        whole = gzip.compress(b"a,b\n" + bytes(range(1, 256)) * 100)
        with pytest.raises(delimited.FileUnreadable):
            read(whole[:-20])
