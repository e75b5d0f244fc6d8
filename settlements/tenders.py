"""Through whose hands buyers' money comes, and what of a line's money each of them brings.

What went through a payment provider stands on the clearing account until the provider's file
names it. What no provider pays out, such as points or what a buyer transfers to the marketplace,
belongs on an account of its kind, or clearing would wait for it for ever. Values in, values out;
amounts are minor units. Source: the settlement arithmetic, sections 2, 3 and 11.
"""

from collections.abc import Sequence
from typing import Final

from marketplace import money
from settlements import chart

KINDS: Final = frozenset(chart.TENDERS)  # of payments that no provider pays out, unless it says so


def account_of(kind: str, provider_id: str) -> str:
    """Where the money of a payment is waited for. A provider's id says that the provider has it."""
    return chart.CLEARING if provider_id else chart.TENDERS.get(kind, chart.CLEARING)


def change(before: int, now: int, paid_by: Sequence[tuple[str, int]]) -> dict[str, int]:
    """By account, what it brings more when a line's money goes from `before` to `now`.

    `paid_by` is what each account brought of the whole line. What remains is split in these
    proportions, so that parts add up to the whole however often a line changes. A line that no
    payment fits is the providers'.
    """
    brought: dict[str, int] = {}
    for account, part in paid_by:
        brought[account] = brought.get(account, 0) + part
    accounts = sorted(brought)
    weights = [brought[account] for account in accounts]
    if not any(weights):
        return {chart.CLEARING: now - before}
    pairs = zip(_split(before, weights), _split(now, weights), strict=True)
    return {account: new - old for account, (old, new) in zip(accounts, pairs, strict=True)}


def _split(amount: int, weights: Sequence[int]) -> list[int]:
    """Below zero, what a line gave back before it was settled."""
    sign = -1 if amount < 0 else 1
    return [sign * part for part in money.split(abs(amount), weights)]
