"""Acknowledging orders and handing their goods to carriers."""

import pytest

from marketplace import tenancy
from marketplace.models import AuditEntry, Change
from marketplace.tests.make import another_connection
from orders import claims, shipping
from orders.models import Order, OrderEvent, OrderLine, Shipment
from orders.tests import make
from sellers.models import Seller

pytestmark = pytest.mark.django_db
Status = OrderLine.Status
NUMBER = "689123456784"


def paid(*lines, number="A-1"):
    found = make.accepted(make.order(number, list(lines) or None))
    make.told(make.event("paid", 0, order=number))
    return found


def ship(order, seller_code="hanok", *, number=NUMBER, carrier="cj", day=1, **fields):
    seller = Seller.objects.get(code=seller_code)
    parcel = {"carrier": carrier, "tracking_number": number}
    return shipping.ship(order, seller, **parcel, **{"by": None, "at": make.day(day), **fields})


def statuses():
    return dict(OrderLine.objects.order_by("number").values_list("number", "status"))


@pytest.mark.usefixtures("market")
class TestAcknowledge:
    def test_moves_the_sellers_own_paid_lines_and_tells_it_once(self):
        make.seller("dokebi")
        paid(make.line(1), make.line(2, "dokebi"), make.shipping())
        order, hanok = Order.objects.get(), Seller.objects.get(code="hanok")
        assert shipping.acknowledge([order], hanok, by=None, at=make.day(1)) == 1
        assert statuses() == {1: "preparing", 2: "paid", 9: "paid"}
        assert shipping.acknowledge([order], hanok, by=None, at=make.day(2)) == 0
        assert OrderEvent.objects.filter(kind="acknowledged").count() == 1
        assert AuditEntry.objects.filter(action="order.acknowledged").count() == 1

    def test_leaves_what_is_not_paid(self):
        make.accepted()
        hanok = Seller.objects.get()
        assert shipping.acknowledge(Order.objects.all(), hanok, by=None, at=make.day(1)) == 0
        assert statuses() == {1: "pending_payment"}


@pytest.mark.usefixtures("market")
class TestShip:
    def test_ships_all_that_is_left_of_the_sellers_own_lines(self):
        make.seller("dokebi")
        paid(make.line(1, quantity=2), make.line(2, "dokebi"), make.line(3), make.shipping())
        by = make.user()
        parcel = ship(Order.objects.get(), number="6891-2345-6784", by=by)
        assert (parcel.carrier, parcel.tracking_number, parcel.shipped_by) == ("cj", NUMBER, by)
        lines = parcel.lines.order_by("line__number").values_list("line__number", "quantity")
        assert list(lines) == [(1, 2), (3, 1)]
        assert statuses() == {1: "shipped", 2: "paid", 3: "shipped", 9: "paid"}
        assert OrderLine.objects.get(number=1).shipped_on == make.on(1)
        change = Change.objects.get(type="shipment.recorded")
        assert (change.object_id, change.seller_id) == (parcel.public_id, parcel.seller_id)
        assert AuditEntry.objects.get(action="shipment.recorded").actor == by

    def test_is_the_same_parcel_when_told_again(self):
        paid()
        order = Order.objects.get()
        assert ship(order) == ship(order, day=2)
        assert OrderEvent.objects.filter(kind="shipped").count() == 1

    def test_counts_a_line_as_shipped_with_its_last_parcel(self):
        paid(make.line(quantity=3))
        order = Order.objects.get()
        first = ship(order, units={1: 2})
        assert statuses() == {1: "paid"}
        assert ship(order, units={1: 2}) == first
        with pytest.raises(shipping.TrackingNumberUsed):
            ship(order)
        with pytest.raises(shipping.MoreThanToShip) as refused:
            ship(order, number="6891234567", units={1: 2})
        assert refused.value.params["left"] == 1
        ship(order, number="6891234567", day=2)
        assert statuses() == {1: "shipped"}
        assert OrderLine.objects.get().shipped_on == make.on(2)
        with pytest.raises(shipping.NothingToShip):
            ship(order, number="6891234568")

    def test_a_cancellation_of_the_rest_completes_what_has_left(self):
        [line] = paid(make.line(quantity=3))
        ship(Order.objects.get(), units={1: 2})
        reason = {"reason": "out of stock", "by": None, "at": make.day(2)}
        with pytest.raises(claims.HasLeft):
            claims.cancel_by_seller(line, quantity=2, **reason)
        claims.cancel_by_seller(line, quantity=1, **reason)
        line.refresh_from_db()
        assert (line.status, line.units_left, line.shipped_on) == ("shipped", 2, make.on(2))

    def test_ships_nothing_that_a_buyer_wants_cancelled(self):
        [line] = paid(make.line(quantity=2))
        ask = {"type": "cancel", "fault": "buyer", "by": None, "at": make.day(1)}
        claims.request(line, quantity=1, **ask)
        line.refresh_from_db()
        assert shipping.to_ship([line]) == {line.pk: 1}
        claims.request(line, quantity=1, **ask)
        with pytest.raises(shipping.CancelAsked):
            ship(Order.objects.get())
        assert not Shipment.objects.exists()

    def test_refuses_what_is_not_paid_or_not_there(self):
        make.accepted()
        order = Order.objects.get()
        with pytest.raises(shipping.NotPaidYet):
            ship(order)
        make.told(make.event("paid", 0))
        with pytest.raises(shipping.events.UnknownLine):
            ship(order, units={7: 1})
        with pytest.raises(shipping.NothingToShip):
            ship(order, units={})

    def test_sees_no_line_of_another_seller(self):
        make.seller("dokebi")
        paid()
        with pytest.raises(shipping.NothingToShip):
            ship(Order.objects.get(), "dokebi")
        with pytest.raises(shipping.events.UnknownLine):
            ship(Order.objects.get(), "dokebi", units={1: 1})
        assert statuses() == {1: "paid"}


@pytest.mark.usefixtures("market")
class TestCorrect:
    def test_mends_a_number_until_the_parcel_has_arrived(self):
        paid()
        parcel = ship(Order.objects.get())
        mend = {"carrier": "hanjin", "tracking_number": "5555666677", "by": None}
        found = shipping.correct(parcel, at=make.day(2), **mend)
        assert (found.carrier, found.tracking_number) == ("hanjin", "5555666677")
        entry = AuditEntry.objects.get(action="shipment.corrected")
        assert entry.data == {"from": ["cj", NUMBER], "to": ["hanjin", "5555666677"]}
        make.told(make.event("delivered", 3))
        with pytest.raises(shipping.AlreadyDelivered):
            shipping.correct(parcel, at=make.day(4), **mend)

    def test_refuses_the_number_of_another_parcel(self):
        paid(make.line(quantity=2))
        ship(Order.objects.get(), units={1: 1})
        other = ship(Order.objects.get(), number="6891234567")
        with pytest.raises(shipping.TrackingNumberUsed):
            shipping.correct(other, carrier="cj", tracking_number=NUMBER, by=None, at=make.day(2))


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_parcels_at_once_hold_no_more_than_there_is(self):
        own, found = make.marketplace(), []
        with tenancy.use(own.pk):
            make.calendar()
            make.policy()
            make.seller()
            paid(make.line(quantity=2))

        def elsewhere():
            with tenancy.use(own.pk):
                try:
                    ship(Order.objects.get(), number="6891234567", units={1: 2})
                except shipping.NothingToShip as refused:
                    found.append(refused.code)

        with tenancy.use(own.pk):
            ship(Order.objects.get(), units={1: 2})
            thread = another_connection(elsewhere)
            thread.start()
            thread.join(0.5)
            assert thread.is_alive()
        thread.join(10)
        assert found == ["nothing_to_ship"]
        with tenancy.use(own.pk):
            assert Shipment.objects.count() == 1
