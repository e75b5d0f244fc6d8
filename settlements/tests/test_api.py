"""Money over HTTP: estimates, statements, lines with their reasons, and balances."""

import copy
from datetime import date
from types import SimpleNamespace

import pytest

from marketplace import tenancy
from marketplace.tests.make import ApiClient, api_key
from settlements import nights
from settlements.api import viewsets
from settlements.tests import make

pytestmark = pytest.mark.django_db

SOLD, SETTLED, DUE = date(2026, 9, 1), date(2026, 9, 8), date(2026, 9, 11)


class Cast:
    """A marketplace with a sale of 3 × 33,333 by one seller, settled, and a second seller."""

    def __init__(self, slug="jangteo", **given):
        self.market = make.market(slug, first_open_on=SETTLED, **given)
        with tenancy.use(self.market.pk):
            self.own, self.other = make.seller("own"), make.seller("other")
            line = make.sold(self.own, number="M-1", unit_price=33_333, quantity=3, category="gold")
            make.sold(self.other, number="M-2", unit_price=100_000, category="gold")
            self.order = line.order.public_id
        nights.close_day(self.market.pk, SETTLED, at=make.AT)
        self.give_keys()

    def give_keys(self):
        self.shop = ApiClient(api_key(self.market))
        self.of_own = ApiClient(api_key(self.market, seller=self.own.public_id))
        self.of_other = ApiClient(api_key(self.market, seller=self.other.public_id))

    def won(self, amount):
        return {"amount": amount, "currency": self.market.currency}

    def statement(self):
        [statement] = self.of_own.read("statements/").json()["data"]
        return statement


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """The day of the sale: estimates go by the rules of the day that asks."""
    clock = SimpleNamespace(localdate=lambda: SOLD)
    monkeypatch.setattr(viewsets, "timezone", clock)
    return clock


@pytest.fixture(scope="module")
def settled(rows_of_module):
    return Cast()


@pytest.fixture
def cast(db, settled):
    cast = copy.copy(settled)
    cast.give_keys()
    return cast


def refused(response, status, code):
    """Assert a refusal; return its errors by pointer."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


class TestEstimate:
    def ask(self, client, **item):
        return client.send("fees/estimate/", {"items": [item]})

    def test_is_the_line_that_the_night_writes(self, cast):
        item = {"unit_price": cast.won(33_333), "quantity": 3, "category_code": "gold"}
        [told] = self.ask(cast.of_own, **item).json()["data"]
        assert told == {
            "on": "2026-09-01",
            "schedule": "standard",
            "schedule_version": 1,
            "contract_version": None,
            "grade": "seed",
            "fee": cast.won(2_999),
            "vat": cast.won(300),
            "net": cast.won(96_700),
            "components": [
                {
                    "component": "sales",
                    "rate_ppm": 30_000,
                    "base": cast.won(99_999),
                    "fee": cast.won(2_999),
                    "vat": cast.won(300),
                }
            ],
        }
        [line] = cast.of_own.read(f"statements/{cast.statement()['id']}/lines/").json()["data"]
        assert {name: line[name] for name in ("fee", "vat", "net")} == {
            name: told[name] for name in ("fee", "vat", "net")
        }

    def test_asks_whose_sale_it_would_be(self, cast):
        item = {"unit_price": cast.won(1_000)}
        given = {"seller_code": "own", "items": [item]}
        assert cast.shop.send("fees/estimate/", given).status_code == 200
        assert cast.of_own.send("fees/estimate/", given).status_code == 200
        for client in (cast.of_other, Cast("elsewhere").shop):
            foreign = client.send("fees/estimate/", {**given, "seller_code": "own-not-there"})
            assert refused(foreign, 422, "unknown_seller") == {"/seller_code": "unknown_seller"}
        foreign = cast.of_other.send("fees/estimate/", given)
        assert refused(foreign, 422, "unknown_seller") == {"/seller_code": "unknown_seller"}
        refused(self.ask(cast.shop, **item), 422, "unknown_seller")

    def test_names_the_item_that_is_wrong(self, cast):
        right = {"unit_price": cast.won(1_000)}
        items = [right, {**right, "category_code": "moon"}]
        answer = cast.of_own.send("fees/estimate/", {"items": items})
        assert refused(answer, 422, "unknown_category") == {
            "/items/1/category_code": "unknown_category"
        }
        answer = cast.of_own.send("fees/estimate/", {"items": [right] * 51})
        assert list(refused(answer, 400, "invalid")) == ["/items"]
        answer = cast.of_own.send("fees/estimate/", {"items": [{**right, "rate_ppm": 0}]})
        assert refused(answer, 400, "invalid") == {"/items/0/rate_ppm": "unknown_field"}


class TestPrice:
    def test_is_the_smallest_that_leaves_what_is_wanted(self, cast):
        asked = {"wanted": cast.won(96_700), "item": {"category_code": "gold"}}
        told = cast.of_own.send("fees/price/", asked).json()
        assert (told["unit_price"], told["net"]) == (cast.won(99_999), cast.won(96_700))
        told = cast.of_own.send("fees/price/", {**asked, "grade": "power"}).json()
        assert (told["grade"], told["net"]) == ("power", cast.won(96_700))
        assert told["unit_price"]["amount"] < 99_999

    def test_names_what_is_wrong(self, cast):
        asked = {"wanted": cast.won(1), "item": {"category_code": "moon"}}
        answer = cast.of_own.send("fees/price/", asked)
        assert refused(answer, 422, "unknown_category") == {
            "/item/category_code": "unknown_category"
        }
        answer = cast.of_own.send("fees/price/", {"wanted": cast.won(1), "item": {}, "grade": "x"})
        refused(answer, 409, "unknown_grade")
        answer = cast.of_own.send("fees/price/", {"item": {"unit_price": cast.won(1)}})
        assert refused(answer, 400, "invalid").keys() == {"/wanted", "/item/unit_price"}


class TestComparison:
    def test_supposes_one_thing_at_a_time(self, cast):
        asked = {"item": {"unit_price": cast.won(100_000), "category_code": "gold"}}
        told = cast.of_own.send("fees/comparison/", asked).json()
        assert told["own"]["net"] == cast.won(96_700)
        nets = {each["code"]: each["net"] for each in told["grades"]}
        assert nets["power"] == cast.won(96_920)
        assert {each["code"] for each in told["channels"]} == {"", "live"}
        assert told["categories"][0]["net"]["amount"] >= told["categories"][-1]["net"]["amount"]
        assert told["elsewhere"][0]["marketplace"] == "G마켓"
        assert told["elsewhere"][0]["least"] == cast.won(88_000)

    def test_asks_whose_item_it_is(self, cast):
        asked = {"item": {"unit_price": cast.won(1)}, "seller_code": "own"}
        for path, given in (
            ("fees/comparison/", asked),
            ("fees/price/", {"wanted": cast.won(1), "item": {}, "seller_code": "own"}),
        ):
            assert cast.shop.send(path, given).status_code == 200
            refused(cast.of_other.send(path, given), 422, "unknown_seller")


class TestStatements:
    def test_show_the_sums_of_their_lines(self, cast):
        statement = cast.statement()
        assert {name: statement[name] for name in ("seller", "seller_code", "lines", "due_on")} == {
            "seller": cast.own.public_id,
            "seller_code": "own",
            "lines": 1,
            "due_on": DUE.isoformat(),
        }
        assert (statement["first_basis_on"], statement["last_basis_on"]) == ("2026-09-08",) * 2
        for name, amount in {
            "list_amount": 99_999,
            "seller_discount": 0,
            "platform_discount": 0,
            "partner_discount": 0,
            "fee": 2_999,
            "vat": 300,
            "marketplace_fee": 2_999,
            "marketplace_fee_vat": 300,
            "marketplace_fee_vat_on_top": 300,
            "other_additions": 0,
            "other_deductions": 0,
            "net": 96_700,
        }.items():
            assert statement[name] == cast.won(amount), name
        assert statement["components"] == [
            {
                "component": "sales",
                "is_fee": True,
                "fee": cast.won(2_999),
                "vat": cast.won(300),
                "vat_on_top": cast.won(300),
            }
        ]

    def test_are_found_by_state_seller_and_day(self, cast):
        def sellers(query):
            rows = cast.shop.read(f"statements/?{query}").json()["data"]
            return [row["seller_code"] for row in rows]

        assert sorted(sellers("")) == ["other", "own"]
        assert sellers(f"seller={cast.own.public_id}") == ["own"]
        assert sorted(sellers("state=open")) == ["other", "own"]
        assert sellers("state=closed") == []
        assert sorted(sellers(f"due_on={DUE}")) == ["other", "own"]
        assert sellers("due_on=2026-09-12") == []
        assert sorted(sellers(f"due_on_since={DUE}")) == ["other", "own"]
        assert sellers(f"due_on_until={DUE}") == []
        for wrong in ("2026-9-8", "20260908", "yesterday", "2026-02-30", ""):
            answer = cast.shop.read(f"statements/?due_on={wrong}")
            assert refused(answer, 400, "parameter_not_usable") == {
                "?due_on": "parameter_not_usable"
            }

    def test_are_closed_on_their_day_with_what_is_paid(self, cast):
        for day in (9, 10, 11):
            nights.close_day(cast.market.pk, date(2026, 9, day), at=make.AT)
        statement = cast.statement()
        assert (statement["state"], statement["closed_on"]) == ("payable", DUE.isoformat())
        assert statement["payable"] == cast.won(96_700)
        assert statement["payout"] == cast.won(96_700)
        assert statement["carry_out"] == cast.won(0)

    def test_are_not_read_twice_by_who_has_them(self, cast):
        path = f"statements/{cast.statement()['id']}/"
        etag = cast.of_own.read(path)["ETag"]
        assert cast.of_own.read(path, if_none_match=etag).status_code == 304
        nights.close_day(cast.market.pk, date(2026, 9, 9), at=make.AT)
        for day in (10, 11):
            nights.close_day(cast.market.pk, date(2026, 9, day), at=make.AT)
        assert cast.of_own.read(path, if_none_match=etag).status_code == 200


class TestLines:
    def test_say_why_they_show_these_figures(self, cast):
        found = cast.of_own.read(f"settlement-lines/{cast.order}-1-0/").json()
        components = found.pop("components")
        assert found == {
            "id": f"{cast.order}-1-0",
            "statement": cast.statement()["id"],
            "order": cast.order,
            "order_number": "M-1",
            "line_number": 1,
            "sequence": 0,
            "kind": "sale",
            "basis_on": "2026-09-08",
            "rate_on": "2026-09-01",
            "settled_on": "2026-09-08",
            "quantity": 3,
            "list_amount": cast.won(99_999),
            "seller_discount": cast.won(0),
            "platform_discount": cast.won(0),
            "partner_discount": cast.won(0),
            "fee": cast.won(2_999),
            "vat": cast.won(300),
            "sale_vat": cast.won(0),
            "marketplace_fee": cast.won(2_999),
            "marketplace_fee_vat": cast.won(300),
            "other": cast.won(0),
            "net": cast.won(96_700),
        }
        [component] = components
        told = component.pop("explanation")
        assert told[0].startswith("판매 수수료: rule ")
        assert told[1:] == [
            "99,999 × 3 % = 2,999.97, rounded (cut) to 2,999; VAT on top 299.9, "
            "rounded (half up) to 300"
        ]
        assert (component["fee"], component["vat"]) == (cast.won(2_999), cast.won(300))
        assert (component["schedule"], component["schedule_version"]) == ("standard", 1)

    def test_explain_in_the_readers_language(self, cast):
        path = f"settlement-lines/{cast.order}-1-0/"
        korean = cast.of_own.read(path, accept_language="ko").json()
        english = cast.of_own.read(path, accept_language="en").json()
        explained = [body["components"][0].pop("explanation") for body in (korean, english)]
        assert korean == english
        assert explained[0] != explained[1]
        assert all("99,999" in said[1] and "2,999.97" in said[1] for said in explained)

    def test_show_a_reversal_below_zero(self, cast):
        with tenancy.use(cast.market.pk):
            make.returned(SimpleNamespace(pk=_line(cast)), left=2, on=date(2026, 9, 9))
        nights.close_day(cast.market.pk, date(2026, 9, 9), at=make.AT)
        found = cast.of_own.read(f"settlement-lines/{cast.order}-1-1/").json()
        # Two remain: 3 % of 66,666 is 1,999.98, cut to 1,999; VAT 199.9, so 200.
        assert (found["kind"], found["quantity"]) == ("reversal", -1)
        assert (found["fee"], found["vat"]) == (cast.won(-1_000), cast.won(-100))
        assert found["net"] == cast.won(-33_333 + 1_100)
        assert len(found["components"][0]["explanation"]) == 4

    @pytest.mark.parametrize("client", ["of_own", "of_other", "shop", "stranger"])
    def test_are_found_by_their_seller_alone(self, cast, client):
        own = {"of_own", "shop"}
        caller = Cast("elsewhere").shop if client == "stranger" else getattr(cast, client)
        expected = 200 if client in own else 404
        assert caller.read(f"settlement-lines/{cast.order}-1-0/").status_code == expected
        assert caller.read(f"statements/{cast.statement()['id']}/").status_code == expected
        lines = caller.read(f"statements/{cast.statement()['id']}/lines/")
        assert lines.status_code == expected

    @pytest.mark.parametrize("end", ["-1-2", "-2-0", "-1-", "", "-1-0-0", "-01-x", "-9999999999-0"])
    def test_have_one_name(self, cast, end):
        assert cast.shop.read(f"settlement-lines/{cast.order}{end}/").status_code == 404


class TestPagesOfLines:
    @pytest.fixture
    def lines(self, cast):
        """The address of the lines of a statement; there are seven."""
        self.more(cast, range(10, 16), night=9)
        return f"statements/{cast.statement()['id']}/lines/"

    def more(self, cast, numbers, *, night):
        with tenancy.use(cast.market.pk):
            for n in numbers:
                make.sold(cast.own, number=f"M-{n}", unit_price=10_000, category="gold")
        nights.close_day(cast.market.pk, date(2026, 9, night), at=make.AT)

    def test_lose_nothing_and_repeat_nothing_while_lines_are_added(self, cast, lines):
        first = cast.of_own.read(f"{lines}?limit=3").json()
        self.more(cast, range(20, 23), night=10)
        seen, link = [row["order_number"] for row in first["data"]], first["next"]
        while link:
            page = cast.of_own.read(link.partition("/api/v1/")[2]).json()
            seen += [row["order_number"] for row in page["data"]]
            link = page["next"]
        assert sorted(seen) == sorted(["M-1", *(f"M-{n}" for n in range(10, 16))])
        assert len(cast.of_own.read(f"{lines}?limit=200").json()["data"]) == 10

    def test_cost_the_same_for_any_number(self, cast, lines, django_assert_max_num_queries):
        with django_assert_max_num_queries(10):
            assert len(cast.of_own.read(lines).json()["data"]) == 7

    @pytest.mark.parametrize("limit", ["0", "201", "3.5", "٣"])
    def test_have_a_bearable_size(self, cast, lines, limit):
        answer = cast.of_own.read(f"{lines}?limit={limit}")
        assert refused(answer, 400, "limit_not_usable") == {"?limit": "limit_not_usable"}

    def test_take_no_other_parameter(self, cast, lines):
        answer = cast.of_own.read(f"{lines}?state=open")
        assert refused(answer, 400, "unknown_parameter") == {"?state": "unknown_parameter"}


class TestBalances:
    def test_tell_where_the_money_stands(self, cast, today):
        today.localdate = lambda: SETTLED
        found = cast.of_own.read(f"balances/{cast.own.public_id}/").json()
        assert found == {
            "seller": cast.own.public_id,
            "on": "2026-09-08",
            "expected": cast.won(96_700),
            "confirmed": cast.won(0),
            "held": cast.won(0),
            "held_back": cast.won(0),
            "paid": cast.won(0),
            "reserve": cast.won(0),
            "carry": cast.won(0),
            "receivable": cast.won(0),
            "next_due_on": DUE.isoformat(),
            "next_net": cast.won(96_700),
        }
        for day in (9, 10, 11):
            nights.close_day(cast.market.pk, date(2026, 9, day), at=make.AT)
        today.localdate = lambda: DUE
        found = cast.of_own.read(f"balances/{cast.own.public_id}/").json()
        assert (found["expected"], found["confirmed"]) == (cast.won(0), cast.won(96_700))

    def test_list_sellers_or_oneself(self, cast):
        def codes(client):
            return sorted(row["seller_code"] for row in client.read("balances/").json()["data"])

        assert codes(cast.shop) == ["other", "own"]
        assert codes(cast.of_own) == ["own"]
        assert cast.of_other.read(f"balances/{cast.own.public_id}/").status_code == 404


class TestGrades:
    def test_show_what_is_in_force(self, cast):
        with tenancy.use(cast.market.pk):
            make.graded(cast.own, "power", effective_from=date(2026, 9, 1))
        found = cast.of_own.read(f"grades/{cast.own.public_id}/").json()
        assert found == {
            "seller": cast.own.public_id,
            "grade": "power",
            "effective_from": "2026-09-01",
            "projected": {
                "grade": "seed",
                "on": "2026-09-08",
                "policy_version": 1,
                "reasons": [],
                "missing": found["projected"]["missing"],
            },
        }
        assert found["projected"]["missing"]
        assert cast.of_other.read("grades/").json()["data"] == [
            {**found, "seller": cast.other.public_id, "grade": "seed", "effective_from": None}
        ]
        assert cast.of_other.read(f"grades/{cast.own.public_id}/").status_code == 404


class TestCents:
    """A marketplace whose currency has two decimal places: amounts are cents all the way."""

    def test_are_whole_numbers(self):
        cast = Cast("harbour", currency="USD", exponent=2, zone="Asia/Seoul")
        assert cast.won(1) == {"amount": 1, "currency": "USD"}
        statement = cast.statement()
        assert statement["net"] == {"amount": 96_700, "currency": "USD"}
        item = {"unit_price": cast.won(33_333), "quantity": 3, "category_code": "gold"}
        [told] = cast.of_own.send("fees/estimate/", {"items": [item]}).json()["data"]
        assert told["fee"] == {"amount": 2_999, "currency": "USD"}
        foreign = {**item, "unit_price": {"amount": 1, "currency": "KRW"}}
        answer = cast.of_own.send("fees/estimate/", {"items": [foreign]})
        assert refused(answer, 400, "invalid") == {"/items/0/unit_price": "currency"}


def _line(cast) -> int:
    return make.OrderLine.objects.get(order__public_id=cast.order).pk
