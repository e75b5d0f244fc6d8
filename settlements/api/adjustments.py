"""Adjustments of sellers, as JSON: read, newest first. They are asked for in the admin."""

from rest_framework import serializers

from marketplace.api.fields import Document, Moment, Money
from marketplace.api.views import ReadMixin, Resource
from settlements import shop_statements
from settlements.models import Adjustment


class AdjustmentDocument(Document):
    """An amount before VAT, given to a seller (above zero) or charged.

    VAT and net stand on its settlement line once it is settled. A seller's key sees what was
    approved of.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    state = serializers.ChoiceField(Adjustment.State.choices, read_only=True)
    amount = Money(read_only=True)
    tax_kind = serializers.CharField(read_only=True)
    reason_code = serializers.ChoiceField(Adjustment.Reason.choices, read_only=True)
    reason = serializers.CharField(read_only=True)
    document = serializers.CharField(read_only=True)
    basis_on = serializers.DateField(read_only=True)
    requested_at = Moment(read_only=True)
    month = serializers.DateField(read_only=True, allow_null=True)
    charge = serializers.CharField(
        source="charge.public_id",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="The charge of advertising that it takes back, or pays from the prepayment.",
    )
    claim = serializers.CharField(
        source="claim.public_id", read_only=True, allow_null=True, default=None
    )
    statement = serializers.CharField(
        source="statement.public_id", read_only=True, allow_null=True, default=None
    )


class AdjustmentViewSet(ReadMixin, Resource):
    """Penalties, compensations, monthly fees: what is settled beside sales."""

    resource = "settlements"
    seller_actions = None
    parameters = ("state", "seller")
    serializer_class = AdjustmentDocument

    def get_queryset(self):
        found = Adjustment.objects.select_related("seller", "charge", "claim", "statement")
        if self.holder:
            found = shop_statements.adjustments_of(self.holder).select_related(
                "seller", "charge", "claim", "statement"
            )
        if states := self.choice_parameter("state", Adjustment.State):
            found = found.filter(state__in=states)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        return found
