"""Through whose hands buyers' money comes, and what of a line's money each of them brings.

What went through a payment provider stands on the clearing account until the provider's file
names it. What no provider pays out, such as points or what a buyer transfers to the marketplace,
belongs on an account of its kind, or clearing would wait for it for ever. What is expected back of
a provider, and what of a line that was given back in part each account keeps, is one rule: parts().
Values in, values out;
amounts are minor units. Source: the settlement arithmetic, sections 2, 3 and 11.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from marketplace import money
from settlements import chart

KINDS: Final = frozenset(chart.TENDERS)  # of payments that no provider pays out, unless it says so


def account_of(kind: str, provider_id: str) -> str:
    """Where the money of a payment is waited for. A provider's id says that the provider has it."""
    return chart.CLEARING if provider_id else chart.TENDERS.get(kind, chart.CLEARING)


def parts(
    paid: Mapping[str, int],
    lines: Iterable[tuple[int, Sequence[tuple[str, int]]]],
    *,
    given_back: int,
) -> dict[str, int]:
    """By account, what it brings of what counts of an order's lines, in minor units.

    `paid` is what each account brought of the whole order; of each line `lines` tells what counts
    of it and, in any unit, what each account brought of it. A part of a line is brought in the
    same proportions, so that parts add up to the whole however often a line changes, and so is
    what is given back. Only what providers' files say they gave back (`given_back`) is the truth:
    what it is more than their proportion, the other accounts gave back less, up to all of theirs.
    What it is less may still come. A line that no payment fits is the providers'.
    """
    kept: dict[str, int] = dict.fromkeys((chart.CLEARING, *sorted(paid)), 0)
    for amount, paid_by in lines:
        for account, part in _split(amount, paid_by).items():
            kept[account] = kept.get(account, 0) + part
    others = [account for account in kept if account != chart.CLEARING]
    left = [max(paid.get(account, 0) - kept[account], 0) for account in others]
    more = given_back - (paid.get(chart.CLEARING, 0) - kept[chart.CLEARING])
    more = max(min(more, sum(left), kept[chart.CLEARING]), 0)
    for account, part in zip(others, money.split(more, left), strict=True):
        kept[account] += part
    kept[chart.CLEARING] -= more
    return kept


def _split(amount: int, paid_by: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Below zero, what a line gave back before it was settled."""
    brought: dict[str, int] = {}
    for account, part in paid_by:
        brought[account] = brought.get(account, 0) + part
    if not any(brought.values()):
        return {chart.CLEARING: amount}
    accounts = sorted(brought)
    sign = -1 if amount < 0 else 1
    split = money.split(abs(amount), [brought[account] for account in accounts])
    return {account: sign * part for account, part in zip(accounts, split, strict=True)}
