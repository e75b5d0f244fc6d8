"""Rows written by one statement: new ones inserted, known ones updated by the fields named."""

import pytest

from marketplace import bulk, tenancy
from settlements.models import FeeScheduleVersion, LineTerms, SellerBalance
from settlements.tests import make

pytestmark = pytest.mark.django_db


def test_inserts_rows_and_updates_only_the_fields_named():
    with tenancy.use(make.market().pk):
        sellers = [make.seller(code) for code in "AB"]
        bulk.write([SellerBalance(seller=seller, carry=1, held=2) for seller in sellers[:1]])
        rows = [SellerBalance(seller=seller, carry=7, held=9) for seller in sellers]
        bulk.write(rows, unique=["marketplace", "seller"], update=["carry"])
        found = SellerBalance.objects.order_by("seller__code").values_list("carry", "held")
        assert list(found) == [(7, 2), (7, 9)]
        assert {row.pk for row in SellerBalance.objects.all()} != {None}


def test_keeps_keys_and_json_as_they_are():
    with tenancy.use(make.market().pk):
        version = FeeScheduleVersion.objects.first()
        bulk.write([LineTerms(pk=5, version=version, key=[1, "가", None])])
        row = LineTerms.objects.get()
        assert (row.pk, row.key) == (5, [1, "가", None])


def test_writes_nothing_of_nothing():
    bulk.write([])
