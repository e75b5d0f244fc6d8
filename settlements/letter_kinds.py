"""Which letters about money a seller gets, and what of the change feed each is about.

A letter is one mail; what it tells are its notices, each of one kind.
"""

from collections.abc import Collection, Mapping
from typing import Final

STATEMENT: Final = "statement"
DEBT: Final = "debt"
PAYOUT: Final = "payout"
HOLD: Final = "hold"
CLAIM_HOLD: Final = "claim_hold"  # placed and released by itself, with its claim
TAX: Final = "tax"
CONTRACT: Final = "contract"
FEES: Final = "fees"
KINDS: Final = (FEES, CONTRACT, DEBT, HOLD, CLAIM_HOLD, STATEMENT, PAYOUT, TAX)  # as letters tell
# What a seller has to know, whether he likes letters or not.
REQUIRED: Final = (FEES, CONTRACT, DEBT, HOLD)
OPTIONAL: Final = tuple(kind for kind in KINDS if kind not in REQUIRED)

FEES_PUBLISHED: Final = "fees.published"
_BY_TYPE: Final = {
    "statement.payable": STATEMENT,
    "statement.closed": STATEMENT,
    "payout.paid": PAYOUT,
    "hold.placed": HOLD,
    "hold.released": HOLD,
    "tax_invoice.issued": TAX,
    "contract.published": CONTRACT,
}
TYPES: Final = tuple(_BY_TYPE)

# Why something is not told.
SWITCHED_OFF: Final = "off"
SWITCHED_OFF_HERE: Final = "off_here"  # by the marketplace, for all of its sellers
NOTHING_IN_IT: Final = "nothing"
NOT_CONCERNED: Final = "unconcerned"
STALE: Final = "stale"  # it happened too long ago


def of_change(type_: str, data: Mapping[str, object]) -> str:
    """The kind of notice that a change is told by."""
    kind = _BY_TYPE[type_]
    return CLAIM_HOLD if kind == HOLD and data.get("reason") == "claim" else kind


def skipped(kind: str, off: Collection[str], off_here: Collection[str] = ()) -> str:
    """Why a notice is not told to a seller; empty where it is told.

    `off` are the kinds that the seller has switched off, `off_here` those of the marketplace,
    which answers for what it does not tell and may switch off any.
    """
    if kind in off_here:
        return SWITCHED_OFF_HERE
    return SWITCHED_OFF if kind in off and kind not in REQUIRED else ""


def has_nothing_in_it(*, net: int, payout: int, carried: int) -> bool:
    """Whether a closed statement moved nothing: no lines, no payout, and no debt that stays."""
    return net == 0 and payout == 0 and carried >= 0
