"""What is accepted as an order, what is refused and why, and what a repetition does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from listings.models import Revision
from marketplace import tenancy
from marketplace.models import AuditEntry
from orders import intake
from orders.models import Order, OrderLine, Payment
from orders.pricing import CartDiscount
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]


def accept(*orders, **options):
    return intake.accept_many(orders, at=make.NIGHT, **options)


def refused(order, **options):
    """The code and field with which an order is refused."""
    [verdict] = accept(order, **options)
    assert verdict.result == "refused", verdict
    assert (verdict.order, verdict.public_id) == (str(order.number), "")
    assert verdict.message == verdict.text(lambda text: text) != ""
    assert not Order.objects.exists()
    return verdict.code, verdict.field


def with_line(**fields):
    return make.order(lines=[replace(make.line(), **fields)], paid=10_000)


class TestAcceptMany:
    def test_stores_an_order_as_it_was_told(self):
        tea, seller = make.category("tea"), make.seller("gabe", seller_type="corporation")
        listing = make.listing(seller, "jasmine", kind="goods")
        order = make.order(
            "A-7",
            [
                make.line(
                    1,
                    "gabe",
                    5_000,
                    3,
                    sku="J-1",
                    title="재스민",
                    category_code="tea",
                    listing_code="jasmine",
                    delivery_group="cold",
                    tax_kind="exempt",
                    seller_discount=100,
                    platform_discount=200,
                    partner_discount=300,
                )
            ],
            channel="live",
            buyer_reference="buyer-1",
            payments=(
                intake.NewPayment(2, "point", 400),
                intake.NewPayment(
                    1, "card", 14_000, 14_000, "pg-1", make.MONDAY, cash_receipt="none"
                ),
            ),
        )
        [verdict] = accept(order)
        assert (verdict.order, verdict.result, verdict.code) == ("A-7", "accepted", "")
        [stored] = Order.objects.values()
        assert verdict.public_id == stored["public_id"]
        assert stored["public_id"].startswith("ord_")
        assert stored["placed_at"] == make.MONDAY
        assert stored["buyer_reference"] == "buyer-1"
        assert stored["tender_difference"] == 0
        [line] = OrderLine.objects.values()
        assert (
            line
            | {
                "seller_id": seller.pk,
                "number": 1,
                "stream": "goods",
                "category_id": tea.pk,
                "listing_id": listing.pk,
                "listing_kind": "goods",
                "channel": "live",
                "seller_type": "corporation",
                "sku": "J-1",
                "title": "재스민",
                "delivery_group": "cold",
                "tax_kind": "exempt",
                "unit_price": 5_000,
                "quantity": 3,
                "list_amount": 15_000,
                "seller_discount": 100,
                "platform_discount": 200,
                "partner_discount": 300,
                "status": "pending_payment",
                "units_left": 3,
                "paid_on": None,
                "confirmed_on": None,
                "cancelled_by_seller": False,
            }
            == line
        )
        payments = Payment.objects.order_by("sequence").values_list(
            "kind", "amount", "tax_free_amount", "provider_id", "approved_at", "cash_receipt"
        )
        assert list(payments) == [
            ("card", 14_000, 14_000, "pg-1", make.MONDAY, "none"),
            ("point", 400, 0, "", None, ""),
        ]

    def test_takes_category_and_kind_from_the_listing_when_it_is_not_told(self):
        seller, tea = make.seller("gabe"), make.category("tea")
        listing = make.listing(seller, "jasmine", kind="mini_app")
        live = Revision.objects.create(
            listing=listing, number=1, title="재스민", unit_price=1, category=tea
        )
        type(listing).objects.filter(pk=listing.pk).update(live_revision=live)
        [line] = make.accepted(make.order(lines=[make.line(1, "gabe", listing_code="jasmine")]))
        assert (line.category, line.listing_kind) == (tea, "mini_app")

    def test_lays_cart_discounts_over_goods_in_sequence(self):
        make.seller("gabe")
        order = make.order(
            lines=[
                make.line(1, "hanok", 10_000, 2),
                make.line(2, "gabe", 10_000),
                make.shipping(3, "gabe", 3_000),
            ],
            cart_discounts=(
                CartDiscount("platform", 3_000),
                CartDiscount("seller", 1_000, "gabe"),
                CartDiscount("partner", 100),
            ),
        )
        lines = make.accepted(order)
        found = [
            (line.seller_discount, line.platform_discount, line.partner_discount) for line in lines
        ]
        assert found == [(0, 2_000, 69), (1_000, 1_000, 31), (0, 0, 0)]  # 18,000 : 8,000

    def test_says_one_order_repeated_and_changes_nothing(self):
        order = make.order(lines=[make.line(), make.shipping()])
        [first] = accept(order)
        stored = list(OrderLine.objects.order_by("pk").values())
        [again] = accept(order)
        assert (again.result, again.code) == ("repeated", "")
        assert again.public_id == first.public_id
        assert list(OrderLine.objects.order_by("pk").values()) == stored
        assert Order.objects.count() == Payment.objects.count() == 1

    def test_says_repeated_whatever_the_order_of_lines_and_the_zone_of_time(self):
        lines = [make.line(1), make.line(2)]
        accept(make.order(lines=lines))
        seoul = make.MONDAY.astimezone(tz=None)
        [again] = accept(make.order(lines=lines[::-1], placed_at=seoul))
        assert again.result == "repeated"

    def test_says_repeated_after_the_buyer_was_erased(self):
        accept(make.order(buyer_reference="buyer-1"))
        Order.objects.update(buyer_reference="")
        [again] = accept(make.order(buyer_reference="buyer-1"))
        assert again.result == "repeated"

    def test_says_repeated_after_the_listing_moved_to_another_category(self):
        seller = make.seller("gabe")
        listing = make.listing(seller, "jasmine")
        order = make.order(lines=[make.line(1, "gabe", listing_code="jasmine")])
        accept(order)
        live = Revision.objects.create(
            listing=listing, number=1, title="차", unit_price=1, category=make.category()
        )
        type(listing).objects.filter(pk=listing.pk).update(live_revision=live, kind="other")
        assert [verdict.result for verdict in accept(order)] == ["repeated"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"source": "other"},
            {"placed_at": make.day(1)},
            {"buyer_reference": "somebody"},
            {"channel": "live"},
            {"lines": (make.line(), make.line(2, unit_price=0))},
            {"lines": (make.line(2),)},
            {"lines": (make.line(sku="x"),)},
            {"lines": (make.line(title="x"),)},
            {"lines": (make.line(delivery_group="x"),)},
            {"lines": (make.line(tax_kind="exempt"),)},
            {"lines": (make.line(stream="ads"),)},
            {"lines": (make.line(listing_kind="x"),)},
            {"lines": (make.line(category_code="tea"),)},
            {"lines": (make.line(unit_price=5_000, quantity=2),)},
            {"lines": (make.line(seller_code="gabe"),)},
            {"payments": (intake.NewPayment(1, "point", 10_000),)},
            {"payments": (intake.NewPayment(2, "card", 10_000),)},
            {"payments": (intake.NewPayment(1, "card", 10_000, approved_at=make.MONDAY),)},
            {"payments": (intake.NewPayment(1, "card", 10_000, provider_id="x"),)},
        ],
        ids=str,
    )
    def test_refuses_an_order_that_now_says_something_else(self, changed):
        make.category()
        make.seller("gabe")
        order = make.order(buyer_reference="buyer-1")
        accept(order)
        stored = list(OrderLine.objects.values())
        [verdict] = accept(replace(order, **changed))
        assert (verdict.result, verdict.code, verdict.field) == (
            "refused",
            "order_differs",
            "number",
        )
        assert list(OrderLine.objects.values()) == stored

    def test_judges_repetitions_within_one_call(self):
        order, other = make.order(), make.order(lines=[make.line(quantity=2)])
        assert [v.result for v in accept(order, order, other)] == [
            "accepted",
            "repeated",
            "refused",
        ]
        assert Order.objects.count() == 1

    def test_takes_the_second_of_one_number_when_the_first_is_refused(self):
        bad = with_line(seller_code="nobody")
        assert [v.result for v in accept(bad, make.order())] == ["refused", "accepted"]

    def test_lets_no_bad_order_touch_the_others(self):
        bad = [
            make.order("B-1", [make.line(seller_code="nobody")]),
            make.order("B-2", paid=1),
            make.order("B-3", [make.line(title="\x00")]),
            make.order("B-4", [make.line(title="\ud800")]),
            make.order("B-5", [make.line(unit_price=2**63)]),
            make.order("\x00"),
            make.order("B-6", cart_discounts=(CartDiscount("platform", 99_999),), paid=0),
        ]
        good = [make.order(f"G-{number}") for number in range(len(bad))]
        mixed = [order for pair in zip(bad, good, strict=True) for order in pair]
        verdicts = accept(*mixed)
        assert [v.result for v in verdicts] == ["refused", "accepted"] * len(bad)
        assert [v.order for v in verdicts] == [order.number for order in mixed]
        assert set(Order.objects.values_list("number", flat=True)) == {o.number for o in good}

    @pytest.mark.parametrize(
        ("order", "code", "field"),
        [
            (replace(make.order(), number=""), "field_missing", "number"),
            (replace(make.order(), number="x" * 101), "field_too_long", "number"),
            (replace(make.order(), source=" "), "field_missing", "source"),
            (replace(make.order(), channel="x" * 31), "field_too_long", "channel"),
            (replace(make.order(), lines=()), "field_missing", "lines"),
            (
                replace(make.order(), placed_at=make.NIGHT + timedelta(hours=1)),
                "in_future",
                "placed_at",
            ),
            (
                replace(make.order(), placed_at=datetime(2026, 3, 2)),  # noqa: DTZ001
                "date_not_usable",
                "placed_at",
            ),
            (
                replace(make.order(), placed_at=datetime(1, 1, 1, tzinfo=UTC)),
                "date_not_usable",
                "placed_at",
            ),
            (with_line(seller_code="nobody"), "unknown_seller", "lines[0].seller_code"),
            (with_line(category_code="no"), "unknown_category", "lines[0].category_code"),
            (with_line(listing_code="no"), "unknown_listing", "lines[0].listing_code"),
            (with_line(number=0), "not_between", "lines[0].number"),
            (with_line(number=2**31), "not_between", "lines[0].number"),
            (with_line(quantity=0), "not_between", "lines[0].quantity"),
            (with_line(quantity=-1), "not_between", "lines[0].quantity"),
            (with_line(quantity=1.5), "not_between", "lines[0].quantity"),
            (with_line(unit_price=-1), "not_between", "lines[0].unit_price"),
            (with_line(unit_price=10**15 + 1), "not_between", "lines[0].unit_price"),
            (with_line(unit_price=True), "not_between", "lines[0].unit_price"),
            (
                with_line(unit_price=10**12, quantity=10**6),
                "not_between",
                "lines[0].list_amount",
            ),
            (with_line(seller_discount=-1), "not_between", "lines[0].seller_discount"),
            (
                with_line(platform_discount=10_001),
                "discount_exceeds_line",
                "lines[0].seller_discount",
            ),
            (with_line(tax_kind="zero"), "not_one_of", "lines[0].tax_kind"),
            (with_line(title="x" * 301), "field_too_long", "lines[0].title"),
            (with_line(sku="a\x00b"), "field_not_usable", "lines[0].sku"),
            (with_line(stream=""), "field_missing", "lines[0].stream"),
            (
                make.order(lines=[make.line(1), make.line(1)]),
                "number_repeated",
                "lines[1].number",
            ),
            (
                make.order(lines=[make.line(), make.shipping(2), make.shipping(3)]),
                "shipping_repeated",
                "lines[2].delivery_group",
            ),
            (
                replace(make.order(), payments=(intake.NewPayment(1, "card", -1),)),
                "not_between",
                "payments[0].amount",
            ),
            (
                replace(make.order(), payments=(intake.NewPayment(1, "card", 10_000, 10_001),)),
                "not_between",
                "payments[0].tax_free_amount",
            ),
            (
                replace(make.order(), payments=(intake.NewPayment(1, "card", 5_000),) * 2),
                "number_repeated",
                "payments[1].sequence",
            ),
            (
                replace(
                    make.order(),
                    payments=(intake.NewPayment(1, "card", 10_000, approved_at=make.day(99)),),
                ),
                "in_future",
                "payments[0].approved_at",
            ),
            (make.order(paid=9_999), "tenders_do_not_match", "payments"),
            (make.order(paid=10_001), "tenders_do_not_match", "payments"),
            (replace(make.order(), payments=()), "tenders_do_not_match", "payments"),
            (
                make.order(cart_discounts=(CartDiscount("nobody", 1),)),
                "not_one_of",
                "cart_discounts[0].funder",
            ),
            (
                make.order(cart_discounts=(CartDiscount("seller", 1, "gabe"),)),
                "not_one_of",
                "cart_discounts[0].seller",
            ),
            (
                make.order(cart_discounts=(CartDiscount("platform", -1),)),
                "not_between",
                "cart_discounts[0].amount",
            ),
        ],
        ids=str,
    )
    def test_refuses_naming_the_field(self, order, code, field):
        assert refused(order) == (code, field)

    def test_refuses_a_cart_discount_above_the_cart(self):
        order = make.order(cart_discounts=(CartDiscount("platform", 10_001),), paid=0)
        assert refused(order)[0] == "discount_exceeds_lines"

    def test_bears_with_a_sender_whose_clock_is_a_little_ahead(self):
        order = make.order(placed_at=make.NIGHT + timedelta(minutes=1))
        assert [verdict.result for verdict in accept(order)] == ["accepted"]

    def test_refuses_a_listing_of_another_seller(self):
        make.listing(make.seller("gabe"), "jasmine")
        order = with_line(listing_code="jasmine")
        assert refused(order) == ("unknown_listing", "lines[0].listing_code")

    @pytest.mark.parametrize(("paid", "difference"), [(9_000, -1_000), (10_500, 500)])
    def test_lists_payments_that_do_not_match_when_told_to(self, paid, difference):
        [verdict] = accept(make.order(paid=paid), tenders="list")
        assert (verdict.result, verdict.code) == ("accepted", "tenders_do_not_match")
        assert verdict.is_listed
        assert verdict.field == "payments"
        assert Order.objects.get().tender_difference == difference
        [again] = accept(make.order(paid=paid), tenders="list")
        assert again.result == "repeated"

    def test_says_repeated_of_listed_history_even_at_the_strict_door(self):
        accept(make.order(paid=9_000), tenders="list")
        [again] = accept(make.order(paid=9_000))
        assert again.result == "repeated"

    def test_lets_events_act_that_came_before(self):
        make.told(make.event("paid", 0), make.event("cancelled", 1, 1, quantity=1))
        [line] = make.accepted(make.order(lines=[make.line(quantity=3)]))
        line.refresh_from_db()
        assert (line.status, line.paid_on, line.units_left) == ("paid", make.on(0), 2)

    def test_lists_an_order_of_which_more_was_cancelled_before_than_it_has(self):
        make.told(make.event("cancelled", 1, 1, quantity=2))
        [verdict] = accept(make.order())
        assert (verdict.result, verdict.code) == ("accepted", "more_than_remains")

    def test_leaves_one_audit_entry_for_a_batch(self):
        accept(*(make.order(f"A-{number}") for number in range(5)))
        [entry] = AuditEntry.objects.filter(action="order.accepted")
        assert entry.data == {"count": 5, "listed": 0}

    def test_asks_the_database_as_often_for_many_orders_as_for_one(self):
        make.category()

        def queries(count, prefix):
            orders = [
                make.order(f"{prefix}-{number}", [make.line(), make.line(2, category_code="tea")])
                for number in range(count)
            ]
            with CaptureQueriesContext(connection) as captured:
                accept(*orders)
            return len(captured)

        assert queries(1, "one") == queries(50, "many")


class TestStranger:
    """The same senders' numbers and sellers' codes, in a marketplace of somebody else."""

    @pytest.fixture(autouse=True)
    def market(self, db):
        """Instead of the marketplace in use: here two are entered, one after the other."""
        self.own, self.strangers = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(self.own.pk):
            make.seller()
            accept(make.order())

    def test_has_orders_of_the_same_number(self):
        with tenancy.use(self.strangers.pk):
            make.seller()
            [verdict] = accept(make.order(lines=[make.line(quantity=2)]))
            assert verdict.result == "accepted"
            assert Order.objects.count() == OrderLine.objects.count() == 1
        with tenancy.use(self.own.pk):
            assert OrderLine.objects.get().quantity == 1

    def test_cannot_sell_for_our_sellers(self):
        with tenancy.use(self.strangers.pk):
            assert refused(make.order())[0] == "unknown_seller"
