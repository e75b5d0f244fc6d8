"""The contract of a seller, as JSON: what it says by itself, now and from its coming change on."""

from django.utils import timezone
from rest_framework import serializers

from marketplace.api import etags
from marketplace.api.fields import Document, Money
from marketplace.api.views import Resource
from sellers.models import Seller
from settlements import contracts
from settlements.models import FeeRule


class ContractRuleDocument(Document):
    """A fee rule of a contract. Conditions that are null or empty hold for every line."""

    rank = serializers.IntegerField()
    component = serializers.CharField()
    stream = serializers.CharField()
    category = serializers.CharField(source="category.code", allow_null=True, default=None)
    listing_kind = serializers.CharField()
    channel = serializers.CharField()
    date_from = serializers.DateField(allow_null=True)
    date_to = serializers.DateField(allow_null=True, help_text="Exclusive.")
    price_from = Money(allow_null=True)
    price_to = Money(allow_null=True)
    base = serializers.CharField()
    rate_ppm = serializers.IntegerField()
    fixed_amount = Money()
    per_unit = serializers.BooleanField()
    min_amount = Money(allow_null=True)
    max_amount = Money(allow_null=True)
    vat_kind = serializers.CharField()


class ContractVersionDocument(Document):
    """A version of a contract. What is null or empty is as for every other seller."""

    version = serializers.IntegerField(source="number")
    valid_from = serializers.DateField()
    reference = serializers.CharField()
    fee_schedule = serializers.CharField(source="schedule.code", allow_null=True, default=None)
    lag_days = serializers.IntegerField(allow_null=True)
    lag_kind = serializers.CharField()
    cycle = serializers.CharField()
    cycle_arg = serializers.JSONField(allow_null=True)
    holiday = serializers.CharField()
    minimum_payout = Money(allow_null=True)
    reserve_ppm = serializers.IntegerField(allow_null=True)
    fast_ppm = serializers.IntegerField(allow_null=True)
    income_kind = serializers.CharField()
    supply_tax = serializers.CharField()
    vat_level = serializers.CharField()
    sale_issuer = serializers.CharField(
        help_text="`platform`: the marketplace issues the sales, and takes their VAT off."
    )
    monthly_fee = Money(allow_null=True, help_text="Without VAT; 0: none is charged.")
    monthly_fee_from = Money(allow_null=True, help_text="From which sales of a month.")
    monthly_fee_waived_until = serializers.DateField(
        allow_null=True, help_text="Months that end by this day are free."
    )
    rules = serializers.SerializerMethodField()

    def get_rules(self, contract) -> ContractRuleDocument(many=True):
        rows = FeeRule.objects.filter(contract=contract).select_related("category")
        return ContractRuleDocument(
            rows.order_by("component", "rank"), many=True, context=self.context
        ).data


class ContractDocument(Document):
    """A seller's contract; null where all holds as for every other seller."""

    seller = serializers.CharField()
    in_force = ContractVersionDocument(allow_null=True)
    coming = ContractVersionDocument(allow_null=True)


class ContractView(Resource):
    """What was agreed with one seller."""

    resource = "settlements"
    seller_actions = None
    serializer_class = ContractDocument

    def get_queryset(self):
        sellers = Seller.objects.all()
        return sellers.filter(pk=self.holder.pk) if self.holder else sellers

    def retrieve(self, request, public_id):
        """The contract in force today, and the published change that follows it."""
        seller, on = self.get_object(), timezone.localdate()
        in_force, coming = contracts.standing(seller.pk, on=on)
        told = {"seller": seller.public_id, "in_force": in_force, "coming": coming}
        return etags.respond(request, self.get_serializer(told).data)
