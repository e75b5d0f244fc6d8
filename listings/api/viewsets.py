"""The edges of listings: drafted, reworded, looked over and handed in by programs."""

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from listings import reviewing, selling
from listings.api import serializers
from listings.models import Category, Listing, Revision
from marketplace.api import etags, problems
from marketplace.api.idempotency import idempotent
from marketplace.api.views import ReadMixin, Resource
from marketplace.refusals import Refused, gettext_noop
from sellers.api import holders


class UnknownCategory(Refused):
    code = "unknown_category"
    message = gettext_noop("No category has the code “%(value)s”.")


class ListingViewSet(ReadMixin, Resource):
    """Listings, newest first; a seller's key has its own alone."""

    resource = "listings"
    seller_actions = None
    parameters = ("state", "code")
    serializer_class = serializers.ListingDocument

    def get_queryset(self):
        newest = Revision.objects.order_by("listing_id", "-number").distinct("listing_id")
        found = Listing.objects.select_related("seller", "live_revision__category")
        found = found.prefetch_related(
            Prefetch(
                "revisions",
                newest.select_related("category").prefetch_related("findings"),
                "newest_revisions",
            )
        )
        if self.holder:
            found = found.filter(seller=self.holder)
        if states := self.choice_parameter("state", Listing.State):
            found = found.filter(state__in=states)
        if code := self.text_parameter("code"):
            found = found.filter(code=code)
        return found

    @extend_schema(
        request=serializers.NewListingDocument, responses={201: serializers.ListingDocument}
    )
    @idempotent
    def create(self, request):
        """Draft a listing; it is not on sale before its first revision is published."""
        words = self.checked(serializers.NewListingDocument)
        seller, category = holders.named(words.pop("seller_code"), self.holder), _category(words)
        made = reviewing.create(
            seller, words.pop("code"), **words, category=category, by=None, at=timezone.now()
        )
        listing = self.get_queryset().get(pk=made.listing_id)
        response = etags.respond(request, self.get_serializer(listing).data, 201)
        response["Location"] = f"{request.path}{listing.public_id}/"
        return response

    @extend_schema(request=serializers.WordsDocument, responses={200: serializers.ListingDocument})
    def partial_update(self, request, public_id):
        """Reword the newest revision, or draft the next one where that has been published."""
        listing = self.get_object()
        # Locked before it is compared, so that nobody changes it in between.
        Listing.objects.select_for_update(no_key=True).get(pk=listing.pk)
        listing = self.get_object()
        etags.require(request, self.get_serializer(listing).data)
        words = self.checked(serializers.WordsDocument)
        if "category_code" in words:
            words["category"] = _category(words)
        reviewing.reword(listing, **words, by=None, at=timezone.now())
        return etags.respond(request, self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses={202: serializers.ListingDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def submission(self, request, public_id):
        """Hand the newest revision in for review. It is looked over first."""
        [revision] = self.get_object().newest_revisions
        try:
            reviewing.submit(revision, by=None, at=timezone.now())
        except reviewing.BlockedByPolicy as refused:
            return self._blocked(request, refused)
        return Response(self.get_serializer(self.get_object()).data, 202)

    @extend_schema(request=None, responses={200: serializers.ListingDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def pause(self, request, public_id):
        """Take the listing from sale until it is resumed."""
        return self._sale(request, selling.pause)

    @extend_schema(request=None, responses={200: serializers.ListingDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def resume(self, request, public_id):
        """Put on sale again what was paused. What the marketplace took down stays down."""
        return self._sale(request, selling.resume)

    @extend_schema(request=None, responses={200: serializers.ListingDocument})
    @action(detail=True, methods=["post"])
    @idempotent
    def close(self, request, public_id):
        """End the listing for good. A draft of it is put aside."""
        return self._sale(request, selling.close)

    @extend_schema(request=serializers.TextsDocument, responses={200: serializers.FindingsDocument})
    @action(detail=False, methods=["post"])
    def check(self, request):
        """What the policy in force would object to. Nothing is stored."""
        words = self.checked(serializers.TextsDocument)
        category = _category(words)
        found = reviewing.look_over(words, category, at=timezone.now())
        return Response(serializers.FindingsDocument({"findings": found}).data)

    def _sale(self, request, deed) -> Response:
        deed(self.get_object(), by=None, at=timezone.now())
        return etags.respond(request, self.get_serializer(self.get_object()).data)

    def _blocked(self, request, refused: Refused) -> Response:
        """Answered, not raised: what was found is kept, and stands in the listing."""
        [revision] = self.get_object().newest_revisions
        errors = [
            problems.item(f"/newest/{finding.field}", finding.rule, finding.evidence)
            for finding in revision.findings.all()
        ]
        detail = refused.text(gettext)
        body = problems.document(request._request, 409, refused.code, detail, errors)
        return Response(body, 409, content_type=problems.MEDIA_TYPE)


def _category(words: dict) -> Category | None:
    """Take the code of a category out of some words, and find it."""
    code = words.pop("category_code")
    if code is None:
        return None
    category = Category.objects.filter(code=code).first()
    if category is None:
        raise UnknownCategory(value=code, field="category_code")
    return category
