"""What the tax office's word on a business means for its money, and how long the word is good.

The words are those of the status inquiry (사업자등록정보 상태조회): 계속사업자, 휴업자, 폐업자, and
a number that is not registered.
"""

from datetime import datetime, timedelta
from typing import Final

OPERATING: Final = "operating"
SUSPENDED: Final = "suspended"
CLOSED: Final = "closed"
UNREGISTERED: Final = "unregistered"
STATUSES: Final = (OPERATING, SUSPENDED, CLOSED, UNREGISTERED)

AT_LEAST: Final = timedelta(minutes=10)  # an answer is good for the sending it was asked for
ASKED_AGAIN: Final = timedelta(minutes=5)  # after the service has not answered


def keeps_money(status: str) -> bool:
    """Whether a business that is said to be so is not simply paid."""
    return status in (SUSPENDED, CLOSED, UNREGISTERED)


def is_fresh(answered_at: datetime | None, *, at: datetime, days: int) -> bool:
    """Whether an answer may be used at a moment where answers are good for some days."""
    if answered_at is None:
        return False
    return at - answered_at <= max(timedelta(days=days), AT_LEAST)


def may_be_asked(failed_at: datetime | None, *, at: datetime) -> bool:
    """Whether a service that did not answer is asked again already."""
    return failed_at is None or at - failed_at >= ASKED_AGAIN
