"""Rows written by one statement: new ones inserted, known ones updated by the fields named."""

import pytest
from django.db import IntegrityError, transaction

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


def test_sends_numbers_as_they_are():
    numbers = [0, 1, -1, 255, 256, -(2**63), 2**63 - 1]
    with bulk.cursor() as cursor:
        cursor.execute("SELECT %s, array_ndims(%s)", [bulk.bigints(iter(numbers))] * 2)
        assert cursor.fetchone() == (numbers, 1)


def test_refuses_numbers_that_the_database_has_not():
    with pytest.raises(OverflowError):
        bulk.bigints([2**63])


def test_sends_a_column_on_without_reading_it():
    with bulk.cursor() as found, bulk.cursor() as cursor:
        found.execute("SELECT 'a', n FROM unnest('{1,-1,256}'::bigint[]) n", binary=True)
        cursor.execute("SELECT %s", [bulk.column(found, 1)])
        assert cursor.fetchone() == ([1, -1, 256],)
        assert found.fetchall() == [("a", 1), ("a", -1), ("a", 256)]
        found.execute("SELECT 1::bigint WHERE false", binary=True)
        cursor.execute("SELECT %s", [bulk.column(found, 0)])
        assert cursor.fetchone() == ([],)


def test_tells_of_rows_twice_as_django_does():
    with tenancy.use(make.market().pk):
        seller = make.seller("A")
        rows = [SellerBalance(seller=seller, carry=1) for _ in range(2)]
        with pytest.raises(IntegrityError), transaction.atomic():
            bulk.write(rows)
