"""The command: what it prints, where it writes, what it refuses."""

import json

import pytest
from django.core.management import CommandError, call_command

from marketplace import tenancy
from marketplace.models import JobRow
from orders.models import ImportProfile
from orders.tests import make
from orders.tests.test_importing import GOOD, GOOD_PAID, PAID, ROWS, SHOP


@pytest.fixture
def files(db, tmp_path):
    with tenancy.use(make.marketplace().pk):
        make.calendar()
        make.policy()
        make.seller()
        ImportProfile.objects.create(code="shop", name="Shop", body=json.loads(json.dumps(SHOP)))
    rows, paid = tmp_path / "rows.csv", tmp_path / "paid.csv"
    rows.write_text("\n".join([ROWS, *GOOD]))
    paid.write_text("\n".join([PAID, *GOOD_PAID]))
    return [str(rows), str(paid)]


class TestImportOrders:
    def test_prints_counts_heads_and_what_it_took(self, files, tmp_path, capsys):
        report = tmp_path / "report.csv"
        call_command("import_orders", "jangteo", "shop", *files, "--report", str(report))
        printed = capsys.readouterr().out.splitlines()
        assert "orders_accepted\t1" in printed
        assert "rejected\t1" in printed
        assert "tender_differs\t1\t52500" in printed
        assert " rows/s, peak memory " in printed[-1]
        assert len(report.read_text().splitlines()) == 3
        with tenancy.use(code="jangteo"):
            assert JobRow.objects.count() == 2

    def test_says_when_nothing_changed(self, files, capsys):
        call_command("import_orders", "jangteo", "shop", *files)
        capsys.readouterr()
        call_command("import_orders", "jangteo", "shop", *files)
        assert "everything was there already; nothing changed" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere", "shop"], "no marketplace"),
            (["jangteo", "nothing"], "nothing"),
        ],
    )
    def test_refuses_what_it_does_not_know(self, files, arguments, message):
        with pytest.raises(CommandError, match=message):
            call_command("import_orders", *arguments, *files)

    def test_refuses_a_report_that_it_could_not_write(self, files, tmp_path):
        target = tmp_path / "nowhere" / "report.csv"
        with pytest.raises(CommandError, match="nowhere"):
            call_command("import_orders", "jangteo", "shop", *files, "--report", str(target))
        with tenancy.use(code="jangteo"):
            assert not JobRow.objects.exists()
