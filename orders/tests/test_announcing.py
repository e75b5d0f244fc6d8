"""What orders tell the change feed: news to each seller, thin, and no history."""

import pytest

from marketplace.models import Change
from orders import confirming, events, intake
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]


def told(type_):
    """Object, seller and details of each change of a type, in order."""
    changes = Change.objects.filter(type=type_).select_related("seller").order_by("id")
    return [(change.object_id, change.seller.code, change.data) for change in changes]


@pytest.fixture
def order():
    """An order of two sellers; its lines."""
    make.seller("other")
    lines = [make.line(1), make.line(2, "other"), make.line(3)]
    return make.accepted(make.order(lines=lines))[0].order


class TestAcceptedOrders:
    def test_are_told_once_to_each_seller(self, order):
        intake.accept_many([], at=make.NIGHT)
        assert told("order.accepted") == [
            (order.public_id, "hanok", {}),
            (order.public_id, "other", {}),
        ]
        assert {change.at for change in Change.objects.all()} == {make.NIGHT}

    def test_are_told_of_no_more_when_repeated_or_refused(self):
        make.accepted(make.order())
        intake.accept_many([make.order(), make.order("A-2", paid=1)], at=make.NIGHT)
        assert len(told("order.accepted")) == 1

    def test_include_events_that_came_before(self):
        make.told(make.event("paid", 0))
        make.accepted(make.order())
        assert [change.type for change in Change.objects.all()] == ["order.accepted"]

    def test_of_history_are_not_told(self):
        intake.accept_many([make.order()], at=make.NIGHT, is_news=False)
        events.accept_many([make.event("paid", 0)], at=make.NIGHT, is_news=False)
        assert not Change.objects.exists()


class TestChangedLines:
    def test_are_told_to_the_seller_whose_they_are(self, order):
        make.told(make.event("paid", 0), make.event("shipped", 1, 3))
        assert told("order.lines_changed") == [
            (order.public_id, "hanok", {"lines": [1, 3]}),
            (order.public_id, "other", {"lines": [2]}),
        ]

    def test_are_not_told_when_nothing_changed(self, order):
        make.told(make.event("paid", 0))
        make.told(make.event("paid", 0), make.event("paid", 1))
        assert len(told("order.lines_changed")) == 2


class TestConfirmedLines:
    def test_are_counted_for_each_seller_once_a_night(self):
        make.seller("other")
        make.delivered(make.line(1), make.line(2, "other"))
        make.accepted(make.order("A-2"))
        make.told(make.event("paid", 0, order="A-2"), make.event("delivered", 2, order="A-2"))
        before = Change.objects.count()
        confirming.confirm_due(make.on(10), at=make.NIGHT)
        confirming.confirm_due(make.on(10), at=make.NIGHT)
        assert Change.objects.count() == before + 2
        facts = {(seller, *data.values()) for _, seller, data in told("orders.confirmed")}
        assert facts == {("hanok", "2026-03-12", 2), ("other", "2026-03-12", 1)}
