"""What is expected to be paid out on which day: to a seller, and by the marketplace in all."""

from django.db.models import Count, F, Max, Sum
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response

from marketplace.api.fields import Document, Money
from marketplace.api.views import Resource
from settlements.models import PayoutForecast

MOST_DAYS = 62  # that are summed up over all sellers


class ForecastDocument(Document):
    """What a seller could expect for one payment day after a night; an estimate, no promise.

    `on_statement` stands on the open statement already, `expected` is still to be settled. Without
    a `due_on` it is held by open claims.
    """

    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    made_on = serializers.DateField(read_only=True)
    due_on = serializers.DateField(read_only=True, allow_null=True)
    on_statement = Money(source="settled", read_only=True)
    expected = Money(read_only=True)
    net = Money(read_only=True)


class ForecastDayDocument(Document):
    """What all sellers can expect of one day; without a `due_on` it is held by open claims."""

    due_on = serializers.DateField(read_only=True, allow_null=True)
    sellers = serializers.IntegerField(read_only=True)
    on_statement = Money(read_only=True)
    expected = Money(source="to_be_settled", read_only=True)
    net = Money(read_only=True)


class ForecastDaysDocument(Document):
    """The coming payment days, the earliest first, after the last night; at most 62 of them."""

    made_on = serializers.DateField(allow_null=True)
    data = ForecastDayDocument(many=True)


class PayoutForecastViewSet(ListModelMixin, Resource):
    """What sellers can expect, by payment day: as of the last night, or of the night `made_on`."""

    resource = "settlements"
    seller_actions = ("list",)
    parameters = ("seller", "made_on", "due_on")
    serializer_class = ForecastDocument

    def get_queryset(self):
        found = PayoutForecast.objects.select_related("seller").defer("items")
        found = found.filter(made_on=self.date_parameter("made_on") or _last_night())
        if self.holder:
            found = found.filter(seller=self.holder)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        if due_on := self.date_parameter("due_on"):
            found = found.filter(due_on=due_on)
        return found

    @extend_schema(responses={200: ForecastDaysDocument})
    @action(detail=False, pagination_class=None)
    def days(self, request):
        """What the marketplace can expect to pay out, summed up by payment day."""
        made_on = _last_night()
        days = (
            PayoutForecast.objects.filter(made_on=made_on)
            .values("due_on")
            .annotate(
                sellers=Count("pk"), on_statement=Sum("settled"), to_be_settled=Sum("expected")
            )
            .order_by(F("due_on").asc(nulls_first=True))[:MOST_DAYS]
        )
        told = {"made_on": made_on, "data": [_summed(day) for day in days]}
        return Response(ForecastDaysDocument(told, context=self.get_serializer_context()).data)


def _summed(day: dict) -> dict:
    """A day with its sums as whole numbers, which the database tells as decimals."""
    on_statement, to_be_settled = int(day["on_statement"]), int(day["to_be_settled"])
    sums = {"on_statement": on_statement, "to_be_settled": to_be_settled}
    return {**day, **sums, "net": on_statement + to_be_settled}


def _last_night():
    """The night after which the last forecasts were kept."""
    return PayoutForecast.objects.aggregate(last=Max("made_on"))["last"]
