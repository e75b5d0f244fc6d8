"""The change feed: what happened, oldest first, for whoever follows it."""

from urllib.parse import urlencode

from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from marketplace import changes
from marketplace.api import paging, problems
from marketplace.api.fields import Document
from marketplace.api.views import KeyedView
from marketplace.changes import Cursor


class ChangeDocument(Document):
    id = serializers.CharField()
    type = serializers.CharField()
    timestamp = serializers.DateTimeField()
    data = serializers.DictField()


class FeedDocument(Document):
    data = ChangeDocument(many=True)
    next = serializers.URLField(help_text="Where to go on; also when there is nothing more yet.")
    has_more = serializers.BooleanField()


class FeedView(KeyedView):
    """What happened, oldest first. Go on at `next` for ever: nothing is ever missed.

    A seller's key is told what concerns that seller. Kept for 30 days.
    """

    resource = "events"
    seller_actions = None

    @extend_schema(
        operation_id="events_list",
        responses={200: FeedDocument},
        parameters=[
            OpenApiParameter("cursor", str, description="From `next` of an earlier page."),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": paging.MOST, "default": 50},
            ),
        ],
    )
    def get(self, request):
        after = Cursor.read(request.query_params.get("cursor", ""))
        seller_id = self.holder and self.holder.pk
        page = changes.page(after, limit=paging.limit_of(request), seller_id=seller_id)
        try:
            changes.refuse_forgotten(after)
        except changes.CursorTooOld as refused:
            raise problems.Problem(410, refused.code, refused.text(gettext)) from refused
        query = urlencode({**request.query_params.dict(), "cursor": str(page.cursor)})
        following = f"{request.build_absolute_uri(request.path)}?{query}"
        data = [{"id": change.public_id, **changes.told(change)} for change in page.changes]
        return Response(
            {"data": data, "next": following, "has_more": page.has_more},
            headers={"Link": f'<{following}>; rel="next"'},
        )
