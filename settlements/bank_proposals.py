"""What may explain a transaction of the bank account: movements of the ledger's bank, or a debt.

A movement fits where its amount is the same and its day a few business days away at most: a payment
provider's deposit, a payout, a batch of them, one that came back. What is paid in may be a deposit
on the debt of a seller whom its text names, up to what is owed. A proposal is exact where it is the
only one for its transaction and nothing in it is proposed for another. Values in, values out;
amounts are minor units, paid out below zero.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from marketplace.calendars import Calendar

WITHIN: Final = 3  # business days between the bank's day and the ledger's
MOVEMENT: Final = "movement"
BATCH: Final = "batch"
DEBT: Final = "debt"
_SHORTEST_NAME: Final = 2  # characters; what is shorter stands in too many texts by chance
_FORMS: Final = ("주식회사", "(주)", "㈜", "유한회사")  # of companies, as banks leave them out


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row of the bank, with all that it says in words."""

    key: int
    on: date
    amount: int
    text: str


@dataclass(frozen=True, slots=True)
class Movement:
    """What journals moved on the ledger's bank account together; one, or those of a batch."""

    kind: str  # MOVEMENT or BATCH
    reference: str  # of the journal with its template, or of the batch
    on: date
    amount: int
    journals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Debtor:
    """A seller who owes something, and the numbers of what was invoiced."""

    key: int
    code: str
    name: str
    numbers: tuple[str, ...]
    owed: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What explains a transaction; `uses` is what no other transaction can be explained by."""

    transaction: int
    kind: str
    reference: str
    on: date | None
    amount: int
    uses: tuple[str, ...]
    is_exact: bool = False

    @property
    def code(self) -> str:
        """What it is chosen by; the same as long as it is the same proposal."""
        return f"{self.kind}:{self.reference}"


def propose(
    transactions: Iterable[Transaction],
    movements: Iterable[Movement],
    debtors: Iterable[Debtor],
    calendar: Calendar,
) -> dict[int, list[Proposal]]:
    """What may explain each transaction, by its key; the likeliest first, none where nothing is."""
    by_amount: dict[int, list[Movement]] = defaultdict(list)
    for movement in movements:
        by_amount[movement.amount].append(movement)
    debtors = list(debtors)
    found = {
        row.key: [
            *_of_movements(row, by_amount[row.amount], calendar),
            *_of_debts(row, debtors),
        ]
        for row in transactions
    }
    used = Counter(use for each in found.values() for proposal in each for use in proposal.uses)
    return {key: _marked(each, used) for key, each in found.items()}


def is_near(one: date, other: date, calendar: Calendar) -> bool:
    """Whether two days are so close that they may be of the same money."""
    first, last = min(one, other), max(one, other)
    return last <= calendar.add_business_days(first, WITHIN)


def _of_movements(
    row: Transaction, movements: Iterable[Movement], calendar: Calendar
) -> Iterator[Proposal]:
    near = [each for each in movements if is_near(each.on, row.on, calendar)]
    for each in sorted(near, key=lambda each: (abs((each.on - row.on).days), each.reference)):
        uses = tuple(f"{MOVEMENT}:{journal}" for journal in each.journals)
        yield Proposal(row.key, each.kind, each.reference, each.on, each.amount, uses)


def _of_debts(row: Transaction, debtors: Iterable[Debtor]) -> Iterator[Proposal]:
    if row.amount <= 0:
        return
    text = row.text.casefold()
    for debtor in debtors:
        if row.amount > debtor.owed:
            continue
        is_sure = any(_holds(text, word) for word in (debtor.code, *debtor.numbers))
        if is_sure or _names(text, debtor.name):
            use = f"{DEBT}:{debtor.key}"
            is_exact = is_sure and row.amount == debtor.owed
            yield Proposal(row.key, DEBT, debtor.code, None, row.amount, (use,), is_exact)


def _holds(text: str, word: str) -> bool:
    """Whether a code stands in a text by itself, and not as a part of a longer one."""
    pattern = rf"(?<![0-9a-z]){re.escape(word.casefold())}(?![0-9a-z])"
    return bool(word) and re.search(pattern, text) is not None


def _names(text: str, name: str) -> bool:
    plain = _plain(name.casefold())
    return len(plain) >= _SHORTEST_NAME and plain in _plain(text)


def _plain(name: str) -> str:
    for form in _FORMS:
        name = name.replace(form, "")
    return re.sub(r"\s", "", name)


def _marked(proposals: list[Proposal], used: Mapping[str, int]) -> list[Proposal]:
    """Say of each whether it is exact; of a debt, only where it is named and paid as a whole."""
    is_only = len(proposals) == 1
    return [
        replace(
            each,
            is_exact=is_only
            and all(used[use] == 1 for use in each.uses)
            and (each.kind != DEBT or each.is_exact),
        )
        for each in proposals
    ]
