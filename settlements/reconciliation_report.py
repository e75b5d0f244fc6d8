"""What is open of each reconciliation: how many, how much money, and since when the oldest.

Four are kept: providers' files against orders, days of sales that no file covers, a bank's results
against payouts, the ledger against statements. Nights report all of them, also when there is
nothing.
"""

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Min, Sum
from django.db.models.functions import Abs

from marketplace import tenancy
from orders import verdicts
from settlements import payout_exceptions
from settlements.models import Discrepancy, LedgerDifference, MissingFile, Payout, PayoutException

PROVIDER, FILES, BANK, LEDGER = "provider", "files", "bank", "ledger"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is open at the end of a day: rows, minor units, days that the oldest has waited."""

    code: str
    open: int
    amount: int
    oldest_days: int


def standing(on: date) -> list[Standing]:
    """All four, in the order of the money's way."""
    return [
        _of_rows(PROVIDER, Discrepancy.objects.open(), on),
        _of_files(on),
        _of_bank(on),
        _of_rows(LEDGER, LedgerDifference.objects.open(), on),
    ]


def counts(on: date) -> dict[str, int]:
    """The same for the report of a night; the provider's own stand under their bare names."""
    found = {}
    for each in standing(on):
        start = "" if each.code == PROVIDER else f"{each.code}_"
        found[f"{start}open"] = each.open
        found[f"{start}amount"] = each.amount
        found[f"{start}oldest_days"] = each.oldest_days
    return found


def _of_rows(code: str, rows, on: date) -> Standing:
    sums = rows.aggregate(open=Count("pk"), amount=Sum(Abs("difference")), oldest=Min("found_on"))
    return Standing(code, sums["open"], int(sums["amount"] or 0), _days(sums["oldest"], on))


def _of_files(on: date) -> Standing:
    """Days of sales without a file; they age from the day itself."""
    rows = MissingFile.objects.open()
    sums = rows.aggregate(open=Count("pk"), amount=Sum("amount"), oldest=Min("day"))
    return Standing(FILES, sums["open"], int(sums["amount"] or 0), _days(sums["oldest"], on))


def _of_bank(on: date) -> Standing:
    """Answers that do not fit, and payouts whose result is overdue."""
    exceptions = PayoutException.objects.filter(state=PayoutException.State.OPEN)
    overdue = Payout.objects.overdue(on)
    told = exceptions.aggregate(
        open=Count("pk"), amount=Sum(payout_exceptions.at_stake()), oldest=Min("raised_at")
    )
    late = overdue.aggregate(open=Count("pk"), amount=Sum("amount"), oldest=Min("result_due_on"))
    zone = tenancy.current().tz
    raised_on = told["oldest"] and verdicts.business_date(told["oldest"], zone)
    return Standing(
        BANK,
        told["open"] + late["open"],
        int(told["amount"] or 0) + int(late["amount"] or 0),
        max(_days(raised_on, on), _days(late["oldest"], on)),
    )


def _days(oldest: date | None, on: date) -> int:
    return max((on - oldest).days, 0) if oldest else 0
