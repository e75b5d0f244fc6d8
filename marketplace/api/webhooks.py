"""Webhook endpoints: made, changed, tested, and what was sent to them."""

from django.db import models
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from marketplace.api import etags
from marketplace.api.fields import Document, Flag, Moment, Text
from marketplace.api.idempotency import idempotent
from marketplace.api.views import ReadMixin, Resource
from marketplace.models import WebhookDelivery, WebhookEndpoint
from marketplace.webhooks import deliveries, endpoints


class Progress(models.TextChoices):
    """Where a delivery stands, as callers name it."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class EndpointDocument(Document):
    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", default=None, read_only=True)
    url = serializers.CharField(read_only=True)
    types = serializers.ListField(child=serializers.CharField(), read_only=True)
    description = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(WebhookEndpoint.State.choices, read_only=True)
    disabled_for = serializers.CharField(read_only=True)
    created_at = Moment(read_only=True)


class NewEndpointDocument(Document):
    url = Text(max_length=500)
    types = serializers.ListField(child=Text(max_length=60), default=list, max_length=60)
    description = Text(max_length=200, default="", allow_blank=True)


class ChangedEndpointDocument(Document):
    url = Text(max_length=500, required=False)
    types = serializers.ListField(child=Text(max_length=60), required=False, max_length=60)
    description = Text(max_length=200, required=False, allow_blank=True)
    state = serializers.ChoiceField(WebhookEndpoint.State.choices, required=False)


class SecretDocument(Document):
    secret = serializers.CharField()


class DeliveryDocument(Document):
    id = serializers.CharField(source="message_id", read_only=True)
    type = serializers.CharField(read_only=True)
    progress = serializers.SerializerMethodField()
    attempts = serializers.IntegerField(read_only=True)
    last_outcome = serializers.CharField(read_only=True)
    next_attempt_at = Moment(source="due_at", read_only=True, allow_null=True)
    delivered_at = Moment(read_only=True, allow_null=True)
    given_up_at = Moment(source="dead_at", read_only=True, allow_null=True)
    created_at = Moment(read_only=True)

    def get_progress(self, delivery) -> str:
        if delivery.due_at is not None:
            return Progress.WAITING
        return Progress.DELIVERED if delivery.delivered_at else Progress.DEAD


class ReplayDocument(Document):
    """One message, or a half-open span of time."""

    default_error_messages = {"which": _("Name a message, or since and until.")}

    message = Text(max_length=40, required=False)
    since = Moment(required=False)
    until = Moment(required=False)
    only_dead = Flag(default=True)

    def validate(self, data):
        if not ({"message"} <= data.keys()) ^ ({"since", "until"} <= data.keys()):
            self.fail("which")
        return data


class CountDocument(Document):
    count = serializers.IntegerField()


class WebhookEndpointViewSet(ReadMixin, Resource):
    """Addresses that changes are sent to. A seller's key manages that seller's."""

    resource = "webhooks"
    seller_actions = None
    lists_below = {"deliveries": ("progress",)}
    serializer_class = EndpointDocument

    def get_queryset(self):
        return endpoints.of(self.holder and self.holder.pk).select_related("seller")

    def needed_scope(self):
        # Whoever reads the secret can sign as we do.
        return "webhooks:write" if self.action == "secret" else super().needed_scope()

    @extend_schema(request=NewEndpointDocument, responses={201: EndpointDocument})
    @idempotent
    def create(self, request):
        """Have changes sent to an address. Its secret is read at …/secret/."""
        words = self.checked(NewEndpointDocument)
        seller_id = self.holder and self.holder.pk
        made = endpoints.create(**words, seller_id=seller_id, by=None, at=timezone.now())
        response = etags.respond(request, self._shown(made.endpoint), 201)
        response["Location"] = f"{request.path}{made.endpoint.public_id}/"
        return response

    @extend_schema(request=ChangedEndpointDocument, responses={200: EndpointDocument})
    def partial_update(self, request, public_id):
        """Change where to or what is sent; enable or disable it."""
        endpoint = self._seen(request)
        words = self.checked(ChangedEndpointDocument)
        at, state = timezone.now(), words.pop("state", endpoint.state)
        if words:
            names = ("url", "types", "description")
            words = {name: getattr(endpoint, name) for name in names} | words
            endpoint = endpoints.edit(endpoint, **words, by=None, at=at)
        if state != endpoint.state:
            switch = {"enabled": endpoints.enable, "disabled": endpoints.disable}
            endpoint = switch[state](endpoint, by=None, at=at)
        return etags.respond(request, self._shown(endpoint))

    @extend_schema(responses={204: None})
    def destroy(self, request, public_id):
        """Delete an endpoint, with the record of what was sent to it."""
        endpoints.delete(self._seen(request), by=None, at=timezone.now())
        return Response(status=204)

    @extend_schema(responses={200: SecretDocument})
    @action(detail=True)
    def secret(self, request, public_id):
        """The secret that messages to this endpoint are signed with."""
        [secret, *_] = endpoints.secrets_of(self.get_object(), at=timezone.now())
        return Response({"secret": secret})

    @extend_schema(request=None, responses={201: EndpointDocument})
    @action(detail=True, methods=["post"], url_path="secret-rotations")
    @idempotent
    def secret_rotations(self, request, public_id):
        """Make a new secret. For a day, messages are signed with the old one as well."""
        made = endpoints.rotate_secret(self.get_object(), by=None, at=timezone.now())
        return Response(self._shown(made.endpoint), 201)

    @extend_schema(request=None, responses={202: DeliveryDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def tests(self, request, public_id):
        """Have a test message sent, of type webhook.test."""
        sent = deliveries.send_test(self.get_object(), by=None, at=timezone.now())
        return Response(DeliveryDocument(sent).data, 202)

    @extend_schema(responses={200: DeliveryDocument(many=True)})
    @action(detail=True, pagination_class=Resource.pagination_class)
    def deliveries(self, request, public_id):
        """What was sent, newest first; `progress` names waiting, delivered, dead."""
        found = WebhookDelivery.objects.filter(endpoint=self.get_object())
        if wanted := self.choice_parameter("progress", Progress):
            found = found.in_progress(wanted)
        page = self.paginate_queryset(found)
        return self.get_paginated_response(DeliveryDocument(page, many=True).data)

    @extend_schema(request=ReplayDocument, responses={202: CountDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def replays(self, request, public_id):
        """Send again one message, or what was given up in a span of time."""
        endpoint, at = self.get_object(), timezone.now()
        words = self.checked(ReplayDocument)
        if message := words.pop("message", None):
            delivery = get_object_or_404(endpoint.deliveries, message_id=message)
            deliveries.replay(delivery, by=None, at=at)
            return Response({"count": 1}, 202)
        count = deliveries.replay_range(endpoint, **words, by=None, at=at)
        return Response({"count": count}, 202)

    def _seen(self, request) -> WebhookEndpoint:
        """The endpoint, locked, when the caller has read it as it is."""
        locked = self.get_queryset().select_for_update(of=("self",))
        endpoint = get_object_or_404(locked, public_id=self.kwargs["public_id"])
        etags.require(request, self._shown(endpoint))
        return endpoint

    def _shown(self, endpoint: WebhookEndpoint) -> dict:
        return self.get_serializer(endpoint).data
