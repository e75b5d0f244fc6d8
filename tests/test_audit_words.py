"""Every action that some module writes into the audit trail has words."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.utils import translation

from marketplace import audit_words
from marketplace.models import ClosedDay
from orders import confirming
from sellers.models import Seller
from settlements import retention
from settlements.models import AdPrepaymentMovement, DebtMovement

ROOT = Path(settings.BASE_DIR)
APPS = ("marketplace", "sellers", "listings", "orders", "settlements")
ONE = Seller._meta.model_name  # for deeds that are done to rows of any model
# Who writes actions that are put together, and from what: of models, deeds, or both.
PUT_TOGETHER = {
    "marketplace/states.py": None,  # every step of every MOVES table
    "marketplace/admin/pages.py": ONE,
    "marketplace/versions.py": ONE,
    "marketplace/memberships.py": "membership",
    "marketplace/calendar_days.py": "calendarversion",
    "sellers/members.py": "sellermember",
    "sellers/bank_accounts.py": "bankaccount",
    "settlements/collecting.py": "debt",
    "settlements/prepaying.py": "ad_prepayment",
    "settlements/resident_numbers.py": "residentnumber",
}


def moves():
    for model in apps.get_models():
        for targets in getattr(model, "MOVES", {}).values():
            yield from (f"{model._meta.model_name}.{to}" for to in targets)


def written() -> tuple[set[str], set[str]]:
    """Actions that modules name, and the modules that put some together."""
    named, composing = set(), set()
    for app in APPS:
        for module in (ROOT / app).rglob("*.py"):
            if "tests" in module.parts:
                continue
            for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                if not isinstance(call, ast.Call) or ast.unparse(call.func) != "audit.record":
                    continue
                [action, *_] = call.args
                if isinstance(action, ast.Constant):
                    named.add(action.value)
                else:
                    composing.add(str(module.relative_to(ROOT)))
    return named, composing


def reasons_of_programs() -> set[str]:
    """Codes that modules give as a reason, where nobody has written one."""
    found = {confirming.CAUSE, retention.NEVER_NEEDED, retention.PERIOD_OVER}
    for app in APPS:
        for module in (ROOT / app).rglob("*.py"):
            if "tests" not in module.parts:
                calls = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
                given = (node for node in calls if isinstance(node, ast.keyword))
                found |= {
                    node.value.value
                    for node in given
                    if node.arg == "reason" and isinstance(node.value, ast.Constant)
                }
    return found - {""}


def deeds(name: str) -> set[str]:
    """What a module calls its deeds: said to its `_record`, or named `deed`."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        parts = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_record":
            parts = [node.args[0]]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "deed":
            parts = [node.value.body, node.value.orelse]
        found |= {part.value for part in parts}
    return found


def put_together():
    for name, model in PUT_TOGETHER.items():
        if model is None:
            yield from moves()
        elif model == "calendarversion":
            chosen = set(ClosedDay.Source.values) - {ClosedDay.Source.PROPOSED}
            yield from (f"{model}.day_{source}" for source in chosen)
        elif model == "debt":
            yield from (f"{model}.{kind}" for kind in DebtMovement.Kind.values)
        elif model == "ad_prepayment":
            yield from (f"{model}.{kind}" for kind in AdPrepaymentMovement.Kind.values)
        else:
            found = deeds(name)
            assert found, name
            yield from (f"{model}.{deed}" for deed in found)


def test_every_module_that_puts_actions_together_is_known():
    """A new one gets its row above, and what it writes its words in marketplace/audit_words.py."""
    _, composing = written()
    assert composing == set(PUT_TOGETHER)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_action_has_words(language):
    named, _ = written()
    with translation.override(language):
        wordless = {a for a in named | set(put_together()) if audit_words.words(a) == a}
    assert not wordless


def test_no_words_are_of_an_action_that_nobody_writes():
    named, _ = written()
    assert set(audit_words.ACTIONS) <= named | set(put_together())


def test_every_reason_that_a_program_gives_has_words_and_no_other():
    assert reasons_of_programs() == set(audit_words.REASONS)


def test_a_reason_that_a_person_wrote_is_told_as_it_stands():
    with translation.override("en"):
        assert audit_words.reason("edited") == "The wording was edited"
        assert audit_words.reason("edited twice") == "edited twice"


def test_a_move_is_told_by_its_model_and_state():
    with translation.override("en"):
        assert audit_words.words("claim.approved") == "Claim: Approved"
        assert audit_words.words("listing.closed") == "Listing: Closed"
        assert audit_words.words("feeschedule.changed") == "Fee schedule: changed"
        assert audit_words.words("job.exploded") == "job.exploded"
