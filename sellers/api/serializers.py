"""Sellers and their grades as JSON."""

from rest_framework import serializers

from marketplace.api.fields import Document
from sellers.models import Seller


class SellerDocument(Document):
    id = serializers.CharField(source="public_id", read_only=True)
    code = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    type = serializers.ChoiceField(Seller.Type.choices, source="seller_type", read_only=True)
    state = serializers.ChoiceField(Seller.State.choices, read_only=True)
    joined_on = serializers.DateField(read_only=True)


class ProjectionDocument(Document):
    """The grade that a seller is heading for, with what is missing to the next, in words."""

    grade = serializers.CharField()
    on = serializers.DateField()
    policy_version = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    missing = serializers.CharField()


class GradeDocument(Document):
    """The grade in force (empty where no policy is), and the projected one."""

    seller = serializers.CharField()
    grade = serializers.CharField(allow_blank=True)
    effective_from = serializers.DateField(allow_null=True)
    projected = ProjectionDocument(allow_null=True)
