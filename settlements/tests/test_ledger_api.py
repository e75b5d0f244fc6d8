"""The ledger over HTTP: what stands where, since when, and by which journal; for no seller."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from settlements import chart, day_closing, ledger, periods, reconciling
from settlements.models import DayClose, Discrepancy
from settlements.tests import make

pytestmark = pytest.mark.django_db

AUG_5, AUG_31, SEP_2 = date(2026, 8, 5), date(2026, 8, 31), date(2026, 9, 2)


class Cast:
    """100 owed to one seller and 30 to another in August, 7 paid out in September."""

    def __init__(self, slug="jangteo"):
        self.market = make.market(slug, first_open_on=AUG_5)
        with tenancy.use(self.market.pk):
            self.own, self.other = make.seller("own"), make.seller("other")
            self.post(AUG_5, "J1", 100, chart.CLEARING, chart.SELLER_PAYABLE, self.own)
            self.post(AUG_31, "J2", 30, chart.CLEARING, chart.SELLER_PAYABLE, self.other)
            self.post(SEP_2, "J3", 7, chart.SELLER_PAYABLE, chart.BANK, self.own)
        self.shop = ApiClient(api_key(self.market, "ledger:read"))

    def post(self, on, reference, amount, debit, credit, seller):
        ledger.open_month(on)
        draft = ledger.Draft("test", reference, on, seller.pk)
        draft.debit(debit, amount)
        draft.credit(credit, amount)
        ledger.post([draft])

    def read(self, path, **headers):
        answer = self.shop.read(path, **headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def balances(self, query=""):
        rows = self.read(f"accounts/?limit=200{query}")["data"]
        return {row["code"]: row["balance"]["amount"] for row in rows if row["balance"]["amount"]}


def won(amount):
    return {"amount": amount, "currency": "KRW"}


@pytest.fixture
def cast(db):
    return Cast()


class TestAccounts:
    def test_balance_at_the_end_of_any_day(self, cast):
        owed = chart.SELLER_PAYABLE
        assert cast.balances("&on=2026-08-04") == {}
        assert cast.balances("&on=2026-08-05") == {"clearing": 100, owed: -100}
        assert cast.balances("&on=2026-08-31") == {"clearing": 130, owed: -130}
        assert cast.balances("&on=2026-09-02") == {"clearing": 130, owed: -123, "bank": -7}
        assert cast.balances() == cast.balances("&on=2026-09-02")

    @pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
    def test_have_no_first_and_no_last_day(self, cast, day):
        assert cast.balances(f"&on={day}") in ({}, cast.balances())

    def test_are_the_same_once_the_month_is_closed(self, cast):
        days = [AUG_5, AUG_31, SEP_2]
        queries = [f"&on={day}{seller}" for day in days for seller in ("", self.of(cast.own))]
        before = [cast.balances(query) for query in queries]
        with tenancy.use(cast.market.pk):
            Marketplace.objects.update(last_closed_on=AUG_31)
            periods.close(date(2026, 8, 1), by=None, at=make.AT)
        assert [cast.balances(query) for query in queries] == before
        assert before[1] == {chart.SELLER_PAYABLE: -100}

    def test_of_one_seller_are_what_is_kept_per_seller(self, cast):
        assert cast.balances(f"&on=2026-09-02{self.of(cast.own)}") == {chart.SELLER_PAYABLE: -93}
        assert cast.balances(f"&on=2026-09-02{self.of(cast.other)}") == {chart.SELLER_PAYABLE: -30}

    def test_one_says_what_it_is(self, cast):
        told = cast.read("accounts/bank/")
        assert (told["kind"], told["normal_side"], told["name"]) == ("asset", "debit", "보통예금")
        assert (told["debit"], told["credit"]) == (won(0), won(7))

    def test_a_card_lists_what_was_posted(self, cast):
        told = cast.read(f"accounts/{chart.SELLER_PAYABLE}/entries/")["data"]
        assert [row["journal"] for row in told] == ["test:J3", "test:J2", "test:J1"]
        assert told[0] == {
            "journal": "test:J3",
            "basis_on": "2026-09-02",
            "occurred_on": None,
            "seller": cast.own.public_id,
            "debit": won(7),
            "credit": won(0),
        }
        path = f"accounts/{chart.SELLER_PAYABLE}/entries/?seller={cast.own.public_id}"
        assert [row["journal"] for row in cast.read(path)["data"]] == ["test:J3", "test:J1"]
        august = f"{path}&basis_on_since=2026-08-01&basis_on_until=2026-09-01"
        assert [row["journal"] for row in cast.read(august)["data"]] == ["test:J1"]

    def test_a_card_asks_as_often_however_long_it_is(self, cast, django_assert_max_num_queries):
        path = f"accounts/{chart.SELLER_PAYABLE}/entries/"
        with CaptureQueriesContext(connection) as few:
            cast.read(path)
        with tenancy.use(cast.market.pk):
            for number in range(20):
                seller = make.seller(f"S{number}")
                cast.post(SEP_2, f"M{number}", 1, chart.CLEARING, chart.SELLER_PAYABLE, seller)
        with django_assert_max_num_queries(len(few)):
            assert len(cast.read(path)["data"]) == 23

    def of(self, seller):
        return f"&seller={seller.public_id}"


class TestJournals:
    def test_show_their_legs(self, cast):
        first = cast.read("journals/")["data"][0]
        assert (
            first
            == cast.read("journals/test:J3/")
            == {
                "id": "test:J3",
                "template": "test",
                "reference": "J3",
                "basis_on": "2026-09-02",
                "occurred_on": None,
                "reverses": None,
                "legs": [
                    {
                        "account": "seller_payable",
                        "seller": cast.own.public_id,
                        "debit": won(7),
                        "credit": won(0),
                    },
                    {"account": "bank", "seller": None, "debit": won(0), "credit": won(7)},
                ],
            }
        )

    def test_are_found_by_what_they_refer_to(self, cast):
        def found(query):
            return [row["id"] for row in cast.read(f"journals/?{query}")["data"]]

        assert found("reference=J1") == ["test:J1"]
        assert found("template=statement") == []
        assert found("basis_on_since=2026-08-31") == ["test:J3", "test:J2"]


class TestDays:
    @pytest.fixture
    def signed(self, cast):
        with tenancy.use(cast.market.pk):
            Marketplace.objects.update(last_closed_on=SEP_2)
            day_closing.begin(SEP_2)
            row = DayClose.objects.get()
            one, other = people.user("a@example.com"), people.user("b@example.com")
            day_closing.sign_first(row, by=one, at=make.AT, remark="입금 확인")
            day_closing.sign(row, by=other, at=make.AT + timedelta(hours=1))
        return cast

    def test_show_the_sheet_that_was_signed(self, signed):
        [listed] = signed.read("days/?state=signed")["data"]
        told = signed.read("days/2026-09-02/")
        assert told.items() >= listed.items()
        assert (told["version"], told["remark"], told["signed_at"]) == (
            1,
            "입금 확인",
            "2026-09-01T04:00:00Z",
        )
        [owed] = [block for block in told["blocks"] if block["code"] == "owed"]
        assert owed["result"] == {"code": "closing", "sign": 1, "amount": won(123)}
        assert owed["difference"] == won(0)
        [provider] = [block for block in told["blocks"] if block["code"] == "provider"]
        assert provider["difference"] is None
        assert {"code": "suspense", "value": 0} in told["unresolved"]

    @pytest.mark.parametrize("day", ["2026-09-03", "2026-02-30"])
    def test_one_that_no_night_has_closed_is_not_found(self, signed, day):
        assert signed.shop.read(f"days/{day}/").status_code == 404


def test_months_tell_their_closing(cast):
    with tenancy.use(cast.market.pk):
        Marketplace.objects.update(last_closed_on=AUG_31)
        closing = periods.close(date(2026, 8, 1), by=None, at=make.AT)
    assert cast.read("periods/?state=closed")["data"] == [
        {
            "month": "2026-08-01",
            "state": "closed",
            "version": 1,
            "closed_at": "2026-09-01T03:00:00Z",
            "hash": closing.hash,
        }
    ]


def test_discrepancies_tell_what_differs_and_what_became_of_it(cast):
    elsewhere = ApiClient(api_key(make.market("elsewhere"), "ledger:read"))
    with tenancy.use(cast.market.pk):
        figures = {"expected": 9_000, "found": 10_000, "difference": 1_000}
        common = {"kind": "amount", "side": "payment", "found_on": AUG_5} | figures
        Discrepancy.objects.create(provider_id="P-1", **common)
        row = Discrepancy.objects.create(provider_id="P-2", **common)
        reconciling.resolve(row, by=people.user(), at=make.AT, reason="다음 날 취소")
    [told] = cast.read("discrepancies/?state=open")["data"]
    assert cast.read(f"discrepancies/{told['id']}/") == told
    assert told == {
        "id": told["id"],
        "kind": "amount",
        "side": "payment",
        "provider_id": "P-1",
        "expected": won(9_000),
        "found": won(10_000),
        "difference": won(1_000),
        "suspended": won(0),
        "found_on": "2026-08-05",
        "state": "open",
        "account": "",
        "reason": "",
        "closed_at": None,
    }
    [told] = cast.read("discrepancies/?provider_id=P-2")["data"]
    assert (told["state"], told["reason"]) == ("resolved", "다음 날 취소")
    assert cast.read("discrepancies/?found_on_since=2026-08-06")["data"] == []
    assert elsewhere.read(f"discrepancies/{told['id']}/").status_code == 404
    seller = ApiClient(api_key(cast.market, seller=cast.own.public_id))
    assert seller.read(f"discrepancies/{told['id']}/").json()["code"] == "not_for_sellers"


PATHS = ("accounts/", "accounts/bank/", "accounts/bank/entries/", "journals/", "journals/test:J1/")
PATHS += ("periods/", "days/", "days/2026-09-02/", "discrepancies/")


class TestStrangers:
    @pytest.mark.parametrize("path", PATHS)
    def test_no_key_of_a_seller_reads_the_books(self, cast, path):
        answer = ApiClient(api_key(cast.market, seller=cast.own.public_id)).read(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_for_sellers")

    @pytest.mark.parametrize("path", PATHS)
    def test_no_key_without_the_scope_does(self, cast, path):
        answer = ApiClient(api_key(cast.market, "settlements:read")).read(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")

    def test_another_marketplace_sees_its_own(self, cast):
        other = ApiClient(api_key(make.market("elsewhere"), "ledger:read"))
        assert other.read("journals/").json()["data"] == []
        assert other.read("journals/test:J1/").status_code == 404
        assert other.read(f"accounts/?seller={cast.own.public_id}").status_code == 404
        assert other.read("accounts/bank/").json()["credit"] == won(0)
        assert other.read("discrepancies/").json()["data"] == []
