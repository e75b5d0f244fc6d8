"""The money pages of the seller centre: what they say, and to whom they do not exist."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from marketplace.models import User
from orders import claims, return_shipping
from sellers.models import SellerMember
from settlements import downloads, nights
from settlements.models import SettlementLine, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8, DUE = date(2026, 9, 8), date(2026, 9, 11)
STATEMENTS = "/s/jangteo/statements/"


@pytest.fixture
def client():
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def market():
    return make.market()


@pytest.fixture
def seller(market):
    """A shop with a sale of two units, of which one was refunded, on an open statement."""
    with tenancy.use(market.pk):
        seller = make.seller("A")
        line = make.sold(
            seller,
            number="A-1",
            title="순금 반지 <b>",
            unit_price=33_333,
            quantity=2,
            category="gold",
            seller_discount=666,
            platform_discount=1_000,
        )
        make.returned(line, left=1, on=SEP_8)
        _settle()
    return seller


def _settle(on=SEP_8):
    nights._open_months(on)
    nights.runs.settle(on=on, first_seller=0, end_seller=2**62)


def _member(seller, email="seller@example.org", role=SellerMember.Role.OWNER):
    user = User.objects.create_user(email)
    SellerMember.objects.create(
        marketplace_id=seller.marketplace_id, seller=seller, user=user, role=role
    )
    return user


def _text(response):
    return " ".join(response.content.decode().split())


def _addresses(market):
    """Every address of the shop's money pages."""
    with tenancy.use(market.pk):
        statement = Statement.objects.get()
        line = SettlementLine.objects.order_by("sequence").first()
        sold = make.OrderLine.objects.select_related("order").get(pk=line.order_line_id)
        own = f"{STATEMENTS}{statement.public_id}/"
        return [
            f"{own}lines/{sold.order.public_id}/{sold.number}/0/",
            f"{own}lines/{sold.order.public_id}/{sold.number}/1/",
            own,
        ]


class TestWhoMayEnter:
    def test_shows_owner_and_staff_their_own(self, client, market, seller):
        for role in SellerMember.Role.values:
            client.force_login(_member(seller, f"{role}@example.org", role))
            for address in [*_addresses(market), STATEMENTS, "/s/jangteo/fees/"]:
                assert client.get(address).status_code == 200, address

    def test_another_seller_of_the_marketplace_finds_nothing(self, client, market, seller):
        with tenancy.use(market.pk):
            other = make.seller("B")
        client.force_login(_member(other))
        for address in _addresses(market):
            assert client.get(address).status_code == 404, address
        assert "A-1" not in _text(client.get(STATEMENTS))

    def test_a_stranger_finds_nothing(self, client, market, seller):
        elsewhere = make.market("elsewhere")
        with tenancy.use(elsewhere.pk):
            stranger = make.seller("A")
        client.force_login(_member(stranger))
        for address in [*_addresses(market), STATEMENTS, "/s/jangteo/fees/"]:
            assert client.get(address).status_code == 404, address
            there = address.replace("/jangteo/", "/elsewhere/")
            expected = 200 if there.count("/") == 4 else 404
            assert client.get(there).status_code == expected, there

    def test_nobody_is_asked_to_log_in(self, client, market, seller):
        for address in [*_addresses(market), STATEMENTS, "/s/jangteo/fees/"]:
            response = client.get(address)
            assert response.status_code == 302
            assert response["Location"].startswith("/accounts/login/")

    def test_an_id_that_is_none_is_not_found(self, client, seller):
        client.force_login(_member(seller))
        ids = ["stm_x", "%00", f"ord_{'0' * 26}", f"stm_{'0' * 26}", "stm_" + "z" * 200]
        for public_id in ids:
            assert client.get(f"{STATEMENTS}{public_id}/").status_code == 404, public_id

    def test_a_line_that_is_none_is_not_found(self, client, market, seller):
        client.force_login(_member(seller))
        line = _addresses(market)[0].removesuffix("1/0/")
        for path in ("2/0/", "1/2/", "1/99999999999999999999/", "99999999999999999999/0/"):
            assert client.get(line + path).status_code == 404


class TestStatements:
    def test_lists_newest_first(self, client, market, seller):
        with tenancy.use(market.pk):
            make.sold(seller, number="A-2", confirmed_on=date(2026, 9, 9))
            _settle(date(2026, 9, 9))
        client.force_login(_member(seller))
        text = _text(client.get(STATEMENTS))
        assert text.index("2026-09-14") < text.index("2026-09-11")

    def test_filters_by_state(self, client, market, seller):
        client.force_login(_member(seller))
        assert "2026-09-11" in _text(client.get(STATEMENTS, {"state": "open"}))
        text = _text(client.get(STATEMENTS, {"state": "payable"}))
        assert "No statement in this state" in text
        assert "2026-09-11" in _text(client.get(STATEMENTS, {"state": "nonsense"}))

    def test_says_what_comes_first_when_there_is_none(self, client, market):
        with tenancy.use(market.pk):
            empty = make.seller("B")
        client.force_login(_member(empty))
        assert "No statement yet" in _text(client.get(STATEMENTS))

    def test_asks_the_same_of_few_and_many(self, client, market, seller):
        client.force_login(_member(seller))
        client.get(STATEMENTS)
        with CaptureQueriesContext(connection) as few:
            client.get(STATEMENTS)
        with tenancy.use(market.pk):
            Statement.objects.bulk_create(
                Statement(seller=seller, due_on=date(2020, 1, day % 28 + 1).replace(month=month))
                for month in range(1, 5)
                for day in range(20)
            )
        with CaptureQueriesContext(connection) as many:
            response = client.get(STATEMENTS)
        assert len(response.context["page"]) == 50
        assert len(many) == len(few) <= 12


class TestStatement:
    def test_adds_up(self, client, market, seller):
        nights.close_day(market.pk, DUE, at=make.AT)
        client.force_login(_member(seller))
        text = _text(client.get(_addresses(market)[2]))
        # 33,333 less 333; 3 % of 33,000 is 990, and 99.
        for figure in ("₩33,333", "₩333", "₩990", "₩99", "₩31,911"):
            assert f">{figure}<" in text
        assert "marketplace <span" in text  # whose discount is not taken from the seller
        assert "Its payout is being prepared." in text

    def test_shows_lines_with_their_text_escaped(self, client, market, seller):
        client.force_login(_member(seller))
        text = _text(client.get(_addresses(market)[2]))
        assert "순금 반지 &lt;b&gt;" in text
        assert text.count(">Why?<") == 2
        assert "(refund)" in text

    def test_asks_the_same_of_few_and_many_lines(self, client, market, seller):
        client.force_login(_member(seller))
        own = _addresses(market)[2]
        client.get(own)
        with CaptureQueriesContext(connection) as few:
            client.get(own)
        with tenancy.use(market.pk):
            for number in range(60):
                make.sold(seller, number=f"M-{number}", confirmed_on=SEP_8)
            _settle()
        with CaptureQueriesContext(connection) as many:
            response = client.get(own)
        assert len(response.context["page"]) == 50
        assert len(many) == len(few) <= 29
        older = client.get(own, {"before": response.context["page"].older})
        assert len(older.context["page"]) == 12


class TestLine:
    def test_can_be_computed_again_by_hand(self, client, market, seller):
        client.force_login(_member(seller))
        text = _text(client.get(_addresses(market)[0]))
        # 66,666 − 666 = 66,000; × 3 % = 1,980; × 10 % = 198; 63,822 remain.
        for told in (
            "₩33,333 × 2",
            "₩66,000 × 3% = ₩1,980",
            "₩1,980 × 10% = ₩198",
            "3% (VAT apart, 3.3% in all)",
            "₩63,822",
        ):
            assert told in text
        entries = client.get(_addresses(market)[0]).context["entries"]
        assert sum(entry.amount for entry in entries) == 63_822

    def test_of_a_reversal_says_what_it_takes_back(self, client, market, seller):
        client.force_login(_member(seller))
        response = client.get(_addresses(market)[1])
        text = _text(response)
        assert "A unit of this sale was cancelled or returned." in text
        assert "before: ₩66,000 × 3% = ₩1,980" in text
        assert "now: ₩33,000 × 3% = ₩990" in text
        assert [entry.amount for entry in response.context["entries"]] == [-33_333, 333, 990, 99]
        assert "-₩31,911" in text

    def test_names_the_benefit_of_the_grade(self, client, market):
        with tenancy.use(market.pk):
            seller = make.seller("A")
            make.graded(seller, "power")
            make.sold(seller, number="A-1", unit_price=10_001, category="gold")
            _settle()
        client.force_login(_member(seller))
        text = _text(client.get(_addresses(market)[0]))
        assert "₩10,001 × 2.8% = 280.028 → cut down to ₩280" in text
        assert "Benefit of your grade 파워:" in text
        assert "0.2%p off the rate" in text

    def test_pins_its_queries(self, client, market, seller):
        client.force_login(_member(seller))
        address = _addresses(market)[1]
        client.get(address)
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        assert len(asked) <= 24


class TestFees:
    def test_shows_rates_with_their_vat(self, client, market, seller):
        client.force_login(_member(seller))
        text = _text(client.get("/s/jangteo/fees/"))
        assert "12% (VAT apart, 13.2% in all)" in text
        assert "3.3% (VAT included)" in text
        assert "순금·골드바" in text

    def test_calculates(self, client, market, seller):
        client.force_login(_member(seller))
        given = {"unit_price": "100,000", "quantity": "2", "seller_discount": "10000"}
        response = client.get("/s/jangteo/fees/", given)
        text = _text(response)
        assert "₩190,000 × 12% = ₩22,800" in text
        assert response.context["estimate"].net == 190_000 - 22_800 - 2_280

    def test_names_the_field_that_is_wrong(self, client, market, seller):
        client.force_login(_member(seller))
        wrong = [
            ({"unit_price": "abc"}, "unit_price"),
            ({"unit_price": ""}, "unit_price"),
            ({"unit_price": "9" * 18}, "unit_price"),
            ({"quantity": "0"}, "quantity"),
            ({"seller_discount": "11"}, "seller_discount"),
            ({"category": "999999"}, "category"),
            ({"channel": "x"}, "channel"),
        ]
        for given, field in wrong:
            asked = {"unit_price": "10", "quantity": "1", **given}
            response = client.get("/s/jangteo/fees/", asked)
            assert response.status_code == 200
            assert list(response.context["form"].errors) == [field], given
            assert response.context["estimate"] is None


class TestReturnShipping:
    def test_is_a_line_that_says_who_paid_it(self, client, market):
        with tenancy.use(market.pk):
            seller = make.seller("A")
            line = make.sold(seller, number="A-1", unit_price=20_000)
            at = datetime(2026, 9, 8, 4, tzinfo=UTC)
            told = {"type": "return", "quantity": 1, "fault": "buyer", "by": None, "at": at}
            terms = return_shipping.Terms(3_000, 0, "deducted")
            claim = claims.request(line, shipping_terms=terms, **told)
            claims.approve(claim, by=None, at=at)
            claims.complete(claim, by=None, at=at)
            _settle()
            statement = Statement.objects.get()
            own = f"{STATEMENTS}{statement.public_id}/"
        client.force_login(_member(seller))
        assert "Return shipping" in _text(client.get(own))
        page = _text(client.get(f"{own}lines/{line.order.public_id}/2/0/"))
        assert "It was deducted from the refund" in page
        assert f"/s/jangteo/claims/{claim.public_id}/" in page
        assert "Return shipping paid by the buyer" in page
        assert "Claim completed on" in page
        with tenancy.use(market.pk):
            rows = list(downloads._lines(statement, [], int))
        assert [(row[1], row[3], row[8], row[12:]) for row in rows if row[1] == 2] == [
            (2, "Return shipping", 3_000, [99, 9, 0, 0, 2_901])
        ]
