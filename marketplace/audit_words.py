"""What the deeds of the audit trail are called.

A move along a MOVES table (`claim.approved`) is told by the names of its model and of its state,
what is done to rows of many models by DEEDS; every other action has its words in ACTIONS. Why it
was done is what somebody wrote, or a code of REASONS.
"""

from functools import cache
from typing import Final

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

DEEDS: Final[dict[str, Promise]] = {  # of the admin and of versions, on rows of any model
    "added": pgettext_lazy("deed", "added"),
    "changed": pgettext_lazy("deed", "changed"),
    "deleted": pgettext_lazy("deed", "deleted"),
    "drafted": pgettext_lazy("deed", "drafted"),
    "published": pgettext_lazy("deed", "published"),
}
ACTIONS: Final[dict[str, Promise]] = {
    "account.renamed": _("Account of the ledger renamed or moved"),
    "ad_prepayment.deposit": _("Advertising paid in advance by the seller"),
    "ad_prepayment.drawn": _("Advertising prepayment drawn for a charge"),
    "ad_prepayment.given_back": _("Given back to an advertising prepayment"),
    "ad_prepayment.refund": _("Advertising prepayment refunded"),
    "apikey.created": _("API key made"),
    "apikey.revoked": _("API key revoked"),
    "apikey.rotated": _("API key replaced"),
    "approval.asked": _("Second person asked"),
    "assignment.ended": _("Assignment of claims ended"),
    "bank_file.imported": _("List of bank transactions taken in"),
    "bankaccount.changed": _("Bank account changed"),
    "bankaccount.registered": _("Bank account registered"),
    "bankaccount.holder_verified": _("Holder of a bank account verified"),
    "business_status.asked": _("Status of a business asked for"),
    "business_status.changed": _("Status of a business changed"),
    "calendarversion.day_kept_open": _("Day kept open in the calendar"),
    "calendarversion.day_operator": _("Day closed in the calendar"),
    "claim.converted": _("Exchange made a return"),
    "claim.corrected": _("Claim corrected"),
    "claim.statement_added": _("Statement in an arbitration added"),
    "claim.parcel_corrected": _("Tracking number of a replacement corrected"),
    "deadline.enforced": _("Legal deadline enforced"),
    "deadline.watched": _("Legal deadline watched"),
    "debt.deposit": _("Debt paid in by the seller"),
    "debt.interest": _("Interest on a debt charged"),
    "debt.write_off": _("Debt written off"),
    "export.asked": _("Export asked for"),
    "fees.notice_waived": _("Notice of new fees waived"),
    "fees.rehearsed": _("New fees rehearsed"),
    "hold.kept": _("Hold looked at and kept"),
    "hold.paid": _("Attached money paid or deposited"),
    "hold.placed": _("Money held back"),
    "import.uploaded": _("Files uploaded for an import"),
    "ledger.day_signed": _("Business day signed by two people"),
    "ledger.downloaded": _("Ledger downloaded"),
    "ledger.month_closed": _("Month of the ledger closed"),
    "bankwindow.entered": _("Maintenance window of the bank entered"),
    "letterchoice.changed": _("Choice of letters changed"),
    "listing.created": _("Listing drafted"),
    "listing.revised": _("New wording of a listing published"),
    "marketplace.day_closed": _("Business day closed"),
    "marketplace.entered": _("Marketplace entered"),
    "marketplace.opened": _("Marketplace opened"),
    "membership.invited": _("Colleague invited"),
    "membership.removed": _("Colleague removed"),
    "membership.role_changed": _("Role of a colleague changed"),
    "officialgrade.made": _("Grade made official"),
    "order.accepted": _("Order accepted"),
    "order.acknowledged": _("Order acknowledged"),
    "orderline.price_reduced": _("Price of an order line reduced"),
    "outboxmessage.replayed": _("Message of the outbox sent again"),
    "payout.account_released": _("Account of a failed payout paid to again"),
    "payoutbatch.file_taken": _("File of transfers downloaded"),
    "payoutbatch.results_taken": _("File of results uploaded"),
    "payoutconnection.entered": _("Keys to a payout provider entered"),
    "provider_file.imported": _("Settlement file of a payment provider taken in"),
    "residentnumber.entered": _("Resident registration number entered"),
    "residentnumber.erased": _("Resident registration number erased"),
    "residentnumber.replaced": _("Resident registration number replaced"),
    "residentnumber.taken_out": _("Resident registration numbers taken out for a report"),
    "revenue.imported": _("Revenue reports imported"),
    "revision.edited": _("Draft of a listing changed"),
    "seller.applied": _("Seller applied"),
    "seller.registered": _("Seller registered"),
    "sellermember.invited": _("Shop: person invited"),
    "sellermember.joined": _("Shop: person joined"),
    "sellermember.removed": _("Shop: person removed"),
    "sellermember.role_changed": _("Shop: role of a person changed"),
    "sellermember.taken_out": _("Shop: person taken out by the operator"),
    "sellerprofile.changed": _("Shop details changed"),
    "shipment.corrected": _("Parcel number corrected"),
    "shipment.recorded": _("Parcel recorded"),
    "signing_key.made": _("Signing key of statements made"),
    "supply_invoice.recorded": _("Invoice of a seller recorded"),
    "tax_invoices.drawn": _("Tax invoices of a month drawn up"),
    "tax_invoices.results_taken": _("Answers of the tax office uploaded"),
    "taxinvoice.original_named": _("Original of a tax invoice named"),
    "user.second_factors_taken": _("Second factors taken away"),
    "webhookdelivery.replayed": _("Webhook message sent again"),
    "webhookendpoint.created": _("Webhook endpoint made"),
    "webhookendpoint.deleted": _("Webhook endpoint deleted"),
    "webhookendpoint.edited": _("Webhook endpoint changed"),
    "webhookendpoint.replayed": _("Webhook messages of a span sent again"),
    "webhookendpoint.secret_rotated": _("Webhook secret replaced"),
    "webhookendpoint.tested": _("Webhook endpoint tested"),
}
REASONS: Final[dict[str, Promise]] = {  # codes of what happens by itself; people write words
    "410": _("The receiver answered that it is gone (410)"),
    "closed": _("The listing was closed"),
    "confirmed_by_itself": _("The time to confirm ran out"),
    "edited": _("The wording was edited"),
    "never_needed": _("The seller left, and no report ever needed it"),
    "retention_over": _("The law no longer asks for it"),
}


def words(action: str) -> str:
    """What was done, in the reader's language; an action without words goes by its code."""
    if action in ACTIONS:
        return str(ACTIONS[action])
    name, _dot, deed = action.partition(".")
    model = _models().get(name)
    told = (_states(model).get(deed) or DEEDS.get(deed)) if model else None
    if told is None:
        return action
    thing = {"thing": capfirst(model._meta.verbose_name), "deed": told}
    return gettext("%(thing)s: %(deed)s") % thing


def reason(given: str) -> str:
    """Why it was done: what a person wrote as it stands, a code in the reader's language."""
    return str(REASONS.get(given, given))


@cache
def _models() -> dict:
    return {model._meta.model_name: model for model in apps.get_models()}


def _states(model) -> dict[str, str]:
    """The names of the states that a model is moved through."""
    if not hasattr(model, "MOVES"):
        return {}
    try:
        field = model._meta.get_field("state")
    except FieldDoesNotExist:
        field = model._meta.get_field("status")
    return dict(field.flatchoices)
