"""Which bank a marketplace's payouts go through."""

from django.utils.module_loading import import_string

from marketplace.models import Marketplace
from settlements import payout_connections
from settlements.gateways.bank_file import BankFile
from settlements.gateways.interface import Gateway
from settlements.gateways.sandbox import Sandbox
from settlements.models import PayoutPolicy

# By name: its encryption is loaded where a marketplace uses it.
_PAYOUT_API = "settlements.gateways.payout_api.PayoutApi"


def of(policy: PayoutPolicy) -> Gateway:
    """The bank that a payout policy names. Raises payout_connections.NoConnection."""
    if policy.gateway == PayoutPolicy.Gateway.SANDBOX:
        return Sandbox(policy.marketplace_id)
    if policy.gateway == PayoutPolicy.Gateway.PAYOUT_API:
        return import_string(_PAYOUT_API)(payout_connections.access())
    return BankFile(policy.gateway)


def moves_no_money(policy: PayoutPolicy, marketplace: Marketplace) -> bool:
    """Whether sellers would be told that they were paid, and were not."""
    is_sandbox = policy.gateway == PayoutPolicy.Gateway.SANDBOX
    return is_sandbox and marketplace.state == Marketplace.State.LIVE
