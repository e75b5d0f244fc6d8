"""Who bears the shipping of goods that come back, and what of it reaches the seller.

Values in, values out. Amounts are minor units and contain VAT, as a buyer pays them. Source: the
e-commerce consumer law, art. 18 (9) and (10): a buyer who changes his mind bears the cost of the
return, the seller bears it where the goods differ; and the trade, in which whoever ships although
he was asked to stop bears both ways.
"""

from dataclasses import dataclass
from typing import Final

from marketplace.refusals import Refused, gettext_noop
from orders import verdicts

STREAM: Final = "return_shipping"  # of the order line that a buyer's return shipping becomes

BUYER: Final = "buyer"
SELLER: Final = "seller"
CARRIER: Final = "carrier"
PLATFORM: Final = "platform"

DEDUCTED: Final = "deducted"
ENCLOSED: Final = "enclosed"
DIRECT: Final = "direct"
CHARGED: Final = "charged"
PAID_BY_BUYER: Final = (DEDUCTED, ENCLOSED, DIRECT)
COLLECTED: Final = (DEDUCTED, DIRECT)  # the marketplace has the buyer's money

LARGEST: Final = 1_000_000  # of each of the two costs

# Of reasons that are known by a code; what a sender writes in words of his own tells nothing.
_FAULTS: Final = {
    "change_of_mind": BUYER,
    "ordered_twice": BUYER,
    "defective": SELLER,
    "wrong_item": SELLER,
    "not_as_described": SELLER,
    "late_delivery": SELLER,
    "out_of_stock": SELLER,
    "stop_ignored": SELLER,
    "damaged": CARRIER,
    "not_delivered": CARRIER,
}


class FaultMissing(Refused):
    code = "fault_missing"
    message = gettext_noop(
        "Say who is at fault: it follows only from a reason that is known, one of %(known)s."
    )


class PaidOtherwise(Refused):
    code = "return_shipping_paid_otherwise"
    message = gettext_noop(
        "The buyer is at fault and bears the shipping. Say how the buyer pays: deducted from the"
        " refund, enclosed with the goods, or paid directly."
    )


class NotBorneByBuyer(Refused):
    code = "return_shipping_not_borne_by_buyer"
    message = gettext_noop(
        "The buyer is not at fault and pays no shipping. Choose that it is charged to whoever is,"
        " or find the buyer at fault."
    )


class NothingToDeductFrom(Refused):
    code = "exchange_refunds_nothing"
    message = gettext_noop(
        "An exchange refunds nothing that shipping could be deducted from. Choose that the buyer"
        " encloses it with the goods, or pays directly."
    )


class OutboundNotCharged(Refused):
    code = "outbound_shipping_not_charged"
    message = gettext_noop(
        "Shipping to the buyer can be charged only to a buyer who is at fault. Leave it at 0."
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """What shipping costs in a claim, how it is paid, and whether we have paid the carrier.

    `outbound_cost` is charged where shipping to the buyer had been free; in an exchange it is what
    the way of the replacement costs.
    """

    return_cost: int = 0
    outbound_cost: int = 0
    paid: str = ""
    is_advanced: bool = False

    @property
    def total(self) -> int:
        return self.return_cost + self.outbound_cost


NONE: Final = Terms()


@dataclass(frozen=True, slots=True)
class Effect:
    """`to_seller` is settled as a line of its own, `back_to_us` charged for the carrier."""

    bearer: str
    deducted: int  # from the refund
    paid_directly: int  # by the buyer, to the marketplace
    to_seller: int
    back_to_us: int
    gives_outbound_back: bool  # the buyer gets back what shipping had cost


def fault_of(reason: str) -> str | None:
    """Who is at fault by a reason; None where it is told in words."""
    return _FAULTS.get(reason.strip().lower())


def fault(reason: str, said: str | None) -> str:
    """Who is at fault: who was said to be, otherwise by the reason. Raises FaultMissing."""
    found = said or fault_of(reason)
    if found is None:
        raise FaultMissing(known=", ".join(sorted(_FAULTS)), field="fault")
    return found


def bearer(fault: str) -> str:
    """Who bears the shipping. For the carrier the seller answers to the buyer."""
    return SELLER if fault == CARRIER else fault


def check(terms: Terms, fault: str, *, is_exchange: bool = False) -> None:
    """Refuse terms that no claim can have, or that burden who is not at fault.

    Raises verdicts.NotBetween, PaidOtherwise, NotBorneByBuyer, OutboundNotCharged, and
    NothingToDeductFrom for an exchange.
    """
    verdicts.check_between("return_cost", terms.return_cost, 0, LARGEST)
    verdicts.check_between("outbound_cost", terms.outbound_cost, 0, LARGEST)
    if bearer(fault) == BUYER:
        if is_exchange and terms.paid == DEDUCTED:
            raise NothingToDeductFrom(field="paid")
        if terms.total and terms.paid not in PAID_BY_BUYER:
            raise PaidOtherwise(field="paid")
        return
    if terms.outbound_cost:
        raise OutboundNotCharged(field="outbound_cost")
    if terms.paid not in ("", CHARGED) or (terms.return_cost and not terms.paid):
        raise NotBorneByBuyer(field="paid")


def effect(terms: Terms, fault: str, *, is_exchange: bool = False) -> Effect:
    """What checked terms do once the claim is completed."""
    borne_by = bearer(fault)
    is_buyers = borne_by == BUYER
    deducted = terms.total if is_buyers and terms.paid == DEDUCTED else 0
    paid_directly = terms.total if is_buyers and terms.paid == DIRECT else 0
    is_sellers_cost = terms.is_advanced and borne_by != PLATFORM
    return Effect(
        bearer=borne_by,
        deducted=deducted,
        paid_directly=paid_directly,
        to_seller=deducted + paid_directly,
        back_to_us=terms.return_cost if is_sellers_cost else 0,
        gives_outbound_back=not is_buyers and terms.paid == CHARGED and not is_exchange,
    )
