"""How views describe themselves in the OpenAPI schema, beside what drf-spectacular sees itself."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """Operations named after resource and action, with their scope, headers and problems."""


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "marketplace.api.authentication.KeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer", "bearerFormat": "mpk_…"}
