"""Is every text that people see translated into Korean?

Extracts the texts into a copy of the project and compares: texts without a translation, fuzzy
guesses, particles of two forms (은(는)), and translations of texts that are gone are each reported.
With --write, the catalogue in the project is brought up to date instead, ready for a translator.
Needs the GNU gettext tools.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from compile_messages import Entry, parse

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = Path("locale/ko/LC_MESSAGES/django.po")
TWO_FORMS = re.compile(r"은\(는\)|이\(가\)|을\(를\)|와\(과\)|\(으\)로|\(이\)")
LEFT_OUT = shutil.ignore_patterns("tests", "var", "docs", "node_modules", "__pycache__", ".*")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        _extract(copy)
        if "--write" in sys.argv[1:]:
            shutil.copy(copy / CATALOGUE, ROOT / CATALOGUE)
        fresh = list(parse(copy / CATALOGUE))
    known = {entry.key for entry in parse(ROOT / CATALOGUE) if not entry.obsolete}
    complaints = [
        f"{_complaint(entry, known)}: {entry.id!r}"
        for entry in fresh
        if entry.id and not entry.obsolete and not entry.translated
    ]
    wanted = {entry.key for entry in fresh if not entry.obsolete}
    complaints += [f"no longer used: {text!r}" for context, text in known - wanted]
    complaints += [
        f"says a particle in two forms: {entry.id!r}"
        for entry in fresh
        if any(map(TWO_FORMS.search, entry.strings.values()))
    ]
    if complaints:
        print("\n".join(sorted(complaints)))
        sys.exit(
            f"{len(complaints)} texts need work in {CATALOGUE}."
            " scripts/check_catalogue.py --write brings new texts into it."
        )
    print(f"{len(fresh) - 1} texts, all translated.")


def _extract(copy: Path) -> None:
    # Without settings: Django then looks for ./locale, and no server is involved.
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    options = ["--locale=ko", "--no-location", "--no-obsolete", "--no-wrap"]
    command = [sys.executable, "-m", "django", "makemessages", *options]
    run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)


def _complaint(entry: Entry, known: set) -> str:
    if entry.fuzzy:
        return "fuzzy"
    return "untranslated" if entry.key in known else "not in the catalogue"


if __name__ == "__main__":
    main()
