"""Holds as people meet them: the admin's queue and form, the shop's page, the API."""

import copy
import re
from datetime import UTC, date, datetime

import pytest
from django.test import Client

from marketplace import tenancy
from marketplace.models import Approval, User
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from orders import claims
from sellers.models import SellerMember
from settlements import holding, nights
from settlements.models import Hold, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

DUE = date(2026, 9, 11)
AT = datetime(2026, 9, 9, 3, tzinfo=UTC)
HOLDS = "/admin/settlements/hold/"
PLACE = f"{HOLDS}place/"
GIVEN = {"kind": "line", "seller": "A", "reason": "manual", "note": "확인 중", "condition": "확인"}


@pytest.fixture(scope="module")
def settled(rows_of_module):
    """A shop with a claimed line of 96,700 that is held, and one of 48,350 that is payable."""
    market = make.market("ours", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        seller = make.seller()
        make.seller("B")
        line = make.sold(seller, unit_price=100_000, category="gold")
        make.sold(seller, number="O2", unit_price=50_000, category="gold")
        claims.request(line, type="return", quantity=1, fault="buyer", by=None, at=AT)
    nights.close_day(market.pk, DUE, at=AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


@pytest.fixture
def rows(market):
    with tenancy.use(market.pk):
        return Hold.objects.select_related("seller").get(), Statement.objects.get()


@pytest.fixture
def enter(client, market):
    def enter(role="finance", into=market):
        user = people.user(f"{role}@example.org")
        people.membership(into, user, role)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": into.slug})
        return client

    return enter


def _text(response):
    """What a reader sees of a page, without its marks."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


class TestQueue:
    def test_lists_what_is_held_and_opens_to_its_story(self, enter, rows):
        hold, _statement = rows
        browser = enter()
        listed = _text(browser.get(HOLDS))
        assert "Open claim" in listed
        assert "₩96,700" in listed
        story = _text(browser.get(f"{HOLDS}{hold.pk}/change/"))
        assert "Answer the claim." in story
        assert "claimed units 1 worth to the seller ₩96,700 kept back now ₩96,700" in story
        assert "When the claim is decided" in story
        assert "Release" in story

    def test_shows_what_is_stuck_alone(self, enter, market, rows):
        hold, _statement = rows
        browser = enter()
        assert hold.public_id not in _text(browser.get(f"{HOLDS}?end=stuck"))
        with tenancy.use(market.pk):
            Hold.objects.update(release_on=DUE)
        assert hold.public_id in _text(browser.get(f"{HOLDS}?end=stuck"))

    def test_does_not_exist_for_a_stranger(self, enter, rows):
        hold, _statement = rows
        browser = enter(into=make.market("theirs"))
        assert hold.public_id not in _text(browser.get(HOLDS))
        assert browser.get(f"{HOLDS}{hold.pk}/change/").status_code == 404
        assert browser.get(f"{HOLDS}{hold.pk}/decide/release/").status_code == 404


class TestDecide:
    def test_releases_with_a_reason(self, enter, market, rows):
        _hold, statement = rows
        with tenancy.use(market.pk):
            terms = holding.Terms(reason="bank", note="계좌", condition="확인")
            hold = holding.hold_payment(
                statement.seller, terms, statement=statement, by=None, at=AT
            )
        browser = enter()
        address = f"{HOLDS}{hold.pk}/decide/release/"
        assert browser.post(address, {"reason": ""}).status_code == 422
        assert browser.post(address, {"reason": "계좌 확인 완료"}).status_code == 302
        with tenancy.use(market.pk):
            hold.refresh_from_db()
            assert (hold.state, hold.release_note) == ("released", "계좌 확인 완료")

    def test_leaves_an_open_claim_alone(self, enter, market, rows):
        hold, _statement = rows
        answer = enter().post(f"{HOLDS}{hold.pk}/decide/release/", {"reason": "그냥"})
        assert "The claim is still open." in _text(answer)
        with tenancy.use(market.pk):
            assert Hold.objects.get().state == "placed"

    def test_is_not_for_who_only_looks(self, enter, rows):
        hold, _statement = rows
        browser = enter("viewer")
        assert browser.get(f"{HOLDS}{hold.pk}/change/").status_code == 200
        assert browser.post(f"{HOLDS}{hold.pk}/decide/release/", {"reason": "x"}).status_code == 403
        assert browser.get(PLACE).status_code == 403


class TestPlace:
    def test_places_a_hold_of_an_amount(self, enter, market):
        answer = enter().post(PLACE, {**GIVEN, "amount": "20,000"})
        assert answer.status_code == 302
        with tenancy.use(market.pk):
            hold = Hold.objects.get(reason="manual")
            assert (hold.amount, hold.seller.code, hold.note) == (20_000, "A", "확인 중")
            assert hold.placed_by.email == "finance@example.org"

    def test_holds_a_statement_and_asks_for_its_exclusion(self, enter, market, rows):
        _hold, statement = rows
        browser = enter()
        named = {**GIVEN, "seller": "", "statement": statement.public_id}
        assert browser.post(PLACE, {**named, "kind": "payment"}).status_code == 302
        assert browser.post(PLACE, {**named, "kind": "exclusion"}).status_code == 302
        with tenancy.use(market.pk):
            held = Hold.objects.get(kind="payment")
            assert (held.statement, held.seller) == (statement, statement.seller)
            assert not Hold.objects.filter(kind="exclusion").exists()
            assert Approval.objects.get().kind == "exclude_statement"
        shown = _text(browser.get(f"/admin/settlements/statement/{statement.pk}/change/"))
        assert held.public_id in shown

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"amount": "1", "condition": ""}, "Say when the hold ends"),
            ({"seller": "nobody"}, "There is no seller with this code."),
            ({"order": "O1/9"}, "There is no such order line."),
            ({"statement": "stm_none"}, "There is no such statement."),
            ({}, "Name an order line or an amount"),
            ({"seller": "B", "order": "O1/1"}, "is not of the seller"),
            ({"amount": "1", "reason": "claim"}, "Select a valid choice"),
        ],
    )
    def test_says_what_is_missing(self, enter, market, given, said):
        answer = enter().post(PLACE, {**GIVEN, **given})
        assert answer.status_code == 422
        assert said in _text(answer)
        with tenancy.use(market.pk):
            assert Hold.objects.count() == 1

    def test_is_filled_in_from_where_it_is_called(self, enter, rows):
        _hold, statement = rows
        page = enter().get(f"{PLACE}?kind=payment&statement={statement.public_id}&seller=A")
        assert statement.public_id in page.content.decode()


class TestShop:
    @pytest.fixture
    def visit(self, market, rows):
        def visit(seller_code, path="holds/"):
            with tenancy.use(market.pk):
                seller = make.Seller.objects.get(code=seller_code)
            user = User.objects.create_user(f"{seller_code}@example.org")
            SellerMember.objects.create(
                marketplace=market, seller=seller, user=user, role=SellerMember.Role.OWNER
            )
            browser = Client(headers={"accept-language": "en"})
            browser.force_login(user)
            return browser.get(f"/s/ours/{path}")

        return visit

    def test_tells_why_until_when_and_what_to_do(self, visit, rows):
        hold, _statement = rows
        told = _text(visit("A"))
        for words in ("Order O1, line 1: 1 of 1 units", "Open claim", "Answer the claim."):
            assert words in told
        assert "Claimed units 1 What they are worth to you ₩96,700 Held back now ₩96,700" in told
        assert hold.public_id in told

    def test_says_so_where_nothing_is_held(self, visit, rows):
        hold, _statement = rows
        told = _text(visit("B"))
        assert "Nothing is held back" in told
        assert hold.public_id not in told

    def test_shows_it_at_home(self, visit):
        told = _text(visit("A", ""))
        assert "Held back from statements: ₩96,700" in told

    def test_shows_on_the_statement_what_was_held_of_it(self, visit, rows):
        _hold, statement = rows
        told = _text(visit("A", f"statements/{statement.public_id}/"))
        assert "Held back: ₩96,700" in told
        assert "₩48,350" in told


@pytest.fixture
def on_two_of_three(market):
    """A hold on two of the three units of another line, whose statement is still open: 96,700."""
    with tenancy.use(market.pk):
        seller = make.Seller.objects.get(code="A")
        line = make.sold(
            seller,
            number="O3",
            unit_price=50_000,
            quantity=3,
            category="gold",
            confirmed_on=date(2026, 9, 12),
        )
        claims.request(line, type="return", quantity=2, fault="buyer", by=None, at=AT)
    nights.close_day(market.pk, date(2026, 9, 14), at=AT)
    with tenancy.use(market.pk):
        hold = Hold.objects.get(order_line=line)
        assert hold.taken == 0
        return hold


class TestSomeUnits:
    """What a claim on 2 of 3 units is going to hold: on each face the same."""

    def test_is_told_before_a_statement_holds_it(self, market, enter, on_two_of_three):
        story = _text(enter().get(f"{HOLDS}{on_two_of_three.pk}/change/"))
        assert "Order O3, line 1: 2 of 3 units" in story
        assert "claimed units 2 worth to the seller ₩96,700 kept back now ₩0" in story

    def test_is_told_by_the_api(self, market, on_two_of_three):
        api = ApiClient(api_key(market))
        told = api.read(f"holds/{on_two_of_three.public_id}/").json()
        assert (told["units"], told["worth"]["amount"]) == (2, 96_700)
        assert told["taken"]["amount"] == 0

    def test_asks_once_for_all_holds_of_a_page(
        self, market, on_two_of_three, django_assert_max_num_queries
    ):
        api = ApiClient(api_key(market))
        api.read("holds/")
        with django_assert_max_num_queries(30):
            told = api.read("holds/").json()["data"]
        assert [each["worth"]["amount"] for each in told] == [96_700, 96_700]

    def test_ends_with_the_claim(self, market, on_two_of_three):
        with tenancy.use(market.pk):
            claims.withdraw(on_two_of_three.claim, by=None, at=AT)
        api = ApiClient(api_key(market))
        told = api.read(f"holds/{on_two_of_three.public_id}/").json()
        assert (told["units"], told["worth"]) == (2, None)


class TestApi:
    def test_tells_a_hold_to_its_seller_and_to_the_marketplace(self, market, rows):
        hold, _statement = rows
        won = {"currency": market.currency}
        for seller in (hold.seller.public_id, ""):
            [told] = ApiClient(api_key(market, seller=seller)).read("holds/").json()["data"]
            assert (told["id"], told["kind"], told["reason"]) == (hold.public_id, "line", "claim")
            assert told["taken"] == {"amount": 96_700, **won}
            assert (told["amount"], told["state"], told["line_number"]) == (None, "placed", 1)
            assert (told["units"], told["worth"]) == (1, told["taken"])
            assert told["order"].startswith("ord_")
            assert told["claim"].startswith("clm_")

    def test_does_not_exist_for_another_seller(self, market, rows):
        hold, _statement = rows
        with tenancy.use(market.pk):
            other = make.Seller.objects.get(code="B")
        shop = ApiClient(api_key(market, seller=other.public_id))
        assert shop.read("holds/").json()["data"] == []
        assert shop.read(f"holds/{hold.public_id}/").status_code == 404

    def test_is_filtered_by_what_it_is(self, market, rows):
        shop = ApiClient(api_key(market))
        assert len(shop.read("holds/?state=placed&kind=line&reason=claim").json()["data"]) == 1
        assert shop.read("holds/?state=released").json()["data"] == []
        assert shop.read("holds/?kind=none").status_code == 400

    def test_tells_what_a_statement_and_a_balance_hold(self, market, rows):
        hold, statement = rows
        shop = ApiClient(api_key(market, seller=hold.seller.public_id))
        told = shop.read(f"statements/{statement.public_id}/").json()
        assert told["hold_taken"]["amount"] == 96_700
        [balance] = shop.read("balances/").json()["data"]
        assert (balance["held"]["amount"], balance["receivable"]["amount"]) == (96_700, 0)
