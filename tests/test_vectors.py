"""The worked cases of the settlement arithmetic, each exact, and the checker that runs them."""

import json
import shutil
from pathlib import Path

import pytest

from settlements import arithmetic_check

VECTORS = Path(__file__).parent / "vectors"
EXPECTED_CASES = {
    "due_dates": 134,
    "fee": 157,
    "order": 58,
    "reversal": 76,
    "split": 67,
    "statement": 92,
    "tiers": 52,
}


@pytest.mark.parametrize("kind", sorted(EXPECTED_CASES))
def test_every_case_comes_out_exactly(kind):
    cases = json.loads((VECTORS / f"{kind}.json").read_text())
    assert len(cases) == EXPECTED_CASES[kind]
    found = [
        str(mismatch)
        for index, case in enumerate(cases)
        for mismatch in arithmetic_check.check_case(kind, index, case)
    ]
    assert found == []


class TestCheckFolder:
    def test_counts_all_cases(self):
        report = arithmetic_check.check_folder(VECTORS)
        assert (report.cases, report.failed, report.unknown) == (636, 0, ())
        assert report.is_clean

    @pytest.mark.parametrize(
        ("kind", "field", "change"),
        [
            ("split", "parts", lambda case: case["parts"].reverse()),
            ("fee", "vat", lambda case: case.update(vat=case["vat"] + 1)),
            ("tiers", "fee", lambda case: case.update(fee=case["fee"] + 1)),
            ("order", "charged", lambda case: case.update(charged=case["charged"] - 1)),
            ("due_dates", "due", lambda case: case.update(due="2026-02-18")),
            ("statement", "payout", lambda case: case.pop("payout")),
            ("reversal", "sale.net", lambda case: case["sale"].update(net=1)),
            ("reversal", "reversals.0.net", lambda c: c["reversals"][0]["reversed"].update(net=1)),
        ],
    )
    def test_tells_a_figure_that_was_changed(self, tmp_path, kind, field, change):
        cases = json.loads((VECTORS / f"{kind}.json").read_text())[:2]
        change(cases[0])
        (tmp_path / f"{kind}.json").write_text(json.dumps(cases))
        report = arithmetic_check.check_folder(tmp_path)
        assert (report.cases, report.failed) == (2, 1)
        assert [(m.file, m.case, m.field) for m in report.mismatches] == [(kind, 0, field)]
        assert not report.is_clean

    def test_tells_a_refusal_that_did_not_come_and_one_that_should_not_have(self, tmp_path):
        refused, priced = json.loads((VECTORS / "order.json").read_text())[1::-1]
        del refused["refused"]
        priced["refused"] = "discount_exceeds_lines"
        (tmp_path / "order.json").write_text(json.dumps([refused, priced]))
        assert [
            (m.expected, m.got) for m in arithmetic_check.check_folder(tmp_path).mismatches
        ] == [
            ("(missing)", "discount_exceeds_lines"),
            ("discount_exceeds_lines", "(missing)"),
        ]

    def test_names_files_it_does_not_know(self, tmp_path):
        shutil.copy(VECTORS / "split.json", tmp_path / "grades.json")
        report = arithmetic_check.check_folder(tmp_path)
        assert (report.cases, report.unknown) == (0, ("grades.json",))
        assert not report.is_clean

    @pytest.mark.parametrize("text", ["", "{", "7", "[7]", '[{"total": 1}]', '[{"total": "x"}]'])
    def test_takes_an_unreadable_case_as_a_mismatch(self, tmp_path, text):
        (tmp_path / "split.json").write_text(text)
        (mismatch,) = arithmetic_check.check_folder(tmp_path).mismatches
        assert (mismatch.field, mismatch.expected) == ("case", "readable")
