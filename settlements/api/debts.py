"""Debts of sellers that became less, as JSON: deposits and write-offs, newest first."""

from rest_framework import serializers

from marketplace.api.fields import Document, Moment, Money
from marketplace.api.views import ReadMixin, Resource
from settlements.models import DebtMovement


class DebtMovementDocument(Document):
    """A part of a debt that was paid into the marketplace's bank, or written off.

    Of what was invoiced, or else of what is taken off the next statement. A deposit that settles
    both is told twice, with the same evidence.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    kind = serializers.ChoiceField(DebtMovement.Kind.choices, read_only=True)
    amount = Money(read_only=True)
    on = serializers.DateField(read_only=True)
    is_of_invoiced = serializers.BooleanField(read_only=True)
    evidence = serializers.CharField(read_only=True)
    recorded_at = Moment(source="at", read_only=True)


class DebtMovementViewSet(ReadMixin, Resource):
    """Deposits on debts and write-offs; what is owed now stands with the balances."""

    resource = "settlements"
    seller_actions = None
    parameters = ("kind", "seller")
    serializer_class = DebtMovementDocument

    def get_queryset(self):
        found = DebtMovement.objects.select_related("seller")
        if self.holder:
            found = found.filter(seller=self.holder)
        if kinds := self.choice_parameter("kind", DebtMovement.Kind):
            found = found.filter(kind__in=kinds)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        return found
