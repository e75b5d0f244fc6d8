"""When a deposit that the bank's statement shows can be recorded: once, on a day that can be.

A debt that a seller pays, and what a seller pays in advance, come into the same account of the
bank; an entry of its statement is one of them.
"""

from datetime import date, datetime

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from settlements.models import AdPrepaymentMovement, DebtMovement


class EvidenceMissing(Refused):
    code = "deposit_evidence_missing"
    message = gettext_noop("Name the entry of the bank's statement that shows the deposit.")


class EvidenceUsed(Refused):
    code = "deposit_recorded_before"
    message = gettext_noop(
        "The entry “%(evidence)s” of the bank's statement was recorded already, for “%(seller)s” "
        "on %(on)s. Name another entry, with its day and number."
    )


class DepositTooEarly(Refused):
    code = "deposit_too_early"
    message = gettext_noop(
        "%(on)s lies before the marketplace opened, on %(opened)s. Write the day on which the bank "
        "has it."
    )


class DepositInFuture(Refused):
    code = "deposit_in_future"
    message = gettext_noop("%(on)s lies in the future. Write the day on which the bank has it.")


def once(evidence: str, *, on: date, at: datetime) -> str:
    """The entry of the bank's statement as it is stored, and no other deposit until the end of
    the transaction.

    Raises EvidenceMissing, EvidenceUsed where the entry was recorded before, DepositInFuture, and
    DepositTooEarly, as no balance would show it.
    """
    if not (evidence := " ".join(evidence.split())):
        raise EvidenceMissing(field="evidence")
    if on > verdicts.business_date(at, tenancy.current().tz):
        raise DepositInFuture(on=on, field="on")
    if on < (opened := tenancy.current().first_open_on):
        raise DepositTooEarly(on=on, opened=opened, field="on")
    # Of two people who record one deposit, also for two sellers, the second one is refused.
    Marketplace.objects.select_for_update(no_key=True).get(pk=tenancy.current_id())
    for model in (DebtMovement, AdPrepaymentMovement):
        recorded = model.objects.filter(kind=model.Kind.DEPOSIT, evidence=evidence)
        if before := recorded.select_related("seller").first():
            raise EvidenceUsed(
                evidence=evidence, seller=before.seller, on=before.on, field="evidence"
            )
    return evidence
