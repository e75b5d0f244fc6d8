"""The sums of a day: right ones come out, and each wrong figure is named where it stands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import day_sheet

GOOD = day_sheet.Facts(
    gross=110_000,
    provider_fee=3_000,
    provider_vat=300,
    deposit=106_700,
    outcomes=90_000,
    on_lines=60_000,
    waiting=30_000,
    lost=0,
    sold=60_000,
    charged=6_600,
    net=53_400,
    opening=10_000,
    withheld=400,
    moved={"payout": -20_000, "adjustment": 1_000},
    closing=44_000,
    clearing_opening=70_000,
    taken=58_000,
    deposited=110_000,
    clearing_moved={"tenders": -3_000, "reconciliation": 200},
    clearing_closing=15_200,
    standing={"owed": 20_000, "ahead": -5_000, "by_hand": 150, "elsewhen": 50},
    debits=500,
    credits=500,
    unresolved={"suspense": 0, "discrepancies": 2},
)


class TestSheet:
    def test_comes_out_where_everything_agrees(self):
        sheet = day_sheet.sheet(GOOD)
        assert sheet.differing == ()
        assert [block.difference for block in sheet.blocks] == [0] * 7
        assert sheet.unresolved == (("discrepancies", 2), ("suspense", 0))

    @pytest.mark.parametrize(
        ("change", "block", "difference"),
        [
            ({"deposit": 106_699}, "provider", 1),
            ({"gross": 110_005}, "provider", 5),
            ({"on_lines": 59_000}, "outcomes", -1_000),
            ({"lost": 10}, "outcomes", 10),
            ({"charged": 6_601}, "settled", -1),
            ({"closing": 44_001}, "owed", -1),
            ({"withheld": 0}, "owed", 400),
            ({"moved": {}}, "owed", 19_000),
            ({"credits": 499}, "ledger", 1),
            ({"taken": 58_007}, "clearing", 7),
            ({"deposited": 110_007}, "clearing", -7),
            ({"clearing_opening": 0}, "clearing", -70_000),
            ({"clearing_moved": {}}, "clearing", 2_800),
            ({"standing": {"owed": 15_199}}, "standing", -1),
        ],
    )
    def test_names_the_sum_that_does_not_come_out(self, change, block, difference):
        sheet = day_sheet.sheet(replace(GOOD, **change))
        assert sheet.differing == (block,)
        assert {b.code: b.difference for b in sheet.blocks}[block] == difference

    def test_takes_what_is_not_known_for_no_difference(self):
        nothing = {"gross": None, "provider_fee": None, "provider_vat": None, "deposit": None}
        block = day_sheet.sheet(replace(GOOD, **nothing)).blocks[0]
        assert (block.is_known, block.difference) == (False, None)

    def test_names_what_clearing_consists_of_only_where_a_night_has_proven_it(self):
        codes = [block.code for block in day_sheet.sheet(replace(GOOD, standing=None)).blocks]
        assert codes == ["provider", "outcomes", "settled", "owed", "clearing", "ledger"]
        changed = day_sheet.sheet(replace(GOOD, clearing_closing=0))
        assert changed.differing == ("clearing", "standing")

    @given(
        st.tuples(*[st.integers(-(10**12), 10**12)] * 4),
        st.dictionaries(st.text("abc", min_size=1), st.integers(-(10**12), 10**12), max_size=3),
    )
    def test_is_read_back_as_it_was_said(self, figures, moved):
        opening, net, withheld, extra = figures
        closing = opening + net - withheld + sum(moved.values()) + extra
        facts = replace(
            GOOD, opening=opening, net=net, withheld=withheld, moved=moved, closing=closing
        )
        sheet = day_sheet.sheet(facts)
        assert day_sheet.read(sheet.said()) == sheet
        assert {b.code: b.difference for b in sheet.blocks}["owed"] == -extra


class TestDigest:
    def test_changes_with_every_part(self):
        said = day_sheet.sheet(GOOD).said()
        digests = {
            day_sheet.digest("2026-09-08", 1, said, ""),
            day_sheet.digest("2026-09-09", 1, said, ""),
            day_sheet.digest("2026-09-08", 2, said, ""),
            day_sheet.digest("2026-09-08", 1, said, "0" * 64),
            day_sheet.digest("2026-09-08", 1, day_sheet.sheet(replace(GOOD, net=1)).said(), ""),
        }
        assert len(digests) == 5
