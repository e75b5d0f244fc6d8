"""Sellers in bulk: what is missing is made, what exists stays."""

from datetime import date

import pytest

from marketplace import tenancy
from marketplace.models import AuditEntry
from sellers import registering
from sellers.models import Seller
from sellers.registering import SellerRow
from sellers.tests import make

pytestmark = pytest.mark.django_db


def row(code, name="사과가게"):
    return SellerRow(code=code, name=name, joined_on=date(2026, 1, 5))


class TestEnsureSellers:
    def test_makes_what_is_missing_in_one_audited_batch(self):
        with tenancy.use(make.marketplace().pk):
            make.seller("old")
            AuditEntry.objects.count()
            sellers = registering.ensure_sellers(
                [row("b"), row("a"), row("old", "새 이름")], by=None, at=make.AT
            )
            assert sorted(sellers) == ["a", "b", "old"]
            assert sellers["a"].state == "active"
            assert sellers["old"].name == "old"
            entries = AuditEntry.objects.filter(action="seller.registered").order_by("pk")
            assert [entry.data for entry in entries] == [
                {"count": 1, "sample": ["old"]},
                {"count": 2, "sample": ["a", "b"]},
            ]

    def test_changes_nothing_when_repeated(self):
        with tenancy.use(make.marketplace().pk):
            first = registering.ensure_sellers([row("a"), row("b")], by=None, at=make.AT)
            again = registering.ensure_sellers([row("b"), row("a")], by=None, at=make.AT)
            assert {s.pk for s in first.values()} == {s.pk for s in again.values()}
            assert AuditEntry.objects.filter(action="seller.registered").count() == 1

    def test_gives_the_same_code_to_different_sellers_of_different_marketplaces(self):
        own, strange = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(own.pk):
            ours = make.seller("a")
        with tenancy.use(strange.pk):
            theirs = make.seller("a")
            assert theirs.pk != ours.pk
            assert not Seller.objects.filter(pk=ours.pk).exists()
