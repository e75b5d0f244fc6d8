"""Sales that the marketplace issues, as sellers, operators and programs meet them."""

import copy
from datetime import date

import pytest
from django.test import Client

from marketplace import approvals, tenancy
from marketplace.models import User
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from sellers.models import SellerMember
from settlements import nights
from settlements.models import SellerContract, SettlementLine, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

OPEN = date(2026, 9, 8)
PLATFORM = SellerContract.Issuer.PLATFORM
CONTRACTS = "/admin/settlements/sellercontract/"


@pytest.fixture(scope="module")
def settled(rows_of_module):
    """A seller whose sales the marketplace issues, with one of them settled."""
    market = make.market("ours", first_open_on=OPEN)
    with tenancy.use(market.pk):
        seller = make.seller("A")
        make.contract(seller, sale_issuer=PLATFORM)
        make.sold(seller, unit_price=11_000, paid_on=OPEN)
    nights.close_day(market.pk, date(2026, 9, 20), at=make.AT)
    return market, seller


@pytest.fixture
def market(db, settled):
    return copy.copy(settled[0])


@pytest.fixture
def seller(db, settled):
    return copy.copy(settled[1])


def text(answer):
    return " ".join(answer.content.decode().split())


def entered(user, language="en"):
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def shop(seller, language="en"):
    """The seller centre as one seller's owner sees it."""
    user, _ = User.objects.get_or_create(email=f"{seller.code}@example.org")
    SellerMember.objects.get_or_create(
        marketplace_id=seller.marketplace_id, seller=seller, user=user, role="owner"
    )
    return entered(user, language)


def desk(market, role="finance"):
    user = people.user(f"{role}@example.org")
    people.membership(market, user, role)
    client = entered(user)
    client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
    return client


def of_line(market):
    with tenancy.use(market.pk):
        line, statement = SettlementLine.objects.get(), Statement.objects.get()
        return line, statement, make.OrderLine.objects.get().order.public_id


class TestSellerPages:
    def test_tell_the_statement_and_the_line(self, market, seller):
        _, statement, order = of_line(market)
        client = shop(seller)
        page = text(client.get(f"/s/ours/statements/{statement.public_id}/"))
        amount = '<td class="number"><span class="money">₩1,000</span></td>'
        assert f'<th scope="row">− VAT of the sale</th>{amount}' in page
        assert "It is no fee and bears no VAT itself." in page
        line = text(client.get(f"/s/ours/statements/{statement.public_id}/lines/{order}/1/0/"))
        assert "₩11,000 × 10% ÷ 110% = ₩1,000" in line
        assert "your contract version 1 (in force since 2026-09-01): the marketplace issues" in line
        assert "₩8,548" in line

    def test_tell_it_in_korean(self, market, seller):
        _, statement, order = of_line(market)
        page = shop(seller, "ko").get(
            f"/s/ours/statements/{statement.public_id}/lines/{order}/1/0/"
        )
        assert "매출 부가세" in text(page)
        assert "구매자 결제 금액에 포함된 부가세를 차감합니다." in text(page)

    def test_keep_it_from_the_other_seller(self, market, seller):
        _, statement, order = of_line(market)
        with tenancy.use(market.pk):
            other = make.seller("B")
        client = shop(other)
        assert client.get(f"/s/ours/statements/{statement.public_id}/").status_code == 404
        assert (
            client.get(f"/s/ours/statements/{statement.public_id}/lines/{order}/1/0/").status_code
            == 404
        )
        assert "VAT of the item" not in text(client.get("/s/ours/fees/"))

    def test_estimate_by_what_the_item_is(self, market, seller):
        client = shop(seller)
        item = {"unit_price": "11,000", "quantity": "1"}
        page = client.get("/s/ours/fees/", item)
        assert "VAT of the item" in text(page)
        assert "the marketplace; the VAT in what buyers pay is taken off" in text(page)
        assert page.context["estimate"].net == 8_548
        exempt = client.get("/s/ours/fees/", {**item, "tax_kind": "exempt"})
        assert exempt.context["estimate"].net == 9_548
        supposed = client.get("/s/ours/simulator/", {**item, "tax_kind": "exempt"})
        assert supposed.context["estimate"].net == 9_548

    def test_tell_such_sales_apart_for_the_vat_return(self, market, seller):
        client = shop(seller)
        page = text(client.get("/s/ours/tax/vat/?month=2026-09"))
        assert "Issued by the marketplace, so no sales of yours to declare here:" in page
        assert "₩11,000" in page
        file = client.get("/s/ours/tax/vat/?month=2026-09&file=csv").content.decode("utf-8-sig")
        assert file.count("Issued by the marketplace: not your sales,,1000,,11000") == 2


class TestAdmin:
    def test_shows_the_line_by_hand(self, market, seller):
        line, _, _ = of_line(market)
        page = text(
            desk(market).get(f"/admin/settlements/settlementline/{line.basis_on}.{line.pk}/change/")
        )
        assert "VAT of the sale, which the marketplace owes" in page
        assert "paid by the buyer 11,000 × 10 % ÷ 110 % = 1,000" in page
        assert "/admin/settlements/feerule/0/change/" not in page

    def test_agrees_on_who_issues_with_two_people(self):
        market = make.market("unsettled", first_open_on=OPEN)
        with tenancy.use(market.pk):
            seller = make.seller("A")
            draft = make.drafted_contract(seller, valid_from=date(2026, 12, 1))
        client = desk(market)
        address = f"{CONTRACTS}{draft.pk}/change/"
        form = client.get(address).context["adminform"].form
        with tenancy.use(market.pk):
            values = {name: form[name].value() or "" for name in form.fields}
        assert values["sale_issuer"] == "seller"
        assert client.post(address, values | {"sale_issuer": "platform"}).status_code == 302
        assert "the marketplace; the VAT in what buyers pay is taken off" in text(
            client.get(f"{CONTRACTS}{draft.pk}/compare/")
        )
        with tenancy.use(market.pk):
            draft = SellerContract.objects.get()
            assert (draft.sale_issuer, draft.state) == ("platform", "draft")
            one, other = people.user("one@example.org"), people.user("other@example.org")
            for user in (one, other):
                people.membership(market, user, "finance")
            asked = approvals.ask("publish_contract", draft, by=one, at=make.AT, reason="마켓 발행")
            approvals.approve(asked, by=other, at=make.AT)
            assert SellerContract.objects.get().state == "published"


class TestApi:
    def test_tells_line_statement_and_contract(self, market, seller):
        _, statement, order = of_line(market)
        client = ApiClient(api_key(market, seller=seller.public_id))
        line = client.read(f"settlement-lines/{order}-1-0/").json()
        amount = {"amount": 1_000, "currency": "KRW"}
        assert (line["sale_vat"], line["fee"]["amount"], line["net"]["amount"]) == (
            amount,
            1_320,
            8_548,
        )
        last = line["components"][-1]
        assert (last["component"], last["fee"], last["contract_version"]) == (
            "sale_vat",
            amount,
            1,
        )
        told = client.read(f"statements/{statement.public_id}/").json()
        assert (told["sale_vat"], told["fee"]["amount"]) == (amount, 1_320)
        contract = client.read(f"sellers/{seller.public_id}/contract/").json()
        assert contract["in_force"]["sale_issuer"] == "platform"

    @pytest.mark.parametrize(("tax_kind", "net"), [("taxable", 8_548), ("exempt", 9_548)])
    def test_estimates_by_what_the_item_is(self, market, seller, tax_kind, net):
        client = ApiClient(api_key(market, seller=seller.public_id))
        item = {"unit_price": {"amount": 11_000, "currency": "KRW"}, "tax_kind": tax_kind}
        [told] = client.send("fees/estimate/", {"items": [item]}).json()["data"]
        assert told["net"]["amount"] == net

    def test_tells_strangers_nothing(self, market, seller):
        _, statement, order = of_line(market)
        with tenancy.use(market.pk):
            other = make.seller("B")
        for key in (api_key(market, seller=other.public_id), api_key(make.market("theirs"))):
            client = ApiClient(key)
            assert client.read(f"settlement-lines/{order}-1-0/").status_code == 404
            assert client.read(f"statements/{statement.public_id}/").status_code == 404
