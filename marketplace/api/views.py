"""What every view of the API has in common: key, scope, limits, parameters, paging, versions.

A view names its `resource` (the first half of its scopes), its serializer and the query
parameters that it knows; any other parameter is an error. Which objects a key may see is the
view's queryset; what is not in it is not found.
"""

from django.utils.translation import gettext
from rest_framework import mixins, viewsets
from rest_framework.permissions import SAFE_METHODS
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from marketplace.api import etags, limits, problems

_PAGING = ("cursor", "limit")


class KeyedView(APIView):
    """A view behind an API key."""

    resource = ""  # "orders" stands for the scopes orders:read and orders:write
    parameters: tuple[str, ...] = ()  # of the query, beside those of paging
    seller_actions: tuple[str, ...] | None = ()  # what a seller's key may do; None: everything

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        self._refuse_unknown_parameters(request)

    def check_throttles(self, request):
        if request.auth is None:
            return
        request.allowance = limits.take(
            key_id=request.auth.pk, marketplace_id=request.auth.marketplace_id
        )
        if request.allowance is not None and not request.allowance.is_allowed:
            raise problems.Problem(429, "too_many_requests", gettext("Too many requests."))

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        if allowance := getattr(request, "allowance", None):
            for name, value in allowance.headers.items():
                response.headers.setdefault(name, value)
        return response

    def needed_scope(self) -> str:
        verb = "read" if self.request.method in SAFE_METHODS else "write"
        return f"{self.resource}:{verb}"

    def is_open_to_sellers(self) -> bool:
        action = getattr(self, "action", None) or self.request.method.lower()
        return self.seller_actions is None or action in self.seller_actions

    def known_parameters(self) -> set[str]:
        is_list = getattr(self, "action", "list") == "list" and self.request.method == "GET"
        return {*self.parameters, *_PAGING} if is_list else set()

    @property
    def key(self):
        """The key that the request was made with."""
        return self.request.auth

    @property
    def holder(self):
        """The seller that the key is limited to; None for the marketplace's own."""
        return self.request.auth.holder

    def _refuse_unknown_parameters(self, request) -> None:
        known = self.known_parameters()
        wrong = [
            name
            for name, values in request.query_params.lists()
            if name not in known or len(values) > 1
        ]
        if wrong:
            code, detail = "unknown_parameter", gettext("There is no such parameter.")
            errors = [problems.item(f"?{name[:100]}", code, detail) for name in wrong[:20]]
            raise problems.Problem(400, code, detail, errors=errors)


class Resource(KeyedView, viewsets.GenericViewSet):
    """A collection of objects that are named by public id."""

    lookup_field = "public_id"
    lookup_value_regex = "[a-z]+_[0-9a-z]{26}"
    page_order: tuple[str, ...] = ("pk",)
    pagination_class = api_settings.DEFAULT_PAGINATION_CLASS


class ReadMixin(mixins.ListModelMixin):
    """Reading: pages of the collection, and one object with its ETag."""

    def retrieve(self, request, *args, **kwargs):
        return etags.respond(request, self.get_serializer(self.get_object()).data)
