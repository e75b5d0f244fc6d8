"""What payment providers still owe or have not told, for the marketplace's own keys; read only."""

from rest_framework import serializers
from rest_framework.mixins import ListModelMixin

from marketplace.api.fields import Document, Moment, Money
from marketplace.api.views import Resource, span
from settlements.models import ClearingItem, MissingFile


class ClearingItemDocument(Document):
    """What an order adds to the clearing account, above zero where money is still to come.

    It has stood there since `since_on`, as it is now from the night of `from_on` on, and until that
    of `until_on`, if it has ended.
    """

    order = serializers.CharField(source="order.public_id", read_only=True)
    order_number = serializers.CharField(source="order.number", read_only=True)
    kind = serializers.ChoiceField(ClearingItem.Kind.choices, read_only=True)
    amount = Money(read_only=True)
    since_on = serializers.DateField(read_only=True)
    from_on = serializers.DateField(read_only=True)
    until_on = serializers.DateField(read_only=True, allow_null=True)


class MissingFileDocument(Document):
    """A day of sales that no settlement file of a provider covers in time.

    `provider` is empty where no file of any provider has ever come.
    """

    provider = serializers.CharField(read_only=True)
    day = serializers.DateField(read_only=True)
    payments = serializers.IntegerField(read_only=True)
    amount = Money(read_only=True)
    state = serializers.ChoiceField(MissingFile.State.choices, read_only=True)
    found_on = serializers.DateField(read_only=True)
    reason = serializers.CharField(read_only=True)
    closed_at = Moment(read_only=True, allow_null=True)


class ClearingItemViewSet(ListModelMixin, Resource):
    """What the clearing account consists of, as it is or as it was after the night of `on`."""

    resource = "ledger"
    parameters = ("kind", "on", "order")
    serializer_class = ClearingItemDocument

    def get_queryset(self):
        on = self.date_parameter("on")
        found = ClearingItem.objects.now() if on is None else ClearingItem.objects.at(on)
        if kinds := self.choice_parameter("kind", ClearingItem.Kind):
            found = found.filter(kind__in=kinds)
        if order := self.text_parameter("order"):
            found = found.filter(order__public_id=order)
        return found.select_related("order")


class MissingFileViewSet(ListModelMixin, Resource):
    """Days of sales whose settlement files have not come."""

    resource = "ledger"
    parameters = ("state", *span("found_on"))
    serializer_class = MissingFileDocument

    def get_queryset(self):
        found = MissingFile.objects.all()
        if states := self.choice_parameter("state", MissingFile.State):
            found = found.filter(state__in=states)
        return self.within(found, "found_on")
