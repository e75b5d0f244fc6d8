"""The listing policy as a pure rule: texts in, findings with their places out."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import marketplace
from listings import policy
from listings.policy import Finding
from listings.tests.make import PACK
from marketplace import documents

RULES = policy.parse(PACK)
TERMS = policy.parse(
    {
        "rules": [
            {
                "code": "term",
                "name": "term",
                "severity": "block",
                "terms": ["담배", "자살", "Viagra", "sex", "18금", "약", "조각"],
            }
        ]
    }
)


def evidence(text, rules=TERMS, path=()):
    return [finding.evidence for finding in rules.check({"title": text}, path)]


class TestCheck:
    @pytest.mark.parametrize(
        "text",
        [
            "담배",
            "담 배",
            "담.배",
            "담♥배",
            "담- -배",
            "담\u200b배",
            "담\u3164배",
            "ㄷㅏㅁㅂㅐ",
            "ㄷ ㅏ ㅁ",
            "다ㅁ배",
            "담ㅂㅐ",
            "\u1103\u1161\u11b7\u1107\u1162",  # the same in combining letters
            "ＶＩＡＧＲＡ",
            "v-i-a-g-r-a",
            "𝓥𝓲𝓪𝓰𝓻𝓪",
            "18금",
            "18 금",
        ],
    )
    def test_sees_through_disguises(self, text):
        if text == "ㄷ ㅏ ㅁ":  # spaced letters alone spell nothing that is banned
            assert evidence(text) == []
        else:
            assert evidence(text) == [text]

    @pytest.mark.parametrize(
        "text",
        [
            "여자 살색 스타킹",  # the end of one word and the start of the next
            "동담 배추",
            "여자, 살색",
            "Essex 스웨터",
            "2018금 한돈",
            "약국 진열대",  # a term of one syllable is a whole word
            "조가ㄱㄱㄱ",  # letters in a row of their like are laughter, not the end of a syllable
        ],
    )
    def test_raises_no_false_alarm_over_the_edges_of_words(self, text):
        assert evidence(text) == []

    @pytest.mark.parametrize("text", ["담 배를 팝니다", "담.배입니다", "약을 팝니다"])
    def test_knows_particles_behind_a_word(self, text):
        assert len(evidence(text)) == 1

    def test_gives_the_place_in_the_original_text(self):
        text = "☆특가☆ ㄷㅏㅁ\u200b배 판매"
        [finding] = RULES.check({"title": text})
        assert finding == Finding("tobacco", "block", "title", 5, 10, "ㄷㅏㅁ\u200b배")
        assert text[finding.start : finding.end] == finding.evidence

    def test_reports_the_longest_of_overlapping_terms_once(self):
        assert evidence("전자담배", RULES) == ["전자담배"]
        assert evidence("면역력 강화", RULES, ["food"]) == ["면역력 강화"]

    def test_reports_each_place_and_field(self):
        found = RULES.check({"title": "담배, 담배", "description": "담배"})
        assert [(f.field, f.start) for f in found] == [
            ("title", 0),
            ("title", 4),
            ("description", 0),
        ]

    def test_excuses_a_term_within_an_innocent_wording(self):
        assert evidence("담배꽁초 수거함", RULES) == []
        assert evidence("담배꽁초 말고 담배", RULES) == ["담배"]

    def test_holds_in_the_categories_of_a_rule_and_never_in_its_exceptions(self):
        assert evidence("소주 24병", RULES) == ["소주"]
        assert evidence("소주 24병", RULES, ["food"]) == ["소주"]
        assert evidence("소주 24병", RULES, ["food", "liquor"]) == []
        assert evidence("면역력", RULES, ["food", "fresh"]) == ["면역력"]
        assert evidence("면역력", RULES, ["fashion"]) == []

    def test_takes_whole_words_only_where_the_rule_says_so(self):
        assert evidence("소주잔 6개", RULES) == []
        assert evidence("맥주효모 샴푸", RULES) == []
        assert evidence("맥주 6캔", RULES) == ["맥주"]

    @given(st.text(max_size=80))
    def test_always_points_into_the_text(self, text):
        for finding in TERMS.check({"title": text}):
            assert 0 <= finding.start < finding.end <= len(text)
            assert text[finding.start : finding.end] == finding.evidence

    @given(st.text(alphabet="가나다 .,!-*", max_size=20), st.text(alphabet=" .\u200b-", max_size=4))
    def test_finds_a_term_between_any_words(self, around, gap):
        assert len(evidence(f"{around} 담{gap}배 {around}")) == 1

    def test_raises_few_alarms_on_titles_that_were_on_sale(self, data_dir):
        """None of 949 titles that a large marketplace had on sale is blocked."""
        path = Path(marketplace.__file__).parent / "presets" / "open-market.json"
        pack = policy.parse(json.loads(path.read_text())["policy_pack"])
        with gzip.open(data_dir / "listings/coupang_titles_ko.csv.gz", "rt") as file:
            rows = list(csv.DictReader(file))
        paths = {"뷰티": ["beauty"], "식품": ["food"], "헬스/건강식품": ["health_food"]}
        blocked = {}
        for row in rows:
            title = row["product_title_ko"]
            found = pack.check({"title": title}, paths.get(row["category_ko"], []))
            if evidence := [f.evidence for f in found if f.severity == "block"]:
                blocked[title] = evidence
        assert len(rows) == 949
        assert blocked == {}


class TestParse:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"severity": "fatal"}, "policy pack: rules[0].severity should be one of block, warn"),
            ({"terms": ["♥"]}, "policy pack: rules[0].terms[0] is missing."),
            ({"term": []}, "policy pack: rules[0].term is not a field"),
            ({"fields": ["titel"]}, "policy pack: rules[0].fields[0] should be one of"),
            ({"code": "liquor"}, "policy pack: rules[1].code repeats liquor"),
        ],
    )
    def test_refuses_a_mistake_by_its_field(self, change, words):
        rules = [PACK["rules"][0] | change, *PACK["rules"][1:]]
        with pytest.raises(documents.BadDocument) as refused:
            policy.parse({"rules": rules})
        assert str(refused.value).startswith(words)

    def test_refuses_a_review_that_nobody_knows(self):
        with pytest.raises(documents.BadDocument) as refused:
            policy.parse({**PACK, "review": "sometimes"})
        assert "policy pack: review should be one of always, when_warned, never" in str(
            refused.value
        )
