"""What every view of the API has in common: key, scope, limits, parameters, paging, versions.

A view names its `resource` (the first half of its scopes), its serializer and the query
parameters that it knows; any other parameter is an error. Which objects a key may see is the
view's queryset; what is not in it is not found.
"""

from datetime import date

from django.utils.translation import gettext
from rest_framework import mixins, viewsets
from rest_framework.permissions import SAFE_METHODS
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from marketplace.api import etags, limits, problems
from marketplace.api.fields import is_day, moment_of

_PAGING = ("cursor", "limit")


def span(field: str) -> tuple[str, str]:
    """The parameters of a list that Resource.within() reads."""
    return f"{field}_since", f"{field}_until"


class KeyedView(APIView):
    """A view behind an API key."""

    resource = ""  # "orders" stands for the scopes orders:read and orders:write
    parameters: tuple[str, ...] = ()  # of the query, beside those of paging
    lists_below: dict[str, tuple[str, ...]] = {}
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
        """What the query may name: of lists their filters and pages, elsewhere nothing."""
        filters = self.filters()
        if filters is None or self.request.method not in SAFE_METHODS:
            return set()
        return {*filters, *_PAGING}

    def filters(self) -> tuple[str, ...] | None:
        """The parameters of the list that is asked for; None where it is no list."""
        lists = {"list": self.parameters, **self.lists_below}
        return lists.get(getattr(self, "action", "list") or "")

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

    def checked(self, document) -> dict:
        """The body of the request as a kind of document reads it; refused where it cannot."""
        with document.reading(self.get_serializer_context()) as reading:
            return reading.run_validation(self.request.data)

    def own_seller(self):
        """The seller of the key, for what only sellers do."""
        if self.holder is None:
            detail = gettext("Only a seller's key allows this.")
            raise problems.Problem(403, "for_sellers", detail)
        return self.holder

    def key_maker(self, permission: str):
        """The person who made the key, and is meant where a person has to ask; who may do so."""
        maker = self.key.created_by
        if maker is None or not maker.has_perm(permission):
            detail = gettext(
                "Whoever made this key may not ask for that. Let somebody who may make one."
            )
            raise problems.Problem(403, "key_maker_may_not", detail)
        return maker

    def text_parameter(self, name: str) -> str:
        """A parameter of the query; empty where it is not given."""
        text = self.request.query_params.get(name, "")
        return self._refuse_parameter(name) if "\x00" in text or len(text) > 200 else text

    def choice_parameter(self, name: str, choices) -> list[str]:
        """The values of a parameter that names some of a field's choices, by commas."""
        if (text := self.request.query_params.get(name)) is None:
            return []
        wanted = text.split(",")
        return wanted if set(wanted) <= set(choices.values) else self._refuse_parameter(name)

    def date_parameter(self, name: str):
        """A parameter that names a day; None where it is not given."""
        if (text := self.request.query_params.get(name)) is None:
            return None
        try:
            return date.fromisoformat(text) if len(text) == 10 else self._refuse_parameter(name)
        except ValueError:
            return self._refuse_parameter(name)

    def moment_parameter(self, name: str):
        """A parameter that names a moment; None where it is not given."""
        if (text := self.request.query_params.get(name)) is None:
            return None
        detail = gettext(
            "Write a moment with its offset, such as 2026-03-02T12:00:00Z. In an address, + is "
            "written %2B."
        )
        return moment_of(text) or self._refuse_parameter(name, detail)

    def within(self, queryset, field: str):
        """Rows of a half-open span: `<field>_since` is part of it, `<field>_until` no more.

        Whether these are days or moments, is_day() says. The list is then in
        its order, so that an index on it serves however old the span is.
        """
        read = self.date_parameter if is_day(field) else self.moment_parameter
        since, until = read(f"{field}_since"), read(f"{field}_until")
        if since is not None:
            queryset = queryset.filter(**{f"{field}__gte": since})
        if until is not None:
            queryset = queryset.filter(**{f"{field}__lt": until})
        if since is not None or until is not None:
            self.page_order = (field, "pk")
        return queryset

    def _refuse_parameter(self, name: str, detail: str = ""):
        code, detail = "parameter_not_usable", detail or gettext("The value is not usable.")
        raise problems.Problem(400, code, detail, errors=[problems.item(f"?{name}", code, detail)])

    lookup_field = "public_id"
    lookup_value_regex = "[a-z]+_[0-9a-z]{26}"
    page_order: tuple[str, ...] = ("pk",)
    pagination_class = api_settings.DEFAULT_PAGINATION_CLASS


class ReadMixin(mixins.ListModelMixin):
    """Reading: pages of the collection, and one object with its ETag."""

    def retrieve(self, request, *args, **kwargs):
        return etags.respond(request, self.get_serializer(self.get_object()).data)
