"""What a policy found, for the pages: the text with its marked places, and what to do about each.

Texts stay as they are; escaping them is for the templates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.translation import gettext

from listings.models import Finding
from listings.policy import Rule

_SHOWN = 12  # terms of a rule that are named


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text. `severity` is empty where nothing was found."""

    text: str
    severity: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A finding in words."""

    finding: Finding
    name: str
    remedy: str


def segments(text: str, findings: Iterable[Finding]) -> list[Segment]:
    """Cut a text where findings begin and end. Together the pieces are the text."""
    found = [
        (max(finding.start, 0), min(finding.end, len(text)), finding)
        for finding in findings
        if finding.start < len(text)
    ]
    cuts = sorted({0, len(text)}.union(*({start, end} for start, end, _ in found)))
    pieces = []
    for start, end in pairwise(cuts):
        here = [finding for low, high, finding in found if low <= start and end <= high]
        severities = {finding.severity for finding in here}
        worst = Finding.Severity.BLOCK if Finding.Severity.BLOCK in severities else ""
        rules = tuple(sorted({finding.rule for finding in here}))
        pieces.append(Segment(text[start:end], worst or next(iter(severities), ""), rules))
    return pieces


def tell(findings: Iterable[Finding], rules: dict[str, Rule]) -> list[Told]:
    """Say what each finding's rule is called and how its seller gets rid of it.

    `rules` are those of the pack that found them, by code (reviewing.rules_of).
    """
    return [
        Told(finding, rules[finding.rule].name, _remedy(finding, rules[finding.rule]))
        if finding.rule in rules
        else Told(finding, finding.rule, "")
        for finding in findings
    ]


def _remedy(finding: Finding, rule: Rule) -> str:
    if finding.severity == Finding.Severity.BLOCK:
        said = gettext("Take “%(evidence)s” out or say it differently, then hand it in again.")
    else:
        said = gettext("“%(evidence)s” may stay, but the reviewer will look at it.")
    words = [said % {"evidence": finding.evidence}]
    if rule.unless:
        words.append(gettext("These are allowed: %(terms)s.") % {"terms": _named(rule.unless)})
    return " ".join(words)


def _named(terms: Sequence[str]) -> str:
    shown = ", ".join(terms[:_SHOWN])
    return f"{shown}, …" if len(terms) > _SHOWN else shown
