"""Orders as the shop sent them, what happened to them, and what they came to.

One file per subject. Functions are here because migrations name them so.
"""

from orders.models.arbitrations import (
    Arbitration,
    ArbitrationStatement,
    Evidence,
    _evidence_id,
)
from orders.models.claims import Claim, _claim_id
from orders.models.confirmation import ConfirmationPolicy
from orders.models.imports import ImportProfile
from orders.models.lines import OrderLine, OrderLineQuerySet
from orders.models.orders import Order, OrderEvent, Payment, _order_id
from orders.models.outcomes import Outcome, OutcomeToSettle
from orders.models.performance import PerformanceTouch
from orders.models.referrals import OutcomeToCredit, Referral
from orders.models.shipments import Shipment, ShipmentLine, _shipment_id

__all__ = [
    "Arbitration",
    "ArbitrationStatement",
    "Claim",
    "ConfirmationPolicy",
    "Evidence",
    "ImportProfile",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderLineQuerySet",
    "Outcome",
    "OutcomeToCredit",
    "OutcomeToSettle",
    "Payment",
    "PerformanceTouch",
    "Referral",
    "Shipment",
    "ShipmentLine",
    "_claim_id",
    "_evidence_id",
    "_order_id",
    "_shipment_id",
]
