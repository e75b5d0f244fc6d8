import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command


def run(folder):
    out, err = StringIO(), StringIO()
    try:
        call_command("check_arithmetic", str(folder), stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), None


class TestCheckArithmetic:
    @pytest.fixture
    def folder(self, tmp_path):
        cases = [{"total": 1, "weights": [1, 1], "parts": [1, 0]}]
        (tmp_path / "split.json").write_text(json.dumps(cases))
        return tmp_path

    def test_closes_with_the_counts(self, folder):
        assert run(folder) == ("1 cases checked, 0 with mismatches\n", None)

    def test_prints_each_mismatch_and_fails(self, folder):
        cases = [{"note": "tie", "total": 1, "weights": [1, 1], "parts": [0, 1]}]
        (folder / "split.json").write_text(json.dumps(cases))
        out, error = run(folder)
        assert out == (
            "split[0] (tie) parts: expected [0, 1], got [1, 0]\n"
            "1 cases checked, 1 with mismatches\n"
        )
        assert error == "The arithmetic does not agree with the worked cases."

    def test_fails_without_cases(self, tmp_path):
        assert run(tmp_path) == ("", f"No cases were found in {tmp_path}.")
