"""How views describe themselves in the OpenAPI schema, beside what drf-spectacular sees itself."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import OpenApiParameter

from marketplace.api import idempotency, problems
from marketplace.api.fields import Document, is_day

_IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A text of yours that names this request; sent again, it acts once. 30 days.",
)
_IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the version that you have read and mean to change.",
)
PROBLEM = {
    "type": "object",
    "description": "An error, as RFC 9457 describes it. `code` is stable.",
    "required": ["type", "title", "status", "detail", "instance", "code", "errors"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "additionalProperties": False,
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
_ANSWER = {
    "description": "A problem: what is wrong, and where.",
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


_BOUNDS = {  # of a span of time, by the end of their names
    "_since": "From then on, itself included.",
    "_until": "Up to then, itself excluded.",
}


def _parameter(name: str) -> OpenApiParameter:
    told = _BOUNDS.get(name[-6:])
    schema = {"type": "string"}
    if told:
        schema["format"] = "date" if is_day(name[:-6]) else "date-time"
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=told or "")


class Schema(AutoSchema):
    """Adds the headers that a method asks for, the parameters that a list knows, and the scope."""

    def get_override_parameters(self):
        method = getattr(self.view, getattr(self.view, "action", None) or "", None)
        found = []
        if getattr(method, "is_idempotent", False):
            found.append(_IDEMPOTENCY_KEY)
        if self.method in ("PUT", "PATCH", "DELETE"):
            found.append(_IF_MATCH)
        if self._is_list_view() and hasattr(self.view, "filters"):
            found += [_parameter(name) for name in self.view.filters() or ()]
        return found

    def get_operation(self, *args, **kwargs):
        operation = super().get_operation(*args, **kwargs)
        if operation and hasattr(self.view, "needed_scope"):
            self.view.request.method = self.method
            operation["x-scope"] = self.view.needed_scope()
            operation["x-seller-keys"] = self.view.is_open_to_sellers()
        return operation


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "marketplace.api.authentication.KeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer", "bearerFormat": "mpk_…"}


class StrictDocument(OpenApiSerializerExtension):
    """A document takes the fields that it names, and no others."""

    target_class = "marketplace.api.fields.Document"
    match_subclasses = True

    def map_serializer(self, auto_schema, direction):
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


def undescribing() -> list[type]:
    """The base classes whose docstrings are for programmers, and describe no heir of theirs."""
    return [*get_lib_doc_excludes(), Document]


def with_problems(result, generator, request, public):
    """Every operation may answer with a problem."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = _ANSWER
    return result
