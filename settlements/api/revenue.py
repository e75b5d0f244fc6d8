"""Revenue reports as JSON: sent by the marketplace's own keys, read by those of sellers as well."""

from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from marketplace.api import problems
from marketplace.api.batches import items_of
from marketplace.api.fields import Document, Moment, Money, Text, Whole
from marketplace.api.idempotency import idempotent
from marketplace.api.views import ReadMixin, Resource, span
from orders import verdicts
from orders.api.serializers import ErrorDocument
from orders.verdicts import REFUSED, Verdict
from settlements import revenue_reporting, shop_revenue
from settlements.models import RevenueReport, RevenueVersion
from settlements.revenue_files import STATES
from settlements.revenue_reporting import NewReport

BATCH = 500
RESULTS = (verdicts.ACCEPTED, verdicts.REPEATED, verdicts.REFUSED)


class RevenueReportDocument(Document):
    """What a stream brought a seller on a day, as last reported.

    `share` is what was settled of it so far, before the partner's own VAT: the part of
    `settled_amount` that the fee rules of the day leave. A restatement settles the difference.
    A report whose `source` is `orders` is the sum of its lines, which are a list below it.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    stream = serializers.CharField(read_only=True)
    app = serializers.CharField(read_only=True)
    on = serializers.DateField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    source = serializers.ChoiceField(RevenueReport.Source.choices, read_only=True)
    state = serializers.ChoiceField(RevenueReport.State.choices, read_only=True)
    amount = Money(read_only=True)
    reported_at = Moment(read_only=True)
    basis_on = serializers.DateField(read_only=True, allow_null=True)
    settled_amount = Money(read_only=True)
    share = Money(read_only=True)


class RevenueLineDocument(Document):
    """What a sale that its seller brought, or its reversal, adds to a report that is of orders.

    `amount` is after the discount that the seller of the goods gave, below zero in a reversal.
    """

    order_number = serializers.CharField(source="order_line.order.number", read_only=True)
    line_number = serializers.IntegerField(source="order_line.number", read_only=True)
    title = serializers.CharField(source="order_line.title", read_only=True)
    sequence = serializers.IntegerField(read_only=True)
    basis_on = serializers.DateField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    amount = Money(read_only=True)


class NewRevenueReportDocument(Document):
    """A report as it is sent. What is new about a day is sent as a higher version."""

    seller_code = Text(max_length=64)
    stream = Text(max_length=30)
    app = Text(max_length=100, allow_blank=True, default="")
    on = serializers.DateField()
    amount = Money()
    version = Whole(min_value=1, max_value=verdicts.LARGEST_NUMBER)
    state = serializers.ChoiceField(STATES)


class RevenueBatchDocument(Document):
    reports = NewRevenueReportDocument(many=True, min_length=1, max_length=BATCH)


class RevenueVerdictDocument(Document):
    """What became of one report: accepted, repeated or refused with a code."""

    index = serializers.IntegerField()
    id = serializers.CharField(allow_null=True)
    result = serializers.ChoiceField(RESULTS)
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    errors = ErrorDocument(many=True)


class RevenueVerdictsDocument(Document):
    data = RevenueVerdictDocument(many=True)


class RevenueReportViewSet(ReadMixin, Resource):
    """Revenue that is reported by day, newest first. A seller's key sees its own."""

    resource = "revenue"
    seller_actions = ("list", "retrieve", "lines")
    parameters = ("state", "source", "seller", "stream", *span("on"))
    lists_below = {"lines": span("basis_on")}
    serializer_class = RevenueReportDocument

    def get_queryset(self):
        found = RevenueReport.objects.select_related("seller")
        if self.holder:
            found = found.filter(seller=self.holder)
        if states := self.choice_parameter("state", RevenueReport.State):
            found = found.filter(state__in=states)
        if sources := self.choice_parameter("source", RevenueReport.Source):
            found = found.filter(source__in=sources)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        if stream := self.text_parameter("stream"):
            found = found.filter(stream=stream)
        return self.within(found, "on")

    @extend_schema(responses={200: RevenueLineDocument(many=True)})
    @action(detail=True)
    def lines(self, request, public_id):
        """The sales and reversals that a report from orders is the sum of, newest first."""
        report = self.get_object()
        self.page_order = ("pk",)
        page = self.paginate_queryset(self.within(shop_revenue.lines_of(report), "basis_on"))
        documents = RevenueLineDocument(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(documents.data)

    @extend_schema(request=RevenueBatchDocument, responses={200: RevenueVerdictsDocument})
    @action(detail=False, methods=["post"])
    @idempotent
    def batch(self, request):
        """Report up to 500 days. Each stands for itself and has its own result."""
        items = items_of(request.data, "reports", BATCH)
        with NewRevenueReportDocument.reading(self.get_serializer_context()) as document:
            given = _accepted(items, document)
        return Response({"data": given})


def _accepted(items: Sequence, document) -> list[dict]:
    """What became of each item of a request, in the order given."""
    given: list[dict | None] = [None] * len(items)
    read: list[NewReport] = []
    places = []
    for n, item in enumerate(items):
        try:
            said = document.run_validation(item)
        except ValidationError as error:
            given[n] = _unreadable(n, error)
            continue
        is_final = said.pop("state") == "final"
        read.append(NewReport(**said, is_final=is_final))
        places.append(n)
    told = revenue_reporting.accept_many(read, source=RevenueVersion.Source.API, at=timezone.now())
    for n, verdict in zip(places, told, strict=True):
        given[n] = _told(n, verdict)
    return given


def _told(index: int, verdict: Verdict) -> dict:
    refusal = verdict.refusal
    return {
        "index": index,
        "id": verdict.public_id or None,
        "result": verdict.result,
        "code": verdict.code,
        "detail": verdict.text(gettext),
        "errors": problems.of_refusal(refusal, verdict.field) if refusal else [],
    }


def _unreadable(index: int, error: ValidationError) -> dict:
    return {
        "index": index,
        "id": None,
        "result": REFUSED,
        "code": "invalid",
        "detail": gettext("The request is not usable."),
        "errors": problems.of_validation(error),
    }
