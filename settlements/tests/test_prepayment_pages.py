"""Advertising prepayments as operators, sellers and programs see them."""

from datetime import UTC, date, datetime

import pytest

from marketplace import tenancy
from marketplace.models import Approval
from marketplace.tests import make as people
from sellers.models import Seller, SellerMember
from settlements import nights
from settlements.models import Adjustment, AdPrepayment
from settlements.tests import make
from settlements.tests.test_prepaying import charged, paid_in, taken_back

pytestmark = pytest.mark.django_db

SEP_8, DUE = date(2026, 9, 8), date(2026, 9, 11)
AT = datetime(2026, 9, 8, 3, tzinfo=UTC)
PAGES = "/admin/settlements/adprepayment/"


@pytest.fixture
def market(db):
    market = make.market(first_open_on=SEP_8)
    with tenancy.use(market.pk):
        make.seller()
        make.seller("B")
    return market


@pytest.fixture
def browser(client, market):
    user = people.user("finance@example.org")
    people.membership(market, user, "finance")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(user)
    client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
    return client


def seller(code="A"):
    return Seller.objects.get(code=code)


class TestAdmin:
    def test_takes_in_a_deposit_from_the_page_of_the_seller(self, browser, market):
        with tenancy.use(market.pk):
            key = seller().pk
        told = browser.get(f"/admin/sellers/seller/{key}/change/").content.decode()
        address = f"{PAGES}pay-in/{key}/"
        assert address in told
        sent = {"amount": "300,000", "on": "2026-09-08", "evidence": "국민 0908-1"}
        refused = browser.post(address, sent | {"on": "2026-09-07"}).content.decode()
        assert "lies before the marketplace opened" in refused
        made = browser.post(address, sent)
        with tenancy.use(market.pk):
            row = AdPrepayment.objects.get()
        assert (made.status_code, made.url) == (302, f"{PAGES}{row.pk}/change/")
        again = browser.post(f"{PAGES}{row.pk}/decide/deposit/", sent).content.decode()
        assert "was recorded already" in again
        sent["evidence"] = "국민 0908-2"
        assert browser.post(f"{PAGES}{row.pk}/decide/deposit/", sent).status_code == 302
        story = browser.get(made.url).content.decode()
        assert "₩600,000" in story
        assert "국민 0908-2" in story
        assert "₩600,000" in browser.get(PAGES).content.decode()

    def test_asks_for_a_refund(self, browser, market):
        with tenancy.use(market.pk):
            paid_in(seller(), 300_000)
            row = AdPrepayment.objects.get()
        address = f"{PAGES}{row.pk}/decide/refund/"
        sent = {"amount": "300,001", "reason": "광고 종료"}
        assert "less than 300001" in browser.post(address, sent).content.decode()
        assert browser.post(address, sent | {"amount": "200,000"}).status_code == 302
        with tenancy.use(market.pk):
            assert Approval.objects.get().data == {"amount": 200_000, "reason": "광고 종료"}
            assert AdPrepayment.objects.get().balance == 300_000

    def test_tells_how_a_charge_is_paid_and_takes_it_back(self, browser, market):
        with tenancy.use(market.pk):
            paid_in(seller(), 80_000)
            charge = charged(seller())
        nights.close_day(market.pk, DUE, at=AT)
        page = f"/admin/settlements/adjustment/{charge.pk}/"
        told = browser.get(f"{page}change/").content.decode()
        assert "paid from the prepayment" in told
        assert "₩80,000" in told
        assert "₩30,000" in told
        sent = {"reason": "광고 미집행"}
        assert browser.post(f"{page}decide/take-back/", sent).status_code == 302
        again = browser.post(f"{page}decide/take-back/", sent).content.decode()
        assert "was asked to be taken back already" in again
        with tenancy.use(market.pk):
            row = Adjustment.objects.get(state="requested")
            assert (row.amount, row.charge_id, row.tax_kind) == (100_000, charge.pk, "taxable")

    def test_is_not_for_somebody_who_may_not_or_of_another_marketplace(self, browser, market):
        other = make.market("other", first_open_on=SEP_8)
        with tenancy.use(other.pk):
            foreign = make.seller("C")
            paid_in(foreign, 1_000, by=people.user("other@example.org"))
            row = AdPrepayment.objects.get()
        assert browser.get(f"{PAGES}{row.pk}/change/").status_code == 404
        assert browser.get(f"{PAGES}pay-in/{foreign.pk}/").status_code == 404
        with tenancy.use(market.pk):
            key = seller().pk
        onlooker = people.user("onlooker@example.org")
        people.membership(market, onlooker, "support")
        browser.force_login(onlooker)
        browser.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        assert browser.get(f"{PAGES}pay-in/{key}/").status_code == 403


class TestShop:
    def enter(self, client, market, code):
        user = people.user(f"{code.lower()}@shop.example.org")
        with tenancy.use(market.pk):
            SellerMember.objects.create(user=user, marketplace=market, seller=seller(code))
        client.force_login(user)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        return client.get(f"/s/{market.slug}/ad-prepayment/").content.decode()

    def test_shows_movements_and_what_a_charge_drew(self, client, market):
        with tenancy.use(market.pk):
            paid_in(seller(), 80_000)
            charge = charged(seller())
        nights.close_day(market.pk, DUE, at=AT)
        page = self.enter(client, market, "A")
        assert "국민 0908-1" in page
        assert "-₩80,000" in page
        address = f"/s/{market.slug}/adjustments/{charge.public_id}/"
        assert address in page
        told = client.get(address).content.decode()
        assert "From your advertising prepayment" in told
        assert "₩80,000" in told
        assert "₩30,000" in told
        with tenancy.use(market.pk):
            taken_back(charge)
        assert "This charge was taken back." in client.get(address).content.decode()

    def test_shows_another_seller_nothing_but_how_to_pay_in(self, client, market):
        with tenancy.use(market.pk):
            paid_in(seller(), 80_000)
        page = self.enter(client, market, "B")
        assert "Nothing paid in advance" in page
        assert "80,000" not in page

    def test_asks_the_database_as_often_for_many_movements(
        self, client, market, django_assert_max_num_queries
    ):
        with tenancy.use(market.pk):
            paid_in(seller(), 200_000)
            for _ in range(3):
                charged(seller(), 10_000)
        self.enter(client, market, "A")
        with django_assert_max_num_queries(20):
            client.get(f"/s/{market.slug}/ad-prepayment/")


class TestApi:
    def test_lists_movements_of_ones_own(self, market):
        with tenancy.use(market.pk):
            paid_in(seller(), 80_000)
            charge = charged(seller())
            sellers = {row.code: row.public_id for row in Seller.objects.all()}
            drawn = Adjustment.objects.get(reason_code="ad_prepaid")
        own = people.ApiClient(people.api_key(market, seller=sellers["A"]))
        newest, deposit = own.read("ad-prepayment-movements/").json()["data"]
        assert newest["amount"] == {"amount": -80_000, "currency": "KRW"}
        assert newest["balance"] == {"amount": 0, "currency": "KRW"}
        assert (newest["kind"], newest["charge"], newest["adjustment"]) == (
            "drawn",
            charge.public_id,
            drawn.public_id,
        )
        assert (deposit["kind"], deposit["evidence"], deposit["adjustment"]) == (
            "deposit",
            "국민 0908-1",
            None,
        )
        told = own.read(f"adjustments/{drawn.public_id}/").json()
        assert (told["charge"], told["reason_code"]) == (charge.public_id, "ad_prepaid")
        other = people.ApiClient(people.api_key(market, seller=sellers["B"]))
        assert other.read("ad-prepayment-movements/").json()["data"] == []
        shop = people.ApiClient(people.api_key(market))
        assert len(shop.read("ad-prepayment-movements/?kind=deposit").json()["data"]) == 1
