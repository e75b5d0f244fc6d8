"""How many calendar days things may stay in a state before the night's sentinels tell of them.

What a marketplace starts with where its preset says nothing else; from then on its sentinel policy
says it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The last deadline of each state, in days; see the help of each field of the policy."""

    delivery_days: int = 60
    claim_days: int = 30
    arbitration_days: int = 14
    approval_days: int = 7
    batch_days: int = 3
    payable_days: int = 30
    hold_days: int = 90
    report_days: int = 45
    sign_days: int = 7
    close_days: int = 15
    explain_days: int = 14


USUAL = Limits()
LONGEST = 3660
