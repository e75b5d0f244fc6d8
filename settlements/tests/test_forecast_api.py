"""Over the API: what is expected to be paid out, and what payment providers still owe."""

from datetime import date

import pytest

from marketplace import tenancy
from marketplace.tests.make import ApiClient, api_key
from settlements.models import ClearingItem, MissingFile, PayoutForecast
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_7, SEP_8, SEP_15 = date(2026, 9, 7), date(2026, 9, 8), date(2026, 9, 15)


def won(amount):
    return {"amount": amount, "currency": "KRW"}


class Cast:
    def __init__(self, slug="jangteo"):
        self.market = make.market(slug)
        with tenancy.use(self.market.pk):
            self.own, self.other = make.seller("own"), make.seller("other")
            for seller, made_on, due_on, settled, expected in (
                (self.own, SEP_7, SEP_15, 0, 900),
                (self.own, SEP_8, SEP_15, 1_000, 500),
                (self.own, SEP_8, None, 0, 70),
                (self.other, SEP_8, SEP_15, 0, 30),
            ):
                PayoutForecast.objects.create(
                    seller=seller,
                    made_on=made_on,
                    due_on=due_on,
                    settled=settled,
                    expected=expected,
                )
            first = make.placed(self.own, number="O1").order
            second = make.placed(self.own, number="O2").order
            days = {"since_on": SEP_7, "from_on": SEP_7}
            ClearingItem.objects.create(
                order=first, kind="owed", amount=800, until_on=SEP_8, **days
            )
            ClearingItem.objects.create(order=second, kind="ahead", amount=-40, **days)
            MissingFile.objects.create(
                provider="toss", day=SEP_7, payments=3, amount=4_500, found_on=SEP_15
            )
            MissingFile.objects.create(
                provider="kcp", day=SEP_7, payments=1, amount=1, found_on=SEP_8, state="resolved"
            )

    def key(self, *scopes, seller=None):
        return ApiClient(api_key(self.market, *scopes, **({"seller": seller} if seller else {})))


@pytest.fixture
def cast(db):
    return Cast()


def data(client, path):
    answer = client.read(path)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


class TestForecasts:
    def test_are_those_of_the_last_night(self, cast):
        rows = data(cast.key("settlements:read"), "payout-forecasts/?due_on=2026-09-15")
        assert [(row["seller_code"], row["net"]) for row in rows] == [
            ("other", won(30)),
            ("own", won(1_500)),
        ]

    def test_of_a_seller_are_its_own(self, cast):
        own = cast.key(seller=cast.own.public_id)
        assert data(own, "payout-forecasts/") == [
            {
                "seller": cast.own.public_id,
                "seller_code": "own",
                "made_on": "2026-09-08",
                "due_on": due_on,
                "on_statement": won(settled),
                "expected": won(expected),
                "net": won(settled + expected),
            }
            for due_on, settled, expected in ((None, 0, 70), ("2026-09-15", 1_000, 500))
        ]
        assert data(own, f"payout-forecasts/?seller={cast.other.public_id}") == []
        [before] = data(own, "payout-forecasts/?made_on=2026-09-07")
        assert before["net"] == won(900)

    def test_are_leafed_through(self, cast):
        client = cast.key("settlements:read")
        page = client.read("payout-forecasts/?limit=2").json()
        assert len(page["data"]) == 2
        following = client.read(page["next"].partition("/api/v1/")[2]).json()
        assert [row["net"] for row in following["data"]] == [won(1_500)]

    def test_are_summed_up_for_the_marketplace_alone(self, cast):
        told = cast.key("settlements:read").read("payout-forecasts/days/").json()
        assert told["made_on"] == "2026-09-08"
        assert told["data"] == [
            {
                "due_on": due_on,
                "sellers": sellers,
                "on_statement": won(settled),
                "expected": won(expected),
                "net": won(settled + expected),
            }
            for due_on, sellers, settled, expected in (
                (None, 1, 0, 70),
                ("2026-09-15", 2, 1_000, 530),
            )
        ]
        refused = cast.key(seller=cast.own.public_id).read("payout-forecasts/days/")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_for_sellers")

    def test_are_none_before_the_first_night(self, cast):
        elsewhere = ApiClient(api_key(make.market("elsewhere"), "settlements:read"))
        assert data(elsewhere, "payout-forecasts/") == []
        told = elsewhere.read("payout-forecasts/days/").json()
        assert told == {"made_on": None, "data": []}

    def test_want_their_scope_and_a_day_that_is_one(self, cast):
        refused = cast.key("ledger:read").read("payout-forecasts/")
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        wrong = cast.key("settlements:read").read("payout-forecasts/?due_on=tomorrow")
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "?due_on")


class TestClearingItems:
    def test_are_what_stands_there_now_or_stood_after_a_night(self, cast):
        client = cast.key("ledger:read")
        [now] = data(client, "clearing-items/")
        assert (now["order_number"], now["kind"], now["amount"]) == ("O2", "ahead", won(-40))
        assert (now["since_on"], now["until_on"]) == ("2026-09-07", None)
        then = data(client, "clearing-items/?on=2026-09-07")
        assert [row["order_number"] for row in then] == ["O2", "O1"]
        [owed] = data(client, "clearing-items/?on=2026-09-07&kind=owed,unnamed")
        assert (owed["amount"], owed["until_on"]) == (won(800), "2026-09-08")
        assert data(client, f"clearing-items/?order={owed['order']}") == []

    def test_want_a_kind_that_there_is(self, cast):
        wrong = cast.key("ledger:read").read("clearing-items/?kind=lost")
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "?kind")


class TestMissingFiles:
    def test_tell_what_has_not_come(self, cast):
        client = cast.key("ledger:read")
        [missing] = data(client, "missing-files/?state=open")
        assert missing == {
            "provider": "toss",
            "day": "2026-09-07",
            "payments": 3,
            "amount": won(4_500),
            "state": "open",
            "found_on": "2026-09-15",
            "reason": "",
            "closed_at": None,
        }
        [before] = data(client, "missing-files/?found_on_until=2026-09-15")
        assert before["provider"] == "kcp"


@pytest.mark.parametrize("path", ["clearing-items/", "missing-files/"])
class TestBooks:
    def test_are_for_no_seller_and_no_stranger(self, cast, path):
        refused = cast.key(seller=cast.own.public_id).read(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_for_sellers")
        refused = cast.key("settlements:read").read(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        elsewhere = ApiClient(api_key(make.market("elsewhere"), "ledger:read"))
        assert data(elsewhere, path) == []
