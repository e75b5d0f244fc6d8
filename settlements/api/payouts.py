"""The edge of payouts: what was paid to a seller, what it contains, and what became of it."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.api.fields import Document, Money
from marketplace.api.views import ReadMixin, Resource
from settlements.models import Payout


class PaidStatementDocument(Document):
    """A statement in a payout, with what the payout pays for it."""

    id = serializers.CharField(source="statement.public_id")
    due_on = serializers.DateField(source="statement.due_on")
    amount = Money()


class PayoutDocument(Document):
    """Money to a seller's account. `reason` is a code, where it did not arrive or was not sent."""

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    batch = serializers.CharField(source="batch.public_id", read_only=True)
    state = serializers.ChoiceField(Payout.State.choices, read_only=True)
    amount = Money(read_only=True)
    payee = serializers.CharField(
        read_only=True, help_text="Whom the seller's claims were assigned to; empty for the seller."
    )
    bank = serializers.CharField(read_only=True)
    account_ending = serializers.CharField(source="ending", read_only=True)
    reason = serializers.CharField(read_only=True)
    sent_at = serializers.DateTimeField(read_only=True, allow_null=True)
    result_due_on = serializers.DateField(read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)
    statements = serializers.SerializerMethodField()

    @extend_schema_field(PaidStatementDocument(many=True))
    def get_statements(self, payout):
        items = sorted(payout.items.all(), key=lambda item: item.pk)
        return PaidStatementDocument(items, many=True, context=self.context).data


class PayoutViewSet(ReadMixin, Resource):
    """Payouts, newest first, with the statements that each contains."""

    resource = "settlements"
    seller_actions = None
    parameters = ("state", "seller")
    serializer_class = PayoutDocument

    def get_queryset(self):
        found = Payout.objects.select_related("seller", "batch")
        found = found.prefetch_related("items__statement")
        if self.holder:
            found = found.filter(seller=self.holder)
        if states := self.choice_parameter("state", Payout.State):
            found = found.filter(state__in=states)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        return found
