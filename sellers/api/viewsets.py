from marketplace.api.views import ReadMixin, Resource
from sellers.api.serializers import SellerDocument
from sellers.models import Seller


class SellerViewSet(ReadMixin, Resource):
    """Sellers of the marketplace; a seller's key sees its own shop alone."""

    resource = "sellers"
    seller_actions = None
    serializer_class = SellerDocument

    def get_queryset(self):
        sellers = Seller.objects.all()
        return sellers.filter(pk=self.holder.pk) if self.holder else sellers
