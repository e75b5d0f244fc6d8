"""Does docs/problems.md name every code that the API answers with? With --write, it is written.

Reads the problems that the edges under */api/ raise themselves, and the refusals of the modules
that the edges call, and of those that these call in turn.
"""

import argparse
import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs/problems.md"
APPS = ("marketplace", "sellers", "listings", "orders", "settlements")
INTRO = """# Codes of problems

Every error of the API names its `code`; the codes are stable, the texts are not and come in the
reader's language. This page is written by `scripts/list_problems.py` and tested to be complete.
A process answers 409 where it refuses as things stand, and 422 where it blames a field that you
sent; in a batch, the code stands with its item. Refusals of your key are 401, and 403 where it is
used from an address that it is not meant for. New codes may be added: treat one that you do not
know by its status.

In `errors`, each place has a code as well: one of a process, or one of `required`, `null`,
`blank`, `invalid`, `invalid_choice`, `max_length`, `min_length`, `min_value`, `max_value`,
`not_a_list`, `empty`, `unknown_field`, `null_characters_not_allowed`,
`surrogate_characters_not_allowed`, and of money `currency`, `negative`, `large`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        FILE.write_text(listed())
    elif missing := codes_of(listed()) - codes_of(FILE.read_text()):
        sys.exit(f"docs/problems.md lacks {missing}: scripts/list_problems.py --write")


def codes_of(page: str) -> set[str]:
    """The codes that stand in the tables of a page."""
    return set(re.findall(r"^\|.*?`([a-z_]+)` \|", page, re.MULTILINE))


def listed() -> str:
    """The page."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    import django

    django.setup()
    from django.urls import get_resolver

    from marketplace.api import problems

    get_resolver().url_patterns  # noqa: B018 (imports every edge)
    edges = [path for app in APPS for path in sorted((ROOT / app / "api").glob("*.py"))]
    own = {code: (status, problems._TITLES[status]) for status, code in problems._CODES.items()}
    for path in edges:
        own |= {code: (status, text) for status, code, text in _raised(ast.parse(path.read_text()))}
    own |= {
        "malformed": (400, "The body is not usable JSON."),
        "invalid": (400, "The request is not usable: errors name each place."),
    }
    near = {name for path in edges for name in _imported(path)}
    near |= {name for module in near if (path := _path(module)) for name in _imported(path)}
    parts = [INTRO, "## Of the API itself", _table(("status", "code", "says"), _sorted(own))]
    for app in APPS:
        rows = sorted(_refusals(near, app) - {row for row in _refusals(near, app) if row[0] in own})
        parts += [f"## Refusals: {app}", _table(("code", "says"), rows)] if rows else []
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _sorted(own: dict) -> list[tuple]:
    return sorted((status, code, text) for code, (status, text) in own.items())


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head)]
    for *start, code, text in rows:
        lines.append((*map(str, start), f"`{code}`", text.replace("|", "\\|")))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _refusals(modules: set[str], app: str) -> set[tuple[str, str]]:
    from marketplace.refusals import Refused

    found, waiting = set(), [Refused]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        found |= {
            (refusal.code, str(refusal.message))
            for refusal in below
            if refusal.__module__ in modules and refusal.__module__.split(".")[0] == app
        }
    return found


def _raised(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Status, code and text of the problems that a module raises."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = dict(_assigned(function)) | dict(_assigned(tree))
        for call in ast.walk(function):
            name = getattr(call, "func", None)
            name = getattr(name, "attr", getattr(name, "id", ""))
            if name in ("Problem", "unauthorised"):
                given = [_text(value, names) for value in call.args]
                given = given if name == "Problem" else [401, *given]
                if all(given[:3]):
                    yield tuple(given[:3])


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.iter_child_nodes(tree) if isinstance(tree, ast.Module) else ast.walk(tree):
        if isinstance(node, ast.Assign):
            target, value = node.targets[-1], node.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            else:
                pairs = [(target, value)]
            yield from ((to.id, given) for to, given in pairs if isinstance(to, ast.Name))


def _text(node: ast.expr, names: dict, depth: int = 4):
    """The constant that an expression stands for, through names and gettext(); or None."""
    if isinstance(node, ast.Constant) or not depth:
        return getattr(node, "value", None)
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], names, depth - 1)
    if isinstance(node, ast.BinOp):
        return _text(node.left, names, depth - 1)
    if isinstance(node, ast.Call) and node.args:
        return _text(node.args[0], names, depth - 1)
    return None


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = {name for name in found if name.split(".")[0] in APPS}
    return own | {".".join(path.relative_to(ROOT).with_suffix("").parts)}


def _path(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


if __name__ == "__main__":
    main()
