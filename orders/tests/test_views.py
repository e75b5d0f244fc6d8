"""The seller centre's pages about orders: who sees what, and what a seller can do there."""

import io

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from marketplace import tenancy
from orders import shipping_lists, shipping_sheets
from orders.models import Claim, Order, OrderLine, Shipment
from orders.tests import make, shops

pytestmark = pytest.mark.django_db
CJ = "689123456784"


@pytest.fixture
def cast(client):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return shops.cast()


@pytest.fixture
def owner(client, cast):
    client.force_login(cast.owner)
    return client


def parcel(**fields):
    return {"carrier": "cj", "tracking_number": CJ, "units_1": 2, "units_2": 1, **fields}


class TestOthers:
    """A stranger finds nothing; a neighbour in the same order finds his own lines alone."""

    def addresses(self, cast):
        order = cast.order()
        with tenancy.use(cast.market.pk):
            found = shipping_parcel(cast)
        return [
            ("get", "orders/"),
            ("post", "orders/acknowledge/"),
            ("get", "orders/ship/"),
            ("post", "orders/ship/"),
            ("get", "orders/to-ship.csv"),
            ("get", "orders/to-ship.xlsx"),
            ("get", f"orders/{order}/"),
            ("get", f"orders/{order}/ship/"),
            ("post", f"orders/{order}/ship/"),
            ("get", f"orders/{order}/cancel/"),
            ("post", f"orders/{order}/cancel/"),
            ("get", f"parcels/{found}/"),
            ("post", f"parcels/{found}/"),
        ]

    def test_a_stranger_gets_404_everywhere_and_changes_nothing(self, client, cast):
        client.force_login(cast.stranger)
        for method, address in self.addresses(cast):
            given = {**parcel(), "line": 1, "quantity": 1, "reason": "x", "order": cast.order()}
            answer = getattr(client, method)(cast.url(address), given)
            assert answer.status_code == 404, address
            own = getattr(client, method)(f"/s/other/{address}", given)
            if "ord_" in address or "shp_" in address:
                assert own.status_code == 404, address
        assert (cast.status(1), cast.status(2)) == ("paid", "shipped")
        assert shops.rows(cast.market, Shipment) == 1
        assert shops.rows(cast.market, Claim) == 0

    def test_a_neighbour_sees_and_moves_only_his_own_lines(self, client, cast):
        with tenancy.use(cast.market.pk):
            found = shipping_parcel(cast)
        client.force_login(cast.neighbour)
        page = client.get(cast.url(f"orders/{cast.order()}/")).content.decode()
        assert "도깨비 방망이" in page
        assert "찻잔" not in page
        assert "₩102,000" in page
        assert client.get(cast.url(f"parcels/{found}/")).status_code == 404
        mended = client.post(cast.url(f"parcels/{found}/"), parcel())
        assert mended.status_code == 404
        cancelled = client.post(
            cast.url(f"orders/{cast.order()}/cancel/"), {"line": 1, "quantity": 1, "reason": "x"}
        )
        assert cancelled.status_code == 422
        client.post(
            cast.url(f"orders/{cast.order()}/ship/"),
            parcel(units_3=1, tracking_number="6891234567"),
        )
        assert (cast.status(1), cast.status(3)) == ("paid", "shipped")
        assert shops.rows(cast.market, Claim) == 0

    def test_staff_work_as_owners_do(self, client, cast):
        client.force_login(cast.staff)
        answer = client.post(cast.url(f"orders/{cast.order()}/ship/"), parcel())
        assert answer.status_code == 302
        with tenancy.use(cast.market.pk):
            assert Shipment.objects.get().shipped_by == cast.staff

    def test_a_suspended_seller_still_ships_what_was_ordered(self, owner, cast):
        shops.suspend(cast.market)
        owner.post(cast.url(f"orders/{cast.order()}/ship/"), parcel())
        assert cast.status(1) == "shipped"


def shipping_parcel(cast) -> str:
    from orders import shipping
    from sellers.models import Seller

    told = {"carrier": "cj", "tracking_number": "6891234560", "units": {2: 1}}
    hanok = Seller.objects.get(code="hanok")
    row = shipping.ship(Order.objects.get(), hanok, **told, by=cast.owner, at=make.day(1))
    return row.public_id


class TestOrders:
    def test_shows_the_sellers_own_lines_and_amounts_inert(self, owner, cast):
        page = owner.get(cast.url("orders/")).content.decode()
        assert "A-1" in page
        assert "₩27,000" in page
        assert "도깨비" not in page
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page

    def test_finds_an_order_by_its_exact_number(self, owner, cast):
        assert "A-1" in owner.get(cast.url("orders/?number=A-1")).content.decode()
        for number in ("A", "a-1", "A-1'--", "%"):
            page = owner.get(cast.url("orders/"), {"number": number}).content.decode()
            assert "No order is like that" in page

    def test_filters_by_state_and_day_of_payment(self, owner, cast):
        def has(query):
            return cast.order() in owner.get(cast.url(f"orders/?{query}")).content.decode()

        assert has("tab=new")
        assert not has("tab=to_ship")
        assert has("paid_from=2026-03-02&paid_to=2026-03-02")
        assert not has("paid_from=2026-03-03")
        assert not has("paid_to=2026-03-01")

    def test_says_what_is_wrong_with_a_filter(self, owner, cast):
        page = owner.get(cast.url("orders/?paid_from=2026-03-03&paid_to=2026-03-02"))
        assert "Swap them." in page.content.decode()
        assert owner.get(cast.url("orders/?tab=x&paid_from=31")).status_code == 200

    def test_answers_htmx_with_the_list_alone(self, owner, cast):
        page = owner.get(cast.url("orders/"), headers={"HX-Request": "true"}).content.decode()
        assert "A-1" in page
        assert "<html" not in page

    def test_pages_of_fifty_orders_by_their_edge(self, owner, cast):
        self.many(cast, 60)
        first = owner.get(cast.url("orders/")).content.decode()
        assert first.count('datetime="') == 50
        older = first.split("before=")[1].split('"')[0]
        second = owner.get(cast.url(f"orders/?before={older}")).content.decode()
        assert second.count('datetime="') == 11
        newer = second.split("after=")[1].split('"')[0]
        again = owner.get(cast.url(f"orders/?after={newer}")).content.decode()
        assert again.count('datetime="') == 50
        assert owner.get(cast.url("orders/?before=99999999999999999999")).status_code == 200

    @pytest.mark.parametrize("count", [2, 49])
    def test_costs_the_same_however_many_there_are(self, owner, cast, count, settings):
        self.many(cast, count)
        owner.get(cast.url("orders/"))
        with django_queries() as queries:
            owner.get(cast.url("orders/"))
        assert len(queries) == 23

    def many(self, cast, count):
        with tenancy.use(cast.market.pk):
            make.accepted(
                *(make.order(f"B-{n}", [make.line(1), make.line(2)]) for n in range(count))
            )
            make.told(*(make.event("paid", 0, order=f"B-{n}") for n in range(count)))


def django_queries():
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    return CaptureQueriesContext(connection)


class TestAcknowledge:
    def test_takes_the_ticked_orders(self, owner, cast):
        answer = owner.post(cast.url("orders/acknowledge/"), {"order": [cast.order()]})
        assert answer.url == cast.url("orders/")
        assert [cast.status(n) for n in (1, 2, 3)] == ["preparing", "preparing", "paid"]

    def test_takes_what_the_page_showed(self, owner, cast):
        owner.post(cast.url("orders/acknowledge/"), {"shown": [cast.order()], "all": "1"})
        assert cast.status() == "preparing"

    def test_takes_nothing_that_was_only_shown(self, owner, cast):
        owner.post(cast.url("orders/acknowledge/"), {"shown": [cast.order()]})
        assert cast.status() == "paid"


class TestShip:
    def test_records_a_parcel_once_however_often_it_is_sent(self, owner, cast):
        for _ in range(2):
            owner.post(cast.url(f"orders/{cast.order()}/ship/"), parcel())
        assert [cast.status(n) for n in (1, 2, 3)] == ["shipped", "shipped", "paid"]
        assert shops.rows(cast.market, Shipment) == 1

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"tracking_number": "12-34"}, "10, 12 digits"),
            ({"tracking_number": ""}, "The tracking number is missing."),
            ({"carrier": "pigeon"}, "Select a valid choice."),
            ({"units_1": 3}, "2 units to ship"),
            ({"units_1": 10**19}, "less than or equal to 1000000"),
            ({"units_1": -1}, "greater than or equal to 0"),
            ({"units_1": 0, "units_2": 0}, "Enter how many units are in the parcel."),
        ],
    )
    def test_names_the_field_and_loses_nothing(self, owner, cast, given, said):
        answer = owner.post(cast.url(f"orders/{cast.order()}/ship/"), parcel(**given))
        page = answer.content.decode()
        assert answer.status_code == 422
        assert said in page
        kept = given.get("tracking_number", CJ)
        assert f'value="{kept}"' in page or not kept
        assert shops.rows(cast.market, Shipment) == 0

    def test_takes_no_other_field(self, owner, cast):
        extra = {
            "units_3": 1,
            "status": "confirmed",
            "seller": "dokebi",
            "shipped_at": "2020-01-01",
        }
        owner.post(cast.url(f"orders/{cast.order()}/ship/"), parcel(**extra))
        assert (cast.status(1), cast.status(3)) == ("shipped", "paid")
        with tenancy.use(cast.market.pk):
            assert Shipment.objects.get().shipped_at.year > 2020

    def test_does_not_ship_what_a_buyer_wants_cancelled(self, owner, cast):
        cast.claim(1, 2)
        answer = owner.post(cast.url(f"orders/{cast.order()}/ship/"), parcel())
        assert answer.status_code == 302  # units_1 is no field any more: line 2 went alone
        assert [cast.status(n) for n in (1, 2)] == ["paid", "shipped"]


class TestShipMany:
    def test_begins_without_complaints(self, owner, cast):
        page = owner.get(cast.url("orders/ship/"))
        assert page.status_code == 200
        assert b"is-invalid" not in page.content

    def test_good_rows_go_through_and_bad_ones_come_back(self, owner, cast):
        text = f"A-1,cj,{CJ}\nA-9,cj,{CJ}\n<script>alert(2)</script>,cj,1"
        answer = owner.post(cast.url("orders/ship/"), {"text": text})
        page = answer.content.decode()
        assert "1 row went through." in page
        assert "2 rows are still to be mended" in page
        assert "no order with the number “A-9”" in page
        assert "<script>alert(2)" not in page
        assert f"A-9\tcj\t{CJ}" in page
        assert cast.status() == "shipped"

    def test_takes_the_list_that_was_downloaded(self, owner, cast):
        found = owner.get(cast.url("orders/to-ship.csv")).content.decode("utf-8-sig")
        heading, first, second = found.splitlines()
        assert heading.startswith("Order number,Line,Carrier,Tracking number,Ship by,Units")
        assert "'=HYPERLINK(1)" in second
        assert "도깨비" not in found
        text = "\n".join([heading, first.replace("A-1,1,,", f"A-1,1,cj,{CJ}"), second])
        file = SimpleUploadedFile("list.csv", text.encode("cp949"))
        owner.post(cast.url("orders/ship/"), {"file": file})
        assert [cast.status(n) for n in (1, 2)] == ["shipped", "paid"]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "Choose a file or paste at least one row."),
            ({"text": "A-1,cj"}, "Three columns are needed"),
            ({"file": SimpleUploadedFile("a.xlsx", b"PK\x03\x04\xff\x00")}, "CSV UTF-8"),
        ],
    )
    def test_says_what_is_wrong_with_all_of_it(self, owner, cast, given, said):
        answer = owner.post(cast.url("orders/ship/"), given)
        assert answer.status_code == 422
        assert said in answer.content.decode()

    def test_xlsx_holds_the_same_rows(self, owner, cast):
        answer = owner.get(cast.url("orders/to-ship.xlsx"))
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
        found = [[cell.value for cell in row] for row in sheet.iter_rows(max_col=7)]
        assert found[1:] == [
            ["A-1", 1, "", "", "2026-03-05", 2, "CUP-1"],
            ["A-1", 2, "", "", "2026-03-05", 1, ""],
        ]
        assert owner.get(cast.url("orders/to-ship.pdf")).status_code == 404


class TestHeadings:
    @pytest.mark.parametrize("language", ["ko", "en"])
    def test_of_the_list_are_known_when_it_comes_back(self, language, cast):
        with translation.override(language), tenancy.use(cast.market.pk):
            header, _ = shipping_lists.to_ship(shops.Seller.objects.first(), at=make.day(1))
        columns = shipping_sheets._headed(header)
        assert columns == {"order": 0, "line": 1, "carrier": 2, "tracking_number": 3}


class TestCancel:
    def post(self, owner, cast, **given):
        given = {"line": 1, "quantity": 2, "reason": "Out of stock", **given}
        return owner.post(cast.url(f"orders/{cast.order()}/cancel/"), given)

    def test_is_a_claim_of_the_sellers_fault_that_is_done(self, owner, cast):
        assert self.post(owner, cast).status_code == 302
        assert cast.status() == "cancelled"
        with tenancy.use(cast.market.pk):
            claim = Claim.objects.get()
            assert (claim.fault, claim.state, claim.reason) == (
                "seller",
                "completed",
                "Out of stock",
            )

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"quantity": 3}, "Only 2 units of line 1 are still here."),
            ({"reason": " "}, "This field is required."),
            ({"line": 3}, "Select a valid choice."),
            ({"quantity": "x"}, "Enter a whole number."),
            ({"quantity": 10**19}, "less than or equal to 1000000."),
        ],
    )
    def test_names_the_field_and_loses_nothing(self, owner, cast, given, said):
        answer = self.post(owner, cast, **given)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert shops.rows(cast.market, Claim) == 0


class TestParcel:
    def test_mends_a_number(self, owner, cast):
        with tenancy.use(cast.market.pk):
            found = shipping_parcel(cast)
        address = cast.url(f"parcels/{found}/")
        wrong = owner.post(address, {"carrier": "cj", "tracking_number": "1"})
        assert wrong.status_code == 422
        answer = owner.post(address, {"carrier": "hanjin", "tracking_number": "5555666677"})
        assert answer.url == cast.url(f"orders/{cast.order()}/")
        with tenancy.use(cast.market.pk):
            row = Shipment.objects.get()
            assert (row.carrier, row.tracking_number) == ("hanjin", "5555666677")
            assert OrderLine.objects.get(number=2).status == "shipped"
