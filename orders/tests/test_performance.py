"""The daily figures of sellers, day by day, and what late events do to days already written."""

import threading

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from orders import claims, exchanging, performance, reductions
from orders.models import PerformanceTouch
from orders.tests import make
from sellers.models import PerformanceDay, Seller
from sellers.performance import DayFigures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]

LAST = 30


def figures(day):
    """What is not zero, by the seller's code."""
    codes = dict(Seller.objects.values_list("pk", "code"))
    return {codes[row.seller_id]: nonzero(row) for row in performance.figures(make.on(day))}


def nonzero(row):
    names = [name for name in DayFigures.__dataclass_fields__ if name != "seller_id"]
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def stored():
    days = PerformanceDay.objects.select_related("seller").order_by("on", "seller__code")
    return {((row.on - make.on(0)).days, row.seller.code): nonzero(row) for row in days}


def order(number="A-1", **fields):
    fields = {"quantity": 3, "seller_discount": 600, "platform_discount": 300, **fields}
    return make.accepted(make.order(number, [make.line(1, **fields), make.shipping(2)]))


class TestFigures:
    def test_counts_goods_on_the_days_on_which_things_happened(self):
        order()
        make.told(make.event("paid", 0), make.event("shipped", 1), make.event("confirmed", 9))
        assert figures(0) == {"hanok": {"orders_paid": 1}}
        assert figures(1) == {"hanok": {"shipped": 1}}
        assert figures(2) == {}
        assert figures(9) == {
            "hanok": {"orders_confirmed": 1, "units_confirmed": 3, "sales_confirmed": 29_400}
        }

    def test_counts_units_left_at_confirmation(self):
        order()
        make.told(
            make.event("paid", 0),
            make.event("cancelled", 1, 1, quantity=1),
            make.event("confirmed", 9),
        )
        assert figures(9) == {
            "hanok": {"orders_confirmed": 1, "units_confirmed": 2, "sales_confirmed": 19_600}
        }
        assert figures(1) == {}  # the line was not cancelled

    @pytest.mark.parametrize(
        ("by_seller", "name"), [(True, "cancelled_by_seller"), (False, "cancelled_other")]
    )
    def test_tells_who_cancelled(self, by_seller, name):
        order()
        make.told(make.event("paid", 0), make.event("cancelled", 2, by_seller=by_seller))
        assert figures(2) == {"hanok": {name: 1}}

    @pytest.mark.parametrize(
        ("day", "late"),
        [
            (2, {}),
            (3, {}),  # Thursday, the third business day after Monday
            (4, {"shipped_late": 1}),
        ],
    )
    def test_counts_what_was_shipped_late_in_business_days(self, day, late):
        order()
        make.told(make.event("paid", 0), make.event("shipped", day))
        assert figures(day) == {"hanok": {"shipped": 1, **late}}

    def test_does_not_count_the_weekend_as_late(self):
        order()
        make.told(make.event("paid", 3), make.event("shipped", 8))  # Thursday to Tuesday
        assert figures(8) == {"hanok": {"shipped": 1}}

    def test_takes_back_sales_on_the_day_they_were_reversed(self):
        [line, _] = order()
        make.told(make.event("paid", 0), make.event("confirmed", 9))
        make.told(make.event("cancelled", 12, 1, quantity=1))
        assert figures(12) == {"hanok": {"units_returned": 1, "sales_returned": 9_800}}
        reductions.reduce_price(line, 500, "seller", by=None, at=make.day(13))
        assert figures(13) == {"hanok": {"sales_returned": 500}}

    def test_counts_no_exchanged_units_as_returned(self):
        [line, _] = order()
        make.told(make.event("paid", 0), make.event("confirmed", 9))
        told = {"by": None, "at": make.day(12)}
        claim = claims.request(line, type="exchange", quantity=2, fault="seller", **told)
        claim = exchanging.collect(claims.approve(claim, **told), **told)
        parcel = {"carrier": "cj", "tracking_number": "689123456784"}
        claims.complete(exchanging.resend(claim, **parcel, **told), **told)
        assert figures(12) == {}

    @pytest.mark.parametrize(("confirmed", "sales"), [(False, 0), (True, 19_600)])
    def test_counts_returned_units_before_and_after_confirmation(self, confirmed, sales):
        [line, _] = order()
        make.told(make.event("paid", 0), make.event("delivered", 2))
        if confirmed:
            make.told(make.event("confirmed", 9))
        claim = claims.request(
            line, type="return", quantity=2, fault="buyer", by=None, at=make.day(10)
        )
        claims.approve(claim, by=None, at=make.day(11))
        claims.complete(claim, by=None, at=make.day(14))
        returned = {"units_returned": 2, "sales_returned": sales}
        assert figures(14) == {"hanok": {k: v for k, v in returned.items() if v}}

    def test_keeps_sellers_apart(self):
        make.seller("gabe")
        make.accepted(make.order(lines=[make.line(1), make.line(2, "gabe"), make.line(3, "gabe")]))
        make.told(make.event("paid", 0))
        assert figures(0) == {"hanok": {"orders_paid": 1}, "gabe": {"orders_paid": 2}}
        gabe = Seller.objects.get(code="gabe")
        [row] = performance.figures(make.on(0), [gabe.pk])
        assert (row.seller_id, row.orders_paid) == (gabe.pk, 2)


class TestRecordDays:
    def test_writes_the_days_that_something_changed(self):
        order()
        make.told(make.event("paid", 0), make.event("shipped", 1))
        assert performance.record_days(make.on(LAST)) == [make.on(0), make.on(1)]
        assert stored() == {(0, "hanok"): {"orders_paid": 1}, (1, "hanok"): {"shipped": 1}}

    def test_writes_nothing_when_repeated(self):
        order()
        make.told(make.event("paid", 0))
        performance.record_days(make.on(LAST))
        assert not PerformanceTouch.objects.exists()
        assert performance.record_days(make.on(LAST)) == []

    def test_corrects_a_day_after_a_late_event(self):
        order()
        make.told(make.event("paid", 0))
        performance.record_days(make.on(2))
        order("A-2")
        make.told(make.event("paid", 0, order="A-2"), make.event("shipped", 3, order="A-2"))
        assert performance.record_days(make.on(3)) == [make.on(0), make.on(3)]
        assert stored() == {(0, "hanok"): {"orders_paid": 2}, (3, "hanok"): {"shipped": 1}}

    def test_leaves_days_to_come_for_their_own_night(self):
        order()
        make.told(make.event("paid", 0), make.event("shipped", 1))
        assert performance.record_days(make.on(0)) == [make.on(0)]
        assert stored() == {(0, "hanok"): {"orders_paid": 1}}
        assert performance.record_days(make.on(1)) == [make.on(1)]

    def test_writes_a_day_on_which_nothing_is_left_as_zeros(self):
        seller = Seller.objects.get()
        PerformanceDay.objects.create(seller=seller, on=make.on(0), orders_paid=7)
        PerformanceTouch.objects.create(seller=seller, on=make.on(0))
        performance.record_days(make.on(LAST))
        assert stored() == {(0, "hanok"): {}}

    def test_leaves_untouched_sellers_alone(self):
        gabe = make.seller("gabe")
        PerformanceDay.objects.create(seller=gabe, on=make.on(0), orders_paid=7)
        order()
        make.told(make.event("paid", 0))
        performance.record_days(make.on(LAST))
        assert stored()[0, "gabe"] == {"orders_paid": 7}

    def test_asks_the_database_as_often_for_many_sellers_as_for_one(self):
        def queries(codes):
            for code in codes:
                make.seller(code)
                make.accepted(make.order(code, [make.line(1, code)]))
                make.told(make.event("paid", 0, order=code))
            with CaptureQueriesContext(connection) as captured:
                performance.record_days(make.on(LAST))
            return len(captured)

        assert queries(["one"]) == queries(["two", "three", "four"])


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """The same day in two marketplaces."""
        self.own, self.strangers = make.marketplace(), make.marketplace("stranger")
        for marketplace in (self.own, self.strangers):
            with tenancy.use(marketplace.pk):
                make.seller()
                make.accepted()
                make.told(make.event("paid", 0))

    def test_counts_and_takes_nothing_of_ours(self):
        with tenancy.use(self.strangers.pk):
            assert performance.record_days(make.on(LAST)) == [make.on(0)]
            assert stored() == {(0, "hanok"): {"orders_paid": 1}}
        with tenancy.use(self.own.pk):
            assert stored() == {}
            assert PerformanceTouch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    @pytest.fixture(autouse=True)
    def market(self, transactional_db):
        """Committed, so that a second connection sees it."""
        self.own = make.marketplace()
        with tenancy.use(self.own.pk):
            make.seller()
            make.accepted(make.order("A-1"), make.order("A-2"))
            make.told(make.event("paid", 0))

    def test_a_change_while_a_night_is_taking_is_left_for_the_next(self):
        def late():
            try:
                with tenancy.use(self.own.pk):
                    make.told(make.event("paid", 0, order="A-2"))
            finally:
                connections.close_all()

        with tenancy.use(self.own.pk):
            performance.record_days(make.on(LAST))
            thread = threading.Thread(target=late)
            thread.start()
            thread.join(timeout=10)
        with tenancy.use(self.own.pk):
            assert stored() == {(0, "hanok"): {"orders_paid": 1}}
            performance.record_days(make.on(LAST))
            assert stored() == {(0, "hanok"): {"orders_paid": 2}}
