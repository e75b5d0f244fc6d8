"""Every event of the list is announced somewhere, and the guide tells the same list."""

import ast
import re
from pathlib import Path

from django.conf import settings

from marketplace import changes
from orders.models import Claim
from settlements.models import Statement

ROOT = Path(settings.BASE_DIR)
APPS = ("marketplace", "sellers", "listings", "orders", "settlements")
ANNOUNCE = {"announce", "announce_many"}
STATES = {  # events named by the state that a row has come to
    # Beside its states: an exchange that became a return, and what is done in an arbitration.
    "claim.": {*Claim.State.values, "converted", "statement_added", "arbitrated"},
    "statement.": {Statement.State.PAYABLE.value, Statement.State.CLOSED.value},
}


def announced() -> set[str]:
    """The types that some module announces, by name or by a first word and its own texts."""
    found = set()
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "tests" in path.parts:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _name(node.func) in ANNOUNCE:
                    found |= _types(node.args[0], texts)
    return found


def _name(called: ast.expr) -> str:
    is_of_changes = (
        isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "changes"
    )
    return called.attr if is_of_changes else ""


def _types(argument: ast.expr, texts: set) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {argument.value}
    if not isinstance(argument, ast.JoinedStr):
        return set()
    first = argument.values[0].value
    deeds = STATES.get(first, texts)
    return {
        code for code in changes.TYPES if code.startswith(first) and code[len(first) :] in deeds
    }


def test_every_type_is_announced():
    assert announced() == set(changes.TYPES)


def test_the_guide_tells_every_type():
    guide = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    told = set()
    for row in re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \|", guide, re.MULTILINE):
        codes = re.findall(r"`([a-z_.]+)`", row)
        first = codes[0].partition(".")[0]
        told |= {f"{first}{code}" if code.startswith(".") else code for code in codes}
    assert told == set(changes.TYPES)
