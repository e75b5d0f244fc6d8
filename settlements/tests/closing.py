"""Nights that are closed, and found to be right by everything that can tell."""

from datetime import date

from marketplace import tenancy
from settlements import nights, tax_ties, verification
from settlements.models import LedgerDifference
from settlements.tests import make


def close_and_check(market, on: date, *, month: date) -> None:
    """Close all nights up to a day: lines verify, the ledger matches, and a month's tax is tied."""
    nights.close_day(market.pk, on, at=make.AT)
    with tenancy.use(market.pk):
        assert [str(found) for found in verification.verify(on=on)] == []
        assert not LedgerDifference.objects.exists()
        assert tax_ties.of_month(month).is_tied
