"""What buyers wish to undo."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel
from orders import return_shipping
from sellers.models import Seller

_OPEN = ["requested", "approved", "collected", "redelivering", "arbitration"]  # for the indexes


def _claim_id():
    return identifiers.public_id("clm")


class Claim(TenantModel):
    """A buyer's wish to undo (part of) a line, or to get the goods anew: cancel, return, exchange.

    An exchange goes on after its approval until the replacement has arrived; it takes nothing
    back. One that was `converted_at` some time is a return from then on.
    """

    class Type(models.TextChoices):
        CANCEL = "cancel", _("Cancel")
        RETURN = "return", _("Return")
        EXCHANGE = "exchange", _("Exchange")

    class Fault(models.TextChoices):
        BUYER = "buyer", _("Buyer")
        SELLER = "seller", _("Seller")
        CARRIER = "carrier", _("Carrier")
        PLATFORM = "platform", _("Platform")

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        APPROVED = "approved", _("Approved")
        COLLECTED = "collected", _("Goods are back")
        REDELIVERING = "redelivering", _("Replacement sent")
        ARBITRATION = "arbitration", _("In arbitration")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        COMPLETED = "completed", _("Completed")

    class ShippingPaid(models.TextChoices):
        DEDUCTED = return_shipping.DEDUCTED, _("Deducted from the refund")
        ENCLOSED = return_shipping.ENCLOSED, _("Enclosed with the goods")
        DIRECT = return_shipping.DIRECT, _("Paid to the marketplace")
        CHARGED = return_shipping.CHARGED, _("Charged to whoever is at fault")

    MOVES = {  # every legal change of state; anything else is refused
        State.REQUESTED: {
            State.APPROVED,
            State.REJECTED,
            State.WITHDRAWN,
            State.ARBITRATION,
        },
        State.APPROVED: {
            State.COLLECTED,
            State.COMPLETED,
            State.REJECTED,
            State.ARBITRATION,
        },
        State.COLLECTED: {
            State.REDELIVERING,
            State.REJECTED,
            State.APPROVED,
            State.ARBITRATION,
        },
        State.REDELIVERING: {State.COMPLETED, State.ARBITRATION},
        # Back to where it stood; its decision takes it on from there (orders.arbitrating).
        State.ARBITRATION: {
            State.REQUESTED,
            State.APPROVED,
            State.COLLECTED,
            State.REDELIVERING,
        },
        State.REJECTED: set(),
        State.WITHDRAWN: set(),
        State.COMPLETED: set(),
    }
    # Of these, what only an exchange does, and what it never does. Once it is converted to a
    # return, goods that are back wait like those of any return that was agreed to.
    STEPS_OF_EXCHANGES = {
        (State.APPROVED, State.COLLECTED),
        (State.COLLECTED, State.REDELIVERING),
        (State.COLLECTED, State.REJECTED),
        (State.REDELIVERING, State.COMPLETED),
    }
    STEPS_OF_OTHERS = {(State.APPROVED, State.COMPLETED), (State.COLLECTED, State.APPROVED)}
    OPEN_STATES = [
        State.REQUESTED,
        State.APPROVED,
        State.COLLECTED,
        State.REDELIVERING,
        State.ARBITRATION,
    ]

    public_id = models.CharField(_("public id"), max_length=40, default=_claim_id, editable=False)
    # By its name: lines import claims, to ask which of them hold a line back.
    line = TenantKey("orders.OrderLine", related_name="claims", verbose_name=_("line"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    type = models.CharField(_("type"), max_length=20, choices=Type)
    fault = models.CharField(_("at fault"), max_length=20, choices=Fault)
    quantity = models.PositiveIntegerField(_("units"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    answer = models.CharField(
        _("answer"), max_length=500, blank=True, help_text=_("Why it was turned down.")
    )
    return_cost = models.BigIntegerField(_("cost of return shipping"), default=0, db_default=0)
    outbound_cost = models.BigIntegerField(
        _("cost of shipping to the buyer"),
        default=0,
        db_default=0,
        help_text=_("Where it had been free, and the buyer is at fault."),
    )
    shipping_paid = models.CharField(
        _("how shipping is paid"),
        max_length=10,
        choices=ShippingPaid,
        blank=True,
        default="",
        db_default="",
    )
    is_shipping_advanced = models.BooleanField(
        _("carrier paid by the marketplace"),
        default=False,
        db_default=False,
        help_text=_("For the way back. The seller gives it back, unless we are at fault."),
    )
    # What the buyer has paid of it, as the settlement sees it.
    shipping_line = TenantKey(
        "orders.OrderLine",
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("line of return shipping"),
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    requested_at = models.DateTimeField(_("requested at"))
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    collected_at = models.DateTimeField(_("goods back at"), null=True, blank=True)
    resent_at = models.DateTimeField(_("replacement sent at"), null=True, blank=True)
    resent_carrier = models.CharField(
        _("carrier of the replacement"), max_length=20, blank=True, default="", db_default=""
    )
    resent_number = models.CharField(
        _("tracking number of the replacement"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
    )
    converted_at = models.DateTimeField(_("converted to a return at"), null=True, blank=True)
    resumed_at = models.DateTimeField(
        _("went on after arbitration at"), null=True, blank=True, editable=False
    )
    completed_on = models.DateField(_("completed on"), null=True, blank=True)
    source = models.CharField(_("sender"), max_length=40, blank=True)
    source_id = models.CharField(_("sender's id"), max_length=120, null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        constraints = [
            *constraints.tenant("claim", "line", "seller", "shipping_line"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="claim_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "source", "source_id"], name="claim_is_accepted_once"
            ),
            models.CheckConstraint(name="claim_concerns_some_units", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="claim_sends_anew_only_in_an_exchange",
                condition=Q(type="exchange") | ~Q(state__in=["collected", "redelivering"]),
            ),
            models.CheckConstraint(
                name="claim_redelivering_has_its_parcel",
                condition=~Q(state="redelivering")
                | (Q(resent_at__isnull=False) & ~Q(resent_carrier="")),
            ),
            models.CheckConstraint(
                name="claim_converted_is_a_return",
                condition=Q(converted_at__isnull=True) | Q(type="return"),
            ),
            models.CheckConstraint(
                name="claim_of_exchange_deducts_nothing",
                condition=~Q(type="exchange", shipping_paid="deducted"),
            ),
            models.CheckConstraint(
                name="claim_shipping_costs_within_their_bounds",
                condition=Q(
                    return_cost__gte=0,
                    return_cost__lte=return_shipping.LARGEST,
                    outbound_cost__gte=0,
                    outbound_cost__lte=return_shipping.LARGEST,
                ),
            ),
            models.CheckConstraint(
                name="claim_with_shipping_costs_says_how_they_are_paid",
                condition=Q(return_cost=0, outbound_cost=0) | ~Q(shipping_paid=""),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "line"], name="claim_by_line"),
            models.Index(
                fields=["marketplace", "requested_at"],
                name="claim_still_open",
                condition=Q(state__in=_OPEN),
            ),
            models.Index(fields=["marketplace", "completed_on"], name="claim_by_completion"),
            models.Index(fields=["marketplace", "-requested_at"], name="claim_newest_first"),
            models.Index(fields=["marketplace", "seller", "-id"], name="claim_by_seller"),
            models.Index(fields=["marketplace", "state", "-id"], name="claim_by_state"),
            models.Index(
                fields=["marketplace", "seller", "state", "requested_at", "id"],
                name="claim_still_open_by_seller",
                condition=Q(state__in=_OPEN),
            ),
            models.Index(
                fields=["marketplace", "completed_on"],
                name="claim_with_carrier_paid",
                condition=Q(is_shipping_advanced=True, state="completed"),
            ),
            models.Index(
                fields=["marketplace", "shipping_line"],
                name="claim_by_shipping_line",
                condition=Q(shipping_line__isnull=False),
            ),
        ]

    def __str__(self):
        return self.public_id

    @property
    def shipping_terms(self) -> return_shipping.Terms:
        return return_shipping.Terms(
            self.return_cost, self.outbound_cost, self.shipping_paid, self.is_shipping_advanced
        )

    @property
    def shipping_effect(self) -> return_shipping.Effect:
        return return_shipping.effect(self.shipping_terms, self.fault, is_exchange=self.is_exchange)

    @property
    def is_exchange(self) -> bool:
        return self.type == self.Type.EXCHANGE

    @property
    def asked_type(self) -> str:
        """The type that was asked for; it differs once an exchange was converted."""
        return self.Type.EXCHANGE if self.converted_at else self.type

    def may_become(self, state: str) -> bool:
        """Whether MOVES leads there for a claim of this type, other than by arbitration's end."""
        if self.state == self.State.ARBITRATION:
            return False
        step = (self.state, state)
        barred = self.STEPS_OF_OTHERS if self.is_exchange else self.STEPS_OF_EXCHANGES
        return state in self.MOVES[self.state] and step not in barred

    @property
    def is_shipping_agreed(self) -> bool:
        """Whether anything was said about the shipping of what comes back."""
        return self.shipping_terms != return_shipping.NONE
