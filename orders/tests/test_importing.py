"""Imports as a whole: bad rows told and the rest in, twice as once, killed and started again."""

import csv
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connections

from listings.models import Listing
from marketplace import tenancy
from marketplace.models import JobRow, JobRun, Marketplace
from marketplace.refusals import Refused
from orders import importing
from orders.importing import import_files
from orders.models import ImportProfile, Order, OrderEvent, OrderLine, Payment
from orders.tests import make
from sellers.models import Seller

NOW = make.NIGHT  # the last of March 2026
ROWS = "order,at,status,buyer,line,seller,sku,title,price,units,shipping,currency"
PAID = "order,way,amount"

SHOP = {
    "name": "Shop",
    "source": "shop",
    "currency": "KRW",
    "zone": "Asia/Seoul",
    "orders": {"fields": {"number": "order", "placed_at": "at", "buyer": "buyer"}},
    "lines": {
        "files": ["rows*"],
        "fields": {
            "order": "order",
            "number": "line",
            "seller": "seller",
            "sku": "sku",
            "title": "title",
            "unit_price": "price",
            "quantity": "units",
            "shipping": "shipping",
            "currency": "currency",
        },
    },
    "payments": {
        "files": ["paid*"],
        "fields": {"order": "order", "kind": "way", "amount": "amount"},
    },
    "events": {
        "status": "status",
        "by_status": {"new": [], "paid": ["paid"], "done": ["paid", "delivered"]},
        "paid": "at",
        "delivered": "at",
    },
}


@pytest.fixture
def market(db):
    return opened("jangteo")


def opened(slug, **fields):
    market = make.marketplace(slug, **fields)
    with tenancy.use(market.pk):
        make.calendar()
        make.policy()
        make.seller()
        make.seller("bukchon")
    return market


def save_profile(market, code="shop", **changes):
    body = {**json.loads(json.dumps(SHOP)), **changes}
    body = {name: value for name, value in body.items() if value is not None}
    with tenancy.use(market.pk):
        ImportProfile.objects.update_or_create(code=code, defaults={"name": "Shop", "body": body})


@pytest.fixture
def write(tmp_path):
    def write(name, header, *rows, encoding="utf-8"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows, ""]), encoding=encoding)
        return path

    return write


def told(job_id, market):
    """The rows of a job's report, as head, file, row, key, field and code."""
    with tenancy.use(market.pk):
        rows = JobRow.objects.filter(job_id=job_id).exclude(head="note").order_by("pk")
        return [
            (row.head, row.source, row.row_number, row.key, row.field, row.code) for row in rows
        ]


def bring(market, *paths, profile="shop", **options):
    return import_files(market.pk, profile, paths, by=None, at=NOW, **options)


def digests():
    """What every table of every marketplace holds, whoever may see it."""
    found = {}
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND a.attname IN ('marketplace_id', 'first_open_on')"
        )
        for [table] in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows = [row for [row] in cursor.fetchall()]
            found[table] = len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


GOOD = [
    "A-1,2026-03-02 10:00,done,kim,1,hanok,tea-1,Green tea,10000,2,3000,KRW",
    "A-1,2026-03-02 10:00,done,kim,2,bukchon,pot-1,Tea pot,50000,1,2500,KRW",
    "A-1,2026-03-02 10:00,done,kim,3,hanok,tea-2,Black tea,7000,1,500,KRW",
]
GOOD_PAID = ["A-1,card,80000", "A-1,points,3000"]


class TestImportFiles:
    def test_brings_in_an_order_with_all_that_belongs_to_it(self, market, write):
        save_profile(market)
        imported = bring(
            market, write("rows.csv", ROWS, *GOOD), write("paid.csv", PAID, *GOOD_PAID)
        )
        assert imported.counts == {
            "rows": 5,
            "orders_accepted": 1,
            "events_accepted": 2,
        }
        assert imported.heads == {}
        with tenancy.use(market.pk):
            [order] = Order.objects.all()
            assert (order.number, order.source, order.buyer_reference) == ("A-1", "shop", "kim")
            assert order.placed_at == datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
            lines = OrderLine.objects.order_by("number").values_list(
                "number", "seller__code", "stream", "sku", "title", "list_amount", "status"
            )
            assert list(lines) == [
                (1, "hanok", "goods", "tea-1", "Green tea", 20_000, "delivered"),
                (2, "bukchon", "goods", "pot-1", "Tea pot", 50_000, "delivered"),
                (3, "hanok", "goods", "tea-2", "Black tea", 7_000, "delivered"),
                (4, "hanok", "shipping", "", "", 3_500, "paid"),
                (5, "bukchon", "shipping", "", "", 2_500, "paid"),
            ]
            payments = Payment.objects.order_by("sequence").values_list("kind", "amount")
            assert list(payments) == [("card", 80_000), ("points", 3_000)]
            job = JobRun.objects.get(pk=imported.job_id)
            assert (job.kind, job.state, job.done, job.total) == ("import", "done", 6, 6)

    def test_tells_every_kind_of_bad_row_and_brings_in_the_rest(self, market, write, tmp_path):
        save_profile(market)
        rows = write(
            "rows.csv",
            ROWS,
            *GOOD,
            "B-1,2026-03-02,done,lee,1,hanok,tea-1,too,few",  # 5
            'B-2,2026-03-02,done,lee,1,hanok,tea-1,"never closed,10000,1,,KRW',  # 6
            "B-3,2026-03-02,done,lee,1,nobody,tea-1,Green tea,10000,1,,KRW",  # 7
            "B-4,2026-03-02,done,lee,1,hanok,tea-1,Green tea,-10000,1,,KRW",  # 8
            "B-5,2026-03-02,done,lee,1,hanok,tea-1,Green tea,9999999999999999,1,,KRW",  # 9
            "B-6,2026-03-02,done,lee,1,hanok,tea-1,Green tea,10000,-1,,KRW",  # 10
            "A-1,2026-03-02 10:00,done,kim,2,hanok,tea-9,Repeated,10000,1,,KRW",  # 11
            "B-7,2027-03-02,done,lee,1,hanok,tea-1,Green tea,10000,1,,KRW",  # 12
            "B-8,2026-03-02,done,lee,1,hanok,tea-1,Green tea,10000,1,,USD",  # 13
            "B-9,2026-03-02,lost,lee,1,hanok,tea-1,Green tea,10000,1,,KRW",  # 14
            ",2026-03-02,done,lee,1,hanok,tea-1,Green tea,10000,1,,KRW",  # 15
            "B-10,soon,done,lee,1,,tea-1,Green tea,ten,1,,KRW",  # 16
            "B-11,2026-03-02,done,lee,1,hanok,tea-1,<script>=1+1,10000,1,,KRW",  # 17
            "=B-12,2026-03-02,done,lee,1,hanok,\"=cmd|'/c calc'!A1\",\t+1,10000,1,,KRW",  # 18
            "C-1,2026-03-05,done,lee,1,hanok,tea-1,Green tea,10000,1,,KRW",  # 19
            "C-1,2026-03-05,done,lee,2,hanok,tea-1,Green tea,x,1,,KRW",  # 20
            "C-2,2026-03-05,done,lee,1,hanok,tea-1,Green tea,10000,1,,KRW",  # 21
        )
        rows.write_bytes(
            rows.read_bytes()
            + b"B-13,2026-03-02,done,lee,1,hanok,tea-1,\xff\xfe,10000,1,,KRW\n"  # 22
            + b"B-14,2026-03-02,done,lee,1,hanok,tea-1,nul\x00,10000,1,,KRW\n"  # 23
        )
        paid = write(
            "paid.csv",
            PAID,
            *GOOD_PAID,
            "B-11,card,10000",
            "=B-12,card,10000",
            "C-1,card,10000",
            "C-2,card,9999",  # one short
            "C-2,card,minus",  # 8
            "Z-9,card,10",  # 9
        )
        report = tmp_path / "report.csv"
        imported = bring(market, rows, paid, report_to=report)
        assert told(imported.job_id, market) == [
            ("rejected", "rows.csv", 5, "", "", "wrong_number_of_columns"),
            ("rejected", "rows.csv", 6, "", "", "quote_not_closed"),
            ("rejected", "rows.csv", 7, "B-3", "seller", "unknown_seller"),
            ("rejected", "rows.csv", 8, "B-4", "price", "not_between"),
            ("rejected", "rows.csv", 9, "B-5", "price", "not_between"),
            ("rejected", "rows.csv", 10, "B-6", "units", "not_between"),
            ("rejected", "rows.csv", 11, "A-1", "line", "number_repeated"),
            ("rejected", "rows.csv", 12, "B-7", "at", "in_future"),
            ("rejected", "rows.csv", 13, "B-8", "currency", "wrong_currency"),
            ("rejected", "rows.csv", 14, "B-9", "status", "value_not_mapped"),
            ("rejected", "rows.csv", 15, "", "order", "field_missing"),
            ("rejected", "rows.csv", 16, "B-10", "at", "moment_not_readable"),
            ("rejected", "rows.csv", 16, "B-10", "price", "unreadable_amount"),
            ("rejected", "rows.csv", 16, "B-10", "seller", "field_missing"),
            ("rejected", "rows.csv", 20, "C-1", "price", "unreadable_amount"),
            ("tender_off_by_one", "rows.csv", 21, "C-2", "", "tender_differs"),
            ("rejected", "rows.csv", 22, "", "title", "not_decodable"),
            ("rejected", "rows.csv", 23, "B-14", "title", "field_not_usable"),
            ("rejected", "paid.csv", 8, "C-2", "amount", "unreadable_amount"),
            ("rejected", "paid.csv", 9, "Z-9", "order", "order_unknown"),
        ]
        with tenancy.use(market.pk):
            numbers = Order.objects.order_by("number").values_list("number", flat=True)
            assert list(numbers) == ["=B-12", "A-1", "B-11", "C-1", "C-2"]
            assert OrderLine.objects.get(order__number="B-11").title == "<script>=1+1"
            assert OrderLine.objects.get(order__number="=B-12").sku == "=cmd|'/c calc'!A1"
            assert Order.objects.get(number="C-2").tender_difference == -1
        with report.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == 20
        assert lines[15]["amount"] == "-1"
        assert lines[12]["key"] == "B-10"

    def test_tells_orders_paid_with_another_amount(self, market, write):
        save_profile(market)
        row = "2026-03-02,done,kim,1,hanok,tea-1,Green tea,10000,1,,KRW"
        rows = write("rows.csv", ROWS, *(f"{number},{row}" for number in ("A", "B", "C", "D")))
        paid = write("paid.csv", PAID, "A,card,10000", "B,card,10001", "C,card,9998")
        imported = bring(market, rows, paid)
        assert imported.heads == {"tender_off_by_one": 1, "tender_differs": 2}
        assert imported.amounts == {"tender_off_by_one": 1, "tender_differs": -10_002}
        with tenancy.use(market.pk):
            differences = Order.objects.order_by("number").values_list("tender_difference")
            assert [difference for (difference,) in differences] == [0, 1, -2, -10_000]

    def test_holds_back_whole_orders_where_the_profile_says_so(self, market, write):
        save_profile(market, bad_row="hold_order", payments=None, total_paid_by="card")
        row = "2026-03-02,done,kim,{},{},tea-1,Green tea,{},1,,KRW"
        rows = [f"A,{row.format(1, 'hanok', 100)}", f"A,{row.format(2, 'nobody', 100)}"]
        rows += [f"B,{row.format(1, 'hanok', 100)}"]
        rows += [f"C,{row.format(1, 'hanok', 100)}", f"C,{row.format(2, 'hanok', '1oo')}"]
        path = write("rows.csv", ROWS, *rows)
        imported = bring(market, path)
        assert told(imported.job_id, market) == [
            ("rejected", "rows.csv", 2, "A", "", "order_held_back"),
            ("rejected", "rows.csv", 3, "A", "seller", "unknown_seller"),
            ("rejected", "rows.csv", 5, "C", "", "order_held_back"),
            ("rejected", "rows.csv", 6, "C", "price", "unreadable_amount"),
        ]
        with tenancy.use(market.pk):
            assert Order.objects.get().number == "B"
            make.seller("nobody")
        assert bring(market, path).counts["orders_accepted"] == 1

    def test_changes_nothing_the_second_time(self, market, write):
        save_profile(market, makes_listings=True)
        paths = write("rows.csv", ROWS, *GOOD), write("paid.csv", PAID, *GOOD_PAID)
        first = bring(market, *paths)
        before = digests()
        second = bring(market, *paths)
        assert digests() == before
        assert (second.job_id, second.changed) == (first.job_id, False)
        assert second.counts == {
            "rows": 5,
            "listings": 3,
            "orders_repeated": 1,
            "events_repeated": 2,
        }

    def test_takes_what_has_happened_since_from_a_newer_export(self, market, write):
        save_profile(market, payments=None, total_paid_by="card")
        row = "A,2026-03-02,{},kim,1,hanok,tea-1,Green tea,10000,1,,KRW"
        bring(market, write("rows.csv", ROWS, row.format("paid")))
        newer = bring(market, write("rows.csv", ROWS, row.format("done")))
        assert newer.counts == {
            "rows": 1,
            "orders_repeated": 1,
            "events_accepted": 1,
            "events_repeated": 1,
        }
        with tenancy.use(market.pk):
            assert OrderLine.objects.get().status == "delivered"

    def test_refuses_an_order_that_says_something_else_now(self, market, write):
        save_profile(market, payments=None, total_paid_by="card")
        row = "A,2026-03-02,done,kim,1,hanok,tea-1,Green tea,{},1,,KRW"
        bring(market, write("rows.csv", ROWS, row.format(10_000)))
        imported = bring(market, write("rows.csv", ROWS, row.format(12_000)))
        assert told(imported.job_id, market) == [
            ("rejected", "rows.csv", 2, "A", "number", "order_differs")
        ]
        with tenancy.use(market.pk):
            assert OrderLine.objects.get().unit_price == 10_000

    def test_reads_cp949(self, market, write):
        style = {"encoding": "cp949", "delimiter": ";", "moments": "%Y.%m.%d %H:%M"}
        lines = json.loads(
            json.dumps(SHOP["lines"]).replace('"title": "title"', '"title": "상품명"')
        )
        save_profile(market, format=style, lines=lines, payments=None, total_paid_by="card")
        header = ROWS.replace("title", "상품명").replace(",", ";")
        row = "A;2026.03.02 10:00;done;kim;1;hanok;tea-1;첫물 녹차, 뷁;10000;1;;KRW"
        assert bring(market, write("rows.csv", header, row, encoding="cp949")).heads == {}
        with tenancy.use(market.pk):
            assert OrderLine.objects.get().title == "첫물 녹차, 뷁"

    def test_makes_listings_with_the_words_of_products(self, market, write):
        products = {
            "files": ["products*"],
            "fields": {"code": "code", "title": "name", "category": "kind"},
        }
        categories = {"files": ["kinds*"], "fields": {"code": "code", "name": "name"}}
        save_profile(market, makes_listings=True, products=products, categories=categories)
        bring(
            market,
            write("rows.csv", ROWS, *GOOD),
            write("paid.csv", PAID, *GOOD_PAID),
            write("products.csv", "code,name,kind", "tea-1,First green,tea", "pot-1,Pot,ware"),
            write("kinds.csv", "code,name", "tea,Teas"),
        )
        with tenancy.use(market.pk):
            found = Listing.objects.order_by("code").values_list(
                "code", "seller__code", "live_revision__title", "live_revision__category__name"
            )
            assert list(found) == [
                ("pot-1", "bukchon", "Pot", "ware"),
                ("tea-1", "hanok", "First green", "Teas"),
                ("tea-2", "hanok", "Black tea", None),
            ]
            assert OrderLine.objects.get(sku="tea-1").category.code == "tea"

    def test_makes_the_sellers_that_a_profile_derives(self, market, write):
        lines = json.loads(json.dumps(SHOP["lines"]))
        lines["fields"]["seller"] = {"column": "sku", "first": 3, "prefix": "range-"}
        derived = {"name": "Range {code}"}
        changes = {"payments": None, "total_paid_by": "card", "derived_sellers": derived}
        save_profile(market, lines=lines, says=["Sellers are derived."], **changes)
        imported = bring(market, write("rows.csv", ROWS, *GOOD))
        with tenancy.use(market.pk):
            made = Seller.objects.filter(code__startswith="range-").order_by("code")
            assert [(seller.code, seller.name) for seller in made] == [
                ("range-pot", "Range range-pot"),
                ("range-tea", "Range range-tea"),
            ]
            note = JobRow.objects.get(job_id=imported.job_id, head="note")
            assert note.reason == "Sellers are derived."

    def test_tells_orders_without_a_line_from_orders_that_lost_theirs(self, market, write):
        orders = {"files": ["orders*"], "fields": SHOP["orders"]["fields"]}
        kept_out = [{"head": "fee", "reason": "A fee.", "when": [{"column": "sku", "is": ["F"]}]}]
        save_profile(market, orders=orders, kept_out=kept_out)
        row = "2026-03-02,done,kim,1,hanok,{},Green tea,{},1,,KRW"
        head = "2026-03-02,done,kim"
        imported = bring(
            market,
            write("orders.csv", "order,at,status,buyer", *(f"{of},{head}" for of in "ABCDA")),
            write(
                "rows.csv",
                ROWS,
                f"B,{row.format('tea', 'ten')}",
                f"C,{row.format('F', 10)}",
                f"D,{row.format('tea', 10)}",
                f"E,{row.format('tea', 10)}",
            ),
            write("paid.csv", PAID, "A,card,70", "B,card,70", "D,card,10", "E,card,10"),
        )
        assert told(imported.job_id, market) == [
            ("no_items", "orders.csv", 2, "A", "", "no_items"),
            ("rejected", "orders.csv", 3, "B", "", "no_line_left"),
            ("rejected", "orders.csv", 4, "C", "", "no_line_left"),
            ("rejected", "orders.csv", 6, "A", "order", "number_repeated"),
            ("rejected", "rows.csv", 2, "B", "price", "unreadable_amount"),
            ("fee", "rows.csv", 3, "C", "", "kept_out"),
            ("rejected", "rows.csv", 5, "E", "order", "order_unknown"),
            ("rejected", "paid.csv", 5, "E", "order", "order_unknown"),
        ]
        assert imported.amounts == {"no_items": 70}
        with tenancy.use(market.pk):
            assert Order.objects.get().number == "D"


class TestRefusals:
    def test_of_another_currency_leave_nothing_behind(self, db, write):
        market = opened("jangteo", currency="USD", exponent=2)
        save_profile(market)
        before = digests()
        with pytest.raises(importing.CurrencyDiffers):
            bring(market, write("rows.csv", ROWS, *GOOD), write("paid.csv", PAID, *GOOD_PAID))
        assert digests() == before

    @pytest.mark.parametrize(
        ("names", "refusal"),
        [
            (["rows.csv"], importing.FileMissing),
            (["rows.csv", "paid.csv", "third.csv"], importing.FileNotAsked),
        ],
    )
    def test_name_the_files_that_do_not_fit(self, market, write, names, refusal):
        save_profile(market)
        with pytest.raises(refusal):
            bring(market, *(write(name, ROWS, *GOOD) for name in names))

    def test_name_a_profile_that_is_not_there(self, market, write):
        with pytest.raises(importing.UnknownProfile):
            bring(market, write("rows.csv", ROWS), profile="shop")

    def test_name_a_column_that_is_not_there(self, market, write):
        save_profile(market)
        paths = write("rows.csv", ROWS.replace("price", "cost")), write("paid.csv", PAID)
        with pytest.raises(Refused) as refused:
            bring(market, *paths)
        assert refused.value.code == "column_missing"
        with tenancy.use(market.pk):
            assert not JobRun.objects.exists()

    def test_of_an_archived_marketplace_come_first(self, market, write):
        save_profile(market)
        with tenancy.use(market.pk):
            Marketplace.objects.filter(pk=market.pk).update(state="archived")
        with pytest.raises(importing.MarketplaceArchived):
            bring(market, write("rows.csv", ROWS), write("paid.csv", PAID))


class TestAssign:
    def test_goes_by_names_and_then_by_order(self, market):
        save_profile(market)
        with tenancy.use(market.pk):
            _, profile = importing.own_profile("shop")
        given = [Path("a.csv"), Path("Rows-2.csv"), Path("rows-1.csv")]
        assert importing.assign(profile, given) == [
            ("lines", Path("Rows-2.csv")),
            ("lines", Path("rows-1.csv")),
            ("payments", Path("a.csv")),
        ]


class TestProfiles:
    def test_that_come_along_become_the_marketplaces_own(self, db, write):
        market = opened("jangteo", currency="GBP", exponent=2)
        header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
        path = write("online_retail.csv", header)
        bring(market, path, profile="online-retail")
        with tenancy.use(market.pk):
            row = ImportProfile.objects.get()
            assert row.body == json.loads((importing.FOLDER / "online-retail.json").read_text())
            row.body["currency"] = "EUR"
            row.save()
        with pytest.raises(importing.CurrencyDiffers):  # the row wins
            bring(market, path, profile="online-retail")


class Killed(BaseException):
    """What a process sees of SIGKILL is nothing; a test needs something to be thrown."""


@pytest.mark.django_db(transaction=True)
class TestRestart:
    def rows(self, write):
        row = "2026-03-02,done,kim,1,hanok,tea-{0},Green tea {0},10000,2,{0},KRW"
        return write("rows.csv", ROWS, *(f"A-{n:03},{row.format(n)}" for n in range(1, 41)))

    def test_goes_on_where_a_killed_import_stopped(self, write, monkeypatch):
        for slug in ("whole", "killed"):
            save_profile(opened(slug), payments=None, total_paid_by="card", makes_listings=True)
        monkeypatch.setattr("orders.import_batches.ORDERS_AT_ONCE", 7)
        whole, killed = (Marketplace.objects.get(slug=slug) for slug in ("whole", "killed"))
        path = self.rows(write)
        expected = bring(whole, path)

        def kill(what, done, total):
            if what == "orders" and done >= 28:
                raise Killed

        with pytest.raises(Killed):
            bring(killed, path, tell=kill)
        with tenancy.use(killed.pk):
            assert JobRun.objects.get().state == "running"
            # The batch that was being counted went with the transaction that it was in.
            assert Order.objects.count() == 7
        again = bring(killed, path)
        assert again.counts["orders_accepted"] + again.counts["orders_repeated"] == 40
        assert again.counts["orders_repeated"] == 7
        assert content(killed) == content(whole)
        assert expected.heads == again.heads == {}
        with tenancy.use(killed.pk):
            assert JobRun.objects.get().state == "done"

    def test_begins_a_failed_import_again(self, write, monkeypatch):
        market = opened("jangteo")
        save_profile(market, payments=None, total_paid_by="card")
        path = self.rows(write)

        def fail(what, done, total):
            if what == "orders" and done:
                raise RuntimeError("out of paper")

        with pytest.raises(RuntimeError):
            bring(market, path, tell=fail)
        with tenancy.use(market.pk):
            job = JobRun.objects.get()
            assert (job.state, job.error) == ("failed", "out of paper")
        assert bring(market, path).counts["orders_accepted"] == 40
        with tenancy.use(market.pk):
            assert JobRun.objects.get().state == "done"

    def test_never_touches_the_stranger(self, write):
        ours, strangers = opened("jangteo"), opened("stranger")
        for market in (ours, strangers):
            save_profile(market, payments=None, total_paid_by="card", makes_listings=True)
        path = self.rows(write)
        bring(strangers, path)
        before = content(strangers)
        with tenancy.use(strangers.pk):
            counted = JobRow.objects.count(), JobRun.objects.count(), Seller.objects.count()
        bring(ours, path)
        assert content(strangers) == before
        with tenancy.use(strangers.pk):
            assert counted == (
                JobRow.objects.count(),
                JobRun.objects.count(),
                Seller.objects.count(),
            )


def content(market):
    """What a marketplace's orders say, without ids."""
    with tenancy.use(market.pk):
        lines = OrderLine.objects.order_by("order__number", "number")
        events = OrderEvent.objects.order_by("source_id")
        return (
            list(
                lines.values_list(
                    "order__number", "number", "sku", "list_amount", "status", "listing__code"
                )
            ),
            list(events.values_list("source_id", "kind", "occurred_at", "order_number")),
            list(Payment.objects.order_by("order__number").values_list("amount", "kind")),
        )


RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


class TestCancels:
    @pytest.fixture
    def retail(self, db):
        return opened("retail", currency="GBP", exponent=2, zone="Europe/London")

    def test_are_matched_or_listed(self, retail, write):
        path = write(
            "online_retail.csv",
            RETAIL,
            "1001,22001,MUG,10,2026-01-05 10:00:00,1.25,17,UK",  # 2
            "1001,22001,MUG,4,2026-01-05 10:00:00,1.25,17,UK",  # 3
            "1002,22001,MUG,6,2026-01-06 10:00:00,1.25,17,UK",  # 4
            "1003,22001,MUG,6,2026-02-06 10:00:00,1.25,17,UK",  # 5
            "1003,POST,POSTAGE,1,2026-02-06 10:00:00,18.00,17,UK",  # 6
            "1004,22002,,-5,2026-02-06 10:00:00,0.0,,UK",  # 7
            "1005,22002,found,5,2026-02-06 10:00:00,0.0,,UK",  # 8
            "C1006,22001,MUG,-5,2026-01-20 10:00:00,1.25,17,UK",  # 9: of 1002
            "C1006,22001,MUG,-5,2026-01-20 10:00:00,1.25,17,UK",  # 10: of line 1 of 1001
            "C1007,22001,MUG,-6,2026-01-21 10:00:00,1.25,17,UK",  # 11: nothing left
            "C1007,22001,MUG,-1,2026-01-21 10:00:00,1.30,17,UK",  # 12: another price
            "C1008,22001,MUG,-1,2026-01-22 10:00:00,1.25,,UK",  # 13: no customer
            "CD1008,POST,POSTAGE,-1,2026-01-22 10:00:00,18.00,17,UK",  # 14
        )
        imported = bring(retail, path, profile="online-retail")
        assert imported.counts == {
            "rows": 13,
            "sellers": 1,
            "listings": 1,
            "orders_accepted": 3,
            "events_accepted": 12,
            "cancels_accepted": 2,
            "cancels_unmatched": 3,
        }
        assert told(imported.job_id, retail) == [
            ("fee_code", path.name, 6, "1003", "", "kept_out"),
            ("stock_correction", path.name, 7, "1004", "", "kept_out"),
            ("no_price", path.name, 8, "1005", "", "kept_out"),
            ("cancel_unmatched", path.name, 11, "C1007", "", "not_enough_units"),
            ("cancel_unmatched", path.name, 12, "C1007", "", "no_sale"),
            ("cancel_unmatched", path.name, 13, "C1008", "", "no_buyer"),
            ("fee_code", path.name, 14, "CD1008", "", "kept_out"),
        ]
        assert imported.amounts == {"cancel_unmatched": 6 * 125 + 130 + 125}
        with tenancy.use(retail.pk):
            lines = OrderLine.objects.order_by("order__number", "number")
            left = lines.values_list("order__number", "number", "seller__code", "units_left")
            assert list(left) == [
                ("1001", 1, "range-22", 5),
                ("1001", 2, "range-22", 4),
                ("1002", 1, "range-22", 1),
                ("1003", 1, "range-22", 6),
            ]
            outcomes = lines.filter(order__number="1002").values_list(
                "outcomes__kind", "outcomes__basis_on", "outcomes__quantity"
            )
            assert sorted((kind, str(on), units) for kind, on, units in outcomes) == [
                ("reversal", "2026-01-20", 1),
                ("sale", "2026-01-13", 6),
            ]
        before = digests()
        assert bring(retail, path, profile="online-retail").changed is False
        assert digests() == before

    def test_find_sales_of_an_earlier_file(self, retail, write):
        sale = "1001,22001,MUG,10,2026-01-05 10:00:00,1.25,17,UK"
        cancel = "C1002,22001,MUG,-3,2026-02-05 10:00:00,1.25,17,UK"
        bring(retail, write("online_retail_1.csv", RETAIL, sale), profile="online-retail")
        later = write("online_retail_2.csv", RETAIL, cancel)
        imported = bring(retail, later, profile="online-retail")
        assert imported.counts == {"rows": 1, "cancels_accepted": 1}
        again = bring(retail, later, profile="online-retail")
        assert again.counts == {"rows": 1, "cancels_repeated": 1}
        with tenancy.use(retail.pk):
            assert OrderLine.objects.get().units_left == 7
