"""What a hold means for its seller, in words: what can be done about it, and when it ends."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from settlements.models import Hold

Reason = Hold.Reason

_REMEDIES: Final[dict[str, Promise]] = {
    Reason.CLAIM: _(
        "Answer the claim. The hold ends by itself once the claim is decided; only what the "
        "claimed units are worth is held, everything else is paid as usual."
    ),
    Reason.DOCUMENT: _(
        "Hand in the document that is asked for. The hold ends once it has been checked."
    ),
    Reason.INVOICE_MISSING: _(
        "Issue the tax invoice for this amount. The hold ends once it has arrived."
    ),
    Reason.BANK: _(
        "Check the bank account, and register one whose holder is the business. The hold ends "
        "once the account is confirmed."
    ),
    Reason.BUSINESS_CLOSED: _(
        "The tax office says that the business is suspended or closed. Send proof that it is "
        "open, or name the account for the final settlement."
    ),
    Reason.MANUAL: _("Ask the marketplace, and refer to the number of this hold."),
    Reason.ATTACHMENT: _(
        "A court has attached this money. Settle the matter with the creditor, or have the "
        "attachment lifted, and send the court's decision."
    ),
    Reason.LEGAL: _("Send the settlement or the judgment that ends the dispute."),
    Reason.RESERVE: _("Nothing has to be done. The money is given back on the day named here."),
}


def remedy(hold: Hold) -> str:
    """What the seller can do so that a hold ends."""
    if hold.kind == Hold.Kind.EXCLUSION:
        return gettext(
            "Nothing of this statement is paid out. If you do not agree, object to it and refer "
            "to the number of this hold: two people of the marketplace can reverse it."
        )
    return str(_REMEDIES[hold.reason])


def way_out(hold: Hold) -> str:
    """When a hold ends: on a day, when something has happened, or not at all by itself."""
    if hold.state == Hold.State.RELEASED:
        return gettext("Ended on %(day)s") % {"day": f"{hold.released_at:%Y-%m-%d}"}
    if hold.release_on and hold.condition:
        words = {"day": hold.release_on.isoformat(), "condition": hold.condition}
        return gettext("On %(day)s, or earlier: %(condition)s") % words
    if hold.release_on:
        return gettext("On %(day)s") % {"day": hold.release_on.isoformat()}
    if hold.condition:
        return hold.condition
    if hold.claim_id:
        return gettext("When the claim is decided")
    return gettext("Not by itself")


def about(hold: Hold) -> str:
    """What a hold is about; its order line, claim and statement have been loaded with it."""
    if hold.order_line_id:
        line = hold.order_line
        words = {"order": line.order.number, "line": line.number}
        if not hold.claim_id:
            return gettext("Order %(order)s, line %(line)s") % words
        words |= {"units": hold.claim.quantity, "of": line.quantity}
        return gettext("Order %(order)s, line %(line)s: %(units)s of %(of)s units") % words
    if hold.statement_id:
        return gettext("Statement due on %(day)s") % {"day": hold.statement.due_on.isoformat()}
    if hold.invoice_month:
        return gettext("What was supplied in %(month)s") % {"month": f"{hold.invoice_month:%Y-%m}"}
    if hold.amount is not None:
        return gettext("An amount of the coming statements")
    return gettext("All statements of the seller")
