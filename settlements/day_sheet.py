"""The sheet of a business date (일마감): a handful of sums, each of which has to come out.

Values in, values out: what was read from files, orders, statements and ledger is put side by
side, and whatever does not agree is named by its difference. Amounts are minor units.
Source: the settlement arithmetic, sections 9 and 11.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PROVIDER: Final = "provider"  # what the payment provider paid
OUTCOMES: Final = "outcomes"  # what was sold and taken back
SETTLED: Final = "settled"  # the statements that closed
OWED: Final = "owed"  # what sellers are owed
CLEARING: Final = "clearing"  # how the clearing account moved
STANDING: Final = "standing"  # what it then consists of
LEDGER: Final = "ledger"
BLOCKS: Final = (PROVIDER, OUTCOMES, SETTLED, OWED, CLEARING, STANDING, LEDGER)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a date. Each figure is read where it stands, none from another one.

    The provider's four are None where no settlement file tells of the date. Outcomes and lines are
    worth what buyers and other funders pay: list amount less the seller's discount, below zero
    where goods came back.
    """

    gross: int | None
    provider_fee: int | None
    provider_vat: int | None
    deposit: int | None
    outcomes: int
    on_lines: int
    waiting: int
    lost: int  # outcomes neither on a line nor waiting
    sold: int  # of the statements that closed
    charged: int  # fees with their VAT, and the VAT of sales that the marketplace owes
    net: int
    opening: int  # owed to sellers when the day began
    withheld: int
    moved: Mapping[str, int]  # what other journals added to it, by template
    closing: int
    clearing_opening: int  # the clearing account: what has been settled and has not come
    taken: int  # buyers' money of the statements that closed, less what they took back
    deposited: int  # by providers, of files whose journals stand on the day
    clearing_moved: Mapping[str, int]  # what other journals added to it, by template
    clearing_closing: int
    standing: Mapping[str, int] | None  # what the night's proof named of it; None without one
    debits: int
    credits: int
    unresolved: Mapping[str, int] = field(default_factory=dict)  # what waits for a person


@dataclass(frozen=True, slots=True)
class Term:
    """A figure of a sum; the sign says whether it is added or taken off."""

    code: str
    sign: int
    amount: int | None


@dataclass(frozen=True, slots=True)
class Block:
    """A sum and what it has to come to."""

    code: str
    terms: tuple[Term, ...]
    result: Term

    @property
    def is_known(self) -> bool:
        return self.result.amount is not None and all(t.amount is not None for t in self.terms)

    @property
    def difference(self) -> int | None:
        """What the sum comes to beyond its result; None where a figure is not known."""
        total = 0
        for term in (*self.terms, Term("", -1, self.result.amount)):
            if term.amount is None:
                return None
            total += term.sign * term.amount
        return total


@dataclass(frozen=True, slots=True)
class Sheet:
    """All sums of a date, and what is open: named, never absorbed."""

    blocks: tuple[Block, ...]
    unresolved: tuple[tuple[str, int], ...]

    @property
    def differing(self) -> tuple[str, ...]:
        """The codes of the sums that do not come out."""
        return tuple(block.code for block in self.blocks if block.difference)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The codes of the sums of which a figure is not known."""
        return tuple(block.code for block in self.blocks if not block.is_known)

    def said(self) -> dict[str, Any]:
        """The sheet as plain data, to be kept and hashed."""
        return {
            "blocks": [
                {
                    "code": block.code,
                    "terms": [[term.code, term.sign, term.amount] for term in block.terms],
                    "result": [block.result.code, block.result.amount],
                }
                for block in self.blocks
            ],
            "unresolved": [list(named) for named in self.unresolved],
        }


def sheet(facts: Facts) -> Sheet:
    """Put the figures of a date side by side."""
    moved = [Term(f"moved:{name}", 1, amount) for name, amount in sorted(facts.moved.items())]
    blocks = (
        Block(
            PROVIDER,
            (
                Term("gross", 1, facts.gross),
                Term("provider_fee", -1, facts.provider_fee),
                Term("provider_vat", -1, facts.provider_vat),
            ),
            Term("deposit", 1, facts.deposit),
        ),
        Block(
            OUTCOMES,
            (
                Term("on_lines", 1, facts.on_lines),
                Term("waiting", 1, facts.waiting),
                Term("lost", 1, facts.lost),
            ),
            Term("outcomes", 1, facts.outcomes),
        ),
        Block(
            SETTLED,
            (Term("sold", 1, facts.sold), Term("charged", -1, facts.charged)),
            Term("net", 1, facts.net),
        ),
        Block(
            OWED,
            (
                Term("opening", 1, facts.opening),
                Term("accrued", 1, facts.net),
                Term("withheld", -1, facts.withheld),
                *moved,
            ),
            Term("closing", 1, facts.closing),
        ),
        *_clearing(facts),
        Block(LEDGER, (Term("debits", 1, facts.debits),), Term("credits", 1, facts.credits)),
    )
    return Sheet(blocks, tuple((code, count) for code, count in sorted(facts.unresolved.items())))


def _clearing(facts: Facts) -> Iterator[Block]:
    """How the clearing account moved, and, where a night has proven it, what it consists of."""
    moved = sorted(facts.clearing_moved.items())
    closing = Term("clearing_closing", 1, facts.clearing_closing)
    yield Block(
        CLEARING,
        (
            Term("clearing_opening", 1, facts.clearing_opening),
            Term("taken", 1, facts.taken),
            Term("deposited", -1, facts.deposited),
            *(Term(f"cleared:{name}", 1, amount) for name, amount in moved),
        ),
        closing,
    )
    if facts.standing is not None:
        terms = tuple(Term(name, 1, amount) for name, amount in facts.standing.items())
        yield Block(STANDING, terms, closing)


def read(said: Mapping[str, Any]) -> Sheet:
    """A sheet from what `said()` gave."""
    return Sheet(
        tuple(
            Block(
                block["code"],
                tuple(Term(code, sign, amount) for code, sign, amount in block["terms"]),
                Term(block["result"][0], 1, block["result"][1]),
            )
            for block in said["blocks"]
        ),
        tuple((code, count) for code, count in said["unresolved"]),
    )


def digest(day: str, version: int, said: Mapping[str, Any], previous: str) -> str:
    """The hash of a sheet as it is signed: what it says, of which day, after which one before."""
    text = json.dumps(
        {"day": day, "version": version, "sheet": said, "previous": previous},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()
