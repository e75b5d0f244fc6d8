"""The file that says what the tax office answered: read row by row, nothing decided.

A CSV with a header, in UTF-8 or the code page of Korean Excel. Columns go by name, English or
Korean, in any order.
"""

import csv
import io
from dataclasses import dataclass
from typing import Final

from marketplace.refusals import Refused, gettext_noop

MOST_BYTES: Final = 20_000_000
NUMBER, APPROVAL, RESULT, MESSAGE = "number", "approval_number", "result", "message"
_COLUMNS: Final = {
    "관리번호": NUMBER,
    "국세청승인번호": APPROVAL,
    "승인번호": APPROVAL,
    "결과": RESULT,
    "사유": MESSAGE,
}
_ACCEPTED: Final = frozenset({"accepted", "success", "성공", "정상"})
_FAILED: Final = frozenset({"failed", "error", "실패", "오류"})


class ResultsUnreadable(Refused):
    code = "tax_results_unreadable"
    message = gettext_noop(
        "The file cannot be read. It has to be CSV in UTF-8 or EUC-KR, with a header that names "
        "the columns number and result."
    )


class UnknownOutcome(Refused):
    code = "tax_result_unknown"
    message = gettext_noop("“%(text)s” is no result: write accepted or failed.")


@dataclass(frozen=True, slots=True)
class Answer:
    """A row of the file, by its line. What `result` means is asked of `is_accepted`."""

    row: int
    number: str
    approval_number: str
    result: str
    message: str

    @property
    def is_accepted(self) -> bool:
        """Raises UnknownOutcome."""
        said = self.result.casefold()
        if said not in _ACCEPTED | _FAILED:
            raise UnknownOutcome(text=self.result[:40])
        return said in _ACCEPTED


def read(content: bytes) -> list[Answer]:
    """The rows of a file; empty ones are left out. Raises ResultsUnreadable."""
    try:
        rows = list(csv.reader(io.StringIO(_decoded(content)), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ResultsUnreadable(field="file") from error
    if not rows:
        raise ResultsUnreadable(field="file")
    names = [_name(cell) for cell in rows[0]]
    if NUMBER not in names or RESULT not in names:
        raise ResultsUnreadable(field="file")
    found = []
    for line, row in enumerate(rows[1:], start=2):
        cells = dict(zip(names, (cell.strip() for cell in row), strict=False))
        if any(cells.values()):
            found.append(Answer(line, *(cells.get(name, "") for name in _ORDER)))
    return found


_ORDER: Final = (NUMBER, APPROVAL, RESULT, MESSAGE)


def _name(cell: str) -> str:
    name = cell.strip().casefold().replace(" ", "")
    return _COLUMNS.get(name, name)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp949")
