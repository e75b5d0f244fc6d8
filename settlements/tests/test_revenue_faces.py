"""Revenue reports as people and programs meet them: API, file import, admin, seller pages."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from marketplace import tenancy
from marketplace.models import AuditEntry, User
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from orders.models import Referral
from sellers.models import SellerMember
from settlements import nights, revenue_reporting
from settlements.models import Adjustment, Hold, PayeeInvoice, RevenueReport
from settlements.revenue_reporting import NewReport
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
AT = datetime(2026, 9, 8, 3, tzinfo=UTC)
REPORTS = "/admin/settlements/revenuereport/"


@pytest.fixture
def market(db):
    return make.market("ours", preset="app-in-app", first_open_on=SEP_8)


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        return make.seller("A")


@pytest.fixture
def enter(client, market):
    def enter(role="finance", into=market):
        user = people.user(f"{role}-{into.slug}@example.org")
        people.membership(into, user, role)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": into.slug})
        return client

    return enter


@pytest.fixture
def settled(market, seller):
    """Advertising of 100,000 of which 15 % is kept, settled."""
    rule = {"component": "ad_share", "stream": "ads", "base": "amount", "rate_ppm": 150_000}
    with tenancy.use(market.pk):
        make.contract(seller, valid_from=SEP_8, rules=[rule], at=AT)
        said = {"seller_code": "A", "stream": "ads", "app": "game-1", "on": SEP_8}
        new = NewReport(**said, amount=100_000, version=1, is_final=True)
        revenue_reporting.accept_many([new], source="api", at=AT)
    nights.close_day(market.pk, SEP_8, at=AT)
    with tenancy.use(market.pk):
        return RevenueReport.objects.get()


def said(**fields):
    usual = {"seller_code": "A", "stream": "ads", "on": "2026-09-08", "version": 1}
    amount = {"amount": 100_000, "currency": "KRW"}
    return {**usual, "amount": amount, "state": "final", **fields}


def shop(of) -> Client:
    user, _ = User.objects.get_or_create(email=f"{of.code}@example.org")
    SellerMember.objects.get_or_create(
        marketplace_id=of.marketplace_id, seller=of, user=user, role="owner"
    )
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def text(answer):
    return " ".join(answer.content.decode().split())


class TestApi:
    def test_takes_a_batch_item_by_item(self, market, seller):
        api = ApiClient(api_key(market))
        reports = [
            said(),
            said(seller_code="X"),
            said(amount={"amount": 1.5, "currency": "KRW"}),
            said(on="2026-09-40"),
            said(extra=1),
        ]
        answer = api.call("post", "revenue-reports/batch/", {"reports": reports})
        assert answer.status_code == 200
        given = answer.json()["data"]
        assert [(row["result"], row["code"]) for row in given] == [
            ("accepted", ""),
            ("refused", "revenue_seller_unknown"),
            ("refused", "invalid"),
            ("refused", "invalid"),
            ("refused", "invalid"),
        ]
        pointers = [[error["pointer"] for error in row["errors"]] for row in given]
        assert pointers == [[], ["/seller_code"], ["/amount/amount"], ["/on"], ["/extra"]]
        again = api.call("post", "revenue-reports/batch/", {"reports": [said()]}).json()
        assert again["data"][0]["result"] == "repeated"
        [row] = api.read("revenue-reports/").json()["data"]
        assert (row["id"], row["state"], row["amount"]["amount"]) == (
            given[0]["id"],
            "final",
            100_000,
        )

    def test_shows_a_seller_its_own_and_takes_nothing_of_it(self, market, seller, settled):
        with tenancy.use(market.pk):
            other = make.seller("B")
        own = ApiClient(api_key(market, seller=seller.public_id))
        row = own.read(f"revenue-reports/{settled.public_id}/").json()
        assert (row["state"], row["share"]) == (
            "settled",
            {"amount": 85_000, "currency": "KRW"},
        )
        refused = own.call("post", "revenue-reports/batch/", {"reports": [said(version=2)]})
        assert refused.json()["code"] == "not_for_sellers"
        theirs = ApiClient(api_key(market, seller=other.public_id))
        assert theirs.read("revenue-reports/").json()["data"] == []
        assert theirs.read(f"revenue-reports/{settled.public_id}/").status_code == 404

    def test_finds_by_state_stream_and_day(self, market, seller, settled):
        api = ApiClient(api_key(market))
        for query, count in (
            ("state=settled&stream=ads", 1),
            ("state=final", 0),
            ("stream=iap", 0),
            ("on_since=2026-09-08&on_until=2026-09-09", 1),
            ("on_since=2026-09-09", 0),
        ):
            assert len(api.read(f"revenue-reports/?{query}").json()["data"]) == count, query


def upload(client, content, name="reports.csv"):
    file = SimpleUploadedFile(name, content.encode("utf-8-sig"), content_type="text/csv")
    return client.post(f"{REPORTS}import/", {"file": file})


class TestImport:
    HEAD = "seller,stream,app,on,amount,version,state\n"

    def test_takes_rows_in_and_reports_the_others(self, market, seller, enter):
        client = enter()
        rows = 'A,ads,game-1,2026-09-08,"100,000",1,final\nX,ads,,2026-09-08,1,1,final\n'
        rows += "A,ads,,2026-09-08,1.5,1,final\nA,ads,,2026-09-08,7,1,provisional\n"
        page = text(upload(client, self.HEAD + rows))
        assert "2 rows accepted, 0 known already, 2 refused." in page
        assert "There is no seller with the code “X”." in page
        assert "“1.5” is not usable. Write it as in 1,234,500." in page
        assert "2 rows accepted, 2 known" not in page
        assert "0 rows accepted, 2 known already, 2 refused." in text(
            upload(client, self.HEAD + rows)
        )
        with tenancy.use(market.pk):
            assert RevenueReport.objects.count() == 2
            entry = AuditEntry.objects.filter(action="revenue.imported").first()
            assert entry.data == {"accepted": 2, "repeated": 0, "refused": 2}

    def test_refuses_a_file_that_is_none_of_it(self, market, enter):
        page = text(upload(enter(), "a,b\n1,2\n"))
        assert "The first row must name the columns" in page

    def test_is_not_for_viewers(self, market, enter):
        assert enter("viewer").get(f"{REPORTS}import/").status_code in (302, 403)


class TestAdmin:
    def test_lists_reports_and_tells_the_story_of_one(self, market, settled, enter):
        client = enter()
        assert "game-1" in text(client.get(REPORTS))
        page = text(client.get(f"{REPORTS}{settled.pk}/change/"))
        assert "₩100,000 × 15% = ₩15,000" in page
        assert "₩85,000" in page
        with tenancy.use(market.pk):
            assert Adjustment.objects.get().public_id in page

    def test_is_unknown_to_another_marketplace(self, settled, enter):
        other = make.market("theirs", preset="app-in-app", first_open_on=SEP_8)
        client = enter(into=other)
        assert "game-1" not in text(client.get(REPORTS))
        assert client.get(f"{REPORTS}{settled.pk}/change/").status_code in (302, 404)


class TestShop:
    def test_shows_days_and_how_the_share_comes_about(self, market, seller, settled):
        client = shop(seller)
        page = text(client.get("/s/ours/revenue/"))
        assert "2026-09-08" in page
        assert "₩85,000" in page
        page = text(client.get(f"/s/ours/revenue/{settled.public_id}/"))
        assert "₩100,000 × 15% = ₩15,000" in page
        with tenancy.use(market.pk):
            made = Adjustment.objects.get()
        assert f"/s/ours/adjustments/{made.public_id}/" in page
        page = text(client.get(f"/s/ours/adjustments/{made.public_id}/"))
        assert f"/s/ours/revenue/{settled.public_id}/" in page
        assert "₩93,500" in page

    def test_shows_nothing_to_another_seller(self, market, settled):
        with tenancy.use(market.pk):
            other = make.seller("B")
        client = shop(other)
        assert "No daily revenue" in text(client.get("/s/ours/revenue/"))
        assert client.get(f"/s/ours/revenue/{settled.public_id}/").status_code == 404


class TestInvoice:
    def test_is_recorded_on_the_page_of_the_hold(self, market, seller, settled, enter):
        with tenancy.use(market.pk):
            hold = Hold.objects.get()
        client = enter()
        address = f"/admin/settlements/hold/{hold.pk}"
        page = text(client.get(f"{address}/change/"))
        assert "What was supplied in 2026-09" in page
        assert "₩85,000" in page
        said = {"number": "2026-1", "issued_on": "2026-09-08", "supply": "85,001", "vat": "8,500"}
        refused = client.post(f"{address}/decide/invoice/", said)
        assert "no invoice covers 85,000 and VAT of 8,500" in text(refused)
        client.post(f"{address}/decide/invoice/", {**said, "supply": "85,000"})
        with tenancy.use(market.pk):
            assert Hold.objects.get().state == "released"
            assert PayeeInvoice.objects.get().number == "2026-1"
        assert "2026-1" in text(client.get("/admin/settlements/payeeinvoice/"))

    def test_is_asked_of_the_seller(self, market, seller, settled):
        client = shop(seller)
        page = text(client.get("/s/ours/revenue/"))
        assert "Invoices that are missing" in page
        assert "2026-09:" in page
        assert "₩8,500" in page
        assert "Issue the tax invoice for this amount." in text(client.get("/s/ours/holds/"))


@pytest.fixture
def brought(db):
    """A sale of 1,000,000 of A that H hosted, with a tenth given back, and all of it settled."""
    market = make.market("shows", preset="live-commerce", first_open_on=SEP_8)
    with tenancy.use(market.pk):
        own, hosting = make.seller("A"), make.seller("H", seller_type="individual")
        about = {"number": "LIVE-1", "title": "보온병", "brought_by": hosting}
        line = make.sold(own, unit_price=100_000, quantity=10, **about)
    nights.close_day(market.pk, SEP_8, at=AT)
    with tenancy.use(market.pk):
        make.returned(line, left=9, on=date(2026, 9, 9))
    nights.close_day(market.pk, date(2026, 9, 9), at=AT)
    with tenancy.use(market.pk):
        return SimpleNamespace(
            market=market,
            own=own,
            host=hosting,
            order=line.order,
            report=RevenueReport.objects.get(),
        )


class TestFromOrders:
    def test_is_listed_by_the_api_with_the_orders_behind_it(self, brought):
        api = ApiClient(api_key(brought.market))
        [row] = api.read("revenue-reports/?source=orders").json()["data"]
        assert (row["source"], row["state"], row["amount"]["amount"]) == (
            "orders",
            "settled",
            900_000,
        )
        assert api.read("revenue-reports/?source=reported").json()["data"] == []
        lines = f"revenue-reports/{row['id']}/lines/"
        told = api.read(lines).json()["data"]
        assert [(line["sequence"], line["amount"]["amount"]) for line in told] == [
            (1, -100_000),
            (0, 1_000_000),
        ]
        assert (told[0]["order_number"], told[0]["line_number"], told[0]["title"]) == (
            "LIVE-1",
            1,
            "보온병",
        )
        assert len(api.read(f"{lines}?basis_on_since=2026-09-09").json()["data"]) == 1
        first = api.read(f"{lines}?limit=1").json()
        assert len(first["data"]) == 1
        assert first["next"]

    def test_is_its_hosts_alone(self, brought):
        lines = f"revenue-reports/{brought.report.public_id}/lines/"
        with tenancy.use(brought.market.pk):
            keys = [
                api_key(brought.market, seller=row.public_id) for row in (brought.host, brought.own)
            ]
        hosting, own = (ApiClient(key) for key in keys)
        assert len(hosting.read(lines).json()["data"]) == 2
        assert own.read(lines).status_code == 404
        # Nor does the host see the order, or its seller who brought it.
        assert hosting.read("orders/").json()["data"] == []
        assert own.read("orders/").json()["data"][0]["lines"][0]["referral"] is None
        stranger = make.market("theirs", preset="live-commerce", first_open_on=SEP_8)
        assert ApiClient(api_key(stranger)).read(lines).status_code == 404

    def test_is_told_by_the_order(self, brought):
        api = ApiClient(api_key(brought.market))
        [order] = api.read("orders/").json()["data"]
        assert order["lines"][0]["referral"] == {
            "seller": brought.host.public_id,
            "seller_code": "H",
            "stream": "host",
        }

    def test_is_sent_with_the_order(self, brought):
        api = ApiClient(api_key(brought.market))
        won = {"amount": 1_000, "currency": "KRW"}
        line = {"number": 1, "seller_code": "A", "unit_price": won, "quantity": 1}

        def sent(number, referral):
            order = {"number": number, "placed_at": "2026-09-08T00:00:00Z"}
            lines = [{**line, "referral": referral}]
            payments = [{"sequence": 1, "kind": "card", "amount": won}]
            return api.call("post", "orders/", {**order, "lines": lines, "payments": payments})

        assert sent("N1", {"seller_code": "H", "stream": "host"}).status_code == 201
        with tenancy.use(brought.market.pk):
            kept = Referral.objects.get(line__order__number="N1")
            assert (kept.seller_id, kept.stream) == (brought.host.pk, "host")
        for referral, code, pointer in (
            ({"seller_code": "X", "stream": "host"}, "unknown_referrer", "seller_code"),
            ({"seller_code": "A", "stream": "host"}, "own_referral", "seller_code"),
            ({"seller_code": "H", "stream": "affiliate"}, "referral_not_charged", "stream"),
        ):
            refused = sent(f"N-{code}", referral)
            assert (refused.status_code, refused.json()["code"]) == (422, code)
            assert refused.json()["errors"][0]["pointer"] == f"/lines/0/referral/{pointer}"
        wrong = sent("N2", {"seller_code": "H", "stream": "goods"})
        assert wrong.status_code == 400
        assert wrong.json()["errors"][0]["pointer"] == "/lines/0/referral/stream"

    def test_shows_operators_the_orders_and_who_brought_them(self, brought, enter):
        client = enter(into=brought.market)
        page = text(client.get(f"{REPORTS}{brought.report.pk}/change/"))
        assert f"/admin/orders/order/{brought.order.pk}/change/" in page
        assert "₩-100,000" in page or "-₩100,000" in page
        assert "Reversal" in page
        assert "From orders" in text(client.get(f"{REPORTS}?source__exact=orders"))
        order = text(client.get(f"/admin/orders/order/{brought.order.pk}/change/"))
        assert f"/admin/sellers/seller/{brought.host.pk}/change/" in order
        assert "sales brought by a host" in order
        assert f"{REPORTS}{brought.report.pk}/change/" in order

    def test_shows_the_host_no_more_than_number_title_and_amount(self, brought):
        client = shop(brought.host)
        page = text(client.get(f"/s/shows/revenue/{brought.report.public_id}/"))
        for told in ("LIVE-1 / 1", "보온병", "₩1,000,000", "Reversal", "₩90,000"):
            assert told in page
        for hidden in (brought.order.public_id, brought.own.code + "<", brought.own.name):
            assert hidden not in page
        assert client.get(f"/s/shows/orders/{brought.order.public_id}/").status_code == 404
        address = f"/s/shows/revenue/{brought.report.public_id}/"
        assert shop(brought.own).get(address).status_code == 404
