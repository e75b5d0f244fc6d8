"""The operators' pages of orders and claims."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.html import strip_tags

from marketplace import approvals, tenancy
from marketplace.models import Approval, AuditEntry
from marketplace.tests import desks
from orders import claims, shipping
from orders.admin_claims import ClaimAdmin
from orders.models import Claim, Evidence, Order, OrderLine
from orders.tests import make

pytestmark = pytest.mark.django_db
ORDERS = reverse("admin:orders_order_changelist")
CLAIMS = reverse("admin:orders_claim_changelist")
ASKED = {"line": "1", "type": "return", "quantity": "2", "fault": "seller", "reason": "It hurts"}


def order_page(order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


def claim_page(claim) -> str:
    return reverse("admin:orders_claim_change", args=[claim.pk])


def decide(claim, decision) -> str:
    return reverse("admin:orders_claim_decide", args=[claim.pk, decision])


@pytest.fixture
def market():
    return make.marketplace("ours", currency="KRW")


@pytest.fixture
def owner(market):
    return desks.operator(market)[0]


@pytest.fixture
def stranger():
    return desks.operator(make.marketplace("theirs"))[0]


@pytest.fixture
def order(market):
    with tenancy.use(market.pk):
        make.calendar()
        make.policy()
        make.seller()
        make.delivered(make.line(quantity=3, title=desks.HOSTILE), make.shipping())
        return Order.objects.get()


@pytest.fixture
def claim(order, market):
    with tenancy.use(market.pk):
        line = OrderLine.objects.get(number=1)
        return claims.request(
            line,
            type="return",
            quantity=2,
            fault="buyer",
            reason=desks.HOSTILE,
            by=None,
            at=make.day(5),
        )


def stored(claim, market):
    with tenancy.use(market.pk):
        return Claim.objects.get(pk=claim.pk)


class TestOrders:
    @pytest.mark.parametrize("term", ["A-1", "hanok"])
    def test_are_found_by_number_and_by_seller(self, owner, order, term):
        assert list(owner.get(ORDERS, {"q": term}).context["cl"].result_list) == [order]

    def test_are_not_found_by_a_part_of_a_number(self, owner, order):
        assert not list(owner.get(ORDERS, {"q": "A-"}).context["cl"].result_list)

    @pytest.mark.parametrize(("status", "count"), [("delivered", 1), ("cancelled", 0)])
    def test_are_filtered_by_the_status_of_a_line(self, owner, order, status, count):
        answer = owner.get(ORDERS, {"line_status": status})
        assert len(answer.context["cl"].result_list) == count

    def test_tell_everything_that_happened(self, owner, order, claim):
        content = desks.text(owner.get(order_page(order)))
        for told in (
            "A-1",
            order.public_id,
            "₩33,000",  # three at 10,000 and the shipping
            "What was paid is what the lines cost.",
            "Delivered",
            "2026-03-04",
            "Hanok",
            "Return",
            "Nothing is settled yet",
        ):
            assert told in content

    def test_show_their_parcels(self, owner, market, order):
        with tenancy.use(market.pk):
            make.accepted(make.order("A-2"))
            make.told(make.event("paid", 0, order="A-2"))
            second = Order.objects.get(number="A-2")
            shipping.ship(
                second,
                second.lines.get().seller,
                carrier="cj",
                tracking_number="683920475513",
                by=None,
                at=make.day(1),
            )
        content = desks.text(owner.get(order_page(second)))
        assert "683920475513" in content
        assert "CJ Logistics" in content

    def test_render_hostile_text_inert(self, owner, order, claim):
        assert desks.is_inert(owner.get(order_page(order)))
        assert desks.is_inert(owner.get(claim_page(claim)))
        assert desks.is_inert(owner.get(CLAIMS))

    def test_take_a_claim_that_a_buyer_told(self, market, order):
        client, operator = desks.operator(market, "support")
        address = reverse("admin:orders_order_decide", args=[order.pk, "claim"])
        assert "Open a claim" in desks.text(client.get(order_page(order)))
        assert desks.is_inert(client.get(address))
        answer = client.post(address, ASKED, follow=True)
        assert answer.redirect_chain == [(order_page(order), 302)]
        assert "It hurts" in desks.text(answer)
        with tenancy.use(market.pk):
            claim = Claim.objects.select_related("line").get()
            entry = AuditEntry.objects.get(action="claim.requested")
        assert (claim.line.number, claim.type, claim.quantity) == (1, "return", 2)
        assert (claim.fault, claim.reason, claim.source) == ("seller", "It hurts", "operator")
        assert claim.state == "requested"
        assert (entry.actor, entry.object_key) == (operator, str(claim.pk))
        assert "It hurts" not in str(entry.data)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"line": "7"}, "7 is not one of the available choices."),
            ({"quantity": "4"}, "only 3 can be claimed"),
            ({"quantity": "0"}, "greater than or equal to 1"),
            ({"reason": " "}, "This field is required."),
            ({"type": "barter"}, "barter is not one of the available choices."),
        ],
    )
    def test_take_no_claim_that_cannot_be_made(self, owner, market, order, given, told):
        address = reverse("admin:orders_order_decide", args=[order.pk, "claim"])
        answer = owner.post(address, ASKED | given)
        assert answer.status_code == 422
        assert told in desks.text(answer)
        with tenancy.use(market.pk):
            assert not Claim.objects.exists()

    def test_take_a_claim_of_whoever_may(self, market, stranger, order):
        address = reverse("admin:orders_order_decide", args=[order.pk, "claim"])
        assert stranger.get(address).status_code == 404
        assert stranger.post(address, ASKED).status_code == 404
        for role in ("viewer", "reviewer", "finance"):
            client, _ = desks.operator(market, role)
            assert "Open a claim" not in desks.text(client.get(order_page(order)))
            assert client.post(address, ASKED).status_code == 403
        with tenancy.use(market.pk):
            assert not Claim.objects.exists()

    def test_ask_a_fixed_number_of_queries(self, owner, market, django_assert_max_num_queries):
        with tenancy.use(market.pk):
            make.calendar()
            make.policy()
            make.seller()
            make.delivered(*(make.line(number) for number in range(1, 31)))
            order = Order.objects.get()
            for line in order.lines.all()[:10]:
                claims.request(
                    line, type="return", quantity=1, fault="buyer", by=None, at=make.day(5)
                )
        with django_assert_max_num_queries(26):
            assert owner.get(order_page(order)).status_code == 200

    def test_are_nothing_to_a_stranger(self, stranger, order):
        assert stranger.get(order_page(order)).status_code == 404
        assert not stranger.get(ORDERS, {"q": "A-1"}).context["cl"].result_list

    def test_are_only_read(self, owner, order):
        assert owner.post(order_page(order), {"number": "X"}).status_code == 405


class TestClaims:
    def test_queue_shows_open_ones_the_longest_wait_first(self, owner, market, claim):
        with tenancy.use(market.pk):
            line = OrderLine.objects.get(number=1)
            older = claims.request(
                line, type="return", quantity=1, fault="buyer", by=None, at=make.day(4)
            )
            done = claims.reject(claim, by=None, at=make.day(6))
        assert list(owner.get(CLAIMS).context["cl"].result_list) == [older]
        every = owner.get(CLAIMS, {"queue": "all"}).context["cl"].result_list
        assert list(every) == [older, done]

    def test_are_approved_with_what_was_found(self, owner, market, claim):
        said = {"reason": "photo shows it", "fault": "seller", "quantity": 1}
        answer = owner.post(decide(claim, "approve"), said)
        assert answer.url == claim_page(claim)
        after = stored(claim, market)
        assert (after.state, after.fault, after.quantity) == ("approved", "seller", 1)
        with tenancy.use(market.pk):
            entry = AuditEntry.objects.get(action="claim.corrected")
        assert entry.data == {
            "fault": {"from": "buyer", "to": "seller"},
            "quantity": {"from": 2, "to": 1},
        }

    def test_are_approved_with_their_shipping(self, owner, market, claim):
        with tenancy.use(market.pk):
            OrderLine.objects.update(status="delivered")
        page = desks.text(owner.get(decide(claim, "approve")))
        assert "Cost of return shipping" in page
        said = {"fault": "buyer", "quantity": 1, "return_cost": "3,000", "paid": "charged"}
        answer = owner.post(decide(claim, "approve"), said)
        assert "Say how the buyer pays" in desks.text(answer)
        assert answer.context["form"].errors.keys() == {"paid"}
        owner.post(decide(claim, "approve"), {**said, "paid": "direct", "is_advanced": "on"})
        after = stored(claim, market)
        assert (after.return_cost, after.shipping_paid, after.is_shipping_advanced) == (
            3_000,
            "direct",
            True,
        )
        page = desks.text(owner.get(claim_page(claim)))
        shown = " ".join(strip_tags(page.replace("<", " <")).split())
        assert "Settled to the seller as return shipping ₩3,000" in shown
        assert "Charged to the seller for the carrier ₩3,000" in shown

    def test_are_answered_with_goodwill_of_a_second_person(self, owner, market, claim):
        with tenancy.use(market.pk):
            line = OrderLine.objects.get(number=1)
            make.told(make.event("confirmed", 3, 1, order=line.order.number))
        assert "Ask for goodwill" in desks.text(owner.get(claim_page(claim)))
        said = {"amount": "1,000", "funder": "seller", "reason": "scratched"}
        many = owner.post(decide(claim, "goodwill"), {**said, "amount": "1,000,000"})
        assert many.context["form"].errors.keys() == {"amount"}
        assert owner.post(decide(claim, "goodwill"), said).status_code == 302
        with tenancy.use(market.pk):
            asked = Approval.objects.get(kind="grant_goodwill")
            if asked.state == "asked":
                chief = make.user("chief@example.org")
                approvals.approve(asked, by=chief, at=asked.asked_at)
        shown = desks.text(owner.get(claim_page(claim)))
        assert "₩1,000" in shown
        assert "(borne by the seller)" in " ".join(strip_tags(shown).split())

    def test_are_not_approved_for_more_than_was_asked(self, owner, market, claim):
        said = {"reason": "", "fault": "buyer", "quantity": 3}
        answer = owner.post(decide(claim, "approve"), said)
        assert "only 2 can be claimed" in desks.text(answer)
        assert stored(claim, market).state == "requested"

    def test_are_completed_after_approval_only(self, owner, market, claim):
        assert "cannot go from" in desks.text(owner.post(decide(claim, "complete"), {}))
        owner.post(decide(claim, "approve"), {"fault": "buyer", "quantity": 2})
        assert owner.post(decide(claim, "complete"), {}).status_code == 302
        assert stored(claim, market).state == "completed"
        with tenancy.use(market.pk):
            assert OrderLine.objects.get(number=1).units_left == 1

    def test_are_rejected_with_a_reason_for_the_buyer(self, owner, market, claim):
        assert owner.post(decide(claim, "reject"), {"reason": ""}).status_code == 422
        assert stored(claim, market).state == "requested"
        owner.post(decide(claim, "reject"), {"reason": "worn"})
        after = stored(claim, market)
        assert (after.state, after.answer) == ("rejected", "worn")

    @pytest.mark.parametrize("decision", ["approve", "reject", "complete", "withdraw"])
    def test_are_nothing_to_a_stranger(self, stranger, market, claim, decision):
        said = {"reason": "x", "fault": "seller", "quantity": 1}
        assert stranger.get(claim_page(claim)).status_code == 404
        assert stranger.get(decide(claim, decision)).status_code == 404
        assert stranger.post(decide(claim, decision), said).status_code == 404
        assert claim.public_id not in desks.text(stranger.get(CLAIMS))
        assert stored(claim, market).state == "requested"

    def test_go_to_arbitration_and_are_decided_by_somebody_else(self, owner, market, claim):
        assert (
            owner.post(decide(claim, "arbitrate"), {"side": "buyer", "reason": ""}).status_code
            == 422
        )
        said = {"side": "buyer", "reason": "not as described"}
        assert owner.post(decide(claim, "arbitrate"), said).status_code == 302
        file = SimpleUploadedFile("a.pdf", b"%PDF-1.7")
        said = {"side": "buyer", "text": "the seam is open", "files": [file]}
        assert owner.post(decide(claim, "state"), said).status_code == 302
        page = desks.text(owner.get(claim_page(claim)))
        assert "the seam is open" in page
        assert "a.pdf" in page
        found = {"outcome": "rejected", "reason": "worn", "fault": "buyer", "quantity": 1}
        assert owner.post(decide(claim, "decide"), found).status_code == 422
        assert stored(claim, market).state == "arbitration"
        viewer, _ = desks.operator(market, "viewer")
        assert viewer.post(decide(claim, "decide"), found).status_code == 403
        support, _ = desks.operator(market, "support")
        assert support.post(decide(claim, "decide"), found).status_code == 302
        assert stored(claim, market).state == "rejected"
        with tenancy.use(market.pk):
            evidence = Evidence.objects.get()
        address = f"/admin/orders/claim/{claim.pk}/evidence/{evidence.public_id}/"
        assert support.get(address).content == b"%PDF-1.7"

    @pytest.mark.parametrize(
        ("role", "status"),
        [("support", 302), ("finance", 403), ("reviewer", 403), ("viewer", 403)],
    )
    def test_follow_the_role(self, market, claim, role, status):
        client, _ = desks.operator(market, role)
        assert client.get(claim_page(claim)).status_code == 200
        assert client.post(decide(claim, "reject"), {"reason": "x"}).status_code == status
        assert stored(claim, market).state == ("rejected" if status == 302 else "requested")

    def test_list_asks_the_same_for_many(self, owner, market, order, django_assert_max_num_queries):
        with tenancy.use(market.pk):
            line = OrderLine.objects.get(number=1)
            Claim.objects.bulk_create(
                Claim(
                    line=line,
                    seller_id=line.seller_id,
                    type="return",
                    fault="buyer",
                    quantity=1,
                    requested_at=make.day(5),
                )
                for _ in range(60)
            )
        with django_assert_max_num_queries(20):
            answer = owner.get(CLAIMS)
        assert len(answer.context["cl"].result_list) == 50


class TestExchanges:
    PARCEL = {"carrier": "cj", "tracking_number": "689123456784"}

    @pytest.fixture
    def exchange(self, order, market):
        with tenancy.use(market.pk):
            line = OrderLine.objects.get(number=1)
            words = {"type": "exchange", "quantity": 2, "fault": "buyer", "reason": "too small"}
            return claims.request(line, **words, by=None, at=make.day(5))

    def offered(self, owner, claim) -> set[str]:
        page = desks.text(owner.get(claim_page(claim)))
        return {name for name in ClaimAdmin.decisions if decide(claim, name) in page}

    def test_offer_what_comes_next(self, owner, market, exchange):
        assert self.offered(owner, exchange) == {
            "approve",
            "reject",
            "withdraw",
            "convert",
            "arbitrate",
        }
        both = {"return_cost": "3,000", "outbound_cost": "2,500"}
        said = {"fault": "buyer", "quantity": 2, **both}
        refused = owner.post(decide(exchange, "approve"), {**said, "paid": "deducted"})
        assert "An exchange refunds nothing" in desks.text(refused)
        assert (
            owner.post(decide(exchange, "approve"), {**said, "paid": "direct"}).status_code == 302
        )
        assert self.offered(owner, exchange) == {"collect", "reject", "convert", "arbitrate"}
        owner.post(decide(exchange, "collect"), {})
        assert self.offered(owner, exchange) == {"resend", "reject", "convert", "arbitrate"}
        assert exchange in owner.get(CLAIMS).context["cl"].result_list
        short = owner.post(decide(exchange, "resend"), {"carrier": "cj", "tracking_number": "1"})
        assert short.context["form"].errors.keys() == {"tracking_number"}
        owner.post(decide(exchange, "resend"), self.PARCEL)
        assert self.offered(owner, exchange) == {"resend", "arrived", "arbitrate"}
        shown = desks.text(owner.get(claim_page(exchange)))
        assert self.PARCEL["tracking_number"] in shown
        assert "An exchange leaves the sale as it is." in shown
        assert "₩5,500" in shown
        owner.post(decide(exchange, "arrived"), {})
        assert stored(exchange, market).state == "completed"
        assert self.offered(owner, exchange) == set()

    def test_become_returns_with_a_reason(self, owner, market, exchange):
        assert owner.post(decide(exchange, "convert"), {}).status_code == 422
        said = {"reason": "none left", "return_cost": "3,000", "paid": "deducted"}
        assert owner.post(decide(exchange, "convert"), said).status_code == 302
        after = stored(exchange, market)
        assert (after.type, after.return_cost, after.shipping_paid) == ("return", 3_000, "deducted")
        assert "converted to a return at" in desks.text(owner.get(claim_page(exchange)))

    @pytest.mark.parametrize("decision", ["collect", "resend", "convert", "arrived"])
    def test_are_nothing_to_a_stranger(self, stranger, market, exchange, decision):
        assert stranger.get(decide(exchange, decision)).status_code == 404
        said = {"reason": "x", **self.PARCEL}
        assert stranger.post(decide(exchange, decision), said).status_code == 404
        assert stored(exchange, market).state == "requested"
