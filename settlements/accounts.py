"""What operators decide about the chart of accounts: names, order, and accounts of their own.

Codes, kinds and sides of the system's accounts are settlements.chart's. No account is ever taken
away: entries stand on it.
"""

from datetime import datetime

from django.db import transaction

from marketplace import audit
from marketplace.refusals import Refused, gettext_noop
from settlements import chart
from settlements.models import Account


class CodeTaken(Refused):
    code = "account_code_taken"
    message = gettext_noop("There already is an account with the code “%(code)s”.")


class CodeOfSystem(Refused):
    code = "account_code_of_system"
    message = gettext_noop("Codes that begin with “%(start)s” are the system's. Choose another.")


@transaction.atomic
def rename(
    account: Account, *, name: str, name_english: str, place: int, by, at: datetime
) -> Account:
    """Call an account something else, or give it another place in lists. Entries stay."""
    before = [account.name, account.name_english, account.place]
    account.name, account.name_english, account.place = name, name_english, place
    account.save(update_fields=["name", "name_english", "place"])
    data = {"before": before, "after": [name, name_english, place]}
    audit.record("account.renamed", by=by, at=at, obj=account, data=data)
    return account


def refuse_unusable(code: str) -> None:
    """Raise CodeTaken or CodeOfSystem where an account of one's own cannot have this code."""
    for start in chart.BY_COMPONENT:
        if code.startswith(start):
            raise CodeOfSystem(start=start)
    if code in chart.BY_CODE or Account.objects.filter(code=code).exists():
        raise CodeTaken(code=code)
