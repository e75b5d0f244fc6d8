"""The feed tells everything once, in an order that later commits do not disturb."""

import threading
from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.db import connection, transaction

from marketplace import changes, tenancy
from marketplace.changes import BadCursor, Cursor
from marketplace.models import Change
from marketplace.tests import make

AT = datetime(2026, 3, 2, 3, tzinfo=UTC)


def read_all(market, **words):
    """The object ids of all that is committed, from a place on, and where that ended."""
    make.wait_until_told()
    return read_now(market, **words)


def read_now(market, *, limit=50, after=None, seller_id=None):
    found, cursor = [], after or Cursor()
    while True:
        with tenancy.use(market.pk):
            page = changes.page(cursor, limit=limit, seller_id=seller_id)
        found += [change.object_id for change in page.changes]
        cursor = page.cursor
        if not page.has_more:
            return found, cursor


def tell(market, *names, **words):
    with tenancy.use(market.pk):
        for name in names:
            changes.announce("order.accepted", name, at=AT, **words)


@pytest.mark.django_db
class TestAnnounce:
    def test_writes_with_the_transaction_that_causes_it(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            changes.announce("order.accepted", "ord_1", at=AT)
            transaction.set_rollback(True)
        with tenancy.use(market.pk):
            assert not Change.objects.exists()
            changes.announce("order.accepted", "ord_1", at=AT, lines=[1, 2])
            change = Change.objects.get()
        assert (change.type, change.object_id, change.at) == ("order.accepted", "ord_1", AT)
        assert change.data == {"lines": [1, 2]}
        assert change.public_id.startswith("evt_")

    def test_writes_many_by_one_statement(self, django_assert_num_queries):
        market = make.marketplace()
        with tenancy.use(market.pk):
            with django_assert_num_queries(1):
                changes.announce_many("order.accepted", [("ord", None, {})] * 1_000, at=AT)
            assert Change.objects.count() == 1_000

    def test_refuses_a_type_that_nobody_can_subscribe_to(self):
        market = make.marketplace()
        with tenancy.use(market.pk), pytest.raises(changes.UnknownType):
            changes.announce("order.acepted", "ord_1", at=AT)


@pytest.mark.django_db(transaction=True)
class TestPage:
    def test_goes_on_where_it_ended(self):
        market = make.marketplace()
        tell(market, *"abcde")
        assert read_all(market, limit=2)[0] == list("abcde")
        cursor = read_all(market)[1]
        tell(market, "f")
        assert read_all(market, after=cursor)[0] == ["f"]

    def test_of_many_in_one_transaction_leaves_none_out(self):
        market = make.marketplace()
        names = [str(number) for number in range(450)]
        with tenancy.use(market.pk):
            changes.announce_many("order.accepted", [(n, None, {}) for n in names], at=AT)
        assert read_all(market, limit=200)[0] == names

    def test_waits_for_a_transaction_that_began_before(self):
        """The earlier id commits last: whoever has read past it would never see it."""
        market = make.marketplace()
        has_written, may_commit = threading.Event(), threading.Event()

        def slow():
            with tenancy.use(market.pk):
                changes.announce("order.accepted", "slow", at=AT)
                has_written.set()
                assert may_commit.wait(10)

        with make.another_connection(slow):
            assert has_written.wait(10)
            tell(market, "quick")
            found, cursor = read_now(market)
            assert found == []
            may_commit.set()
        with tenancy.use(market.pk):
            ids = list(Change.objects.order_by("id").values_list("object_id", flat=True))
        assert ids == ["slow", "quick"]
        assert read_all(market, after=cursor)[0] == ["slow", "quick"]

    def test_is_not_disturbed_by_an_id_from_a_later_transaction(self):
        """The later transaction takes the earlier id, and commits after its page was read."""
        market = make.marketplace()
        with tenancy.use(market.pk), connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")  # the earlier transaction, no row yet
            with make.another_connection(lambda: tell(market, "first")):
                pass
            assert read_within(market) == []
            changes.announce("order.accepted", "second", at=AT)
        assert read_all(market)[0] == ["second", "first"]

    def test_shows_a_seller_only_what_concerns_it(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            sellers = apps.get_model("sellers", "Seller").objects
            hanok, other = (
                sellers.create(code=code, name=code, joined_on=make.FIRST_OPEN_ON)
                for code in ("hanok", "other")
            )
        tell(market, "mine", seller_id=hanok.pk)
        tell(market, "theirs", seller_id=other.pk)
        tell(market, "everybodys")
        assert read_all(market, seller_id=hanok.pk)[0] == ["mine"]
        assert read_all(market)[0] == ["mine", "theirs", "everybodys"]

    def test_refuses_a_place_of_another_database(self):
        market = make.marketplace()
        with tenancy.use(market.pk), pytest.raises(BadCursor):
            changes.page(Cursor(2**40, 1))

    def test_shows_a_stranger_nothing(self):
        market, elsewhere = make.marketplace(), make.marketplace("elsewhere")
        tell(market, "ours")
        assert read_all(elsewhere)[0] == []


def read_within(market):
    with transaction.atomic():
        return [change.object_id for change in changes.page(Cursor()).changes]


class TestCursor:
    def test_is_read_as_it_is_written(self):
        assert Cursor.read(str(Cursor(812, 5))) == Cursor(812, 5)
        assert Cursor.read("") == Cursor()

    @pytest.mark.parametrize("text", ["x", "1", "1-2-3", "-1", "1-", "٣-1", f"1-{2**63}"])
    def test_is_refused_when_it_was_made_up(self, text):
        with pytest.raises(BadCursor):
            Cursor.read(text)


@pytest.mark.django_db
class TestForgetOld:
    def test_keeps_thirty_days(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            changes.announce("order.accepted", "old", at=AT)
            written_at = Change.objects.get().written_at
            soon = written_at + changes.KEPT_FOR
            assert changes.forget_old(at=soon) == 0
            assert changes.forget_old(at=soon.replace(year=soon.year + 1)) == 1
            assert not Change.objects.exists()

    def test_remembers_how_far_it_went(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            for name in ("older", "old"):
                changes.announce("order.accepted", name, at=AT)
            rows = list(Change.objects.order_by("id"))
            first, last = (Cursor(row.transaction, row.id) for row in rows)
            changes.refuse_forgotten(first)
            assert changes.forget_old(at=rows[0].written_at + changes.KEPT_FOR * 2) == 2
            for place in (Cursor(), last):  # the beginning, and who had read all that is gone
                changes.refuse_forgotten(place)
            with pytest.raises(changes.CursorTooOld):
                changes.refuse_forgotten(first)
