"""Whom letters of a marketplace may be mailed to: those of a test marketplace its operators alone.

What is tried out there concerns nobody outside, and its addresses may be those of real people.
"""

from collections.abc import Iterable

from marketplace.models import Marketplace, Membership


class Reach:
    """The addresses that a marketplace may mail to; one query for a test one, none for others."""

    def __init__(self, marketplace: Marketplace):
        self.is_test = marketplace.state == Marketplace.State.TEST
        self._own: set[str] = set()
        if self.is_test:
            members = Membership.objects.filter(marketplace=marketplace, user__is_active=True)
            emails = members.values_list("user__email", flat=True)
            self._own = {email.lower() for email in emails}

    def among(self, addresses: Iterable[str]) -> list[str]:
        """Those of some addresses that may be mailed to, in the order given."""
        return [each for each in addresses if not self.is_test or each.lower() in self._own]
