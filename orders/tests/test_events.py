"""What senders tell about orders: kept once, acting at once or when their order comes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import tenancy
from marketplace.models import AuditEntry
from orders.models import OrderEvent, OrderLine, Outcome, OutcomeToSettle, PerformanceTouch
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]


def results(verdicts):
    return [(verdict.result, verdict.code) for verdict in verdicts]


def lines():
    return list(OrderLine.objects.order_by("order__number", "number"))


class TestAcceptMany:
    def test_keeps_an_event_as_it_was_told_and_lets_it_act(self):
        make.accepted(make.order(lines=[make.line(), make.shipping(2)]))
        [verdict] = make.told(make.event("paid", 0, source_id="e-1"))
        assert (verdict.order, verdict.result, verdict.code) == ("A-1", "accepted", "")
        [stored] = OrderEvent.objects.values()
        assert (
            stored
            | {
                "source": "shop",
                "source_id": "e-1",
                "kind": "paid",
                "order_number": "A-1",
                "line_number": None,
                "seller_code": "",
                "quantity": None,
                "by_seller": False,
                "occurred_at": make.MONDAY,
                "received_at": make.NIGHT,
            }
            == stored
        )
        assert [(line.status, line.paid_on) for line in lines()] == [("paid", make.on(0))] * 2

    def test_takes_business_dates_in_the_zone_of_the_marketplace(self):
        make.accepted()
        late = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)  # half past midnight in Seoul
        make.told(make.event("paid", occurred_at=late))
        assert lines()[0].paid_on == make.on(1)

    def test_sets_the_day_of_automatic_confirmation(self):
        make.accepted()
        make.told(make.event("paid", 0), make.event("delivered", 5))  # on a Saturday
        [line] = lines()
        assert line.confirm_due_on == make.on(14)  # day 12 would be a Saturday
        assert line.status == "delivered"

    def test_accepts_an_event_once_by_its_senders_id(self):
        make.accepted(make.order(lines=[make.line(quantity=3)]))
        cancel = make.event("cancelled", 1, 1, quantity=1)
        assert results(make.told(cancel)) == [("accepted", "")]
        assert results(make.told(cancel, cancel)) == [("repeated", "")] * 2
        assert results(make.told(replace(cancel, source="other"))) == [("accepted", "")]
        assert lines()[0].units_left == 1
        assert OrderEvent.objects.count() == 2

    def test_accepts_one_of_two_alike_in_one_call(self):
        make.accepted(make.order(lines=[make.line(quantity=3)]))
        cancel = make.event("cancelled", 1, 1, quantity=1)
        assert results(make.told(cancel, cancel)) == [("accepted", ""), ("repeated", "")]
        assert lines()[0].units_left == 2

    def test_refuses_another_event_under_the_same_id(self):
        make.accepted(make.order(lines=[make.line(quantity=3)]))
        cancel = make.event("cancelled", 1, 1, quantity=1)
        make.told(cancel)
        for changed in (
            {"quantity": 2},
            {"kind": "paid", "quantity": None},
            {"order_number": "A-2"},
            {"occurred_at": make.day(2)},
            {"by_seller": True},
            {"line_number": None, "quantity": None},
        ):
            [verdict] = make.told(replace(cancel, **changed))
            assert (verdict.result, verdict.code) == ("refused", "event_differs")
        assert lines()[0].units_left == 2

    def test_keeps_an_event_for_an_order_that_comes_later(self):
        [verdict] = make.told(make.event("paid", 0))
        assert (verdict.result, verdict.code) == ("accepted", "order_not_known_yet")
        [line] = make.accepted()
        line.refresh_from_db()
        assert (line.status, line.paid_on) == ("paid", make.on(0))
        assert results(make.told(make.event("paid", 0))) == [("repeated", "")]

    @pytest.mark.parametrize(
        ("changed", "code", "field"),
        [
            ({"source": ""}, "field_missing", "source"),
            ({"source_id": "x" * 121}, "field_too_long", "source_id"),
            ({"source_id": "\x00"}, "field_not_usable", "source_id"),
            ({"order_number": ""}, "field_missing", "order_number"),
            ({"kind": "lost"}, "unknown_kind", "kind"),
            ({"kind": "returned"}, "unknown_kind", "kind"),
            ({"occurred_at": make.NIGHT + timedelta(hours=1)}, "in_future", "occurred_at"),
            ({"occurred_at": None}, "date_not_usable", "occurred_at"),
            ({"line_number": 0}, "not_between", "line_number"),
            ({"line_number": 7}, "unknown_line", "line_number"),
            ({"seller_code": "gabe"}, "unknown_line", "seller_code"),
            ({"seller_code": "nobody"}, "unknown_line", "seller_code"),
            ({"quantity": 1}, "quantity_not_usable", "quantity"),
            ({"kind": "cancelled", "quantity": 1}, "quantity_not_usable", "quantity"),
            (
                {"kind": "cancelled", "line_number": 1, "quantity": 0},
                "not_between",
                "quantity",
            ),
        ],
        ids=str,
    )
    def test_refuses_what_it_cannot_use_and_keeps_the_rest(self, changed, code, field):
        make.seller("gabe")
        make.accepted()
        good = make.event("paid", 0, source_id="good")
        bad = replace(make.event("paid", 0, source_id="bad"), **changed)
        verdict, other = make.told(bad, good)
        assert (verdict.result, verdict.code, verdict.field) == ("refused", code, field)
        assert other.result == "accepted"
        assert [event.source_id for event in OrderEvent.objects.all()] == ["good"]

    def test_concerns_the_lines_of_a_seller(self):
        make.seller("gabe")
        make.accepted(make.order(lines=[make.line(1), make.line(2, "gabe")]))
        make.told(make.event("shipped", 1, seller_code="gabe"))
        assert [line.status for line in lines()] == ["pending_payment", "shipped"]

    def test_remembers_the_seller_until_the_order_comes(self):
        make.seller("gabe")
        make.told(make.event("shipped", 1, seller_code="gabe"))
        make.accepted(make.order(lines=[make.line(1), make.line(2, "gabe")]))
        assert [line.status for line in lines()] == ["pending_payment", "shipped"]

    def test_confirms_with_the_units_left_and_queues_the_outcome(self):
        make.accepted(make.order(lines=[make.line(quantity=3, platform_discount=1_000)]))
        make.told(
            make.event("paid", 0),
            make.event("cancelled", 1, 1, quantity=1),
            make.event("confirmed", 9),
        )
        [line] = lines()
        assert (line.status, line.units_left, line.confirmed_on) == ("confirmed", 2, make.on(9))
        [outcome] = Outcome.objects.values()
        assert (
            outcome
            | {
                "line_id": line.pk,
                "seller_id": line.seller_id,
                "sequence": 0,
                "kind": "sale",
                "cause": "confirmed",
                "rate_on": make.on(0),
                "basis_on": make.on(9),
                "quantity": 2,
                "list_amount": 20_000,
                "seller_discount": 0,
                "platform_discount": 667,  # 334 and 333; the unit of 333 was the last one
                "partner_discount": 0,
            }
            == outcome
        )
        [queued] = OutcomeToSettle.objects.values()
        assert (
            queued
            | {
                "outcome_id": outcome["id"],
                "seller_id": line.seller_id,
                "basis_on": make.on(9),
            }
            == queued
        )

    def test_reverses_what_is_cancelled_after_confirmation(self):
        make.accepted(make.order(lines=[make.line(quantity=3)]))
        make.told(make.event("paid", 0), make.event("confirmed", 9))
        make.told(make.event("cancelled", 12, 1, quantity=1), make.event("cancelled", 14))
        [line] = lines()
        assert (line.status, line.units_left) == ("cancelled", 0)
        found = Outcome.objects.order_by("sequence").values_list(
            "sequence", "kind", "cause", "rate_on", "basis_on", "quantity", "list_amount"
        )
        assert list(found) == [
            (0, "sale", "confirmed", make.on(0), make.on(9), 3, 30_000),
            (1, "reversal", "cancelled", make.on(0), make.on(12), 2, 20_000),
            (2, "reversal", "cancelled", make.on(0), make.on(14), 0, 0),
        ]
        assert OutcomeToSettle.objects.count() == 3

    def test_lists_a_cancellation_of_more_than_remains_and_takes_what_does(self):
        make.accepted(make.order(lines=[make.line(quantity=3)]))
        make.told(make.event("cancelled", 1, 1, quantity=2))
        [verdict] = make.told(make.event("cancelled", 2, 1, quantity=2))
        assert (verdict.result, verdict.code) == ("accepted", "more_than_remains")
        assert verdict.is_listed
        assert verdict.message.startswith("2 units of line 1 were to be cancelled, but only 1")
        assert [(line.status, line.units_left) for line in lines()] == [("cancelled", 0)]

    def test_refuses_a_cancellation_of_more_than_was_sold_and_keeps_the_evidence(self):
        make.accepted(make.order(lines=[make.line(quantity=3)]))
        [verdict] = make.told(make.event("cancelled", 1, 1, quantity=4))
        assert (verdict.result, verdict.code) == ("refused", "more_than_remains")
        assert OrderEvent.objects.count() == 1
        assert [(line.status, line.units_left) for line in lines()] == [("pending_payment", 3)]

    def test_notes_the_days_whose_figures_changed(self):
        [line] = make.accepted()
        make.told(make.event("paid", 0), make.event("shipped", 2), make.event("confirmed", 9))
        make.told(make.event("cancelled", 12))
        touched = PerformanceTouch.objects.order_by("on").values_list("seller_id", "on")
        assert list(touched) == [(line.seller_id, make.on(day)) for day in (0, 2, 9, 12)]

    def test_leaves_one_audit_entry_for_each_status_of_a_batch(self):
        make.accepted(*(make.order(f"A-{number}") for number in range(4)))
        make.told(
            *(make.event("paid", 0, order=f"A-{number}") for number in range(4)),
            make.event("shipped", 1, order="A-3"),
        )
        entries = AuditEntry.objects.filter(action__startswith="orderline.").order_by("action")
        assert [(entry.action, entry.data["count"]) for entry in entries] == [
            ("orderline.paid", 3),
            ("orderline.shipped", 1),
        ]

    def test_asks_the_database_as_often_for_many_events_as_for_one(self):
        numbers = [f"A-{number}" for number in range(31)]
        make.accepted(*(make.order(number) for number in numbers))

        def queries(*orders):
            told = [make.event(kind, 1, order=n) for n in orders for kind in ("paid", "shipped")]
            with CaptureQueriesContext(connection) as captured:
                make.told(*told)
            return len(captured)

        assert queries(numbers[0]) == queries(*numbers[1:])


@st.composite
def arrivals(draw):
    """Events of one order with two lines and shipping, as batches; the order comes at `place`."""
    told = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(OrderEvent.Kind.values))
        line = draw(st.sampled_from([None, 1, 2]))
        quantity = draw(st.sampled_from([None, 1, 2, 3, 4])) if kind == "cancelled" else None
        told.append((kind, draw(st.integers(0, 5)), line, quantity if line else None, str(number)))
    told = draw(st.permutations(told))
    cuts = [0, *sorted(draw(st.sets(st.integers(0, len(told))))), len(told)]
    return [told[start:end] for start, end in pairwise(cuts)], draw(st.integers(0, len(cuts)))


class TestAnyOrderOfArrival:
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(arrivals())
    def test_ends_in_the_same_lines(self, arrived):
        batches, place = arrived
        number = f"P-{OrderEvent.objects.count()}-{OrderLine.objects.count()}"
        [straight, astray] = [f"{number}-{way}" for way in ("straight", "astray")]

        def order(name):
            return make.order(name, [make.line(1, quantity=3), make.line(2, quantity=3)])

        def tell(name, batch):
            make.told(
                *(
                    make.event(kind, day, line, order=name, quantity=units, source_id=name + key)
                    for kind, day, line, units, key in batch
                )
            )

        make.accepted(order(straight))
        tell(straight, [event for batch in batches for event in batch])
        for at, batch in enumerate([*batches, []]):
            if at == min(place, len(batches)):
                make.accepted(order(astray))
            tell(astray, batch)
        assert self.state(straight) == self.state(astray)
        assert self.remaining(straight) == self.remaining(astray)

    def state(self, number):
        found = OrderLine.objects.filter(order__number=number).order_by("number")
        return list(found.values_list("number", "status", "units_left"))

    def remaining(self, number):
        """What of each line is sold in the end, after all reversals."""
        found = Outcome.objects.filter(line__order__number=number).order_by("sequence")
        left = {
            line: amounts
            for line, *amounts in found.values_list(
                "line__number", "quantity", "list_amount", "rate_on"
            )
        }
        return {line: (units, amount) for line, (units, amount, _) in left.items() if units}


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """Two marketplaces with an order of the same number."""
        self.own, self.strangers = make.marketplace(), make.marketplace("stranger")
        for marketplace in (self.own, self.strangers):
            with tenancy.use(marketplace.pk):
                make.seller()
                make.accepted()

    def test_tells_nothing_about_our_orders(self):
        with tenancy.use(self.strangers.pk):
            make.told(make.event("paid", 0))
            assert [line.status for line in lines()] == ["paid"]
        with tenancy.use(self.own.pk):
            assert [line.status for line in lines()] == ["pending_payment"]
            assert not OrderEvent.objects.exists()
            # The same sender's id is another event here.
            assert results(make.told(make.event("paid", 0))) == [("accepted", "")]
