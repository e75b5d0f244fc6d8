"""A real marketplace's fee schedule: 29,508 rows in, and every band answers rightly."""

import csv
import gzip
import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from listings.models import Category
from marketplace import tenancy
from settlements import opening, rate_cards, schedule_files, schedule_import
from settlements.models import FeeRule, FeeSchedule, FeeScheduleVersion
from settlements.schedules import Sale

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VALID_FROM = date(2026, 4, 1)
SMALL = """section,group,kind,royalty_percent,price_from_incl,price_to_excl
A,B,shoes,17.85,0,2250.0
A,B,shoes,13.0,2250,9999999999999.99
A,B,bags,5.0,0,9999999999999.99
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def own():
    marketplace = opening.open_marketplace(
        "open-market", "kyiv", currency="UAH", exponent=2, zone="Europe/Kyiv", country="UA", at=AT
    )
    with tenancy.use(marketplace.pk):
        yield marketplace


@pytest.fixture
def kasta(data_dir):
    return data_dir / "fees/kasta_royalty_schedule.csv.gz"


def load(path, schedule="royalty", **options):
    return schedule_import.import_file(
        path,
        mapping=schedule_files.load_mapping("category-bands"),
        schedule=schedule,
        valid_from=VALID_FROM,
        by=None,
        at=AT,
        **options,
    )


def written(tmp_path, text=SMALL):
    path = tmp_path / "fees.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(schedule_files.FileRefused) as refused:
        load(path)
    assert not FeeSchedule.objects.filter(code="royalty").exists()
    assert not Category.objects.filter(code__startswith="A").exists()
    return [str(problem) for problem in refused.value.problems]


def minor(text):
    """An independent reading: exact cents of a price as the file has it."""
    cents = Decimal(text) * 100
    assert cents == int(cents)
    return int(cents)


class Answers:
    """What the schedule says, asked as a settlement asks it."""

    def __init__(self, schedule):
        self._schedule = rate_cards.schedules(schedule).on(VALID_FROM)
        self._paths = {row.code: tuple(row.path) for row in Category.objects.all()}
        self._plans = {}

    def rate_ppm(self, code, price):
        if code not in self._plans:
            self._plans[code] = self._schedule.plan(
                stream="goods", rate_on=VALID_FROM, category_path=self._paths[code]
            )
        terms = self._plans[code].terms(price)
        return terms.charges[0].rule.rate_ppm if terms.charges else None

    def select(self, code, price):
        sale = Sale(
            stream="goods", rate_on=VALID_FROM, unit_price=price, category_path=self._paths[code]
        )
        return self._schedule.select(sale)


class TestTheRealSchedule:
    def test_imports_and_answers_at_every_edge_and_anywhere(self, own, kasta):
        imported = load(kasta, publish=True)
        assert (imported.rules, imported.categories) == (29_508, 7_366)
        assert (imported.version.number, imported.version.state) == (1, "published")
        assert FeeRule.objects.filter(version=imported.version).count() == 29_508

        with gzip.open(kasta, "rt", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        bands = {}
        for row in rows:
            code = "/".join((row["section"], row["group"], row["kind"]))
            start, end = minor(row["price_from_incl"]), minor(row["price_to_excl"])
            bands.setdefault(code, []).append(
                (start, end, Decimal(row["royalty_percent"]) * 10_000)
            )

        def expected(code, price):
            [rate] = [rate for start, end, rate in bands[code] if start <= price < end]
            return rate

        answers = Answers("royalty")
        edges = 0
        for code, of_kind in bands.items():
            for start, end, rate in of_kind:
                assert answers.rate_ppm(code, start) == rate
                assert answers.rate_ppm(code, end - 1) == rate
                edges += 2
                if start:
                    assert answers.rate_ppm(code, start - 1) == expected(code, start - 1)
                    edges += 1
                if end < 999_999_999_999_999:
                    assert answers.rate_ppm(code, end) == expected(code, end)
                    edges += 1
        assert edges == 29_508 * 4 - 7_366 * 2

        chance = random.Random(20260302)
        codes = sorted(bands)
        for _ in range(1_000):
            code, price = chance.choice(codes), chance.randrange(50_000_000)
            [charge] = answers.select(code, price).charges
            assert charge.rule.rate_ppm == expected(code, price)

    def test_is_refused_as_a_whole_when_one_band_is_a_cent_wider(self, own, kasta, tmp_path):
        with gzip.open(kasta, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines(keepends=True)
        assert lines[3].endswith(",0,2250.0\n")
        lines[3] = lines[3].replace("2250.0", "2250.01")
        problems = refusal(written(tmp_path, "".join(lines)))
        assert problems == ["row 5, price_from_incl: The price band overlaps that of row 4."]

    def test_is_refused_as_a_whole_when_one_band_is_a_cent_narrower(self, own, kasta, tmp_path):
        with gzip.open(kasta, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines(keepends=True)
        lines[3] = lines[3].replace("2250.0", "2249.99")
        problems = refusal(written(tmp_path, "".join(lines)))
        assert problems == [
            "row 5, price_from_incl: Prices from 2249.99 up to 2250.00 have no band."
        ]


class TestImportFile:
    def test_reads_rates_and_prices_exactly(self, own, tmp_path):
        load(written(tmp_path), publish=True)
        rules = FeeRule.objects.filter(category__code="A/B/shoes").order_by("rank")
        assert list(rules.values_list("rate_ppm", "price_from", "price_to")) == [
            (178_500, 0, 225_000),
            (130_000, 225_000, None),
        ]
        assert Category.objects.get(code="A/B/shoes").parent.code == "A/B"

    def test_leaves_a_draft_unless_told_to_publish(self, own, tmp_path):
        assert load(written(tmp_path)).version.state == "draft"

    def test_keeps_the_other_components_of_the_version_before(self, own, tmp_path):
        version = load(written(tmp_path), "standard", publish=True).version
        assert (version.number, version.components) == (2, ["sales", "live", "shipping"])
        rules = FeeRule.objects.filter(version=version)
        assert rules.filter(component="sales").count() == 3
        assert rules.get(component="shipping").rate_ppm == 33_000
        before = FeeScheduleVersion.objects.get(number=1)
        assert FeeRule.objects.filter(version=before).count() == 18

    def test_names_every_problem_by_row_and_field(self, own, tmp_path):
        rows = (
            "A,B,a,101,0,10",
            "A,B,b,5.00001,0,10",
            "A,B,c,5%,0,10.005",
            "A,,d,5,0,10",
            "A,B,e,5,10,10",
            "A,B,f,5,0,10,more",
        )
        header = SMALL.splitlines()[0]
        assert refusal(written(tmp_path, "\n".join((header, *rows)))) == [
            "row 2, royalty_percent: “101” is not a percentage from 0 to 100.",
            "row 3, royalty_percent: “5.00001” is finer than a millionth.",
            "row 4, royalty_percent: “5%” is not a percentage from 0 to 100.",
            "row 4, price_to_excl: “10.005” is not an amount in this currency.",
            "row 5, group: The field is empty.",
            "row 6, price_to_excl: The price band ends where it begins, or before.",
            "row 7, : The row has more fields than the header.",
        ]

    def test_names_columns_that_are_missing(self, own, tmp_path):
        text = SMALL.replace("royalty_percent", "percent")
        assert refusal(written(tmp_path, text)) == [
            "row 1, royalty_percent: The file has no such column."
        ]

    def test_refuses_a_file_without_rows(self, own, tmp_path):
        assert refusal(written(tmp_path, SMALL.splitlines()[0])) == [
            "row 1, : The file has no rows."
        ]

    def test_refuses_categories_that_would_share_a_code(self, own, tmp_path):
        rows = ("A/B,C,d,5,0,9999999999999.99", "A,B/C,d,5,0,9999999999999.99")
        header = SMALL.splitlines()[0]
        [problem] = refusal(written(tmp_path, "\n".join((header, *rows))))
        assert problem == "row 3, kind: Another category of the file has the same code."


class TestCommand:
    def test_publishes_a_file(self, tmp_path, capsys):
        opening.open_marketplace("open-market", "kyiv", currency="UAH", exponent=2, at=AT)
        arguments = ["kyiv", "royalty", str(written(tmp_path)), "--valid-from", "2026-04-01"]
        call_command("import_fee_schedule", *arguments, "--publish")
        assert capsys.readouterr().out == "royalty\tv1\tpublished\t3 rules\t2 categories\n"

    def test_prints_the_problems(self, tmp_path, capsys):
        opening.open_marketplace("open-market", "kyiv", currency="UAH", exponent=2, at=AT)
        path = written(tmp_path, SMALL.replace("2250,", "2249,"))
        with pytest.raises(CommandError, match="refused as a whole: it has 1 problems"):
            call_command(
                "import_fee_schedule", "kyiv", "royalty", str(path), "--valid-from", "2026-04-01"
            )
        assert "fees.csv: row 3, price_from_incl: " in capsys.readouterr().err
