"""Which bank a marketplace's payouts go through."""

from marketplace.models import Marketplace
from settlements.gateways.bank_file import BankFile
from settlements.gateways.interface import Gateway
from settlements.gateways.sandbox import Sandbox
from settlements.models import PayoutPolicy


def of(policy: PayoutPolicy) -> Gateway:
    """The bank that a payout policy names."""
    if policy.gateway == PayoutPolicy.Gateway.SANDBOX:
        return Sandbox(policy.marketplace_id)
    return BankFile(policy.gateway)


def moves_no_money(policy: PayoutPolicy, marketplace: Marketplace) -> bool:
    """Whether sellers would be told that they were paid, and were not."""
    is_sandbox = policy.gateway == PayoutPolicy.Gateway.SANDBOX
    return is_sandbox and marketplace.state == Marketplace.State.LIVE
