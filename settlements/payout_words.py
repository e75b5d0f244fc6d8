"""Why a statement waits or a payout did not arrive, in words, and what sellers do about it."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from settlements import payout_rules as rules


@dataclass(frozen=True, slots=True)
class Words:
    """A reason's name, and what the seller does about it; empty where there is nothing to do."""

    name: str | Promise
    remedy: str | Promise = ""


_NAME_ANOTHER: Promise = _(
    "Check bank, number and holder, and register the account under “Bank account” anew, or name "
    "another one. The money is sent with the next payout after that."
)
OUTCOMES: dict[str, Promise] = {  # what a bank answered
    "paid": pgettext_lazy("payout", "Paid"),
    "failed": pgettext_lazy("payout", "Failed"),
    "accepted": _("Accepted; the result comes later"),
    "not_found": _("The bank does not know it"),
    "lost": _("No answer"),
}
REASONS: dict[str, Words] = {
    rules.NO_POLICY: Words(_("No payout policy is in force")),
    rules.HELD: Words(_("Held"), _("The statement says why it is held, and what releases it.")),
    rules.BUSINESS_CLOSED: Words(
        _("The business is suspended or closed"),
        _(
            "The tax office says so, and the money waits. If the business is open, have the tax "
            "office correct it; if it has ended, ask the operator for a final settlement."
        ),
    ),
    rules.NO_ACCOUNT: Words(
        _("No bank account"), _("Register the account to be paid to under “Bank account”.")
    ),
    rules.COOLING: Words(
        _("The bank account was changed lately"),
        _("A new account is paid to some days after it was registered, for your safety."),
    ),
    rules.ACCOUNT_FAILED: Words(_("A payout to this account failed"), _NAME_ANOTHER),
    rules.ASSIGNEE_FAILED: Words(
        _("A payout to the assignee of your claims failed"),
        _("Please ask the assignee for another account, and tell the operator."),
    ),
    rules.SUSPENDED: Words(
        _("The shop is suspended"), _("Please ask the operator of the marketplace.")
    ),
    rules.OVER_PAYOUT_LIMIT: Words(_("Above the limit of one payout")),
    rules.OVER_BATCH_LIMIT: Words(_("Above the limit of one batch")),
    rules.ACCOUNT_CHANGED: Words(
        _("The bank account was changed before it was sent"),
        _("The money is sent to the new account with a next payout."),
    ),
    rules.HOLDER_DIFFERS: Words(_("The account belongs to somebody else"), _NAME_ANOTHER),
    rules.UNWRITABLE: Words(
        _("The bank cannot read the holder's name"),
        _("Register the account with the holder's name in Korean or Latin letters."),
    ),
    rules.CANCELLED: Words(
        _("The batch was cancelled"), _("The money is sent with a next payout.")
    ),
    rules.PAID_BEFORE: Words(_("An earlier payout arrived after all")),
    rules.NO_SUCH_ACCOUNT: Words(_("There is no such account"), _NAME_ANOTHER),
    rules.ACCOUNT_CLOSED: Words(_("The account is closed"), _NAME_ANOTHER),
    rules.BANK_LIMIT: Words(
        _("The account's own limit was exceeded"),
        _("Have your bank raise the limit, and tell the operator, or name another account."),
    ),
    rules.BANK_UNAVAILABLE: Words(
        _("The bank was not available"), _("The operator will send it again.")
    ),
    rules.BANK_REFUSED: Words(_("The bank refused the transfer"), _NAME_ANOTHER),
}


def of(code: str) -> Words:
    """A reason in words; one without words is shown as its code."""
    return REASONS.get(code) or Words(code)
