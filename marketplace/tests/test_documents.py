"""Reading documents: every refusal names the place."""

from datetime import date

import pytest

from marketplace import documents
from marketplace.documents import Part

BODY = {
    "name": "기본",
    "count": 3,
    "is_open": True,
    "on": "2026-01-31",
    "codes": ["a", "b"],
    "rules": [{"rate": 1}, {"rate": 2}],
    "named": {"x": {"rate": 1}},
}


def part(**changes):
    return Part(BODY | changes, "d.json:")


class TestPart:
    def test_reads_each_kind_of_field(self):
        with documents.reading(BODY, "d.json:") as body:
            assert body.text("name") == "기본"
            assert body.integer("count") == 3
            assert body.flag("is_open") is True
            assert body.day("on") == date(2026, 1, 31)
            assert body.texts("codes") == ("a", "b")
            assert [rule.integer("rate") for rule in body.parts("rules")] == [1, 2]
            assert body.named_parts("named")["x"].integer("rate") == 1
            assert body.text("absent", "default") == "default"

    @pytest.mark.parametrize(
        ("read", "words"),
        [
            (lambda p: p.text("absent"), "d.json: absent is missing."),
            (lambda p: p.text("count"), "d.json: count should be a text, not 3."),
            (lambda p: p.integer("name"), 'd.json: name should be a whole number, not "기본".'),
            (lambda p: p.integer("is_open"), "d.json: is_open should be a whole number, not true."),
            (
                lambda p: p.integer("count", low=4, high=9),
                "d.json: count should lie between 4 and 9, not be 3.",
            ),
            (lambda p: p.flag("count"), "d.json: count should be true or false, not 3."),
            (
                lambda p: p.day("name"),
                'd.json: name should be a day such as 2026-01-31, not "기본".',
            ),
            (
                lambda p: p.choice("name", ["a", "b"]),
                'd.json: name should be one of a, b, not "기본".',
            ),
            (
                lambda p: p.parts("rules")[1].text("rate"),
                "d.json: rules[1].rate should be a text, not 2.",
            ),
            (
                lambda p: p.part("codes"),
                'd.json: codes should be a group of named fields, not ["a", "b"].',
            ),
            (lambda p: p.parts("name"), 'd.json: name should be a list, not "기본".'),
            (lambda p: p.done(), "d.json: name is not a field that is known here."),
        ],
    )
    def test_refuses_by_place(self, read, words):
        with pytest.raises(documents.BadDocument) as refused:
            read(part())
        assert str(refused.value) == words

    def test_refuses_a_text_given_twice(self):
        with pytest.raises(documents.FieldRepeated, match=r"d\.json: codes\[1\] repeats"):
            part(codes=["a", "a"]).texts("codes")

    @pytest.mark.parametrize("name", ["", " ", "x" * 301])
    def test_refuses_texts_that_say_nothing_or_too_much(self, name):
        with pytest.raises(documents.FieldMistyped):
            part(name=name).text("name")

    def test_translates_what_was_expected(self):
        with pytest.raises(documents.FieldMistyped) as refused:
            part().integer("name")
        words = {"a whole number": "정수"}
        assert "정수" in refused.value.text(lambda text: words.get(text, text))


class TestParse:
    @pytest.mark.parametrize("text", ["", "{", b"\xff", "[1]"])
    def test_refuses_what_is_no_document(self, text):
        with pytest.raises(documents.BadDocument):
            documents.parse(text, "d.json")
