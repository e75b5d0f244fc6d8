"""What payouts write to the ledger, once each by template and payout.

A bank's word comes when it comes: where its day is signed or its month closed, the journal is
posted on an open day.
"""

from datetime import date, datetime

from marketplace import tenancy
from orders import verdicts
from settlements import ledger
from settlements.ledger import Draft
from settlements.models import Payout


def sent(payout: Payout, *, at: datetime) -> None:
    """What is owed for payout is on its way."""
    draft = _draft("payout_sent", payout, at)
    draft.debit(ledger.PAYOUT_PAYABLE, payout.amount)
    draft.credit(ledger.PAYOUT_IN_TRANSIT, payout.amount)
    ledger.post_on_open_day(draft)


def paid(payout: Payout, *, at: datetime) -> None:
    """What was on its way has left the bank."""
    draft = _draft("payout_paid", payout, at)
    draft.debit(ledger.PAYOUT_IN_TRANSIT, payout.amount)
    draft.credit(ledger.BANK, payout.amount)
    ledger.post_on_open_day(draft)


def failed(payout: Payout, *, at: datetime) -> None:
    """What was on its way is owed again."""
    draft = _draft("payout_failed", payout, at)
    draft.debit(ledger.PAYOUT_IN_TRANSIT, payout.amount)
    draft.credit(ledger.PAYOUT_PAYABLE, payout.amount)
    ledger.post_on_open_day(draft)


def paid_late(payout: Payout, *, owed: int, at: datetime) -> None:
    """It had failed, and left the bank after all. What is owed no more cannot have been paid for
    it: that part is on suspense until people have found out."""
    draft = _draft("payout_paid_late", payout, at)
    draft.debit(ledger.PAYOUT_PAYABLE, owed)
    draft.debit(ledger.SUSPENSE, payout.amount - owed)
    draft.credit(ledger.BANK, payout.amount)
    ledger.post_on_open_day(draft)


def returned(payout: Payout, *, at: datetime) -> None:
    """It had been paid, and came back: it is owed again."""
    draft = _draft("payout_returned", payout, at)
    draft.debit(ledger.BANK, payout.amount)
    draft.credit(ledger.PAYOUT_PAYABLE, payout.amount)
    ledger.post_on_open_day(draft)


def _draft(template: str, payout: Payout, at: datetime) -> Draft:
    on = business_date(at)
    return Draft(template, payout.public_id, on, payout.seller_id)


def business_date(at: datetime) -> date:
    """The date of a moment in the marketplace in use."""
    return verdicts.business_date(at, tenancy.current().tz)
