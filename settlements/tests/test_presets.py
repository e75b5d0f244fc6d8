"""Reading presets: each mistake is refused with its file and field."""

import json

import pytest

from marketplace import documents
from settlements import presets
from settlements.fee_rules import Band
from settlements.sentinel_limits import Limits

OPEN_MARKET = (presets.FOLDER / "open-market.json").read_text()


def changed(change):
    document = json.loads(OPEN_MARKET)
    change(document)
    return json.dumps(document)


def rule(number=0):
    return lambda document: document["fee_schedule"]["rules"][number]


class TestLoad:
    @pytest.mark.parametrize("name", presets.available())
    def test_reads_every_preset_that_comes_with_the_project(self, name):
        assert presets.load(name).code == name

    def test_refuses_a_name_that_is_none(self):
        with pytest.raises(presets.UnknownPreset):
            presets.load("../presets/open-market")

    def test_reads_an_operators_own_file(self, tmp_path):
        path = tmp_path / "mine.json"
        path.write_text(changed(lambda document: document.update(code="mine")))
        assert presets.load(path).code == "mine"


class TestParse:
    @pytest.mark.parametrize(
        ("change", "code", "words"),
        [
            (
                lambda d: d.pop("settlement_terms"),
                "field_missing",
                "p.json: settlement_terms is missing.",
            ),
            (
                lambda d: d.update(accounts=[{"code": "gift_cards", "name": "상품권"}]),
                "field_missing",
                "p.json: accounts[0].kind is missing.",
            ),
            (
                lambda d: d.update(accounts=[{"code": "x", "name": "x", "kind": "money"}]),
                "field_not_listed",
                "p.json: accounts[0].kind should be one of asset, liability, revenue, expense, "
                'clearing, not "money".',
            ),
            (
                lambda d: d.update(acounts=[]),
                "field_unknown",
                "p.json: acounts is not a field that is known here.",
            ),
            (
                lambda d: d["marketplace"].update(closing_hour=24),
                "field_out_of_range",
                "p.json: marketplace.closing_hour should lie between 0 and 23, not be 24.",
            ),
            (
                lambda d: d.update(sentinels={"claim_days": 0}),
                "field_out_of_range",
                "p.json: sentinels.claim_days should lie between 1 and 3660, not be 0.",
            ),
            (
                lambda d: d.update(sentinels={"claims": 10}),
                "field_unknown",
                "p.json: sentinels.claims is not a field that is known here.",
            ),
            (
                lambda d: rule(1)(d).update(rate_ppm=0.05),
                "field_mistyped",
                "p.json: fee_schedule.rules[1].rate_ppm should be a whole number, not 0.05.",
            ),
            (
                lambda d: rule(1)(d).pop("vat_kind"),
                "field_missing",
                "p.json: fee_schedule.rules[1].vat_kind is missing.",
            ),
            (
                lambda d: rule()(d).update(category="golf"),
                "field_not_listed",
                None,
            ),
            (
                lambda d: rule()(d).update(base="fee:shipping"),
                "fee_rule_refused",
                "p.json: fee_schedule.rules[0] cannot be published: base_is_later.",
            ),
            (
                lambda d: rule()(d).update(min_amount=2, max_amount=1),
                "fee_rule_refused",
                "p.json: fee_schedule.rules[0] cannot be published: minimum_above_maximum.",
            ),
            (
                lambda d: d["settlement_terms"].update(cycle="weekly"),
                "terms_refused",
                "p.json: settlement_terms cannot be used: a weekly cycle names days from 0 to 6.",
            ),
            (
                lambda d: d["settlement_terms"].update(cycle="manual", cycle_arg=["soon"]),
                "terms_refused",
                "p.json: settlement_terms cannot be used: a manual cycle lists dates.",
            ),
            (
                lambda d: d["calendar"]["closed_every_year"].append(
                    {"month": 2, "day": 29, "name": "x"}
                ),
                "field_out_of_range",
                "p.json: calendar.closed_every_year[1].day should lie between 1 and 28, not be 29.",
            ),
            (
                lambda d: d["grade_policy"]["grades"][2]["requires"]["all"][0].update(metric="x"),
                "field_not_listed",
                None,
            ),
            (
                lambda d: d["policy_pack"]["rules"][0].update(terms=["담배", "♥"]),
                "field_missing",
                "p.json: policy_pack.rules[0].terms[1] is missing.",
            ),
            (
                lambda d: d["categories"].append({"code": "gold", "name": "금"}),
                "field_repeated",
                "p.json: categories repeats gold, which stands there before.",
            ),
        ],
    )
    def test_refuses_a_mistake_by_file_and_field(self, change, code, words):
        with pytest.raises(documents.BadDocument) as refused:
            presets.parse(changed(change), "p.json")
        assert refused.value.code == code
        if words:
            assert str(refused.value) == words

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            (
                lambda d: d["grade_policy"]["grades"][2]["benefits"][0].update(components=["ads"]),
                "grade_policy.grades[2].benefits[0].components",
            ),
            (lambda d: rule()(d).update(grade="gold_seller"), "fee_schedule.rules[0].grade"),
            (
                lambda d: d["policy_pack"]["rules"][0].update(categories=["tobacco"]),
                "policy_pack.rules[0]",
            ),
        ],
    )
    def test_refuses_what_one_section_says_of_another_that_is_not_there(self, change, where):
        with pytest.raises(documents.FieldNotListed) as refused:
            presets.parse(changed(change), "p.json")
        assert refused.value.params["where"] == f"p.json: {where}"

    def test_refuses_what_is_no_json(self):
        with pytest.raises(documents.NotJson, match=r"p\.json is not a JSON document"):
            presets.parse("{", "p.json")

    def test_reads_how_long_things_may_stay_and_takes_the_rest_as_usual(self):
        text = changed(lambda document: document.update(sentinels={"claim_days": 10}))
        assert presets.parse(text, "p.json").sentinels == Limits(claim_days=10)
        assert presets.parse(OPEN_MARKET, "p.json").sentinels == Limits()

    def test_reads_tiers(self):
        bands = [{"start": 0, "end": 100, "rate_ppm": 5}, {"start": 100, "rate_ppm": 4}]
        preset = presets.parse(changed(lambda d: rule()(d).update(bands=bands)), "p.json")
        assert preset.fees.rules[0].rule.bands == (Band(0, 100, 5), Band(100, None, 4))

    def test_ranks_rules_in_the_order_of_the_file(self):
        rules = [wanted.rule for wanted in presets.load("open-market").fees.rules]
        assert [r.rank for r in rules if r.component == "sales"] == list(range(1, 17))
        assert [r.rank for r in rules if r.component != "sales"] == [1, 1]


class TestListedDays:
    def test_are_taken_as_dates(self):
        preset = presets.parse(
            changed(
                lambda d: d["settlement_terms"].update(
                    cycle="manual", cycle_arg=["2026-04-10", "2026-04-25"]
                )
            ),
            "p.json",
        )
        assert preset.terms.cycle_arg == ["2026-04-10", "2026-04-25"]
