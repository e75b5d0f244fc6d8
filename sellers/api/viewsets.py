"""The edges of sellers. They are read here; becoming one goes through the application."""

from collections.abc import Sequence
from datetime import date

from django.utils import timezone
from rest_framework.mixins import ListModelMixin

from marketplace.api import etags
from marketplace.api.views import ReadMixin, Resource
from sellers import grade_words, grades
from sellers.api.serializers import GradeDocument, SellerDocument
from sellers.models import ProjectedGrade, Seller


class _OfSellers(Resource):
    """Rows that sellers are asked by; a seller's key sees its own shop alone."""

    resource = "sellers"
    seller_actions = None

    def get_queryset(self):
        sellers = Seller.objects.all()
        return sellers.filter(pk=self.holder.pk) if self.holder else sellers


class SellerViewSet(ReadMixin, _OfSellers):
    """Sellers of the marketplace, those who came last first."""

    parameters = ("state", "code")
    serializer_class = SellerDocument

    def get_queryset(self):
        sellers = super().get_queryset()
        if states := self.choice_parameter("state", Seller.State):
            sellers = sellers.filter(state__in=states)
        if code := self.text_parameter("code"):
            sellers = sellers.filter(code=code)
        return sellers


class GradeViewSet(ListModelMixin, _OfSellers):
    """The grades of sellers, today's and the projected ones."""

    serializer_class = GradeDocument

    def list(self, request):
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self._grades(page))

    def retrieve(self, request, public_id):
        [grade] = self._grades([self.get_object()])
        return etags.respond(request, grade)

    def _grades(self, sellers: Sequence[Seller]):
        held = grades.grade_on([seller.pk for seller in sellers], timezone.localdate())
        rows = ProjectedGrade.objects.filter(seller__in=sellers).select_related("policy")
        projected = {row.seller_id: row for row in rows}
        documents = [
            {
                "seller": seller.public_id,
                "grade": held[seller.pk].grade if seller.pk in held else "",
                "effective_from": _since(held.get(seller.pk)),
                "projected": self._projected(projected.get(seller.pk)),
            }
            for seller in sellers
        ]
        return self.get_serializer(documents, many=True).data

    def _projected(self, row: ProjectedGrade | None) -> dict | None:
        if row is None:
            return None
        policy, marketplace = grades.load(row.policy), self.key.marketplace
        return {
            "grade": row.grade,
            "on": row.on,
            "policy_version": row.policy.number,
            "reasons": grade_words.reasons(row.explanation, policy, marketplace),
            "missing": grade_words.missing(row.explanation, policy, marketplace),
        }


def _since(held) -> date | None:
    """When a grade took effect; the starting grade holds from the beginning of time."""
    return None if held is None or held.effective_from == date.min else held.effective_from
