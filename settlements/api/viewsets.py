"""The edges of settlements: statements and their lines, balances, and what a sale would cost."""

import re

from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from listings import kind_words
from listings.models import Category
from marketplace import tenancy
from marketplace.api import etags
from marketplace.api.views import ReadMixin, Resource, span
from orders.intake import UnknownCategory
from orders.models import OrderLine
from sellers.api import holders
from sellers.models import Seller
from settlements import (
    adjustments,
    bundles,
    downloads,
    estimates,
    explanations,
    hold_book,
    ledger,
    line_words,
    pdf,
    positions,
    seals,
    signing,
    simulator,
    table_files,
)
from settlements.api import serializers
from settlements.estimates import Item
from settlements.models import Adjustment, Hold, SellerBalance, SettlementLine, Statement

_LINE = re.compile(r"(ord_[0-9a-z]{26})-([0-9]{1,9})-([0-9]{1,9})")


class BundleRenderer(JSONRenderer):
    """Lets a caller accept a ZIP alone; what is refused is told as JSON all the same."""

    media_type = bundles.TYPE
    format = "zip"


class PdfRenderer(JSONRenderer):
    """Lets a caller accept a PDF alone; what is refused is told as JSON all the same."""

    media_type = pdf.TYPE
    format = "pdf"


class CsvRenderer(JSONRenderer):
    """Lets a caller accept CSV alone; what is refused is told as JSON all the same."""

    media_type = "text/csv"
    format = "csv"


class XlsxRenderer(JSONRenderer):
    """Lets a caller accept XLSX alone; what is refused is told as JSON all the same."""

    media_type = table_files.TYPES[table_files.XLSX]
    format = "xlsx"


class StatementViewSet(ReadMixin, Resource):
    """Statements, newest first; open ones still take lines."""

    resource = "settlements"
    seller_actions = None
    parameters = ("state", "seller", "due_on", *span("due_on"))
    lists_below = {"lines": span("basis_on")}
    serializer_class = serializers.StatementDocument

    def get_queryset(self):
        found = seals.with_seal(Statement.objects.select_related("seller"))
        if self.holder:
            found = found.filter(seller=self.holder)
        if states := self.choice_parameter("state", Statement.State):
            found = found.filter(state__in=states)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        if due_on := self.date_parameter("due_on"):
            found = found.filter(due_on=due_on)
        return self.within(found, "due_on")

    @extend_schema(responses={200: serializers.StatementWithPartiesDocument})
    def retrieve(self, request, *args, **kwargs):
        """A statement with its parties."""
        document = serializers.StatementWithPartiesDocument(
            self.get_object(), context=self.get_serializer_context()
        )
        return etags.respond(request, document.data)

    @extend_schema(responses={200: serializers.SettlementLineDocument(many=True)})
    @action(detail=True)
    def lines(self, request, public_id):
        """The settlement lines of a statement."""
        statement = self.get_object()
        self.page_order = ("basis_on", "pk")
        lines = self.within(SettlementLine.objects.all_of_statement(statement), "basis_on")
        page = self.paginate_queryset(lines)
        documents = serializers.SettlementLineDocument(
            _named(page), many=True, context=self.get_serializer_context()
        )
        return self.get_paginated_response(documents.data)

    @extend_schema(responses={(200, bundles.TYPE): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, BundleRenderer])
    def bundle(self, request, public_id):
        """A closed statement with all that is needed to compute it again, as a ZIP."""
        statement = self.get_object()
        name = bundles.name(statement)
        return HttpResponse(
            bundles.make(statement),
            content_type=bundles.TYPE,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    @extend_schema(responses={(200, pdf.TYPE): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, PdfRenderer])
    def pdf(self, request, public_id):
        """A statement to be printed; one of very many lines is refused."""
        return self._file(table_files.PDF)

    @extend_schema(responses={(200, CsvRenderer.media_type): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, CsvRenderer])
    def csv(self, request, public_id):
        """The lines of a statement as its seller gets them; one of very many is refused."""
        return self._file(table_files.CSV)

    @extend_schema(responses={(200, XlsxRenderer.media_type): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, XlsxRenderer])
    def xlsx(self, request, public_id):
        """The lines of a statement for Excel; one of very many is refused."""
        return self._file(table_files.XLSX)

    def _file(self, kind: str) -> HttpResponse:
        statement = self.get_object()
        return HttpResponse(
            downloads.at_once(statement, tenancy.current(), kind),
            content_type=table_files.FILES[kind],
            headers={
                "Content-Disposition": f'attachment; filename="{statement.public_id}.{kind}"',
                "Cache-Control": "no-store",
            },
        )


class SigningKeyViewSet(ListModelMixin, Resource):
    """The keys that the marketplace has signed statements with, and signs with now."""

    resource = "settlements"
    seller_actions = None
    serializer_class = serializers.SigningKeyDocument

    def get_queryset(self):
        return signing.keys()


class SettlementLineViewSet(Resource):
    """One settlement line, with why it shows these figures."""

    resource = "settlements"
    seller_actions = None
    serializer_class = serializers.ExplainedLineDocument
    lookup_field = "line"
    lookup_value_regex = "[^/]+"

    def get_queryset(self):
        lines = SettlementLine.objects.all()
        return lines.filter(seller_id=self.holder.pk) if self.holder else lines

    def retrieve(self, request, line):
        """A settlement line by its id: order, line number and sequence."""
        [found] = _named([self._find(line)])
        names = ledger.component_names()
        found.components = [
            {
                "component": part.code,
                "schedule": part.schedule,
                "schedule_version": part.version,
                "contract_version": part.contract.number if part.contract else None,
                "rule": part.rank,
                "fee": part.fee,
                "vat": part.vat,
                "explanation": line_words.describe(part, names),
            }
            for part in explanations.explain(found)
        ]
        return etags.respond(request, self.get_serializer(found).data)

    def _find(self, text: str) -> SettlementLine:
        name = _LINE.fullmatch(text)
        if name is None:
            raise Http404
        order, number, sequence = name.groups()
        lines = OrderLine.objects.filter(order__public_id=order, number=number)
        key = lines.values_list("pk", flat=True).first()
        found = self.get_queryset().filter(order_line_id=key, sequence=sequence).first()
        if key is None or found is None:
            raise Http404
        return found


class HoldViewSet(ReadMixin, Resource):
    """Holds: money that is kept back, why, until when, and what ends it."""

    resource = "settlements"
    seller_actions = None
    parameters = ("state", "kind", "reason", "seller")
    serializer_class = serializers.HoldDocument

    def get_queryset(self):
        found = Hold.objects.select_related("seller", "statement", "claim", "order_line__order")
        found = found.prefetch_related("payments")
        if self.holder:
            found = found.filter(seller=self.holder)
        for name, choices in (("state", Hold.State), ("kind", Hold.Kind), ("reason", Hold.Reason)):
            if wanted := self.choice_parameter(name, choices):
                found = found.filter(**{f"{name}__in": wanted})
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        return found

    def get_object(self) -> Hold:
        [hold] = _with_disputed([super().get_object()])
        return hold

    def paginate_queryset(self, queryset) -> list[Hold]:
        return _with_disputed(super().paginate_queryset(queryset))


def _with_disputed(holds: list[Hold]) -> list[Hold]:
    """Holds with what the units of their claims are worth, asked for once for all of them."""
    disputed = hold_book.disputed(holds)
    for hold in holds:
        hold.disputed = disputed.get(hold.pk)
    return holds


class BalanceViewSet(ListModelMixin, Resource):
    """What sellers carry from one statement to the next, and where one seller's money stands."""

    resource = "settlements"
    seller_actions = None
    serializer_class = serializers.BalanceDocument

    def get_queryset(self):
        balances = SellerBalance.objects.filter(seller=OuterRef("pk"))
        sellers = Seller.objects.annotate(
            carry=Coalesce(Subquery(balances.values("carry")), Value(0)),
            held=Coalesce(Subquery(balances.values("held")), Value(0)),
            reserve=Coalesce(Subquery(balances.values("reserve")), Value(0)),
            receivable=Coalesce(Subquery(balances.values("receivable")), Value(0)),
        )
        return sellers.filter(pk=self.holder.pk) if self.holder else sellers

    @extend_schema(responses={200: serializers.PositionDocument})
    def retrieve(self, request, public_id):
        """Where the seller's money stands today, the expected part of it estimated."""
        seller, on = self.get_object(), timezone.localdate()
        position = positions.of_seller(seller, on=on)
        document = serializers.PositionDocument(
            {
                "seller": seller.public_id,
                "on": on,
                "expected": position.expected.net,
                "confirmed": position.confirmed,
                "held": position.held,
                "held_back": position.held_back,
                "paid": position.paid,
                "reserve": position.reserve,
                "carry": position.carry,
                "receivable": position.invoiced,
                "next_due_on": position.next_due_on,
                "next_net": position.next_net,
            },
            context=self.get_serializer_context(),
        )
        return etags.respond(request, document.data)


class FeeEstimateView(Resource):
    """What items would be charged if a buyer paid for them today."""

    resource = "settlements"
    seller_actions = None
    serializer_class = serializers.EstimatesDocument

    def needed_scope(self) -> str:
        return "settlements:read"  # a POST for the sake of its body alone; nothing is stored

    @extend_schema(
        request=serializers.EstimateRequestDocument,
        responses={200: serializers.EstimatesDocument},
    )
    def estimate(self, request):
        """Estimate by the functions that settle; nothing is stored."""
        asked = self.checked(serializers.EstimateRequestDocument)
        seller = holders.named(asked["seller_code"], self.holder)
        given = estimates.of_items(seller, _items(asked["items"]), on=timezone.localdate())
        return Response(self.get_serializer({"data": given}).data)


class FeePriceView(Resource):
    """Which price leaves a seller what he wants."""

    resource = "settlements"
    seller_actions = None
    serializer_class = serializers.PriceDocument

    def needed_scope(self) -> str:
        return "settlements:read"  # a POST for the sake of its body alone; nothing is stored

    @extend_schema(
        request=serializers.PriceRequestDocument, responses={200: serializers.PriceDocument}
    )
    def price(self, request):
        """The smallest unit price that leaves at least what is wanted; nothing is stored."""
        asked = self.checked(serializers.PriceRequestDocument)
        seller = holders.named(asked["seller_code"], self.holder)
        [item] = _items([asked["item"] | {"unit_price": 0}], lambda n: "item")
        found = simulator.price_for(
            seller, item, asked["wanted"], on=timezone.localdate(), grade=asked["grade"]
        )
        return Response(self.get_serializer(found).data)


class FeeComparisonView(Resource):
    """What a seller would keep of an item with another grade, channel or category, or elsewhere."""

    resource = "settlements"
    seller_actions = None
    serializer_class = serializers.ComparisonDocument

    def needed_scope(self) -> str:
        return "settlements:read"  # a POST for the sake of its body alone; nothing is stored

    @extend_schema(
        request=serializers.ComparisonRequestDocument,
        responses={200: serializers.ComparisonDocument},
    )
    def compare(self, request):
        """Compare by the functions that settle; nothing is stored."""
        asked = self.checked(serializers.ComparisonRequestDocument)
        seller = holders.named(asked["seller_code"], self.holder)
        [item] = _items([asked["item"]], lambda n: "item")
        found = simulator.compare(seller, item, on=timezone.localdate(), grade=asked["grade"])
        document = {
            "own": found.own,
            "grades": [_supposed(grade.code, grade.name, each) for grade, each in found.grades],
            "channels": [
                _supposed(code, kind_words.name(code) if code else "", each)
                for code, each in found.channels
            ],
            "categories": [
                _supposed(category.code, category.name, each) for category, each in found.categories
            ],
            "elsewhere": found.elsewhere,
        }
        return Response(self.get_serializer(document).data)


def _supposed(code: str, name: str, estimate) -> dict:
    return {
        "code": code,
        "name": name,
        "fee": estimate.fee,
        "vat": estimate.vat,
        "net": estimate.net,
    }


def _named(lines: list[SettlementLine]) -> list[SettlementLine]:
    """Give lines the names that outsiders know them by; three queries for any number of lines."""
    rows = Adjustment.objects.filter(
        pk__in=[-line.order_line_id for line in lines if line.order_line_id < 0]
    )
    of_adjustments = {pk: told for pk, *told in rows.values_list("pk", "public_id", "reason_code")}
    rows = OrderLine.objects.filter(pk__in={line.order_line_id for line in lines})
    sold = {row.pk: row for row in rows.select_related("order")}
    statements = dict(
        Statement.objects.filter(pk__in={line.statement_id for line in lines}).values_list(
            "pk", "public_id"
        )
    )
    for line in lines:
        line.statement = statements[line.statement_id]
        row = sold.get(line.order_line_id)
        if row is None:
            line.order, line.order_number, line.line_number = "", "", 0
            line.name, reason = of_adjustments[-line.order_line_id]
            line.split = adjustments.split_line(line.fee, line.vat, line.net, reason)
            continue
        line.order, line.order_number = row.order.public_id, row.order.number
        line.line_number = row.number
        line.split = adjustments.split_line(line.fee, line.vat, line.net)
        line.name = f"{line.order}-{row.number}-{line.sequence}"
    return lines


def _items(items: list[dict], where=lambda n: f"items[{n}]") -> list[Item]:
    codes = {item["category_code"] for item in items if item["category_code"]}
    categories = dict(Category.objects.filter(code__in=codes).values_list("code", "pk"))
    found = []
    for n, item in enumerate(items):
        code = item.pop("category_code")
        if code and code not in categories:
            raise UnknownCategory(value=code, field=f"{where(n)}.category_code")
        found.append(Item(**item, category_id=categories.get(code)))
    return found
