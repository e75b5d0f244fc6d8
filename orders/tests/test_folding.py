"""What events make of lines, whatever the order in which they arrive."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import folding
from orders.folding import Event, Line
from orders.models import OrderEvent, OrderLine

START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
PROGRESS = ["paid", "acknowledged", "shipped", "delivered", "confirmed"]


def on(day):
    return date(2026, 3, 2) + timedelta(days=day)


def event(kind, day=0, line=None, **fields):
    fields.setdefault("source_id", f"{kind}{day}{line}")
    return Event(kind, START + timedelta(days=day), on(day), "shop", line=line, **fields)


def goods(number=1, quantity=3, **fields):
    return Line(number, number, 1, "goods", "", quantity, quantity, **fields)


def shipping(number=9):
    return Line(number, number, 1, "shipping", "", 1, 1)


def sold(folded):
    return [(sale.line_id, sale.quantity, sale.basis_on) for sale in folded.sales]


def reversed_(folded):
    return [(back.line_id, back.quantity, back.on) for back in folded.reversals]


class TestFold:
    def test_walks_a_line_from_payment_to_confirmation(self):
        line = goods()
        folded = folding.fold(
            [line], [event(kind, day) for day, kind in enumerate(PROGRESS)], lambda on: on
        )
        assert line == goods(
            status="confirmed",
            paid_on=on(0),
            shipped_on=on(2),
            delivered_on=on(3),
            confirm_due_on=on(3),
            confirmed_on=on(4),
        )
        [sale] = folded.sales
        assert (sale.quantity, sale.rate_on, sale.basis_on) == (3, on(0), on(4))
        assert sale.cause == "confirmed"
        assert folded.reversals == []

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("paid", "paid"),
            ("acknowledged", "preparing"),
            ("shipped", "shipped"),
            ("delivered", "delivered"),
            ("confirmed", "pending_payment"),  # not before it is known to be paid
            ("cancelled", "cancelled"),
        ],
    )
    def test_skips_what_was_never_told(self, kind, status):
        line = goods()
        folding.fold([line], [event(kind)])
        assert line.status == status

    def test_never_goes_back(self):
        line = goods(status="delivered")
        folding.fold([line], [event("paid"), event("acknowledged"), event("shipped")])
        assert line.status == "delivered"
        assert (line.paid_on, line.shipped_on) == (on(0), on(0))

    def test_keeps_the_first_accepted_date(self):
        line = goods()
        folding.fold([line], [event("paid", 4)])
        folding.fold([line], [event("paid", 1)])
        assert line.paid_on == on(4)

    def test_takes_the_earlier_of_two_dates_that_come_together(self):
        line = goods()
        folding.fold([line], [event("paid", 4), event("paid", 1)])
        assert line.paid_on == on(1)

    def test_confirms_with_its_own_date_once_it_is_paid(self):
        line = goods()
        assert folding.fold([line], [event("confirmed", 2)]).sales == []
        folded = folding.fold([line], [event("paid", 1)])
        assert sold(folded) == [(1, 3, on(2))]
        assert line.status == "confirmed"

    def test_confirms_once(self):
        line = goods()
        events = [event("paid"), event("confirmed", 1), event("confirmed", 2)]
        assert sold(folding.fold([line], events)) == [(1, 3, on(1))]
        assert folding.fold([line], [event("confirmed", 3)]).sales == []
        assert line.confirmed_on == on(1)

    def test_sells_only_what_was_not_cancelled_before(self):
        line = goods()
        events = [event("paid"), event("cancelled", 1, 1, quantity=2), event("confirmed", 2)]
        folded = folding.fold([line], events)
        assert sold(folded) == [(1, 1, on(2))]
        assert folded.reversals == []
        assert (line.units_left, line.status) == (1, "confirmed")

    def test_sells_nothing_of_a_cancelled_line(self):
        line = goods()
        events = [event("paid"), event("cancelled", 1, by_seller=True), event("confirmed", 2)]
        folded = folding.fold([line], events)
        assert (folded.sales, folded.reversals) == ([], [])
        assert (line.units_left, line.status) == (0, "cancelled")
        assert (line.cancelled_on, line.cancelled_by_seller) == (on(1), True)

    def test_reverses_what_is_cancelled_after_confirmation_each_on_its_day(self):
        line = goods()
        events = [
            event("paid"),
            event("confirmed", 1),
            event("cancelled", 3, 1, quantity=1),
            event("cancelled", 5, 1),
        ]
        folded = folding.fold([line], events)
        assert sold(folded) == [(1, 3, on(1))]
        assert reversed_(folded) == [(1, 2, on(3)), (1, 0, on(5))]
        assert line.status == "cancelled"
        assert line.cancelled_on is None  # it was sold, and then reversed

    def test_never_reverses_before_the_sale(self):
        line = goods(status="confirmed", paid_on=on(0), confirmed_on=on(5))
        folded = folding.fold([line], [event("cancelled", 3, 1, quantity=1)])
        assert reversed_(folded) == [(1, 2, on(5))]

    def test_takes_what_is_left_when_more_is_asked_and_says_so(self):
        line = goods()
        events = [event("cancelled", 1, 1, quantity=2), event("cancelled", 2, 1, quantity=2)]
        [excess] = folding.fold([line], events).excesses
        assert (excess.event, excess.asked, excess.remaining) == (events[1], 2, 1)
        assert (line.units_left, line.status) == (0, "cancelled")

    def test_ignores_a_cancellation_of_more_than_was_ever_sold(self):
        line = goods()
        [excess] = folding.fold([line], [event("cancelled", 1, 1, quantity=4)]).excesses
        assert (excess.asked, excess.remaining) == (4, 3)
        assert (line.units_left, line.status) == (3, "pending_payment")

    def test_returns_units(self):
        line = goods(status="delivered", paid_on=on(0))
        folded = folding.fold([line], [event("returned", 4, 1, quantity=3, cause="return")])
        assert (folded.sales, folded.reversals) == ([], [])
        assert (line.units_left, line.status, line.cancelled_on) == (0, "returned", None)

    def test_concerns_the_line_the_seller_or_the_order(self):
        mine, other = goods(1), goods(2)
        other.seller = 2
        folding.fold([mine, other], [event("paid")])
        folding.fold([mine, other], [event("shipped", seller=2)])
        folding.fold([mine, other], [event("delivered", line=1)])
        assert (mine.status, other.status) == ("delivered", "shipped")

    def test_takes_events_of_one_instant_as_they_would_have_happened(self):
        line = goods()
        events = [event(kind) for kind in reversed([*PROGRESS, "cancelled"])]
        folded = folding.fold([line], events)
        assert sold(folded) == [(1, 3, on(0))]
        assert reversed_(folded) == [(1, 0, on(0))]

    def test_makes_only_moves_that_the_table_of_the_line_allows(self):
        for events in permutations([*PROGRESS, "cancelled"]):
            line = goods(status="pending_payment")
            seen = [line.status]
            for kind in events:
                folding.fold([line], [event(kind)])
                seen.append(line.status)
            for old, new in pairwise(seen):
                assert old == new or new in OrderLine.MOVES[old], seen

    def test_knows_every_kind_and_every_status(self):
        assert {*OrderEvent.Kind.values, "returned"} == set(folding.KINDS)
        line = goods()
        folding.fold([line], [event(kind) for kind in OrderEvent.Kind.values])
        assert line.status in OrderLine.Status.values


class TestShipping:
    def test_is_sold_with_the_first_goods_confirmed_on_their_day(self):
        first, second, charge = goods(1), goods(2), shipping()
        folded = folding.fold(
            [first, second, charge],
            [event("paid"), event("confirmed", 3, 2), event("confirmed", 5, 1)],
        )
        assert sold(folded) == [(2, 3, on(3)), (9, 1, on(3)), (1, 3, on(5))]
        assert (charge.status, charge.paid_on, charge.confirmed_on) == ("confirmed", on(0), on(3))

    def test_takes_the_payment_of_its_goods_when_it_has_none(self):
        line, charge = goods(), shipping()
        folded = folding.fold([line, charge], [event("paid", 1, 1), event("confirmed", 3, 1)])
        assert [sale.rate_on for sale in folded.sales] == [on(1), on(1)]

    def test_follows_only_its_own_delivery_group(self):
        line, charge = goods(), shipping()
        other = goods(2)
        other.group = "cold"
        folded = folding.fold([line, other, charge], [event("paid"), event("confirmed", 3, 2)])
        assert sold(folded) == [(2, 3, on(3))]
        assert charge.status == "paid"

    def test_ignores_that_it_is_shipped_delivered_or_confirmed_by_itself(self):
        line, charge = goods(), shipping()
        events = [event("paid"), *(event(kind, 1, 9) for kind in ("shipped", "confirmed"))]
        assert folding.fold([line, charge], events).sales == []
        assert (charge.status, charge.shipped_on, charge.confirmed_on) == ("paid", None, None)

    def test_is_cancelled_with_the_last_of_its_goods(self):
        first, second, charge = goods(1), goods(2), shipping()
        folding.fold([first, second, charge], [event("paid"), event("cancelled", 1, 1)])
        assert charge.status == "paid"
        folded = folding.fold([first, second, charge], [event("cancelled", 2, 2)])
        assert (charge.status, charge.units_left, charge.cancelled_on) == ("cancelled", 0, on(2))
        assert (folded.sales, folded.reversals) == ([], [])

    def test_is_cancelled_with_its_whole_order(self):
        line, charge = goods(), shipping()
        folding.fold([line, charge], [event("paid"), event("cancelled", 1)])
        assert (line.status, charge.status) == ("cancelled", "cancelled")

    def test_stays_when_confirmed_goods_are_cancelled(self):
        line, charge = goods(), shipping()
        folded = folding.fold(
            [line, charge], [event("paid"), event("confirmed", 2), event("cancelled", 4)]
        )
        assert reversed_(folded) == [(1, 0, on(4))]
        assert (charge.status, charge.units_left) == ("confirmed", 1)

    def test_is_given_back_only_when_named(self):
        line, charge = goods(), shipping()
        folding.fold([line, charge], [event("paid"), event("confirmed", 2)])
        folded = folding.fold([line, charge], [event("cancelled", 4, 9)])
        assert reversed_(folded) == [(9, 0, on(4))]
        assert (line.status, charge.status) == ("confirmed", "cancelled")

    def test_is_sold_when_its_goods_were_delivered_and_all_came_back(self):
        line, charge = goods(), shipping()
        folding.fold([line, charge], [event("paid"), event("shipped"), event("delivered", 1)])
        folded = folding.fold([line, charge], [event("returned", 4, 1)])
        assert sold(folded) == [(9, 1, on(4))]
        assert (line.status, charge.status) == ("returned", "confirmed")

    def test_stands_for_itself_without_goods(self):
        charge = shipping()
        folded = folding.fold([charge], [event("paid"), event("confirmed", 2)])
        assert sold(folded) == [(9, 1, on(2))]


kinds = st.sampled_from(OrderEvent.Kind.values)


@st.composite
def histories(draw, lines=2, repeated=True):
    """Events of an order of two lines of three units; each sender's id once."""
    made = []
    for number in range(draw(st.integers(1, 7))):
        kind = draw(kinds)
        line = draw(st.sampled_from([None, *range(1, lines + 1)]))
        quantity = None
        if kind == "cancelled" and line:
            quantity = draw(st.sampled_from([None, 1, 2, 3, 4]))
        days = draw(st.integers(0, 5))
        made.append(event(kind, days, line, quantity=quantity, source_id=str(number)))
    return made


@st.composite
def arrivals(draw):
    """A history, and the same history in another order, cut into batches."""
    history = draw(histories())
    shuffled = draw(st.permutations(history))
    cuts = sorted(draw(st.sets(st.integers(0, len(history)))))
    edges = [0, *cuts, len(history)]
    return history, [shuffled[start:end] for start, end in pairwise(edges)]


def state(line):
    return (line.status, line.units_left)


class TestAnyOrderOfArrival:
    @given(arrivals())
    def test_ends_in_the_same_statuses_and_units(self, arrived):
        history, batches = arrived
        together, apart = [goods(1), goods(2)], [goods(1), goods(2)]
        folding.fold(together, history)
        for batch in batches:
            folding.fold(apart, batch)
        assert [state(line) for line in together] == [state(line) for line in apart]

    @given(arrivals())
    def test_ends_with_the_same_remainder_sold(self, arrived):
        history, batches = arrived

        def remaining(folds):
            left = {}
            for folded in folds:
                left |= {sale.line_id: sale.quantity for sale in folded.sales}
                left |= {back.line_id: back.quantity for back in folded.reversals}
            return {key: units for key, units in left.items() if units}

        together, apart = [goods(1), goods(2)], [goods(1), goods(2)]
        assert remaining([folding.fold(together, history)]) == remaining(
            [folding.fold(apart, batch) for batch in batches]
        )

    @given(arrivals())
    def test_ends_with_the_same_dates_when_nothing_is_told_twice(self, arrived):
        history, batches = arrived
        told = set()
        for one in history:  # an order-wide event and one for a line tell the same twice
            keys = {(one.kind, line) for line in ((one.line,) if one.line else (1, 2))}
            if keys & told:
                return
            told |= keys
        together, apart = [goods(1), goods(2)], [goods(1), goods(2)]
        folding.fold(together, history, lambda on: on)
        for batch in batches:
            folding.fold(apart, batch, lambda on: on)
        assert [dates(line) for line in together] == [dates(line) for line in apart]

    @given(histories())
    def test_only_ever_goes_forward(self, history):
        lines = [goods(1), goods(2)]
        for one in history:
            before = [(line.status, line.units_left, dates(line)) for line in lines]
            folding.fold(lines, [one])
            for line, (status, units, was) in zip(lines, before, strict=True):
                assert line.status == status or line.status in OrderLine.MOVES[status]
                assert 0 <= line.units_left <= units
                for old, new in zip(was, dates(line), strict=True):
                    assert old is None or old == new

    @given(histories())
    def test_reverses_only_what_was_sold_and_ever_less(self, history):
        left = {}
        folded = folding.fold([goods(1), goods(2)], history)
        for sale in folded.sales:
            assert sale.line_id not in left
            left[sale.line_id] = sale.quantity
        for back in folded.reversals:
            assert 0 <= back.quantity < left[back.line_id]
            left[back.line_id] = back.quantity


def dates(line):
    return (line.paid_on, line.shipped_on, line.delivered_on, line.confirmed_on)
