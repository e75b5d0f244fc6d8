"""Pages of a list by cursor: none is skipped or shown twice while rows are added.

A cursor is signed and good for the list and the filters that it was made for. There are no
totals: counting a whole history would slow as it grows.
"""

import hashlib
from datetime import date
from urllib.parse import urlencode

from django.core import signing
from django.db.models import Q
from django.utils.translation import gettext
from rest_framework import pagination
from rest_framework.response import Response

from marketplace.api import problems

DEFAULT = 50
MOST = 200
_SALT = "marketplace.api.paging"


class CursorPages(pagination.BasePagination):
    """Newest first by `view.page_order`: names of fields, all descending, unique together."""

    def paginate_queryset(self, queryset, request, view=None):
        self.request = request
        self.order = tuple(getattr(view, "page_order", ("pk",)))
        self.limit = limit_of(request)
        bound = _bound(request)
        position, is_back = self._position(bound)
        if position is not None:
            queryset = queryset.filter(_beyond(self.order, position, is_back))
        sign = "" if is_back else "-"
        rows = list(queryset.order_by(*(sign + name for name in self.order))[: self.limit + 1])
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        if is_back:
            rows.reverse()
        self.has_next, self.has_prev = (bool(rows), more) if is_back else (more, position)
        self.next = self._link(bound, rows[-1], False) if rows and self.has_next else None
        self.prev = self._link(bound, rows[0], True) if rows and self.has_prev else None
        return rows

    def get_paginated_response(self, data):
        links = [
            f'<{link}>; rel="{rel}"'
            for rel, link in (("next", self.next), ("prev", self.prev))
            if link
        ]
        headers = {"Link": ", ".join(links)} if links else {}
        return Response({"data": data, "next": self.next, "prev": self.prev}, headers=headers)

    def get_paginated_response_schema(self, schema):
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["data", "next", "prev"],
            "additionalProperties": False,
            "properties": {"data": schema, "next": link, "prev": link},
        }

    def get_schema_operation_parameters(self, view):
        return [
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT},
            },
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "From `next` or `prev` of a page of the same list and filters.",
            },
        ]

    def _position(self, bound: str) -> tuple[list | None, bool]:
        text = self.request.query_params.get("cursor")
        if text is None:
            return None, False
        try:
            made_for, is_back, position = signing.loads(text, salt=_SALT)
        except (signing.BadSignature, ValueError, TypeError):
            made_for = None
        if made_for != bound:
            raise problems.Problem(
                400,
                "cursor_not_usable",
                gettext("The cursor is not one of this list with these filters."),
                errors=[problems.item("?cursor", "cursor_not_usable", "")],
            )
        return position, is_back

    def _link(self, bound: str, row, is_back: bool) -> str:
        position = [_plain(_value(row, name)) for name in self.order]
        cursor = signing.dumps([bound, is_back, position], salt=_SALT)
        query = {**self.request.query_params.dict(), "cursor": cursor}
        return f"{self.request.build_absolute_uri(self.request.path)}?{urlencode(query)}"


def limit_of(request) -> int:
    """How many the request wants on a page. Raises Problem."""
    text = request.query_params.get("limit", str(DEFAULT))
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST:
        return int(text)
    detail = gettext("limit is a number from 1 to 200.")
    error = problems.item("?limit", "limit_not_usable", detail)
    raise problems.Problem(400, "limit_not_usable", detail, errors=[error])


def _bound(request) -> str:
    """What a cursor is good for: this list, these filters, this holder of a key."""
    filters = sorted(
        (name, value)
        for name, values in request.query_params.lists()
        for value in values
        if name not in ("cursor", "limit")
    )
    key = request.auth
    text = repr((request.path, filters, key.marketplace_id, key.seller))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _beyond(order: tuple[str, ...], position: list, is_back: bool) -> Q:
    """Rows after a position. The first field's own bound lets an index begin there."""
    side = "gt" if is_back else "lt"
    condition = Q()
    for depth, name in enumerate(order):
        equal = dict(zip(order[:depth], position[:depth], strict=True))
        condition |= Q(**equal, **{f"{name}__{side}": position[depth]})
    if len(order) > 1:
        condition &= Q(**{f"{order[0]}__{side}e": position[0]})
    return condition


def _value(row, name: str):
    return row[name] if isinstance(row, dict) else getattr(row, name)


def _plain(value):
    return value.isoformat() if isinstance(value, date) else value
