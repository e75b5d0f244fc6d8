"""Files that sides of an arbitration send in: pictures and PDF documents, kept sealed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from django.core.files.uploadedfile import UploadedFile

from marketplace import sealing
from marketplace.refusals import Refused, gettext_noop
from orders.models import ArbitrationStatement, Claim, Evidence

MOST_FILES: Final = 5  # of one statement
MOST_IN_ALL: Final = 20  # of one arbitration
MOST_BYTES: Final = 5_000_000  # of one file
_LONGEST_NAME: Final = 100
_KINDS: Final = (  # by how files of a kind begin, whatever they are called
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)


class TooManyFiles(Refused):
    code = "too_many_evidence_files"
    message = gettext_noop(
        "A statement has %(limit)s files at most, an arbitration %(in_all)s. Leave some out."
    )


class FileTooLarge(Refused):
    code = "evidence_too_large"
    message = gettext_noop("“%(name)s” is larger than %(limit)s MB. Make it smaller.")


class NoEvidence(Refused):
    code = "evidence_not_usable"
    message = gettext_noop("“%(name)s” is no picture or PDF. Send it as JPEG, PNG or PDF.")


@dataclass(frozen=True, slots=True)
class File:
    """A file that was looked at."""

    name: str
    kind: str
    content: bytes


def checked(uploads: Sequence[UploadedFile]) -> list[File]:
    """The files of one statement. Raises TooManyFiles, FileTooLarge, NoEvidence."""
    if len(uploads) > MOST_FILES:
        raise TooManyFiles(limit=MOST_FILES, in_all=MOST_IN_ALL, field="files")
    return [_checked(upload) for upload in uploads]


def keep(statement: ArbitrationStatement, files: Sequence[File]) -> None:
    """Keep the files of a statement, sealed. Raises TooManyFiles for those of its arbitration."""
    kept = Evidence.objects.filter(statement__arbitration=statement.arbitration_id).count()
    if kept + len(files) > MOST_IN_ALL:
        raise TooManyFiles(limit=MOST_FILES, in_all=MOST_IN_ALL, field="files")
    for file in files:
        row = Evidence(
            marketplace_id=statement.marketplace_id,
            statement=statement,
            name=file.name,
            kind=file.kind,
            size=len(file.content),
        )
        sealing.seal(row, content=base64.b64encode(file.content).decode())
        row.save()


def find(claim: Claim, public_id: str) -> Evidence | None:
    """A file that was sent in about a claim, by its id."""
    of_claim = Evidence.objects.filter(statement__arbitration__claim=claim)
    return of_claim.filter(public_id=public_id).first()


def content(row: Evidence) -> bytes:
    """What a file holds."""
    return base64.b64decode(sealing.reveal(row, "content"))


def _checked(upload: UploadedFile) -> File:
    name = PurePosixPath((upload.name or "").replace("\\", "/")).name
    name = "".join(letter for letter in name if letter.isprintable())[-_LONGEST_NAME:] or "file"
    if (upload.size or 0) > MOST_BYTES:
        raise FileTooLarge(name=name, limit=MOST_BYTES // 1_000_000, field="files")
    data = upload.read()
    kind = next((kind for begin, kind in _KINDS if data.startswith(begin)), None)
    if kind is None:
        raise NoEvidence(name=name, field="files")
    return File(name, kind, data)
