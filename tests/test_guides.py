"""Do README and guides lead anywhere? Links, pictures, files and commands that they name exist."""

import re
import unicodedata
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
_LINK = re.compile(r"""\]\(([^)\s]+)\)|<img src="([^"]+)\"""")
_HEADING = re.compile(r"^#+ (.+)$|<a id=\"([^\"]+)\">", re.MULTILINE)
_COMMAND = re.compile(r"manage\.py ([a-z_]+)")
_MODULE = re.compile(
    r"`((?:marketplace|sellers|listings|orders|settlements|insights|tests)/[\w./]+)`"
)


def anchors(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    for heading, given in _HEADING.findall(text):
        yield given or "".join(
            "-" if sign == " " else sign
            for sign in heading.lower()
            if sign in " -_" or unicodedata.category(sign)[0] in "LN"
        )


def broken(page):
    for link in filter(None, sum(_LINK.findall(page.read_text(encoding="utf-8")), ())):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestGuides:
    def test_link_to_what_is_there(self, page):
        assert list(broken(page)) == []

    def test_name_commands_that_exist(self, page):
        named = set(_COMMAND.findall(page.read_text(encoding="utf-8")))
        assert named <= get_commands().keys()

    def test_name_files_that_exist(self, page):
        named = _MODULE.findall(page.read_text(encoding="utf-8"))
        assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_guide_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    guides = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/*.md")}
    assert [name for name in sorted(guides - {"README.md"}) if f"({name})" not in index] == []


def test_the_readme_says_the_same_commands_in_both_languages():
    fences = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
    spoken = re.compile(r'--name "[^"]*"|#.*$', re.MULTILINE)
    english, korean = (
        [spoken.sub("", block) for block in fences.findall((ROOT / name).read_text())]
        for name in ("README.md", "README.ko.md")
    )
    assert english == korean
