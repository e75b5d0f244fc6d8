"""The benchmark's two contenders write the same rows, whatever the time they take."""

import os
import subprocess
import sys
from pathlib import Path


def test_product_and_set_based_sql_agree_row_by_row():
    ran = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.settle", "--lines", "5000", "--rounds", "1"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "marketplace.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "row by row alike" in ran.stdout
