"""Advertising prepayments of sellers, as JSON: their movements, newest first."""

from rest_framework import serializers

from marketplace.api.fields import Document, Moment, Money
from marketplace.api.views import ReadMixin, Resource
from settlements.models import AdPrepaymentMovement


class AdPrepaymentMovementDocument(Document):
    """What changed a seller's advertising prepayment: above zero what adds to it.

    `balance` is what was left afterwards, so that of a seller's newest movement is left now. All
    but deposits name the adjustment by which a statement settles them, and those drawn or given
    back its charge.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    kind = serializers.ChoiceField(AdPrepaymentMovement.Kind.choices, read_only=True)
    amount = Money(read_only=True)
    balance = Money(read_only=True)
    on = serializers.DateField(read_only=True)
    evidence = serializers.CharField(read_only=True)
    adjustment = serializers.CharField(
        source="adjustment.public_id", read_only=True, allow_null=True, default=None
    )
    charge = serializers.CharField(
        source="adjustment.charge.public_id", read_only=True, allow_null=True, default=None
    )
    recorded_at = Moment(source="at", read_only=True)


class AdPrepaymentMovementViewSet(ReadMixin, Resource):
    """Deposits for advertising, what charges drew of them, what was given back and refunded."""

    resource = "settlements"
    seller_actions = None
    parameters = ("kind", "seller")
    serializer_class = AdPrepaymentMovementDocument

    def get_queryset(self):
        found = AdPrepaymentMovement.objects.select_related("seller", "adjustment__charge")
        if self.holder:
            found = found.filter(seller=self.holder)
        if kinds := self.choice_parameter("kind", AdPrepaymentMovement.Kind):
            found = found.filter(kind__in=kinds)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        return found
