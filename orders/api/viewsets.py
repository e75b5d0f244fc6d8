"""The edges of orders: what the shop's checkout sends and reads, and what sellers' systems do."""

from contextlib import contextmanager

from django.db.models import Exists, OuterRef, Prefetch
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response

from marketplace import approvals
from marketplace.api import etags
from marketplace.api.batches import items_of
from marketplace.api.idempotency import idempotent
from marketplace.api.views import ReadMixin, Resource, span
from marketplace.refusals import Refused
from orders import arbitrating, claim_decisions, claims, events, goodwill, intake, shipping
from orders.api import sending, serializers
from orders.models import (
    Claim,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    Referral,
    Shipment,
    ShipmentLine,
)
from orders.return_shipping import Terms
from orders.verdicts import REPEATED

_PARTS = {
    "shipping": frozenset(serializers.NewReturnShippingDocument().fields),
    "parcel": frozenset(serializers.NewReplacementDocument().fields),
}


class OrderViewSet(ReadMixin, Resource):
    """Orders, newest first. A seller's key sees those that hold lines of its own."""

    resource = "orders"
    seller_actions = ("list", "retrieve", "acknowledgement", "shipments", "goodwill")
    parameters = ("number", *span("placed_at"))
    serializer_class = serializers.OrderDocument

    def get_queryset(self):
        lines = OrderLine.objects.select_related("seller", "listing", "category")
        if self.holder:
            lines = lines.filter(seller=self.holder)
        else:
            referrals = Referral.objects.select_related("seller")
            lines = lines.prefetch_related(Prefetch("referrals", referrals, "shown_referrals"))
        orders = Order.objects.prefetch_related(
            Prefetch("lines", lines.order_by("number"), "shown_lines"),
            Prefetch("payments", Payment.objects.order_by("sequence")),
        )
        if self.holder:
            own = OrderLine.objects.filter(seller=self.holder)
            orders = orders.filter(pk__in=own.values("order"))
        if number := self.text_parameter("number"):
            orders = orders.filter(number=number)
        return self.within(orders, "placed_at")

    @extend_schema(
        request=serializers.NewOrderDocument, responses={201: serializers.VerdictDocument}
    )
    @idempotent
    def create(self, request):
        """Send one order. Sent again it is repeated; saying something else, it is refused."""
        document = self.checked(serializers.NewOrderDocument)
        [verdict] = intake.accept_many([sending.order(document)], at=timezone.now())
        sending.refuse(verdict)
        headers = {"Location": f"{request.path}{verdict.public_id}/"}
        status = 200 if verdict.result == REPEATED else 201
        return Response(sending.told(verdict), status, headers=headers)

    @extend_schema(
        request=serializers.OrderBatchDocument, responses={200: serializers.VerdictsDocument}
    )
    @action(detail=False, methods=["post"])
    @idempotent
    def batch(self, request):
        """Send up to 100 orders. Each stands for itself and has its own result."""
        items = items_of(request.data, "orders", serializers.BATCH)
        with serializers.NewOrderDocument.reading(self.get_serializer_context()) as document:
            given = sending.accept_each(
                items, document, sending.order, intake.accept_many, at=timezone.now()
            )
        return Response({"data": given})

    @extend_schema(request=None, responses={200: serializers.OrderDocument})
    @action(detail=True, methods=["post"])
    def acknowledgement(self, request, public_id):
        """Tell that the seller of the key has seen the order and prepares it."""
        shipping.acknowledge([self.get_object()], self.own_seller(), by=None, at=timezone.now())
        return etags.respond(request, self.get_serializer(self.get_object()).data)

    @extend_schema(
        request=serializers.NewShipmentDocument, responses={201: serializers.ShipmentDocument}
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def shipments(self, request, public_id):
        """Tell of a parcel with goods of the seller of the key."""
        order, seller = self.get_object(), self.own_seller()
        words = self.checked(serializers.NewShipmentDocument)
        if words["units"] is not None:
            words["units"] = {row["line_number"]: row["quantity"] for row in words["units"]}
        made = shipping.ship(order, seller, **words, by=None, at=timezone.now())
        packed = Prefetch("lines", ShipmentLine.objects.select_related("line"))
        parcels = Shipment.objects.select_related("order", "seller").prefetch_related(packed)
        document = serializers.ShipmentDocument(parcels.get(pk=made.pk))
        return Response(document.data, 201)

    @extend_schema(responses={200: serializers.GoodwillDocument})
    @action(detail=True)
    def goodwill(self, request, public_id):
        """What the buyer was granted for goods that stay, and what waits for a second person."""
        return Response(self._goodwill(self.get_object()))

    @extend_schema(
        request=serializers.NewGoodwillDocument, responses={201: serializers.GoodwillDocument}
    )
    @goodwill.mapping.post
    @idempotent
    def ask_goodwill(self, request, public_id):
        """Ask for goodwill, in the name of whoever made the key; another person grants it.

        What policy lets one person grant is granted at once.
        """
        order, words = self.get_object(), self.checked(serializers.NewGoodwillDocument)
        maker = self.key_maker(approvals.KINDS["grant_goodwill"].permission)
        if words["claim"]:
            of_order = Claim.objects.filter(line__order=order, line__number=words["line_number"])
            get_object_or_404(of_order, public_id=words["claim"])
        with _named({"line": "line_number", "funder": "borne_by"}):
            goodwill.ask(
                order,
                line=words["line_number"],
                amount=words["amount"],
                funder=words["borne_by"],
                reason=words["reason"],
                claim=words["claim"] or "",
                by=maker,
                at=timezone.now(),
            )
        return Response(self._goodwill(order), 201)

    def _goodwill(self, order: Order) -> dict:
        asked = None if self.holder else goodwill.waiting(order)
        found = {"granted": goodwill.of_order(order, self.holder), "asked": asked}
        context = self.get_serializer_context()
        return serializers.GoodwillDocument(found, context=context).data


class OrderEventViewSet(ListModelMixin, Resource):
    """What senders told about orders, newest first. For the marketplace's own keys."""

    resource = "orders"
    parameters = ("order_number",)
    serializer_class = serializers.EventDocument

    def get_queryset(self):
        told = OrderEvent.objects.all()
        if number := self.text_parameter("order_number"):
            told = told.filter(order_number=number)
        return told

    @extend_schema(
        request=serializers.NewEventDocument, responses={201: serializers.VerdictDocument}
    )
    @idempotent
    def create(self, request):
        """Tell what happened to an order. An event that comes before its order waits for it."""
        document = self.checked(serializers.NewEventDocument)
        [verdict] = events.accept_many([sending.event(document)], at=timezone.now())
        sending.refuse(verdict)
        return Response(sending.told(verdict), 200 if verdict.result == REPEATED else 201)

    @extend_schema(
        request=serializers.EventBatchDocument, responses={200: serializers.VerdictsDocument}
    )
    @action(detail=False, methods=["post"])
    @idempotent
    def batch(self, request):
        """Tell up to 500 events. Each stands for itself and has its own result."""
        items = items_of(request.data, "events", serializers.EVENTS)
        with serializers.NewEventDocument.reading(self.get_serializer_context()) as document:
            given = sending.accept_each(
                items, document, sending.event, events.accept_many, at=timezone.now()
            )
        return Response({"data": given})


class ClaimViewSet(ReadMixin, Resource):
    """Claims, newest first. A seller's key sees and answers those on its own lines."""

    resource = "claims"
    seller_actions = (
        "list",
        "retrieve",
        "decision",
        "arbitration",
        "arbitrate",
        "arbitration_statements",
    )
    parameters = ("state", "order", *span("requested_at"), *span("completed_on"))
    serializer_class = serializers.ClaimDocument

    def get_queryset(self):
        found = Claim.objects.select_related("seller", "line__order", "shipping_line")
        if self.holder:
            found = found.filter(seller=self.holder)
        if states := self.choice_parameter("state", Claim.State):
            found = found.filter(state__in=states)
        if order := self.text_parameter("order"):
            lines = OrderLine.objects.filter(pk=OuterRef("line"), order__public_id=order)
            found = found.filter(Exists(lines))
        return self.within(self.within(found, "requested_at"), "completed_on")

    @extend_schema(request=serializers.NewClaimDocument, responses={201: serializers.ClaimDocument})
    @idempotent
    def create(self, request):
        """Make a claim in the name of the buyer."""
        words = self.checked(serializers.NewClaimDocument)
        line = get_object_or_404(
            OrderLine.objects.select_related("order"),
            order__public_id=words.pop("order"),
            number=words.pop("line_number"),
        )
        if agreed := words.pop("shipping"):
            words["shipping_terms"] = Terms(**agreed)
        with _naming_parts():
            claim = claims.request(line, **words, by=None, at=timezone.now())
        document = self.get_serializer(self.get_queryset().get(pk=claim.pk))
        headers = {"Location": f"{request.path}{claim.public_id}/"}
        return Response(document.data, 201, headers=headers)

    @extend_schema(request=serializers.DecisionDocument, responses={200: serializers.ClaimDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def decision(self, request, public_id):
        """Decide on a claim, or tell how far it is."""
        claim, words = self.get_object(), self.checked(serializers.DecisionDocument)
        words |= words.pop("shipping") or {}
        with _naming_parts():
            claim_decisions.decide(
                claim, **words, is_seller=bool(self.holder), by=None, at=timezone.now()
            )
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={200: serializers.ArbitrationDocument})
    @action(detail=True)
    def arbitration(self, request, public_id):
        """The last arbitration of a claim, with what was said and sent in."""
        return Response(self._arbitration(self.get_object()))

    @extend_schema(
        request=serializers.NewArbitrationDocument,
        responses={201: serializers.ArbitrationDocument},
    )
    @arbitration.mapping.post
    @idempotent
    def arbitrate(self, request, public_id):
        """Take a claim to arbitration; a person of the marketplace decides about it."""
        claim, words = self.get_object(), self.checked(serializers.NewArbitrationDocument)
        words["side"] = self._side(words["side"])
        arbitrating.begin(claim, **words, by=None, at=timezone.now())
        return Response(self._arbitration(claim), 201)

    @extend_schema(
        request=serializers.NewArbitrationStatementDocument,
        responses={201: serializers.ArbitrationDocument},
    )
    @action(detail=True, methods=["post"], url_path="arbitration/statements")
    @idempotent
    def arbitration_statements(self, request, public_id):
        """Add what a side says in the arbitration of a claim."""
        claim, words = self.get_object(), self.checked(serializers.NewArbitrationStatementDocument)
        words["side"] = self._side(words["side"])
        arbitrating.say(claim, **words, by=None, at=timezone.now())
        return Response(self._arbitration(claim), 201)

    def _side(self, said: str | None) -> str:
        return arbitrating.side(said, is_seller=bool(self.holder))

    def _arbitration(self, claim: Claim) -> dict:
        found = arbitrating.of_claim(claim)
        if not found:
            raise Http404
        context = self.get_serializer_context()
        return serializers.ArbitrationDocument(found[0], context=context).data


@contextmanager
def _named(fields: dict[str, str]):
    """Let a refusal name a field as it was sent."""
    try:
        yield
    except Refused as refused:
        if (field := refused.params.get("field")) in fields:
            refused.params["field"] = fields[field]
        raise


@contextmanager
def _naming_parts():
    """Let a refusal name what was sent: costs stand under `shipping`, a parcel under `parcel`."""
    try:
        yield
    except Refused as refused:
        field = refused.params.get("field")
        for part, names in _PARTS.items():
            if field in names:
                refused.params["field"] = f"{part}.{field}"
        raise
