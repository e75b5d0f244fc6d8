"""A bank for trials and tests that moves no money and does what the account's ending says.

Like a bank it keeps its own books, in transactions of its own: what it was told stays told when
the caller dies. A transfer that it knows is never done again; it answers what it answered before.
"""

from collections.abc import Mapping
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F

from marketplace import tenancy
from settlements.gateways.interface import Answer, NoAnswer, Outcome
from settlements.models import SandboxTransfer
from settlements.transfer_files import Transfer

FAILS: Final = "0001"
DELAYS: Final = "0002"
LOSES_ITS_ANSWER: Final = "0003"  # it pays, and the answer is lost
LOSES_THE_TRANSFER: Final = "0004"  # it does not even get it
TAKES_ITS_WORD_BACK: Final = "0005"  # it fails at first, and is paid when asked later
HAS_ANOTHER_HOLDER: Final = "0006"
FAILS_LATER: Final = "0007"

_CODES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.PAID: ("0000", ""),
    Outcome.FAILED: ("0011", "계좌 없음"),
    Outcome.ACCEPTED: ("", ""),
}
_PLAN: Final[Mapping[str, tuple[Outcome, Outcome]]] = {  # at once, and when asked
    FAILS: (Outcome.FAILED, Outcome.FAILED),
    DELAYS: (Outcome.ACCEPTED, Outcome.PAID),
    TAKES_ITS_WORD_BACK: (Outcome.FAILED, Outcome.PAID),
    FAILS_LATER: (Outcome.ACCEPTED, Outcome.FAILED),
}


class Sandbox:
    writes_file = False

    def __init__(self, marketplace_id: int):
        self._marketplace_id = marketplace_id

    def send(self, transfer: Transfer) -> Answer:
        ending = transfer.number[-4:]
        if ending == LOSES_THE_TRANSFER:
            raise NoAnswer("the sandbox was told to lose the transfer")
        at_once, later = _PLAN.get(ending, (Outcome.PAID, Outcome.PAID))
        with tenancy.use(self._marketplace_id):
            row = self._received(transfer, at_once, later)
        if ending == LOSES_ITS_ANSWER:
            raise NoAnswer("the sandbox was told to lose its answer")
        return _answer(row.outcome, row.amount)

    def ask(self, reference: str) -> Answer | None:
        with tenancy.use(self._marketplace_id):
            row = SandboxTransfer.objects.filter(reference=reference).first()
        return _answer(row.later, row.amount) if row else Answer(Outcome.NOT_FOUND)

    def holder_of(self, bank: str, number: str) -> str | None:
        return "다른사람" if number.endswith(HAS_ANOTHER_HOLDER) else None

    def _received(self, transfer: Transfer, at_once: str, later: str) -> SandboxTransfer:
        try:
            with transaction.atomic():
                return SandboxTransfer.objects.create(
                    reference=transfer.reference,
                    amount=transfer.amount,
                    outcome=at_once,
                    later=later,
                )
        except IntegrityError:
            known = SandboxTransfer.objects.filter(reference=transfer.reference)
            known.update(received=F("received") + 1)
            return known.get()


def _answer(outcome: str, amount: int) -> Answer:
    told = Outcome(outcome)
    return Answer(told, *_CODES[told], amount=amount)
