"""Which change is told by which letter, and what is not told."""

import pytest

from marketplace import changes
from settlements import letter_kinds


class TestOfChange:
    @pytest.mark.parametrize(
        ("type_", "data", "kind"),
        [
            ("statement.payable", {"head": "x"}, "statement"),
            ("statement.closed", {"head": "x"}, "statement"),
            ("payout.paid", {}, "payout"),
            ("hold.placed", {"kind": "line", "reason": "document"}, "hold"),
            ("hold.placed", {"kind": "line", "reason": "claim"}, "claim_hold"),
            ("hold.released", {"kind": "line", "reason": "claim"}, "claim_hold"),
            ("hold.released", {"kind": "payment", "reason": "bank"}, "hold"),
            ("tax_invoice.issued", {}, "tax"),
            ("contract.published", {"version": 2}, "contract"),
        ],
    )
    def test_names_the_kind(self, type_, data, kind):
        assert letter_kinds.of_change(type_, data) == kind

    def test_knows_changes_of_the_feed_alone(self):
        assert set(letter_kinds.TYPES) <= set(changes.OF_SELLERS)
        assert letter_kinds.FEES_PUBLISHED in changes.OF_MARKETPLACE


class TestSkipped:
    @pytest.mark.parametrize("kind", letter_kinds.OPTIONAL)
    def test_obeys_the_seller(self, kind):
        assert letter_kinds.skipped(kind, [kind]) == "off"
        assert letter_kinds.skipped(kind, []) == ""

    @pytest.mark.parametrize("kind", letter_kinds.REQUIRED)
    def test_keeps_what_has_to_be_told(self, kind):
        assert letter_kinds.skipped(kind, letter_kinds.KINDS) == ""


class TestHasNothingInIt:
    @pytest.mark.parametrize(
        ("net", "payout", "carried", "nothing"),
        [
            (0, 0, 0, True),
            (0, 0, 500, True),  # carried on from before, as it was told then
            (100, 0, 100, False),  # less than the minimum payout
            (0, 700, 0, False),
            (0, 0, -700, False),
        ],
    )
    def test_is_one_in_which_nothing_moved(self, net, payout, carried, nothing):
        found = letter_kinds.has_nothing_in_it(net=net, payout=payout, carried=carried)
        assert found is nothing
