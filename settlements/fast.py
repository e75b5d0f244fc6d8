"""Fast settlement (빠른 정산): what is paid ahead once goods are on their way.

It is no price and no fee: what is paid ahead is taken back when the purchase is confirmed and
settled as ever, or when it comes to nothing. Values in, values out; amounts are minor units.
"""

from marketplace import money


def advanced(net: int, share_ppm: int) -> int:
    """Return what is paid ahead of an expected net: so much of it, cut down; never below zero."""
    return money.share(max(net, 0), share_ppm, money.FLOOR)


def kept(paid: int, units: int, units_left: int) -> int:
    """Return what of a payment ahead on `units` may stay while `units_left` of them remain."""
    return money.round_ratio(paid * units_left, units, money.FLOOR)


def share_ppm(agreed: int | None, grade: str | None, open_to: tuple[str, ...], usual: int) -> int:
    """Return the share that a seller is paid ahead: as its contract says, else by its grade."""
    if agreed is not None:
        return agreed
    return usual if grade in open_to else 0
