"""Listings, their revisions and findings, as JSON."""

from rest_framework import serializers

from listings.models import Finding, Listing, Revision
from marketplace.api.fields import Document, Moment, Money, Text

DESCRIPTION = 20_000  # characters


class FindingDocument(Document):
    """What a policy objects to; `start` and `end` count characters of the field."""

    rule = serializers.CharField(read_only=True)
    severity = serializers.ChoiceField(Finding.Severity.choices, read_only=True)
    field = serializers.CharField(read_only=True)
    start = serializers.IntegerField(read_only=True)
    end = serializers.IntegerField(read_only=True)
    evidence = serializers.CharField(read_only=True)


class RevisionDocument(Document):
    number = serializers.IntegerField(read_only=True)
    title = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    unit_price = Money(read_only=True)
    category_code = serializers.CharField(
        source="category.code", default=None, allow_null=True, read_only=True
    )
    state = serializers.ChoiceField(Revision.State.choices, read_only=True)
    submitted_at = Moment(read_only=True, allow_null=True)
    sent_back_for = serializers.CharField(read_only=True)


class CheckedRevisionDocument(RevisionDocument):
    findings = FindingDocument(many=True, read_only=True)


class ListingDocument(Document):
    """A listing: what is on sale (`live`), and its newest wording with what was found in it."""

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    code = serializers.CharField(read_only=True)
    kind = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(Listing.State.choices, read_only=True)
    paused_at = Moment(read_only=True, allow_null=True)
    taken_down_for = serializers.CharField(read_only=True)
    live = RevisionDocument(source="live_revision", allow_null=True, read_only=True)
    newest = serializers.SerializerMethodField()

    def get_newest(self, listing) -> CheckedRevisionDocument:
        [revision] = listing.newest_revisions
        return CheckedRevisionDocument(revision, context=self.context).data


class WordsDocument(Document):
    """New words of a listing; what is left out stays as it is."""

    title = Text(max_length=300, required=False)
    description = Text(max_length=DESCRIPTION, allow_blank=True, required=False)
    unit_price = Money(required=False)
    category_code = Text(max_length=300, allow_null=True, required=False)


class NewListingDocument(Document):
    """A listing to draft. The marketplace's own keys name the seller, a seller's key does not."""

    seller_code = Text(max_length=64, allow_null=True, default=None)
    code = Text(max_length=100)
    kind = Text(max_length=30, default="goods")
    title = Text(max_length=300)
    description = Text(max_length=DESCRIPTION, allow_blank=True, default="")
    unit_price = Money()
    category_code = Text(max_length=300, allow_null=True, default=None)


class TextsDocument(Document):
    """Words to look over; nothing is stored."""

    title = Text(max_length=300)
    description = Text(max_length=DESCRIPTION, allow_blank=True, default="")
    category_code = Text(max_length=300, allow_null=True, default=None)


class FindingsDocument(Document):
    findings = FindingDocument(many=True)
