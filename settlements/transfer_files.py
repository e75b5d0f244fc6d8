"""Files that a bank's bulk transfer reads, and the results that it gives back. Bytes, no database.

Two layouts, both CP949 (EUC-KR with its extensions), as Korean banking programs read them: CSV,
and fixed width in records of 120 bytes. The same transfers always make the same bytes. What a
file of results says is read row by row; a row that cannot be read is told apart, and the other
rows still count. docs/payouts.md describes every column.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from marketplace import money
from marketplace.refusals import Refused, gettext_noop

CSV: Final = "bank_csv"
FIXED: Final = "bank_fixed"
ENCODING: Final = "cp949"
PAID_CODE: Final = "0000"
WIDTH: Final = 120  # bytes of a record, without its line end
MOST_BYTES: Final = 20_000_000

_HEAD: Final = ("순번", "은행코드", "계좌번호", "금액", "예금주", "지급번호", "적요")
_RESULT_HEAD: Final = ("지급번호", "금액", "결과코드", "결과내용")
_AMOUNT_DIGITS: Final = 13


class UnwritableTransfer(Refused):
    code = "unwritable_transfer"
    message = gettext_noop("“%(field)s” of a transfer cannot be written into the bank's file.")


class NotAResultFile(Refused):
    code = "not_a_result_file"
    message = gettext_noop(
        "This is no file of results: %(why)s. Upload the file as the bank gave it, unchanged."
    )

    def text(self, translate: Callable[[str], str]) -> str:
        return translate(self.message) % {"why": translate(str(self.params["why"]))}


class ResultIncomplete(Refused):
    code = "result_incomplete"
    message = gettext_noop("The payout or the code is missing.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money to an account; `amount` in minor units. `reference` is how results name it."""

    reference: str
    bank: str
    number: str
    holder: str
    amount: int
    memo: str = ""

    def __repr__(self) -> str:
        return f"Transfer(reference={self.reference!r}, amount={self.amount})"  # never in a log


@dataclass(frozen=True, slots=True)
class Result:
    """A row of a file of results. Of one with a `problem` nothing but its place can be used."""

    row: int
    reference: str = ""
    amount: int = 0
    code: str = ""
    said: str = ""
    problem: Refused | None = None

    @property
    def is_paid(self) -> bool:
        return self.code == PAID_CODE


def write(layout: str, transfers: Sequence[Transfer], *, exponent: int) -> bytes:
    """The bank's file of some transfers. Raises UnwritableTransfer."""
    for transfer in transfers:
        check(transfer)
    return _write_csv(transfers, exponent) if layout == CSV else _write_fixed(transfers)


def check(transfer: Transfer) -> None:
    """Refuse what a bank's file cannot hold: other scripts, amounts of too many digits."""
    for field in ("bank", "number", "holder", "reference", "memo"):
        text = getattr(transfer, field)
        try:
            text.encode(ENCODING)
        except UnicodeEncodeError:
            raise UnwritableTransfer(field=field) from None
        if any(unicodedata.category(letter) == "Cc" for letter in text):
            raise UnwritableTransfer(field=field)
    if not 0 < transfer.amount < 10**_AMOUNT_DIGITS:
        raise UnwritableTransfer(field="amount")


def read(layout: str, content: bytes, *, exponent: int) -> list[Result]:
    """The rows of a file of results. Raises NotAResultFile where it is none."""
    if len(content) > MOST_BYTES:
        raise NotAResultFile(why=gettext_noop("it is larger than 20 MB"))
    try:
        text = content.decode("utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else ENCODING)
    except UnicodeDecodeError:
        raise NotAResultFile(why=gettext_noop("its letters are neither EUC-KR nor UTF-8")) from None
    rows = list(_read_csv(text, exponent) if layout == CSV else _read_fixed(content))
    if not rows:
        raise NotAResultFile(why=gettext_noop("it holds no result"))
    return rows


def _write_csv(transfers: Sequence[Transfer], exponent: int) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for number, transfer in enumerate(transfers, 1):
        writer.writerow(
            [
                number,
                transfer.bank,
                transfer.number,
                money.plain(transfer.amount, exponent).replace(",", ""),
                transfer.holder,
                transfer.reference,
                transfer.memo,
            ]
        )
    return out.getvalue().encode(ENCODING)


def _write_fixed(transfers: Sequence[Transfer]) -> bytes:
    """A head, a record for each transfer, and a tail with the count and the sum."""
    records = [b"H" + _left("JANGTEO", 12)]
    for number, transfer in enumerate(transfers, 1):
        records.append(
            b"D"
            + _right(number, 7)
            + _left(transfer.bank, 3)
            + _left(transfer.number, 16)
            + _right(transfer.amount, _AMOUNT_DIGITS)
            + _left(transfer.holder, 20)
            + _left(transfer.reference, 32)
            + _left(transfer.memo, 14)
        )
    total = sum(transfer.amount for transfer in transfers)
    records.append(b"T" + _right(len(transfers), 7) + _right(total, 15))
    return b"".join(record.ljust(WIDTH) + b"\r\n" for record in records)


def _left(text: str, width: int) -> bytes:
    """Text from the left, cut between letters and never inside one."""
    kept = b""
    for letter in text:
        if len(kept) + len(encoded := letter.encode(ENCODING)) > width:
            break
        kept += encoded
    return kept.ljust(width)


def _right(number: int, width: int) -> bytes:
    return str(number).rjust(width, "0").encode()


def _read_csv(text: str, exponent: int) -> Iterator[Result]:
    rows = csv.reader(io.StringIO(text))
    head = [cell.strip() for cell in next(rows, [])]
    missing = [name for name in _RESULT_HEAD[:3] if name not in head]
    if missing:
        raise NotAResultFile(why=gettext_noop("a column is missing"))
    places = {name: head.index(name) for name in _RESULT_HEAD if name in head}
    for number, cells in enumerate(rows, 2):
        if not any(cell.strip() for cell in cells):
            continue
        named = {
            name: cells[place].strip() if place < len(cells) else ""
            for name, place in places.items()
        }
        yield _result(number, *(named.get(name, "") for name in _RESULT_HEAD), exponent=exponent)


def _read_fixed(content: bytes) -> Iterator[Result]:
    """Records D of results: reference (32), amount (13, minor units), code (4), words (40)."""
    lines = content.splitlines()
    if not lines or not lines[0].startswith(b"H"):
        raise NotAResultFile(why=gettext_noop("it does not begin with a record H"))
    tails = [line for line in lines if line.startswith(b"T")]
    records = [(at, line) for at, line in enumerate(lines, 1) if line.startswith(b"D")]
    if len(tails) != 1 or _digits(tails[0][1:8]) != len(records):
        raise NotAResultFile(
            why=gettext_noop("its record T does not count its records; it may be cut short")
        )
    for number, line in records:
        fields = [line[8:40], line[40:53], line[53:57], line[57:97]]
        reference, amount, code, said = (
            field.decode(ENCODING, "replace").strip() for field in fields
        )
        if _digits(fields[1]) is None:
            problem = money.UnreadableAmount(text=amount)
            yield Result(number, reference=reference, problem=problem)
        else:
            yield _checked(number, reference, int(amount), code, said)


def _digits(field: bytes) -> int | None:
    text = field.strip()
    return int(text) if text.isdigit() else None


def _result(
    row: int, reference: str, amount: str, code: str, said: str, *, exponent: int
) -> Result:
    try:
        found = money.parse(amount, exponent)
    except Refused as refused:
        return Result(row, reference=reference, problem=refused)
    return _checked(row, reference, found, code, said)


def _checked(row: int, reference: str, amount: int, code: str, said: str) -> Result:
    if not reference or not code:
        return Result(row, reference=reference, problem=ResultIncomplete())
    # Spreadsheets take 0000 for a number and write 0.
    code = code.rjust(len(PAID_CODE), "0") if code.isdigit() else code
    return Result(row, reference[:60], amount, code[:20], said[:200])
