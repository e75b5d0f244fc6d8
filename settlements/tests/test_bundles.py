"""Bundles prove themselves: to a program that shares no code with ours, and to the byte."""

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings

from marketplace import tenancy
from orders import claims, outcomes, return_shipping
from settlements import bundles, downloads, nights, proof_files, proofs
from settlements.models import Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

FIRST = date(2026, 9, 8)
SCRIPT = settings.BASE_DIR / "docs" / "verify_statement.py"


def _program():
    """The program of the documents as a module; it is no part of any app."""
    spec = importlib.util.spec_from_file_location("verify_statement", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["verify_statement"] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


program = _program()


def _past(market):
    """A seller with sales of all kinds, some taken back in parts, some made cheaper."""
    with tenancy.use(market.pk):
        seller = make.seller("A")
        given = {"category": "gold", "confirmed_on": FIRST}
        make.sold(seller, number="=1+1", unit_price=33_333, **given)
        make.sold(seller, number='"O2",\n', unit_price=0, **given)
        funded = {"seller_discount": 1_001, "platform_discount": 502, "partner_discount": 7}
        back = make.sold(seller, number="O3", unit_price=11_111, quantity=3, **funded, **given)
        cheaper = make.sold(seller, number="O3", line=2, unit_price=9_990, quantity=2, **given)
        later = make.sold(seller, number="O4", unit_price=7_777, quantity=5, **funded, **given)
        for left in (2, 0):
            make.returned(back, left=left, on=FIRST)
        for funder, amount in (("seller", 333), ("platform", 101)):
            reduced = outcomes.Reduced(cheaper.pk, amount, funder, FIRST, "goodwill")
            outcomes.record([], [reduced])
        make.returned(cheaper, left=1, on=FIRST)
        sent = make.sold(seller, number="O5", unit_price=20_000, **given)
        _give_back(sent, datetime(2026, 9, 8, 3, tzinfo=UTC))
        for days, left in ((1, 4), (2, 1)):
            make.returned(later, left=left, on=FIRST + timedelta(days=days))


def _give_back(line, at):
    """A buyer who changed his mind pays both ways; we have paid the carrier."""
    terms = return_shipping.Terms(3_000, 2_500, "deducted", is_advanced=True)
    told = {"type": "return", "quantity": 1, "fault": "buyer", "shipping_terms": terms}
    claim = claims.request(line, **told, by=None, at=at)
    claims.approve(claim, by=None, at=at)
    claims.complete(claim, by=None, at=at)


@pytest.fixture(scope="module")
def remembered():
    return {}


@pytest.fixture
def files(remembered, request):
    """Three bundles of one seller, one after the other; made once, since they never change."""
    if not remembered:
        request.getfixturevalue("db")
        market = make.market(first_open_on=FIRST)
        _past(market)
        nights.close_day(market.pk, FIRST + timedelta(days=10), at=make.AT)
        with tenancy.use(market.pk):
            rows = Statement.objects.exclude(state="open").order_by("due_on")
            remembered["bundles"] = [bundles.make(statement) for statement in rows]
            remembered["heads"] = proof_files.heads(make.Seller.objects.get()).decode()
            assert [bundles.make(statement) for statement in rows] == remembered["bundles"]
    return remembered


def _unpacked(bundle):
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(content, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def _checked(content, path):
    """What the program finds in these files."""
    return [str(finding) for finding in program.check(_packed(content, path)).findings]


def _resealed(content):
    """As whoever has the files and the program, but not the key, would make them agree again."""
    statement = json.loads(content["statement.json"])
    lines = []
    for row in content["lines.csv"].decode().split("\n")[1:]:
        body = row.rpartition(",")[0]
        lines.append(f"{body},{proofs.digest(body)[:8]}" if body else row)
    content["lines.csv"] = proofs.HEADER + "\n".join(lines).encode()
    document = statement["document"]
    document["lines"]["sha256"] = program._sha256(content["lines.csv"])
    statement["head"] = program._sha256(program._canonical(document))
    content["statement.json"] = program.pretty(statement)
    present = {name: content[name] for name in program.CONTENTS}
    content["manifest.json"] = program.manifest_of(present)
    return content


def _run(*arguments):
    ran = subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True
    )
    return ran.returncode, ran.stdout + ran.stderr


class TestMake:
    def test_agrees_with_a_program_that_shares_no_code(self, files, tmp_path):
        paths = []
        for number, bundle in enumerate(files["bundles"], 1):
            path = tmp_path / f"{number}.zip"
            path.write_bytes(bundle)
            paths.append(path)
        status, told = _run(*paths)
        assert status == 0, told
        assert told.count("everything agrees") == 3
        assert "statement no. 2 of A, due 2026-09-14: 1 lines" in told

    def test_holds_what_the_statement_page_shows(self, files):
        content = _unpacked(files["bundles"][0])
        assert sorted(content) == sorted((*program.CONTENTS, "manifest.json"))
        rows = content["lines.csv"].decode().split("\n")
        assert rows[0].split(",") == list(proofs.LINE_COLUMNS)
        # A text that a spreadsheet would run is marked; it sorts by what the order is called.
        label = rows[3].partition(",")[0]
        assert rows[1:3][0] == f'{label},"""O2"",'
        assert ',"\'=1+1",1,0,sale,"goods",2026-09-01,2026-09-08,33333,1,0,0,0,' in rows[3]
        statement = json.loads(content["statement.json"])
        assert statement["document"]["figures"]["net"] == sum(
            int(row.split(",")[-4]) for row in rows[3:-1]
        )

    def test_is_refused_before_the_statement_is_closed_sealed_or_small_enough(self, monkeypatch):
        market = make.market(first_open_on=FIRST)
        with tenancy.use(market.pk):
            make.sold(make.seller("A"), confirmed_on=FIRST)
        nights.close_day(market.pk, FIRST, at=make.AT)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            with pytest.raises(bundles.NotClosed):
                bundles.make(statement)
            statement.state = "payable"
            with pytest.raises(bundles.NotSealed):
                bundles.make(statement)
        nights.close_day(market.pk, FIRST + timedelta(days=5), at=make.AT)
        with tenancy.use(market.pk):
            monkeypatch.setattr(downloads, "MOST_LINES", 0)
            with pytest.raises(bundles.TooLarge):
                bundles.make(Statement.objects.get())


class TestProgram:
    @hypothesis_settings(
        max_examples=250,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        print_blob=False,
    )
    @given(strategies.data())
    def test_names_the_file_and_the_line_of_any_byte_that_is_flipped(self, files, tmp_path, data):
        content = _unpacked(files["bundles"][0])
        name = data.draw(strategies.sampled_from(sorted(content)))
        at = data.draw(strategies.integers(0, len(content[name]) - 1))
        flipped = bytearray(content[name])
        flipped[at] ^= data.draw(strategies.integers(1, 255))
        found = _checked({**content, name: bytes(flipped)}, tmp_path / "b.zip")
        assert any(line.startswith(f"b.zip/{name}: ") for line in found), (name, at, found)
        if name == "lines.csv":
            row = content[name][:at].count(b"\n") + 1
            rows = content[name].decode().split("\n")
            order = 'order "O2",\n' if row in (2, 3) else f"order {_order_of(rows, row)}"
            named = (f"lines.csv: row {row}", f"lines.csv: row {row - 1}", order)
            assert any(word in line for word in named for line in found), (at, found)

    @pytest.mark.parametrize(
        ("column", "place", "what"),
        [
            ("fee", "order O4, line 1, #0", "fee should be 1136, is 1137"),
            ("net", "order O4, line 1, #0", "net should be "),
            ("unit_price", "order O4, line 1, #0", "list_amount should be 38890, is 38885"),
            ("ordered_seller_discount", "order O4, line 1, #0", "seller_discount should be 1002"),
            ("quantity", "order O4, line 1, #0", "cannot be computed again: 6 of 5 units"),
            ("platform_discount", "order O3, line 1, #1", "platform_discount should be "),
            ("vat", "order O3, line 2, #3", "vat should be "),
        ],
    )
    def test_names_line_and_field_where_everything_else_was_made_to_agree(
        self, files, tmp_path, column, place, what
    ):
        content = _unpacked(files["bundles"][0])
        order, line, sequence = (word.split()[-1].lstrip("#") for word in place.split(", "))
        rows = content["lines.csv"].decode().split("\n")
        for number, row in enumerate(rows):
            cells = row.split(",")
            if cells[1:4] == [f'"{order}"', line, sequence]:
                at = proofs.LINE_COLUMNS.index(column)
                cells[at] = str(int(cells[at]) + 1)
                rows[number] = ",".join(cells)
        content["lines.csv"] = "\n".join(rows).encode()
        found = _checked(_resealed(content), tmp_path / "b.zip")
        assert any(f"lines.csv: {place}: {what}" in line for line in found), found
        assert any("signature" in line for line in found)

    @pytest.mark.parametrize("figure", ["payout", "carry_in", "reserve", "net", "list_amount"])
    def test_names_a_figure_of_the_statement(self, files, tmp_path, figure):
        content = _unpacked(files["bundles"][0])
        statement = json.loads(content["statement.json"])
        statement["document"]["figures"][figure] += 1
        content["statement.json"] = program.pretty(statement)
        found = _checked(_resealed(content), tmp_path / "b.zip")
        wanted = "payable" if figure == "carry_in" else figure
        assert any(f"figures, {wanted} should be" in line for line in found), found

    def test_names_rules_that_were_changed(self, files, tmp_path):
        content = _unpacked(files["bundles"][0])
        content["rules.json"] = content["rules.json"].replace(b": 30000", b": 20000", 1)
        found = _checked(_resealed(content), tmp_path / "b.zip")
        assert any("rules.json: terms" in line for line in found)
        assert any("sales fee should be" in line for line in found)

    def test_takes_a_folder_and_names_what_is_missing(self, files, tmp_path):
        for name, data in _unpacked(files["bundles"][0]).items():
            (tmp_path / name).write_bytes(data)
        assert program.check(tmp_path).findings == []
        (tmp_path / "rules.json").unlink()
        (tmp_path / "more.txt").write_text("x")
        found = [str(finding) for finding in program.check(tmp_path).findings]
        assert f"{tmp_path.name}/rules.json: is missing" in found
        assert f"{tmp_path.name}/more.txt: does not belong into a bundle" in found

    def test_catches_a_bundle_made_anew_by_the_head_that_was_kept(self, files, tmp_path):
        path = tmp_path / "1.zip"
        path.write_bytes(files["bundles"][0])
        first = json.loads(_unpacked(files["bundles"][0])["statement.json"])["head"]
        kept = tmp_path / "heads.csv"
        kept.write_text(files["heads"])
        assert _run(path, "--head", first)[0] == 0
        assert _run(path, "--head", kept)[0] == 0
        status, told = _run(path, "--head", "1" * 64)
        assert (status, "none of those you kept" in told) == (1, True)
        kept.write_text(files["heads"].replace(first, "2" * 64))
        status, told = _run(path, "--head", kept)
        assert (status, "it was made anew" in told) == (1, True)
        assert _run(path, "--head", tmp_path / "nowhere")[0] == 2

    def test_catches_a_key_that_is_not_the_marketplaces(self, files, tmp_path):
        path = tmp_path / "1.zip"
        path.write_bytes(files["bundles"][0])
        status, told = _run(path, "--key", "1" * 64)
        assert (status, "is not the one that you gave" in told) == (1, True)

    def test_catches_a_chain_that_was_cut(self, files, tmp_path):
        content = _unpacked(files["bundles"][0])
        statement = json.loads(content["statement.json"])
        statement["document"]["figures"]["carry_out"] = 5
        content["statement.json"] = program.pretty(statement)
        first = _packed(_resealed(content), tmp_path / "1.zip")
        second = tmp_path / "2.zip"
        second.write_bytes(files["bundles"][1])
        status, told = _run(second, first)
        assert status == 1
        assert "2.zip/statement.json: previous_head: is not the head of no. 1" in told
        assert "figures, carry_in should be 5, is 0 (carried out of no. 1)" in told

    def test_holds_own_orders_against_the_lines(self, files, tmp_path):
        path = tmp_path / "1.zip"
        path.write_bytes(files["bundles"][0])
        own = tmp_path / "orders.csv"
        head = "order,line,quantity,unit_price,seller_discount\n"
        rows = ["'=1+1,1,1,33333,0", '"""O2"",\n",1,1,0,', "O3,1,3,11111,1001", "O3,2,2,9990,0"]
        rows.insert(0, "O5,1,1,20000,0")  # what its return cost comes of a claim
        own.write_text(head + "\n".join([*rows, "O4,1,5,7777,1001\n"]))
        assert _run(path, "--orders", own) == _run(path)
        own.write_text(head + "\n".join([*rows, "O4,1,5,7778,1001", "O9,1,1,1,0\n"]))
        status, told = _run(path, "--orders", own)
        assert status == 1
        assert "order O4, line 1, #0: unit_price should be 7778, is 7777 (by your own" in told
        assert "orders.csv: order O9, line 1: is on none of these statements" in told
        own.write_text(head + "\n".join([*rows[1:], "O4,1,5,7777,1001\n"]))
        _, told = _run(path, "--orders", own)
        assert "order O5, line 2, #0: is not among your own orders" in told
        own.write_text(head + "\n".join(rows[:-1]))
        status, told = _run(path, "--orders", own)
        assert "order O3, line 2, #0: is not among your own orders" in told
        own.write_text("number\n")
        assert _run(path, "--orders", own)[0] == 2

    def test_says_what_it_cannot_read(self, tmp_path):
        assert _run(tmp_path / "nowhere.zip")[0] == 2
        (tmp_path / "b.zip").write_text("no ZIP")
        status, told = _run(tmp_path / "b.zip")
        assert (status, "is no bundle that can be read" in told) == (2, True)

    def test_names_a_file_that_is_damaged_within_the_zip(self, files, tmp_path):
        damaged = bytearray(files["bundles"][0])
        with zipfile.ZipFile(io.BytesIO(files["bundles"][0])) as archive:
            entry = archive.getinfo("lines.csv")
        damaged[entry.header_offset + 30 + len("lines.csv") + 20] ^= 0xFF
        (tmp_path / "b.zip").write_bytes(damaged)
        found = [str(finding) for finding in program.check(tmp_path / "b.zip").findings]
        assert any("b.zip/lines.csv: is damaged in the ZIP" in line for line in found)


def _order_of(rows, row):
    """What the program calls the order of a row that it can read."""
    cells = rows[row - 1].split(",") if row <= len(rows) else []
    return cells[1].strip('"') if len(cells) > 1 else "?"
