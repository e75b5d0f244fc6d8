"""What changed debts of sellers, as JSON: deposits, write-offs and interest, newest first."""

from rest_framework import serializers

from marketplace.api.fields import Document, Moment, Money
from marketplace.api.views import ReadMixin, Resource
from settlements.models import DebtMovement


class InterestPeriodDocument(Document):
    """Days that bore interest, first and last included: principal × days × rate / 365."""

    first = serializers.DateField()
    last = serializers.DateField()
    days = serializers.IntegerField()
    principal = Money()
    rate_ppm = serializers.IntegerField()


class DebtMovementDocument(Document):
    """A part of a debt that was paid into the marketplace's bank, or written off; or interest.

    Of what was invoiced, or else of what is taken off the next statement. A deposit that settles
    both is told twice, with the same evidence. Interest alone makes the debt more; `periods` say
    of what, and are empty otherwise.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    kind = serializers.ChoiceField(DebtMovement.Kind.choices, read_only=True)
    amount = Money(read_only=True)
    on = serializers.DateField(read_only=True)
    is_of_invoiced = serializers.BooleanField(read_only=True)
    evidence = serializers.CharField(read_only=True)
    periods = InterestPeriodDocument(source="counted", many=True, read_only=True)
    recorded_at = Moment(source="at", read_only=True)


class DebtMovementViewSet(ReadMixin, Resource):
    """Deposits on debts, write-offs and interest; what is owed now stands with the balances."""

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
