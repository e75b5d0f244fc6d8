"""Adjustments as people and programs meet them: admin, seller pages, downloads, API."""

import csv
import io
from datetime import date

import pytest
from django.test import Client

from marketplace import tenancy
from marketplace.models import Approval, User
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from sellers.models import SellerMember
from settlements import adjusting, downloads, exports, nights
from settlements.models import Adjustment, MonthlyFee, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

ADJUSTMENTS = "/admin/settlements/adjustment/"
SEP_8 = date(2026, 9, 8)


@pytest.fixture
def market(db):
    return make.market("ours", first_open_on=SEP_8)


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        return make.seller("A")


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


@pytest.fixture
def settled(market, seller):
    """A service charge of 50,000 beside a sale of 10,000, on a statement."""
    with tenancy.use(market.pk):
        make.sold(seller, number="M-1", unit_price=10_000)
        row = adjusting.request(
            seller,
            amount=-50_000,
            tax_kind="taxable",
            reason_code="service",
            reason="사진 촬영",
            document="2026-17",
            basis_on=SEP_8,
            by=people.user("asker@example.org"),
            at=make.AT,
        )
        adjusting.approve(row, by=None, at=make.AT)
    nights.close_day(market.pk, SEP_8, at=make.AT)
    return row


def text(answer):
    return " ".join(answer.content.decode().split())


def shop(of) -> Client:
    user, _ = User.objects.get_or_create(email=f"{of.code}@example.org")
    SellerMember.objects.get_or_create(
        marketplace_id=of.marketplace_id, seller=of, user=user, role="owner"
    )
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


class TestAdmin:
    ASKED = {
        "direction": "charge",
        "size": "10,000",
        "tax_kind": "outside_scope",
        "reason_code": "penalty",
        "reason": "Shipped late",
        "document": "2026-3",
        "basis_on": "2026-11-22",
    }

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        monkeypatch.setattr(adjusting, "REACH", adjusting.timedelta(days=20_000))

    def test_asks_from_the_sellers_page_and_settles_once_approved(self, enter, market, seller):
        client = enter("finance")
        address = f"{ADJUSTMENTS}request/{seller.pk}/"
        assert address in text(client.get(f"/admin/sellers/seller/{seller.pk}/change/"))
        wrong = client.post(address, self.ASKED | {"size": "0"})
        assert "Write an amount above 0." in text(wrong)
        page = client.post(address, self.ASKED).url
        with tenancy.use(market.pk):
            row, approval = Adjustment.objects.get(), Approval.objects.get()
        assert (row.amount, row.state, row.document) == (-10_000, "requested", "2026-3")
        assert "Shipped late" in text(client.get(page))
        enter("owner").post(
            f"/admin/marketplace/approval/{approval.pk}/change/",
            {"decision": "approve", "reason": "yes"},
        )
        with tenancy.use(market.pk):
            row.refresh_from_db()
        assert (row.state, row.approved_by.email) == ("approved", "owner@example.org")

    def test_shows_it_with_its_line_and_on_its_statement(self, enter, settled):
        client = enter("viewer")
        page = text(client.get(f"{ADJUSTMENTS}{settled.pk}/change/"))
        assert "-₩55,000" in page
        with tenancy.use(settled.marketplace_id):
            statement = Statement.objects.get()
        page = text(client.get(f"/admin/settlements/statement/{statement.pk}/change/"))
        assert "Service charge: 사진 촬영" in page
        assert client.get("/admin/settlements/settlementline/").status_code == 200

    @pytest.mark.parametrize("role", ["reviewer", "support", "viewer"])
    def test_lets_others_only_look(self, enter, market, seller, role):
        client = enter(role)
        answer = client.post(f"{ADJUSTMENTS}request/{seller.pk}/", self.ASKED)
        assert answer.status_code == 403
        with tenancy.use(market.pk):
            assert not Adjustment.objects.exists()

    def test_shows_strangers_nothing(self, enter, settled, seller):
        client = enter("owner", make.market("theirs"))
        assert client.post(f"{ADJUSTMENTS}request/{seller.pk}/", self.ASKED).status_code == 404
        assert client.get(f"{ADJUSTMENTS}{settled.pk}/change/").status_code == 404
        assert settled.public_id not in text(client.get(ADJUSTMENTS))

    def test_drafts_a_monthly_fee_and_its_next_version(self, enter, market):
        client = enter("finance")
        draft = "/admin/settlements/monthlyfee/draft/"
        assert client.get(draft).status_code == 200
        with tenancy.use(market.pk):
            assert not MonthlyFee.objects.exists()
        page = client.post(draft).url
        values = {"valid_from": "2026-10-01", "threshold": "1,000,000", "amount": "50,000"}
        assert client.post(page, values | {"tax_kind": "taxable"}).status_code == 302
        with tenancy.use(market.pk):
            made = MonthlyFee.objects.get()
        assert (made.threshold, made.amount, made.state) == (1_000_000, 50_000, "draft")


class TestSellerPages:
    def test_tell_why(self, settled, seller, market):
        client = shop(seller)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
        page = text(client.get(f"/s/ours/statements/{statement.public_id}/"))
        assert "사진 촬영" in page
        assert "-₩55,000" in page
        listed = text(client.get("/s/ours/adjustments/"))
        assert "사진 촬영" in listed
        told = text(client.get(f"/s/ours/adjustments/{settled.public_id}/"))
        for expected in ("-₩50,000", "-₩5,000", "-₩55,000", "2026-17", "2026-09-11"):
            assert expected in told

    def test_tell_another_seller_nothing(self, settled, market):
        with tenancy.use(market.pk):
            other = make.seller("B")
        client = shop(other)
        assert client.get(f"/s/ours/adjustments/{settled.public_id}/").status_code == 404
        assert "사진 촬영" not in text(client.get("/s/ours/adjustments/"))

    def test_tell_nothing_of_what_nobody_approved(self, market, seller):
        with tenancy.use(market.pk):
            row = adjusting.request(
                seller,
                amount=-1,
                tax_kind="exempt",
                reason_code="penalty",
                reason="not yet",
                basis_on=SEP_8,
                by=people.user("asker@example.org"),
                at=make.AT,
            )
        client = shop(seller)
        assert client.get(f"/s/ours/adjustments/{row.public_id}/").status_code == 404
        of_seller = ApiClient(api_key(market, seller=seller.public_id))
        assert of_seller.read("adjustments/").json()["data"] == []
        assert of_seller.read(f"adjustments/{row.public_id}/").status_code == 404


class TestFiles:
    def test_hold_it_and_add_up(self, settled, market):
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            file = downloads.lines(statement, market)
            net, rows = list(file.columns).index("Net"), list(file.rows)
            assert [row[0] for row in rows] == ["M-1", settled.public_id]
            assert sum(row[net] for row in rows) == statement.net
            out = io.StringIO()
            assert exports.write("settlement_lines", out) == 2
        told = {row["kind"]: row for row in csv.DictReader(io.StringIO(out.getvalue()))}
        assert told["adjustment"]["net"] == "-55000"
        assert told["adjustment"]["charges"] == "adjustment#- base=50000 fee=50000 vat=5000"
        assert sum(int(row["net"]) for row in told.values()) == statement.net


class TestApi:
    def test_tells_the_adjustment_and_its_line(self, settled, market, seller):
        client = ApiClient(api_key(market, seller=seller.public_id))
        [told] = client.read("adjustments/").json()["data"]
        assert (told["id"], told["state"]) == (settled.public_id, "settled")
        assert told["amount"] == {"amount": -50_000, "currency": "KRW"}
        lines = client.read(f"statements/{told['statement']}/lines/").json()["data"]
        [line] = [line for line in lines if line["kind"] == "adjustment"]
        assert (line["id"], line["order"], line["line_number"]) == (settled.public_id, "", 0)
        assert line["net"] == {"amount": -55_000, "currency": "KRW"}
        assert client.read(f"adjustments/{settled.public_id}/").json()["document"] == "2026-17"

    def test_tells_strangers_nothing(self, settled, market):
        with tenancy.use(market.pk):
            other = make.seller("B")
        of_other = ApiClient(api_key(market, seller=other.public_id))
        theirs = ApiClient(api_key(make.market("theirs")))
        for client in (of_other, theirs):
            assert client.read("adjustments/").json()["data"] == []
            assert client.read(f"adjustments/{settled.public_id}/").status_code == 404
