"""What a policy pack objects to in the texts of a listing, and where exactly.

Values in, values out: no query, no clock. Texts are compared in a plain form: compatibility forms
(full-width letters, ligatures) unified, case folded, invisible characters dropped, letters of
Hangul written one by one put together, and spaces or signs between letters skipped. Each letter
remembers which characters it came from, so that a finding shows the original place.

Skipping spaces alone would cry wolf (a word's end and the next one's start often spell a third
word). A match over spaces or signs therefore counts only if it begins where a word begins and
ends where one ends or a particle follows.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ahocorasick_rs import AhoCorasick

from marketplace import documents
from marketplace.documents import Part

BLOCK: Final = "block"
WARN: Final = "warn"
SEVERITIES: Final = (BLOCK, WARN)
FIELDS: Final = ("title", "description")

# Which revisions an operator looks at before they are on sale. What is blocked never gets so far.
ALWAYS: Final = "always"
WHEN_WARNED: Final = "when_warned"
NEVER: Final = "never"
REVIEWS: Final = (ALWAYS, WHEN_WARNED, NEVER)

_EVIDENCE: Final = 300  # characters of evidence that are kept

# Letters by their category, but invisible: fillers of Hangul.
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0")
# What may follow a word of Korean without being part of it.
_PARTICLES: Final = frozenset(
    """
    은 는 이 가 을 를 의 도 만 들
    에 에서 에게 로 으로 와 과 나 랑 이나 이랑 까지 부터
    처럼 보다 하고 하는
    입니다 이다 이며 야 요
    """.split()  # noqa: SIM905 (readable by kind)
)

_LEADS: Final = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS: Final = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS: Final = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


@dataclass(frozen=True, slots=True)
class Rule:
    """Terms that are objected to. `unless` are wordings around a term that excuse it.

    A rule with `categories` holds in those subtrees only, and never in `except_categories`.
    With `whole_words` a term inside a longer word is no match.
    """

    code: str
    name: str
    severity: str
    terms: tuple[str, ...]
    unless: tuple[str, ...] = ()
    fields: tuple[str, ...] = FIELDS
    categories: frozenset[str] = frozenset()
    except_categories: frozenset[str] = frozenset()
    whole_words: bool = False

    def concerns(self, category_path: Iterable[str]) -> bool:
        path = set(category_path)
        if path & self.except_categories:
            return False
        return not self.categories or bool(path & self.categories)


@dataclass(frozen=True, slots=True)
class Finding:
    """One objection. `start` and `end` count characters of the original text."""

    rule: str
    severity: str
    field: str
    start: int
    end: int
    evidence: str


@dataclass(frozen=True, slots=True)
class _Term:
    rule: Rule
    is_excuse: bool
    letters: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A compiled pack: one automaton over the terms of all its rules."""

    rules: tuple[Rule, ...]
    review: str = ALWAYS
    _terms: tuple[_Term, ...] = field(init=False, repr=False)
    _automaton: AhoCorasick = field(init=False, repr=False)

    def __post_init__(self) -> None:
        terms = []
        for rule in self.rules:
            for words, is_excuse in ((rule.terms, False), (rule.unless, True)):
                terms += [_Term(rule, is_excuse, plain(word).letters) for word in words]
        terms = [term for term in terms if term.letters]
        object.__setattr__(self, "_terms", tuple(terms))
        object.__setattr__(self, "_automaton", AhoCorasick([term.letters for term in terms]))

    def needs_review(self, severities: Iterable[str]) -> bool:
        """Whether an operator decides about a revision with findings of these severities."""
        return self.review == ALWAYS or (self.review == WHEN_WARNED and any(severities))

    def check(
        self, texts: Mapping[str, str], category_path: Sequence[str] = ()
    ) -> tuple[Finding, ...]:
        """Return the findings in the named texts, in the order of the text.

        `category_path` holds the codes from the root to the listing's category.
        """
        concerned = {rule.code for rule in self.rules if rule.concerns(category_path)}
        found: list[Finding] = []
        for name, text in texts.items():
            found += self._in_field(name, text, concerned)
        return tuple(found)

    def _in_field(self, name: str, text: str, concerned: set[str]) -> list[Finding]:
        letters = plain(text)
        matches: dict[str, list[tuple[int, int]]] = {}
        excuses: dict[str, list[tuple[int, int]]] = {}
        hits = self._automaton.find_matches_as_indexes(letters.letters, overlapping=True)
        for at, start, end in hits:
            term = self._terms[at]
            rule = term.rule
            if rule.code not in concerned or name not in rule.fields:
                continue
            if term.is_excuse:
                excuses.setdefault(rule.code, []).append((start, end))
            elif _stands(letters, start, end, term.letters, whole_word=rule.whole_words):
                matches.setdefault(rule.code, []).append((start, end))
        found = []
        for rule in self.rules:
            for start, end in _longest(matches.get(rule.code, ())):
                excused = excuses.get(rule.code, ())
                if any(low <= start and end <= high for low, high in excused):
                    continue
                first, last = letters.spans[start][0], letters.spans[end - 1][1]
                evidence = text[first:last][:_EVIDENCE]
                found.append(Finding(rule.code, rule.severity, name, first, last, evidence))
        return sorted(found, key=lambda f: (f.start, f.end, f.rule))


@dataclass(frozen=True, slots=True)
class Plain:
    """A text reduced to its letters and digits. `spans` tell which characters each came from.

    `breaks` are the positions before which a space or a sign stood in the original.
    """

    letters: str
    spans: tuple[tuple[int, int], ...]
    breaks: tuple[int, ...]


def plain(text: str) -> Plain:
    """Return the plain form of a text."""
    letters: list[str] = []
    spans: list[tuple[int, int]] = []
    breaks: list[int] = []
    for char, start, end in _assembled(_unified(text)):
        if unicodedata.category(char)[0] in "LN":
            letters.append(char)
            spans.append((start, end))
        elif unicodedata.category(char)[0] != "M" and (not breaks or breaks[-1] != len(letters)):
            breaks.append(len(letters))
    return Plain("".join(letters), tuple(spans), tuple(breaks))


def parse(body: Any, where: str = "policy pack:") -> Pack:
    """Read a pack's document. Refuses what cannot be used, naming the field."""
    with documents.reading(body, where) as part:
        rules: list[Rule] = []
        for entry in part.parts("rules"):
            rule = _rule(entry)
            if any(rule.code == other.code for other in rules):
                raise documents.FieldRepeated(where=entry.at("code"), found=rule.code)
            rules.append(rule)
        review = part.choice("review", REVIEWS, ALWAYS)
    return Pack(tuple(rules), review)


def _rule(part: Part) -> Rule:
    rule = Rule(
        code=part.text("code", longest=80),
        name=part.text("name", longest=100),
        severity=part.choice("severity", SEVERITIES),
        terms=_terms(part, "terms"),
        unless=_terms(part, "unless", ()),
        fields=part.texts("fields", FIELDS),
        categories=frozenset(part.texts("categories", ())),
        except_categories=frozenset(part.texts("except_categories", ())),
        whole_words=part.flag("whole_words", False),
    )
    for at, name in enumerate(rule.fields):
        if name not in FIELDS:
            raise documents.FieldNotListed(
                where=part.at(f"fields[{at}]"), choices=", ".join(FIELDS), found=name
            )
    part.done()
    return rule


def _terms(part: Part, name: str, *default: Any) -> tuple[str, ...]:
    """Read terms; one without a letter would match nothing, and nobody would notice."""
    terms = part.texts(name, *default)
    for at, term in enumerate(terms):
        if not plain(term).letters:
            raise documents.FieldMissing(where=part.at(f"{name}[{at}]"))
    return terms


def _unified(text: str) -> Iterable[tuple[str, int, int]]:
    """Yield unified characters with the places they came from, without invisible ones."""
    if text.isascii():
        for at, char in enumerate(text.casefold()):
            yield char, at, at + 1
        return
    seen = [(char, at) for at, char in enumerate(text) if not _is_invisible(char)]
    at = 0
    while at < len(seen):
        last = at + 1
        while last < len(seen) and _joins(seen[last][0]):
            last += 1
        start, end = seen[at][1], seen[last - 1][1] + 1
        cluster = "".join(char for char, _ in seen[at:last])
        if len(cluster) == 1 and (cluster in _LEADS or cluster in _VOWELS or cluster in _TAILS):
            yield cluster, start, end  # NFKC would turn it into a piece that never joins again
        else:
            for char in unicodedata.normalize("NFKC", cluster).casefold():
                yield char, start, end
        at = last


def _is_invisible(char: str) -> bool:
    return char in _FILLERS or unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"


def _joins(char: str) -> bool:
    """Say whether a character belongs to the one before: accents, and Hangul in pieces."""
    return unicodedata.category(char) in ("Mn", "Mc", "Me") or "\u1160" <= char <= "\u11ff"


def _assembled(chars: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Put syllables together whose letters were written one by one: ㄷㅏㅁ is 담.

    A consonant is taken as the end of a syllable only where no vowel follows, and never when it
    stands in a row of its like, as laughter does (하ㅋㅋㅋ).
    """
    given = list(chars)
    out: list[tuple[str, int, int]] = []
    at = 0
    while at < len(given):
        char, start, end = given[at]
        following = given[at + 1][0] if at + 1 < len(given) else ""
        if char in _LEADS and following and following in _VOWELS:
            end = given[at + 1][2]
            syllable = 0xAC00 + (_LEADS.index(char) * 21 + _VOWELS.index(following)) * 28
            out.append((chr(syllable), start, end))
            at += 2
            continue
        before = out[-1][0] if out else ""
        if (
            char in _TAILS
            and following != char
            and (not following or following not in _VOWELS)
            and "가" <= before <= "힣"
            and (ord(before) - 0xAC00) % 28 == 0
        ):
            closed = chr(ord(before) + _TAILS.index(char) + 1)
            out[-1] = (closed, out[-1][1], end)
        else:
            out.append((char, start, end))
        at += 1
    return out


def _stands(text: Plain, start: int, end: int, term: str, *, whole_word: bool) -> bool:
    """Say whether a match is meant, and not made up by the edges of other words."""
    is_broken = bisect_right(text.breaks, end - 1) > bisect_right(text.breaks, start)
    if is_broken or whole_word or len(term) == 1:
        return _is_break(text, start) and _ends_a_word(text, end)
    # Latin letters and digits run on: "sex" is not in "Essex", "18" not in "2018".
    return not _runs_on(text, start, start - 1) and not _runs_on(text, end - 1, end)


def _runs_on(text: Plain, inside: int, outside: int) -> bool:
    if not 0 <= outside < len(text.letters) or _is_break(text, max(inside, outside)):
        return False
    one, other = text.letters[inside], text.letters[outside]
    if one.isdigit() or other.isdigit():
        return one.isdigit() and other.isdigit()
    return one.isascii() and other.isascii()


def _is_break(text: Plain, at: int) -> bool:
    if at in (0, len(text.letters)):
        return True
    place = bisect_right(text.breaks, at)
    return place > 0 and text.breaks[place - 1] == at


def _ends_a_word(text: Plain, end: int) -> bool:
    if _is_break(text, end):
        return True
    place = bisect_right(text.breaks, end)
    until = text.breaks[place] if place < len(text.breaks) else len(text.letters)
    return text.letters[end:until] in _PARTICLES


def _longest(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of overlapping matches keep the one that starts first, and of those the longest."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(set(spans), key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
