"""A closed statement as a bundle that proves itself: lines, rules, figures, seal, manifest.

The same statement gives the same bytes each time. What is in the files is told in docs/proof.md,
and checked by docs/verify_statement.py.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path

from marketplace import tenancy
from marketplace.refusals import Refused, gettext_noop
from settlements import downloads, proofs, sealed_lines, seals, terms_documents
from settlements.models import Statement, StatementSeal, TermsDocument

TYPE = "application/zip"
_README = Path(__file__).with_name("bundle_readme.md")
_WRITTEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP knows; the time of day is no figure
_MODE = 0o644 << 16


class NotClosed(Refused):
    code = "statement_not_closed"
    message = gettext_noop("This statement still takes lines. A bundle is there once it is closed.")


class NotSealed(Refused):
    code = "statement_not_sealed"
    message = gettext_noop(
        "This statement was closed before statements were sealed. The next night seals it, or the "
        "operator of the marketplace with the command seal_statements."
    )


class TooLarge(Refused):
    code = "bundle_too_large"
    message = gettext_noop(
        "This statement has %(lines)s lines; a bundle holds at most %(most)s. Please ask the "
        "operator of the marketplace."
    )


def name(statement: Statement) -> str:
    """What the file of a bundle is called."""
    return f"statement-{statement.due_on:%Y-%m-%d}.zip"


def make(statement: Statement) -> bytes:
    """The bundle of a statement as a ZIP.

    Raises NotClosed, NotSealed, and TooLarge beyond what a page may take to make.
    """
    if statement.state == Statement.State.OPEN:
        raise NotClosed()
    seal = seals.of(statement)
    if seal is None:
        raise NotSealed()
    if downloads.is_long(statement):
        raise TooLarge(lines=f"{statement.lines:,}", most=f"{downloads.MOST_LINES:,}")
    files = {
        "README.md": _README.read_bytes(),
        "lines.csv": _lines(statement),
        "rules.json": _pretty({"terms": _terms(seal)}),
        "statement.json": _pretty(_statement(statement, seal)),
    }
    files["manifest.json"] = _manifest(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(file, _WRITTEN)
            entry.create_system, entry.external_attr = 3, _MODE
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 6)
    return out.getvalue()


def _lines(statement: Statement) -> bytes:
    return proofs.HEADER + b"".join(sealed_lines.rows(statement, terms_documents.complete()))


def _terms(seal: StatementSeal) -> dict:
    """The documents of the terms that the seal names, by label."""
    digests = json.loads(seal.document)["terms"]
    rows = TermsDocument.objects.filter(digest__in=digests).values_list("digest", "text")
    return {proofs.label(digest): json.loads(text) for digest, text in rows}


def _statement(statement: Statement, seal: StatementSeal) -> dict:
    return {
        "id": statement.public_id,
        "marketplace": tenancy.current().slug,
        "document": json.loads(seal.document),
        "head": seal.head,
        "key": seal.key.code,
        "public_key": seal.key.public_half,
        "signature": seal.signature,
    }


def _manifest(files: dict[str, bytes]) -> bytes:
    digests = {file: hashlib.sha256(files[file]).hexdigest() for file in sorted(files)}
    manifest = {"format": proofs.FORMAT, "files": digests}
    return (json.dumps(manifest, indent=2) + "\n").encode()


def _pretty(value: dict) -> bytes:
    """JSON to be read by people, always the same."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
