"""Orders, events, parcels and claims over HTTP: the checkout, a seller's system, and strangers."""

import copy
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from marketplace import api_keys, approvals, tenancy
from marketplace.models import ApiKey, Approval, AuditEntry, IdempotencyKey, Marketplace
from marketplace.tests import desks
from marketplace.tests.make import ApiClient, api_key
from orders import goodwill
from orders.models import Claim, Order, OrderEvent, OrderLine, Payment, Shipment
from orders.tests import make

pytestmark = pytest.mark.django_db

PLACED = "2026-03-02T12:00:00+09:00"


def won(amount):
    return {"amount": amount, "currency": "KRW"}


def body(number="A-1", **fields):
    line = {"number": 1, "seller_code": "hanok", "unit_price": won(10_000), "quantity": 2}
    other = {"number": 2, "seller_code": "tteok", "unit_price": won(5_000), "quantity": 1}
    return {
        "number": number,
        "placed_at": PLACED,
        "lines": [line, other],
        "payments": [{"sequence": 1, "kind": "card", "amount": won(25_000)}],
        **fields,
    }


def happened(kind="paid", **fields):
    return {
        "source_id": f"{kind}-1",
        "kind": kind,
        "order_number": "A-1",
        "occurred_at": PLACED,
        **fields,
    }


class Cast:
    """A marketplace, its checkout, its two sellers' systems."""

    def __init__(self, slug="jangteo"):
        self.market = make.marketplace(slug)
        with tenancy.use(self.market.pk):
            make.calendar()
            make.policy()
            self.hanok, self.tteok = make.seller("hanok"), make.seller("tteok")
        self.shop = ApiClient(api_key(self.market))
        self.of_hanok = ApiClient(api_key(self.market, seller=self.hanok.public_id))
        self.of_tteok = ApiClient(api_key(self.market, seller=self.tteok.public_id))

    def count(self, model):
        with tenancy.use(self.market.pk):
            return model.objects.count()


@pytest.fixture
def cast(db):
    return Cast()


@pytest.fixture
def order(cast):
    """The public id of an order of both sellers, paid."""
    made = cast.shop.send("orders/", body())
    assert made.status_code == 201, made.content
    assert cast.shop.send("order-events/", happened()).status_code == 201
    return made.json()["id"]


class TestSendOrder:
    def test_is_accepted_and_shown(self, cast):
        made = cast.shop.send("orders/", body(buyer_reference="B-7"))
        assert made.status_code == 201
        told = made.json()
        assert told["result"] == "accepted"
        assert made["Location"] == f"/api/v1/orders/{told['id']}/"
        shown = cast.shop.get(
            made["Location"], headers={"authorization": f"Bearer {cast.shop.secret}"}
        ).json()
        assert shown["placed_at"] == "2026-03-02T03:00:00Z"
        assert (shown["number"], shown["source"], shown["buyer_reference"]) == ("A-1", "api", "B-7")
        assert [line["list_amount"] for line in shown["lines"]] == [won(20_000), won(5_000)]
        assert [line["seller"] for line in shown["lines"]] == [
            cast.hanok.public_id,
            cast.tteok.public_id,
        ]
        assert [payment["amount"] for payment in shown["payments"]] == [won(25_000)]

    def test_is_repeated_or_differs(self, cast):
        cast.shop.send("orders/", body())
        again = cast.shop.send("orders/", body())
        assert (again.status_code, again.json()["result"]) == (200, "repeated")
        changed = body()
        changed["lines"][0]["sku"] = "other"
        refused = cast.shop.send("orders/", changed)
        assert (refused.status_code, refused.json()["code"]) == (409, "order_differs")
        assert cast.count(Order) == 1

    @pytest.mark.parametrize(
        ("path", "value", "status", "pointer", "code"),
        [
            (("lines", 1, "seller_code"), "nobody", 422, "/lines/1/seller_code", "unknown_seller"),
            (("lines", 0, "quantity"), 0, 400, "/lines/0/quantity", "min_value"),
            (("lines", 0, "quantity"), 10**30, 400, "/lines/0/quantity", "max_value"),
            (("lines", 0, "unit_price"), won(10**15 + 1), 400, "/lines/0/unit_price", "large"),
            (("lines", 1, "number"), 1, 422, "/lines/1/number", "number_repeated"),
            (("lines",), [], 400, "/lines", "min_length"),
            (("placed_at",), "2999-01-01T00:00:00Z", 422, "/placed_at", "in_future"),
            (("placed_at",), "0001-01-01T00:00:00+23:59", 400, "/placed_at", "invalid"),
            (("payments", 0, "amount"), won(1), 422, "/payments", "tenders_do_not_match"),
            (("number",), "a\u0000b", 400, "/number", "null_characters_not_allowed"),
        ],
    )
    def test_says_what_is_wrong(self, cast, path, value, status, pointer, code):
        data = body()
        at = data
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        refused = cast.shop.send("orders/", data)
        assert refused.status_code == status, refused.content
        assert {e["pointer"]: e["code"] for e in refused.json()["errors"]} == {pointer: code}
        assert cast.count(Order) == cast.count(IdempotencyKey) == 0

    def test_is_not_for_sellers(self, cast):
        refused = cast.of_hanok.send("orders/", body())
        assert (refused.status_code, refused.json()["code"]) == (403, "not_for_sellers")

    def test_sets_no_field_but_those_named(self, cast):
        model_fields = {
            field.name
            for model in (Order, OrderLine, Payment)
            for field in model._meta.get_fields()
        }
        for name in sorted(model_fields | {"pk", "marketplace_id", "seller_id", "__class__"}):
            for where in ("order", "line", "payment"):
                data = body(f"X-{name}")
                places = {
                    "order": data,
                    "line": data["lines"][0],
                    "payment": data["payments"][0],
                }
                if name in places[where] or self._is_named(where, name):
                    continue
                places[where][name] = 1
                refused = cast.shop.send("orders/", data)
                assert refused.status_code == 400, (where, name)
                [error] = refused.json()["errors"]
                assert error["code"] == "unknown_field"
        assert cast.count(Order) == 0

    def _is_named(self, where, name):
        from orders.api import serializers

        documents = {
            "order": serializers.NewOrderDocument,
            "line": serializers.NewLineDocument,
            "payment": serializers.NewPaymentDocument,
        }
        return name in documents[where]().fields

    def test_says_which_key_sent_it(self, cast, order):
        with tenancy.use(cast.market.pk):
            entry = AuditEntry.objects.get(action="order.accepted")
        assert entry.actor is None
        assert entry.data["through"].startswith("api_key:")
        assert entry.data["through"][8:] in cast.shop.secret


class TestSendBatch:
    def test_gives_each_order_its_own_result(self, cast):
        unknown, odd = body("A-2"), body("A-3")
        unknown["lines"][0]["seller_code"] = "nobody"
        odd["lines"][0]["quantity"] = "2"
        items = [body("A-1"), unknown, odd, 7, body("A-4"), body("A-1")]
        given = cast.shop.send("orders/batch/", {"orders": items})
        assert given.status_code == 200
        data = given.json()["data"]
        assert [(row["index"], row["result"], row["code"]) for row in data] == [
            (0, "accepted", ""),
            (1, "refused", "unknown_seller"),
            (2, "refused", "invalid"),
            (3, "refused", "invalid"),
            (4, "accepted", ""),
            (5, "repeated", ""),
        ]
        assert data[2]["errors"][0]["pointer"] == "/lines/0/quantity"
        assert data[2]["order_number"] == "A-3"
        assert cast.count(Order) == 2

    def test_is_accepted_by_a_fixed_number_of_statements(self, cast, django_assert_max_num_queries):
        cast.shop.send("orders/batch/", {"orders": [body("A-0")]})
        many = {"orders": [body(f"B-{n}") for n in range(100)]}
        with django_assert_max_num_queries(30, connection=connection):
            assert cast.shop.send("orders/batch/", many).status_code == 200
        assert cast.count(Order) == 101

    @pytest.mark.parametrize(
        "data", [{}, [], {"orders": []}, {"orders": {}}, {"orders": [1], "more": 1}, "x"]
    )
    def test_has_one_shape(self, cast, data):
        assert cast.shop.send("orders/batch/", data).status_code == 400

    def test_holds_a_hundred(self, cast):
        many = {"orders": [body(f"B-{n}") for n in range(101)]}
        assert cast.shop.send("orders/batch/", many).status_code == 400
        assert cast.count(Order) == 0


class TestListOrders:
    def test_shows_a_seller_its_own_lines_alone(self, cast, order):
        alone = body("A-2", lines=[body()["lines"][1]])
        alone["payments"][0]["amount"] = won(5_000)
        assert cast.shop.send("orders/", alone).status_code == 201
        [seen] = cast.of_hanok.read("orders/").json()["data"]
        assert seen["id"] == order
        assert [line["number"] for line in seen["lines"]] == [1]
        assert seen["payments"] == []
        both = cast.of_tteok.read("orders/").json()["data"]
        assert [(row["number"], len(row["lines"])) for row in both] == [("A-2", 1), ("A-1", 1)]

    def test_finds_by_number(self, cast, order):
        assert len(cast.shop.read("orders/?number=A-1").json()["data"]) == 1
        assert cast.shop.read("orders/?number=A-9").json()["data"] == []
        assert cast.shop.read("orders/?number=%00").status_code == 400

    def test_finds_by_when_they_were_placed(self, cast, order):
        for number, day in (("B-2", "03"), ("B-3", "04"), ("B-1", "01")):
            placed = body(number, placed_at=f"2026-03-{day}T00:00:00Z")
            assert cast.shop.send("orders/", placed).status_code == 201

        def found(query):
            return [row["number"] for row in cast.shop.read(f"orders/?{query}").json()["data"]]

        span = "placed_at_since=2026-03-01T00:00:00Z&placed_at_until=2026-03-04T00:00:00Z"
        assert found(span) == ["B-2", "A-1", "B-1"]  # by their moment, the end excluded
        page = cast.shop.read(f"orders/?{span}&limit=2").json()
        following = cast.shop.read(page["next"].partition("/api/v1/")[2]).json()
        assert [row["number"] for row in following["data"]] == ["B-1"]
        assert found("placed_at_since=2026-03-04T09:00:00%2B09:00") == ["B-3"]
        for wrong in ("2026-03-04", "2026-03-04T09:00:00", "2026-03-04T09:00:00+09:00", "now"):
            answer = cast.shop.read(f"orders/?placed_at_until={wrong}")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "?placed_at_until"
            assert "+ is written %2B" in answer.json()["errors"][0]["detail"]

    def test_costs_the_same_for_any_number(self, cast, django_assert_max_num_queries):
        many = {"orders": [body(f"B-{n}") for n in range(60)]}
        cast.shop.send("orders/batch/", many)
        for client in (cast.shop, cast.of_hanok):
            with django_assert_max_num_queries(11, connection=connection):
                assert len(client.read("orders/").json()["data"]) == 50


class TestEvents:
    def test_act_and_are_listed(self, cast, order):
        [line, _] = cast.shop.read(f"orders/{order}/").json()["lines"]
        assert (line["status"], line["paid_on"]) == ("paid", "2026-03-02")
        [told] = cast.shop.read("order-events/?order_number=A-1").json()["data"]
        assert told["kind"] == "paid"
        assert "id" not in told

    def test_are_repeated_differ_and_wait(self, cast, order):
        again = cast.shop.send("order-events/", happened())
        assert (again.status_code, again.json()["result"]) == (200, "repeated")
        other = cast.shop.send("order-events/", happened(occurred_at="2026-03-01T00:00:00Z"))
        assert (other.status_code, other.json()["code"]) == (409, "event_differs")
        early = happened(order_number="Z-9", source_id="early")
        told = cast.shop.send("order-events/", early)
        assert (told.status_code, told.json()["code"]) == (201, "order_not_known_yet")

    def test_come_in_batches(self, cast, order):
        items = [
            happened("shipped", line_number=1),
            happened("shipped", line_number=9, source_id="x"),
            {"kind": "flown"},
        ]
        given = cast.shop.send("order-events/batch/", {"events": items}).json()["data"]
        assert [(row["result"], row["code"]) for row in given] == [
            ("accepted", ""),
            ("refused", "unknown_line"),
            ("refused", "invalid"),
        ]

    def test_are_not_for_sellers(self, cast, order):
        for refused in (
            cast.of_hanok.send("order-events/", happened("delivered")),
            cast.of_hanok.read("order-events/"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "not_for_sellers")
        assert cast.count(OrderEvent) == 1


class TestSellersDeeds:
    def test_acknowledge_and_ship_own_lines(self, cast, order):
        seen = cast.of_hanok.call("post", f"orders/{order}/acknowledgement/").json()
        assert [line["status"] for line in seen["lines"]] == ["preparing"]
        parcel = {"carrier": "cj", "tracking_number": "640123456785"}
        made = cast.of_hanok.send(f"orders/{order}/shipments/", parcel)
        assert made.status_code == 201, made.content
        assert made.json()["units"] == [{"line_number": 1, "quantity": 2}]
        lines = cast.shop.read(f"orders/{order}/").json()["lines"]
        assert [line["status"] for line in lines] == ["shipped", "paid"]

    def test_are_for_sellers_alone(self, cast, order):
        refused = cast.shop.call("post", f"orders/{order}/acknowledgement/")
        assert (refused.status_code, refused.json()["code"]) == (403, "for_sellers")

    @pytest.mark.parametrize("units", [[2], [1, 2]])
    def test_reach_no_line_of_another_seller(self, cast, order, units):
        rows = [{"line_number": number, "quantity": 1} for number in units]
        parcel = {"carrier": "cj", "tracking_number": "640123456785", "units": rows}
        refused = cast.of_hanok.send(f"orders/{order}/shipments/", parcel)
        made_up = [{"line_number": 9, "quantity": 1}]
        nowhere = cast.of_hanok.send(f"orders/{order}/shipments/", {**parcel, "units": made_up})
        assert refused.status_code in (409, 422), refused.content
        assert refused.json()["code"] == nowhere.json()["code"]
        assert cast.count(Shipment) == 0
        with tenancy.use(cast.market.pk):
            assert set(OrderLine.objects.values_list("status", flat=True)) == {"paid"}


class TestClaims:
    def ask(self, cast, order, **fields):
        wanted = {
            "order": order,
            "line_number": 1,
            "type": "cancel",
            "fault": "buyer",
            "quantity": 1,
            "reason": "색이 달라요",
            **fields,
        }
        return cast.shop.send("claims/", wanted)

    def test_are_made_and_answered_by_their_seller(self, cast, order):
        made = self.ask(cast, order)
        assert made.status_code == 201, made.content
        claim = made.json()["id"]
        assert made["Location"] == f"/api/v1/claims/{claim}/"
        assert cast.of_tteok.read(f"claims/{claim}/").status_code == 404
        decision = f"claims/{claim}/decision/"
        assert cast.of_tteok.send(decision, {"decision": "approve"}).status_code == 404
        refused = cast.of_hanok.send(decision, {"decision": "withdraw"})
        assert (refused.status_code, refused.json()["code"]) == (422, "not_for_sellers")
        silent = cast.of_hanok.send(decision, {"decision": "reject"})
        assert (silent.status_code, silent.json()["code"]) == (422, "reason_missing")
        done = cast.of_hanok.send(decision, {"decision": "approve"})
        assert (done.status_code, done.json()["state"]) == (200, "completed")
        for again in ("approve", "complete"):
            late = cast.of_hanok.send(decision, {"decision": again})
            assert (late.status_code, late.json()["code"]) == (409, "already_answered")

    def test_are_taken_to_arbitration_and_disputed_there(self, cast, order):
        at = f"claims/{self.ask(cast, order).json()['id']}/"
        assert cast.shop.read(f"{at}arbitration/").status_code == 404
        assert cast.of_tteok.send(f"{at}arbitration/", {"reason": "x"}).status_code == 404
        wrong = cast.of_hanok.send(f"{at}arbitration/", {"reason": "x", "side": "buyer"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "side_of_somebody_else")
        early = cast.of_hanok.send(f"{at}arbitration/statements/", {"text": "x"})
        assert (early.status_code, early.json()["code"]) == (409, "not_in_arbitration")
        made = cast.of_hanok.send(f"{at}arbitration/", {"reason": "이미 썼습니다"})
        assert (made.status_code, made.json()["side"]) == (201, "seller"), made.content
        said = cast.shop.send(f"{at}arbitration/statements/", {"text": "아닙니다", "side": "buyer"})
        assert said.status_code == 201, said.content
        told = cast.of_hanok.read(f"{at}arbitration/").json()
        assert [(row["side"], row["text"]) for row in told["statements"]] == [("buyer", "아닙니다")]
        assert (told["state_before"], told["outcome"], told["decided_at"]) == (
            "requested",
            "",
            None,
        )
        assert cast.shop.read(at).json()["state"] == "arbitration"
        for decision in ("approve", "complete", "withdraw"):
            late = cast.shop.send(f"{at}decision/", {"decision": decision})
            assert (late.status_code, late.json()["code"]) == (409, "illegal_move")

    def test_are_walked_by_the_marketplace(self, cast, order):
        claim = self.ask(cast, order).json()["id"]
        for decision, state in [("approve", "approved"), ("complete", "completed")]:
            told = cast.shop.send(f"claims/{claim}/decision/", {"decision": decision})
            assert told.json()["state"] == state
        assert [row["id"] for row in cast.shop.read("claims/?state=completed").json()["data"]]
        assert cast.shop.read("claims/?state=requested,approved").json()["data"] == []
        assert cast.shop.read("claims/?state=odd").status_code == 400
        assert len(cast.shop.read(f"claims/?order={order}").json()["data"]) == 1

    def test_are_found_by_when_they_were_made_and_completed(self, cast, order):
        claim = self.ask(cast, order).json()
        made = claim["requested_at"]
        since, until = f"requested_at_since={made}", f"requested_at_until={made}"
        assert len(cast.of_hanok.read(f"claims/?{since}").json()["data"]) == 1
        assert cast.of_hanok.read(f"claims/?{until}").json()["data"] == []
        ever = "claims/?completed_on_since=2000-01-01"
        assert cast.shop.read(ever).json()["data"] == []
        for decision in ("approve", "complete"):
            cast.shop.send(f"claims/{claim['id']}/decision/", {"decision": decision})
        [done] = cast.shop.read(ever).json()["data"]
        until = f"claims/?completed_on_until={done['completed_on']}"
        assert cast.shop.read(until).json()["data"] == []
        assert cast.shop.read("claims/?completed_on_since=2026-03-04T00:00:00Z").status_code == 400

    def test_ask_for_no_more_than_there_is(self, cast, order):
        refused = self.ask(cast, order, quantity=3)
        assert (refused.status_code, refused.json()["code"]) == (409, "more_than_claimable")
        assert self.ask(cast, order, line_number=7).status_code == 404
        assert self.ask(cast, "ord_" + "0" * 26).status_code == 404
        assert cast.count(Claim) == 0


class TestReturnShipping:
    SHIPPING = {
        "return_cost": {"amount": 3_000, "currency": "KRW"},
        "outbound_cost": {"amount": 0, "currency": "KRW"},
        "paid": "deducted",
    }

    @pytest.fixture
    def sent(self, cast, order):
        """The first line of the order, with its buyer."""
        with tenancy.use(cast.market.pk):
            OrderLine.objects.update(status="delivered")
        return order

    def ask(self, cast, order, **fields):
        said = {"order": order, "line_number": 1, "type": "return", "quantity": 1}
        said |= {"reason": "change_of_mind", "shipping": self.SHIPPING, **fields}
        return cast.shop.send("claims/", said)

    def test_is_asked_for_shown_and_corrected(self, cast, sent):
        made = self.ask(cast, sent)
        assert made.status_code == 201, made.content
        claim = made.json()
        assert (claim["fault"], claim["shipping"]["borne_by"]) == ("buyer", "buyer")
        assert claim["shipping"]["to_seller"]["amount"] == 3_000
        assert claim["shipping"]["line_number"] is None
        at = f"claims/{claim['id']}/decision/"
        found = {"decision": "approve", "fault": "seller", "shipping": {"paid": "charged"}}
        refused = cast.of_hanok.send(at, found)
        assert (refused.status_code, refused.json()["code"]) == (422, "not_for_sellers")
        assert cast.shop.send(at, found).json()["code"] == "overruled_without_reason"
        approved = cast.shop.send(at, {**found, "reason": "photo", "shipping": {"paid": "direct"}})
        assert approved.json()["errors"][0]["pointer"] == "/shipping/paid"
        cost = {"amount": 2_500, "currency": "KRW"}
        shipping = {"return_cost": cost, "paid": "enclosed"}
        shown = cast.shop.send(at, {"decision": "approve", "shipping": shipping}).json()
        assert shown["shipping"]["return_cost"]["amount"] == 2_500
        late = cast.shop.send(at, {"decision": "complete", "shipping": shipping})
        assert (late.status_code, late.json()["code"]) == (422, "found_on_approval")

    def test_names_its_line_when_it_is_done(self, cast, sent):
        claim = self.ask(cast, sent).json()["id"]
        for decision in ("approve", "complete"):
            told = cast.of_hanok.send(f"claims/{claim}/decision/", {"decision": decision})
            assert told.status_code == 200, told.content
        number = told.json()["shipping"]["line_number"]
        lines = {row["number"]: row for row in cast.shop.read(f"orders/{sent}/").json()["lines"]}
        assert lines[number]["stream"] == "return_shipping"
        assert lines[number]["list_amount"]["amount"] == 3_000

    def test_needs_a_fault_where_the_reason_tells_none(self, cast, sent):
        refused = self.ask(cast, sent, reason="색이 달라요")
        assert (refused.status_code, refused.json()["code"]) == (422, "fault_missing")
        assert refused.json()["errors"][0]["pointer"] == "/fault"
        refused = self.ask(cast, sent, fault="seller")
        assert refused.json()["errors"][0]["pointer"] == "/shipping/paid"
        assert cast.count(Claim) == 0


class TestExchanges:
    PARCEL = {"carrier": "cj", "tracking_number": "6891-2345-6784"}

    @pytest.fixture
    def at(self, cast, order):
        """Where an exchange of the first line is decided."""
        with tenancy.use(cast.market.pk):
            OrderLine.objects.update(status="delivered", delivered_on="2026-03-02")
        said = {"order": order, "line_number": 1, "type": "exchange", "quantity": 1}
        made = cast.shop.send("claims/", said | {"reason": "wrong_item"})
        assert made.status_code == 201, made.content
        claim = made.json()
        assert (claim["type"], claim["fault"], claim["replacement"]) == ("exchange", "seller", None)
        return f"claims/{claim['id']}/decision/"

    def decided(self, key, at, decision, **words) -> dict:
        answer = key.send(at, {"decision": decision, **words})
        assert answer.status_code == 200, answer.content
        return answer.json()

    def test_are_walked_by_their_seller(self, cast, at):
        seller = cast.of_hanok
        assert cast.of_tteok.send(at, {"decision": "collect"}).status_code == 404
        assert self.decided(seller, at, "approve")["state"] == "approved"
        early = seller.send(at, {"decision": "resend", "parcel": self.PARCEL})
        assert (early.status_code, early.json()["code"]) == (409, "illegal_move")
        claim = self.decided(seller, at, "collect")
        assert (claim["state"], claim["replacement"]) == ("collected", None)
        assert claim["collected_at"]
        claim = self.decided(seller, at, "resend", parcel=self.PARCEL)
        assert claim["state"] == "redelivering"
        sent = claim["replacement"]
        assert (sent["carrier"], sent["tracking_number"]) == ("cj", "689123456784")
        assert self.decided(seller, at, "complete")["state"] == "completed"
        with tenancy.use(cast.market.pk):
            assert OrderLine.objects.get(number=1).units_left == 2

    def test_name_what_is_wrong_with_a_parcel(self, cast, at):
        self.decided(cast.shop, at, "approve")
        self.decided(cast.shop, at, "collect")
        for parcel, code, pointer in (
            (None, "parcel_missing", "/parcel"),
            ({"carrier": "hare"}, "unknown_carrier", "/parcel/carrier"),
            ({"carrier": "cj"}, "tracking_number_missing", "/parcel/tracking_number"),
        ):
            refused = cast.shop.send(at, {"decision": "resend", "parcel": parcel})
            assert (refused.status_code, refused.json()["code"]) == (422, code)
            assert refused.json()["errors"][0]["pointer"] == pointer
        odd = cast.shop.send(at, {"decision": "collect", "parcel": self.PARCEL})
        assert (odd.status_code, odd.json()["code"]) == (422, "parcel_on_resend")

    def test_become_returns(self, cast, at):
        words = {"fault": "buyer", "reason": "none left"}
        refused = cast.shop.send(at, {"decision": "convert", **words})
        assert (refused.status_code, refused.json()["code"]) == (422, "found_on_approval")
        silent = cast.of_hanok.send(at, {"decision": "convert"})
        assert silent.json()["code"] == "reason_missing"
        claim = self.decided(cast.of_hanok, at, "convert", reason="none left")
        assert (claim["type"], claim["state"]) == ("return", "requested")
        assert claim["converted_at"]
        again = cast.of_hanok.send(at, {"decision": "convert", "reason": "again"})
        assert (again.status_code, again.json()["code"]) == (409, "not_convertible")


class TestHolders:
    """What becomes of a seller's key when the seller's standing changes."""

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            ("active", 200),
            ("restricted", 200),
            ("suspended", 200),
            ("terminating", 200),
            ("onboarding", 401),
            ("terminated", 401),
        ],
    )
    def test_depends_on_the_seller(self, cast, state, status):
        with tenancy.use(cast.market.pk):
            type(cast.hanok).objects.filter(pk=cast.hanok.pk).update(state=state)
        assert cast.of_hanok.read("orders/").status_code == status


@pytest.mark.django_db(transaction=True)
def test_sixteen_parallel_posts_act_once():
    cast = Cast()
    answers = []

    def post():
        client = copy.copy(cast.shop)
        try:
            answers.append(client.send("orders/", body(), key="same"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [201] * 16
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 15
    assert cast.count(Order) == cast.count(IdempotencyKey) == 1


class TestGoodwill:
    @pytest.fixture
    def key(self, cast):
        """A key of the shop, made by one of its owners."""
        _, self.maker = desks.operator(cast.market)
        return ApiClient(self.made(cast, self.maker))

    def made(self, cast, by):
        at = timezone.now()
        words = {"name": "desk", "scopes": ["orders:read", "orders:write"]}
        with tenancy.use(cast.market.pk):
            return api_keys.create(
                cast.market, **words, by=by, at=at, expires_at=at + timedelta(days=30)
            )

    @pytest.fixture
    def at(self, cast, order):
        with tenancy.use(cast.market.pk):
            make.told(make.event("confirmed", 3))
        return f"orders/{order}/goodwill/"

    def asked(self, **fields):
        said = {"line_number": 1, "amount": won(1_000), "borne_by": "seller", "reason": "late"}
        return said | fields

    def test_is_asked_in_the_name_of_whoever_made_the_key(self, cast, at, key):
        made = key.send(at, self.asked())
        assert made.status_code == 201, made.content
        assert made.json()["granted"] == []
        assert made.json()["asked"]["amount"] == won(1_000)
        with tenancy.use(cast.market.pk):
            approval = Approval.objects.get()
            assert (approval.asked_by, approval.state) == (self.maker, "asked")
            chief = make.user("chief@example.org")
            approvals.approve(approval, by=chief, at=approval.asked_at)
        shown = cast.shop.read(at).json()
        assert shown["asked"] is None
        [granted] = shown["granted"]
        assert (granted["line_number"], granted["borne_by"]) == (1, "seller")
        assert granted["amount"] == won(1_000)

    def test_tells_the_second_person_with_which_key_a_program_asked(self, cast, at, key):
        assert key.send(at, self.asked()).status_code == 201
        with tenancy.use(cast.market.pk):
            approval = Approval.objects.get()
            entry = AuditEntry.objects.get(action="approval.asked")
            code = ApiKey.objects.get(name="desk").code
        assert (entry.actor, entry.data["through"]) == (self.maker, f"api_key:{code}")
        chief, by = desks.operator(cast.market, email="chief@example.org")
        page = f"/admin/marketplace/approval/{approval.pk}/change/"
        told = "by a program, with the API key “desk”"
        assert told in desks.text(chief.get(page))
        with tenancy.use(cast.market.pk):
            approvals.refuse(approval, by=by, at=approval.asked_at, reason="no")
            words = {"by": self.maker, "at": approval.asked_at, "reason": "late"}
            row = OrderLine.objects.select_related("order").get(number=1)
            again = goodwill.ask(row.order, line=1, amount=1_000, funder="seller", **words)
        by_hand = desks.text(chief.get(f"/admin/marketplace/approval/{again.pk}/change/"))
        assert "Asked by" in by_hand
        assert "by a program" not in by_hand

    def test_shows_sellers_what_their_own_buyers_were_granted(self, cast, at, key):
        with tenancy.use(cast.market.pk):
            Marketplace.objects.filter(pk=cast.market.pk).update(needs_second_person=False)
        assert key.send(at, self.asked()).json()["granted"][0]["amount"] == won(1_000)
        assert len(cast.of_hanok.read(at).json()["granted"]) == 1
        assert cast.of_tteok.read(at).json() == {"granted": [], "asked": None}
        assert cast.of_hanok.send(at, self.asked()).status_code == 403

    @pytest.mark.parametrize(
        ("fields", "status", "code", "pointer"),
        [
            ({"line_number": 7}, 422, "goodwill_needs_a_sale", "/line_number"),
            ({"amount": won(20_001)}, 422, "reduction_exceeds_paid", "/amount"),
            ({"amount": won(0)}, 422, "not_between", "/amount"),
            ({"reason": ""}, 400, "invalid", "/reason"),
            ({"borne_by": "partner"}, 400, "invalid", "/borne_by"),
        ],
    )
    def test_names_what_is_wrong(self, cast, at, key, fields, status, code, pointer):
        refused = key.send(at, self.asked(**fields))
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.json()["errors"][0]["pointer"] == pointer
        assert cast.count(Approval) == 0

    def test_is_not_asked_by_nobody(self, cast, at, key):
        for refused in (
            cast.shop.send(at, self.asked()),
            ApiClient(self.made(cast, desks.operator(cast.market, "viewer")[1])).send(
                at, self.asked()
            ),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "key_maker_may_not")
        assert cast.count(Approval) == 0

    def test_is_nothing_to_a_stranger(self, cast, at, key):
        other = Cast("other")
        assert other.shop.read(at).status_code == 404
        stranger = ApiClient(self.made(other, desks.operator(other.market)[1]))
        assert stranger.send(at, self.asked()).status_code == 404
        assert cast.count(Approval) == 0
