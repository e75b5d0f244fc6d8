"""The benchmark's two contenders write the same rows, whatever the time they take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections


@pytest.mark.django_db  # for the template of its database
def test_product_and_set_based_sql_agree_row_by_row():
    template = connections["owner"].settings_dict["TEST"]["TEMPLATE"]
    settle = [sys.executable, "-m", "tests.benchmarks.settle", "--lines", "5000", "--rounds", "1"]
    ran = subprocess.run(
        [*settle, "--template", template],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "marketplace.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "row by row alike" in ran.stdout
