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
