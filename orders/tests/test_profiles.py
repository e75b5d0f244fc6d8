"""The language of profiles: what can be said, and which field is named when it cannot."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketplace import documents
from orders import cells, importing, profile_rows, profiles
from orders.profiles import LINES, ORDERS

NOW = datetime(2026, 3, 31, 17, 0, tzinfo=UTC)

FLAT = {
    "name": "Shop",
    "source": "shop",
    "currency": "KRW",
    "zone": "Asia/Seoul",
    "orders": {"fields": {"number": "order", "placed_at": "at"}},
    "lines": {
        "files": ["*shop*"],
        "fields": {
            "order": "order",
            "seller": "seller",
            "unit_price": "price",
            "quantity": "units",
        },
    },
    "events": {"paid": "at"},
}
HEADER = ["order", "at", "seller", "price", "units", "note"]


def document(**changes):
    """The profile of a shop with some of its fields changed; None takes one out."""
    changed = {**json.loads(json.dumps(FLAT)), **changes}
    return {name: value for name, value in changed.items() if value is not None}


def parse(**changes):
    return profiles.parse(document(**changes), "shop")


def with_field(table, name, cell):
    changed = document()[table]
    changed["fields"][name] = cell
    return parse(**{table: changed})


def read(profile, *row, role=LINES, header=HEADER, exponent=0):
    return profile_rows.bind(profile, role, header, "shop.csv", exponent=exponent, at=NOW)(row)


def blamed(found):
    return [(column, refusal.code) for column, refusal in found.problems]


def moment(text):
    return (datetime.fromisoformat(text) - cells.EPOCH).total_seconds() * 1_000_000


class TestParse:
    @pytest.mark.parametrize("path", sorted(importing.FOLDER.glob("*.json")), ids=lambda p: p.stem)
    def test_reads_the_profiles_that_come_along(self, path: Path):
        profile = profiles.parse(json.loads(path.read_text(encoding="utf-8")), path.stem)
        assert profile.source == path.stem
        assert profile.says

    @pytest.mark.parametrize(
        ("changes", "code", "where"),
        [
            ({"lines": None}, "table_missing", "shop"),
            ({"zone": "Mars/Olympus"}, "unknown_zone", "shop.zone"),
            ({"name": None}, "field_missing", "shop.name"),
            ({"colour": "red"}, "field_unknown", "shop.colour"),
            ({"format": {"encoding": "utf-7"}}, "field_not_listed", "shop.format.encoding"),
            ({"format": {"delimiter": "a"}}, "field_not_listed", "shop.format.delimiter"),
            ({"format": {"moments": "%Q"}}, "moments_not_usable", "shop.format.moments"),
            (
                {"orders": {"fields": {"number": "order"}}},
                "field_missing",
                "shop.orders.fields.placed_at",
            ),
            (
                {"orders": {"fields": {"number": "order", "placed_at": {"upper": True}}}},
                "field_missing",
                "shop.orders.fields.placed_at.column",
            ),
            (
                {"orders": {"fields": {"number": "o", "placed_at": "at", "total": "t"}}},
                "field_unknown",
                "shop.orders.fields.total",
            ),
            (
                {"events": {"status": "s", "by_status": {"done": ["paid", "sent"]}, "paid": "at"}},
                "field_not_listed",
                "shop.events.by_status.done",
            ),
            ({"bad_row": "ignore"}, "field_not_listed", "shop.bad_row"),
        ],
    )
    def test_names_the_field_that_cannot_be_used(self, changes, code, where):
        with pytest.raises(documents.BadDocument) as refused:
            parse(**changes)
        assert (refused.value.code, refused.value.params["where"]) == (code, where)


class TestCells:
    @pytest.mark.parametrize(
        ("cell", "row_seller", "seller"),
        [
            ("seller", "  hanok ", "hanok"),
            ({"constant": "house"}, "hanok", "house"),
            ({"columns": ["seller", "note"]}, "", "a note"),
            ({"join": ["seller", "note"]}, "hanok", "hanok a note"),
            ({"column": "seller", "upper": True}, "hanok", "HANOK"),
            ({"column": "seller", "first": 2, "prefix": "range-"}, "22086", "range-22"),
            ({"column": "seller", "values": {"H": "hanok"}}, "H", "hanok"),
            ({"column": "seller", "default": "house"}, "", "house"),
            ({"column": "seller", "drop_minus": True}, "-12", "12"),
        ],
    )
    def test_take_and_change_values(self, cell, row_seller, seller):
        profile = with_field("lines", "seller", cell)
        found = read(profile, "A-1", "2026-03-02", row_seller, "100", "1", "a note")
        assert found.values["seller"] == seller

    def test_refuse_a_value_that_is_not_mapped(self):
        profile = with_field("lines", "seller", {"column": "seller", "values": {"H": "hanok"}})
        found = read(profile, "A-1", "2026-03-02", "X", "100", "1", "")
        assert blamed(found) == [("seller", "value_not_mapped")]

    def test_name_a_column_that_the_file_does_not_have(self):
        with pytest.raises(cells.ColumnMissing) as refused:
            profile_rows.check_header(parse(), LINES, ["order", "seller", "price"], "shop.csv")
        assert refused.value.params["column"] == "units"

    def test_refuse_a_column_that_stands_twice(self):
        with pytest.raises(cells.ColumnMissing):
            profile_rows.check_header(parse(), LINES, [*HEADER, "order"], "shop.csv")


class TestValues:
    def test_are_typed(self):
        found = read(parse(), "A-1", "2026-03-02", "hanok", "12,900", "2", "")
        assert found.values == {
            "order": "A-1",
            "seller": "hanok",
            "unit_price": 12_900,
            "quantity": 2,
        }

    def test_are_read_with_the_decimal_separator_of_the_profile(self):
        profile = parse(format={"decimal_separator": ","})
        found = read(profile, "A-1", "2026-03-02", "hanok", "1.234,50", "1", "", exponent=2)
        assert found.values["unit_price"] == 123_450

    @pytest.mark.parametrize(
        ("at", "code"),
        [(0, "field_missing"), (2, "field_missing"), (3, "field_missing"), (4, "field_missing")],
    )
    def test_are_told_when_missing(self, at, code):
        row = ["A-1", "2026-03-02", "hanok", "100", "1", ""]
        row[at] = " "
        assert blamed(read(parse(), *row)) == [(HEADER[at], code)]

    @pytest.mark.parametrize(
        ("price", "code"),
        [
            ("-5", "not_between"),
            ("1e5", "unreadable_amount"),
            ("=1+1", "unreadable_amount"),
            ("0.5", "too_many_decimals"),
            ("1.000", "ambiguous_amount"),
            ("9000000000000000", "not_between"),
            ("99999999999999999999", "amount_too_large"),
        ],
    )
    def test_of_money_are_exact_or_refused(self, price, code):
        found = read(parse(), "A-1", "2026-03-02", "hanok", price, "1", "")
        assert blamed(found) == [("price", code)]

    def test_of_money_stay_below_what_the_profile_calls_absurd(self):
        profile = parse(largest_amount="1000000")
        row = ("A-1", "2026-03-02", "hanok")
        assert read(profile, *row, "1000000", "1", "").values["unit_price"] == 1_000_000
        assert blamed(read(profile, *row, "1000001", "1", "")) == [("price", "not_between")]

    @pytest.mark.parametrize("units", ["0", "-1", "1.5", "1000001", "one"])
    def test_of_units_are_whole_and_above_zero(self, units):
        assert isinstance(
            read(parse(), "A-1", "2026-03-02", "hanok", "100", units, ""), profile_rows.Bad
        )

    def test_are_all_told_when_several_are_bad(self):
        found = read(parse(), "A-1", "2026-03-02", "", "x", "0", "")
        assert [column for column, _ in blamed(found)] == ["seller", "price", "units"]

    def test_may_be_a_title_that_is_cut(self):
        profile = with_field("lines", "title", "note")
        found = read(profile, "A-1", "2026-03-02", "hanok", "100", "1", "<b>" + "=" * 300)
        assert found.values["title"] == "<b>" + "=" * 297
        assert [remark[:2] for remark in found.remarks] == [("note", "text_cut")]

    def test_of_another_currency_are_refused(self):
        profile = with_field("lines", "currency", "note")
        row = ("A-1", "2026-03-02", "hanok", "100", "1")
        assert isinstance(read(profile, *row, "krw"), profile_rows.Found)
        assert blamed(read(profile, *row, "USD")) == [("note", "wrong_currency")]


class TestMoments:
    def at(self, text, **changes):
        return read(parse(**changes), "A-1", text, "", "", "", "", role=ORDERS)

    def test_are_in_the_zone_of_the_profile(self):
        found = self.at("2026-03-02 09:00:00")
        assert found.values["placed_at"] == moment("2026-03-02T00:00:00+00:00")

    def test_may_name_their_zone(self):
        found = self.at("2026-03-02T09:00:00+01:00")
        assert found.values["placed_at"] == moment("2026-03-02T08:00:00+00:00")

    def test_may_be_written_as_the_profile_says(self):
        found = self.at("2/3/2026 9:00", format={"moments": "%d/%m/%Y %H:%M"})
        assert found.values["placed_at"] == moment("2026-03-02T00:00:00+00:00")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("yesterday", "moment_not_readable"),
            ("2026-02-30", "moment_not_readable"),
            ("2026-04-02 09:00", "in_future"),
            ("1969-12-31 09:00", "date_not_usable"),
            ("0001-01-01 00:00", "moment_not_readable"),
        ],
    )
    def test_are_told_when_they_cannot_have_been(self, text, code):
        assert blamed(self.at(text)) == [("at", code)]

    def test_that_the_clocks_skipped_are_repaired(self):
        found = self.at("2017-10-15 00:30:00", zone="America/Sao_Paulo")
        assert found.values["placed_at"] == moment("2017-10-15T03:30:00+00:00")
        assert [remark[:2] for remark in found.remarks] == [("at", "time_skipped")]


class TestEvents:
    EVENTS = {
        "status": "note",
        "by_status": {
            "new": [],
            "paid": ["paid"],
            "sent": ["paid", "shipped"],
            "off": ["paid?", "shipped?", "cancelled"],
        },
        "paid": ["approved", "at"],
        "shipped": "sent_at",
        "cancelled": {"latest": ["sent_at", "approved", "at"]},
    }
    HEADER = ["order", "at", "approved", "sent_at", "note"]

    def happened(self, status, approved="", sent_at=""):
        row = ("A-1", "2026-03-02", approved, sent_at, status)
        return read(parse(events=self.EVENTS), *row, role=ORDERS, header=self.HEADER)

    def kinds(self, found):
        return [kind for kind, _ in found.values["events"]]

    def test_follow_from_the_status(self):
        assert self.kinds(self.happened("new")) == []
        assert self.kinds(self.happened("paid", "2026-03-03")) == ["paid"]
        assert self.kinds(self.happened("sent", "2026-03-03", "2026-03-04")) == ["paid", "shipped"]

    def test_take_another_time_as_a_repair(self):
        found = self.happened("paid")
        assert found.values["events"] == [["paid", moment("2026-03-02T00:00:00+09:00")]]
        assert found.remarks == [("approved", "time_taken_from", {"event": "paid", "column": "at"})]

    def test_take_the_latest_time_where_none_is_told(self):
        found = self.happened("off", "2026-03-03", "2026-03-05")
        assert found.values["events"][-1] == ["cancelled", moment("2026-03-05T00:00:00+09:00")]

    def test_leave_out_what_may_be_missing(self):
        assert self.kinds(self.happened("off", "2026-03-03")) == ["paid", "cancelled"]

    def test_tell_what_has_no_time(self):
        found = self.happened("sent", "2026-03-03")
        assert self.kinds(found) == ["paid"]
        assert found.remarks == [("sent_at", "time_missing", {"event": "shipped"})]

    def test_refuse_a_status_that_is_not_known(self):
        assert blamed(self.happened("lost")) == [("note", "value_not_mapped")]

    def test_may_come_days_later_unless_that_is_still_to_come(self):
        events = {"paid": "at", "confirmed": {"columns": ["at"], "after_days": 7}}
        early = read(parse(events=events), "A-1", "2026-03-02", "", "", "", "", role=ORDERS)
        late = read(parse(events=events), "A-1", "2026-03-30", "", "", "", "", role=ORDERS)
        assert early.values["events"][-1] == ["confirmed", moment("2026-03-09T00:00:00+09:00")]
        assert self.kinds(late) == ["paid"]


class TestKeptOut:
    @pytest.mark.parametrize(
        ("test", "kept_out"),
        [
            ({"column": "seller", "is": ["hanok", "other"]}, True),
            ({"column": "seller", "is": ["other"]}, False),
            ({"column": "seller", "is": ["other"], "not": True}, True),
            ({"column": "seller", "upper": True, "like": ["HAN*"]}, True),
            ({"column": "seller", "starts_with": "ok"}, False),
            ({"column": "price", "below": 100}, False),
            ({"column": "price", "at_most": 100}, True),
            ({"column": "price", "at_most": 0, "not": True}, True),
            ({"column": "note", "is_empty": True}, True),
            ({"column": "note", "is_empty": False}, False),
            ({"column": "seller", "below": 0}, False),  # no number
        ],
    )
    def test_rows_answer_yes(self, test, kept_out):
        profile = parse(kept_out=[{"head": "fee_code", "reason": "No goods.", "when": [test]}])
        found = read(profile, "A-1", "2026-03-02", "hanok", "100", "1", "")
        expected = profile_rows.Listed("A-1", "fee_code", "No goods.")
        assert (found == expected) is kept_out

    def test_rows_answer_yes_to_all(self):
        tests = [{"column": "price", "below": 0}, {"column": "order", "starts_with": "C"}]
        profile = parse(kept_out=[{"head": "odd", "reason": "Odd.", "when": tests}])
        row = ("2026-03-02", "hanok", "-100", "1", "")
        assert isinstance(read(profile, "C-1", *row), profile_rows.Listed)
        assert isinstance(read(profile, "A-1", *row), profile_rows.Bad)
