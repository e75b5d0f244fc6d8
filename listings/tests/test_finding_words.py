"""Marked places and remedies."""

from hypothesis import given
from hypothesis import strategies as st

from listings import finding_words, policy
from listings.models import Finding

RULE = policy.Rule("tobacco", "담배", "block", ("담배",), unless=("금연", "담배꽁초"))


def found(start, end, rule="tobacco", severity="block"):
    return Finding(
        rule=rule, severity=severity, field="title", start=start, end=end, evidence="담배"
    )


class TestSegments:
    def test_marks_the_place_and_nothing_else(self):
        pieces = finding_words.segments("새 담배 팝니다", [found(2, 4)])
        assert [(p.text, p.severity) for p in pieces] == [
            ("새 ", ""),
            ("담배", "block"),
            (" 팝니다", ""),
        ]

    def test_shows_the_worse_of_two_that_overlap(self):
        pieces = finding_words.segments("abcdef", [found(0, 4), found(2, 6, "other", "warn")])
        assert [(p.text, p.severity, p.rules) for p in pieces] == [
            ("ab", "block", ("tobacco",)),
            ("cd", "block", ("other", "tobacco")),
            ("ef", "warn", ("other",)),
        ]

    def test_leaves_a_text_without_findings_whole(self):
        assert finding_words.segments("무선 이어폰", []) == [finding_words.Segment("무선 이어폰")]
        assert finding_words.segments("", []) == []

    @given(
        st.text(max_size=30),
        st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=5),
    )
    def test_loses_no_character(self, text, spans):
        findings = [found(start, start + length) for start, length in spans]
        assert "".join(p.text for p in finding_words.segments(text, findings)) == text


class TestTell:
    def test_names_the_rule_and_the_remedy(self):
        [told] = finding_words.tell([found(0, 2)], {"tobacco": RULE})
        assert told.name == "담배"
        assert told.remedy == (
            "Take “담배” out or say it differently, then hand it in again. "
            "These are allowed: 금연, 담배꽁초."
        )

    def test_bears_a_rule_that_is_gone(self):
        [told] = finding_words.tell([found(0, 2, rule="gone")], {"tobacco": RULE})
        assert (told.name, told.remedy) == ("gone", "")
