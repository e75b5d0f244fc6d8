"""What an operator should notice about an application before deciding on it."""

from django.utils.translation import gettext as _

from marketplace import identifiers
from sellers import profiles
from sellers.models import Seller


def missing(seller: Seller) -> list[str]:
    """What was not given, or looks wrong, one sentence each. Nothing here decides."""
    profile = profiles.of(seller)
    is_business = seller.seller_type != Seller.Type.INDIVIDUAL
    checks = [
        (is_business and not seller.business_number, _("No business registration number.")),
        (_is_odd(seller.business_number), _("The business number's check digit is wrong.")),
        (is_business and not profile.company, _("No company name.")),
        (not profile.representative, _("No representative.")),
        (is_business and not profile.mail_order_report, _("No mail-order sales report.")),
        (not profile.address, _("No address.")),
        (not profile.phone, _("No phone number.")),
        (not profile.contact_email, _("No contact e-mail.")),
        (
            not seller.bank_accounts.current().exists(),
            _("No bank account. Nothing can be paid out without one."),
        ),
    ]
    return [sentence for is_so, sentence in checks if is_so]


def _is_odd(number: str) -> bool:
    if not number:
        return False
    try:
        return identifiers.business_number(number).warning is not None
    except identifiers.NotABusinessNumber:
        return True
