"""Pages about resident numbers: who sees what, who takes them out, and what has none."""

import copy
import csv
import io
import logging
import zipfile
from datetime import UTC, date, datetime
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.core import mail
from django.db import connection

from marketplace import tenancy
from marketplace.models import AuditEntry, JobRun, User
from marketplace.tests.make import ApiClient, api_key
from sellers.models import SellerProfile
from settlements import bundles, export_jobs, exports, nights, resident_numbers
from settlements.models import ResidentNumber, Statement
from settlements.tests import make
from settlements.tests.test_payout_pages import decide, operator, shopkeeper
from settlements.tests.test_resident_numbers import pay
from settlements.tests.test_tax_pages import SPACE

pytestmark = pytest.mark.django_db

AT = make.AT
OPEN_ON, CLOSED_ON = date(2026, 9, 1), date(2026, 9, 4)
PAID_AT = datetime(2026, 9, 7, 3, tzinfo=UTC)
NUMBER, DIGITS = "900101-1234568", "9001011234568"
SHOW, ENTER = "/s/ours/tax/resident-number/", "/s/ours/tax/resident-number/enter/"
LIST = "/admin/settlements/residentnumber/"
WITHHELD, INVOICES = f"{LIST}withheld/?month=2026-09", f"{LIST}invoices/?month=2026-09"
WHY = {"reason": "9월분 원천세 신고"}


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture(scope="module")
def paid(rows_of_module):
    """H and I, from whom tax was withheld in September, when they were paid."""
    market = make.market("ours", first_open_on=OPEN_ON)
    with tenancy.use(market.pk):
        found = [make.seller(code, seller_type="individual") for code in "HI"]
        for seller, name in zip(found, ("한방송", "이진행"), strict=True):
            SellerProfile.objects.create(seller=seller, representative=name)
            make.account(seller)
            make.contract(seller, income_kind="service")
            make.sold(seller, number=seller.code, unit_price=100_000, confirmed_on=OPEN_ON)
    nights.close_day(market.pk, CLOSED_ON, at=AT)
    pay(market, PAID_AT)
    return market, found


@pytest.fixture
def market(db, paid):
    return copy.copy(paid[0])


@pytest.fixture
def hosts(db, paid):
    return [copy.copy(seller) for seller in paid[1]]


def owner_of(seller, email="host@example.org", *, is_fresh=True):
    client = shopkeeper(seller, email)
    if is_fresh:
        session = client.session
        user = User.objects.get(email=email)
        record_authentication(SimpleNamespace(session=session), user, method="password")
        session.save()
    return client


def entered(market, seller, text=NUMBER, email="host@example.org"):
    client = owner_of(seller, email)
    assert client.post(ENTER, {"number": text}).status_code == 302
    return client


def kept(market):
    with tenancy.use(market.pk):
        rows = ResidentNumber.objects.select_related("seller", "entered_by")
        return list(rows.order_by("seller__code"))


def words(client, address):
    return client.get(address).content.decode()


class TestSeller:
    def test_enters_it_once_and_sees_the_date_of_birth_alone(self, market, hosts):
        client = owner_of(hosts[0])
        page = words(client, "/s/ours/tax/")
        assert "needs your resident registration number" in page
        page = words(client, SHOW)
        assert "Income Tax Act, articles 164 and 164-3" in page
        assert "until 5 years after the 10th of March" in page
        page = client.post(ENTER, {"number": NUMBER}, follow=True).content.decode()
        assert "The number is kept, encrypted." in page
        assert "900101-*******" in page
        assert "1234568" not in page
        page = words(client, "/s/ours/tax/")
        assert "needs your resident registration number" not in page
        assert SHOW in page
        [row] = kept(market)
        assert (row.seller, row.entered_by.email) == (hosts[0], "host@example.org")

    def test_is_told_of_an_odd_check_digit(self, market, hosts):
        client = owner_of(hosts[0])
        page = client.post(ENTER, {"number": "900101-1234567"}, follow=True).content.decode()
        assert "compare it with your card" in page
        assert kept(market)[0].has_odd_check_digit

    @pytest.mark.parametrize("text", ["900101-98765", "9001011234568 9001011234568"])
    def test_does_not_read_again_what_was_mistyped(self, market, hosts, text):
        answer = owner_of(hosts[0]).post(ENTER, {"number": text})
        assert answer.status_code == 422
        assert text not in answer.content.decode()
        assert kept(market) == []

    def test_is_asked_who_it_is_before_that(self, market, hosts):
        client = owner_of(hosts[0], is_fresh=False)
        for answer in (client.get(ENTER), client.post(ENTER, {"number": NUMBER})):
            assert answer.url.startswith("/accounts/reauthenticate/?next=")
        assert kept(market) == []
        assert DIGITS[6:] not in str(dict(client.session))

    def test_is_kept_by_no_cache(self, market, hosts):
        client = owner_of(hosts[0])
        for address in (SHOW, ENTER):
            assert "no-store" in client.get(address)["Cache-Control"]

    def test_is_told_that_none_is_needed(self, market, hosts):
        with tenancy.use(market.pk):
            shop = make.seller("B")
        client = owner_of(shop)
        assert "Your number is not needed" in words(client, SHOW)
        for answer in (client.get(ENTER), client.post(ENTER, {"number": NUMBER})):
            assert answer.url == SHOW
        page = words(client, "/s/ours/tax/")
        assert "resident" not in page
        assert kept(market) == []

    def test_is_the_owner_and_none_of_the_staff(self, market, hosts):
        entered(market, hosts[0])
        with tenancy.use(market.pk):
            hosts[0].members.update(role="staff")
        client = owner_of(hosts[1], "other@example.org")
        assert "900101" not in words(client, SHOW)
        staff = User.objects.get(email="host@example.org")
        client.force_login(staff)
        assert client.get(SHOW).status_code == 403
        assert client.post(ENTER, {"number": "8512312345678"}).status_code == 403
        assert "resident" not in words(client, "/s/ours/tax/")

    def test_keeps_the_old_one_for_reports_when_no_more_is_needed(self, market, hosts):
        client = entered(market, hosts[0])
        with tenancy.use(market.pk):
            type(hosts[0]).objects.filter(pk=hosts[0].pk).update(seller_type="corporation")
        assert "At present no report needs it." in words(client, SHOW)


class TestOperator:
    def test_sees_that_it_is_there_and_no_digit(self, market, hosts):
        entered(market, hosts[0])
        client = operator(market)
        [row] = kept(market)
        for address in (LIST, f"{LIST}{row.pk}/change/", WITHHELD):
            page = words(client, address)
            assert "상점 H" in page
            assert "900101" not in page
        page = words(client, f"{LIST}{row.pk}/change/")
        assert "******-*******" in page
        assert "2032-03-10" in page

    def test_is_told_who_entered_the_same(self, market, hosts):
        for seller in hosts:
            entered(market, seller, email=f"{seller.code.lower()}@example.org")
        page = words(operator(market), f"{LIST}{kept(market)[0].pk}/change/")
        assert "These sellers entered it too." in page
        assert "상점 I" in page

    @pytest.mark.parametrize("role", ["viewer", "reviewer", "support"])
    def test_without_the_right_sees_nothing_of_it(self, market, hosts, role):
        entered(market, hosts[0])
        client = operator(market, role, role=role)
        [row] = kept(market)
        for address in (LIST, f"{LIST}{row.pk}/change/", WITHHELD, INVOICES):
            assert client.get(address).status_code == 403
            assert client.post(address, WHY).status_code in (403, 405)
        assert "resident" not in words(client, "/admin/settlements/taxinvoice/reports/")
        assert not deeds(market, "taken_out")

    def test_of_another_marketplace_finds_nothing(self, market, hosts):
        entered(market, hosts[0])
        [row] = kept(market)
        client = operator(make.market("theirs"), "stranger", role="owner")
        assert client.get(f"{LIST}{row.pk}/change/").status_code == 404
        assert "상점 H" not in words(client, LIST)
        assert "상점 H" not in words(client, WITHHELD)
        assert b"9001" not in client.post(WITHHELD, WHY).content
        assert not deeds(market, "taken_out")

    def test_erases_one_with_a_reason(self, market, hosts):
        entered(market, hosts[0])
        [row] = kept(market)
        page = decide(operator(market), row, "erase", reason="다른 사람의 번호")
        assert "The number was erased." in page.content.decode()
        assert kept(market) == []


def deeds(market, deed):
    with tenancy.use(market.pk):
        rows = AuditEntry.objects.filter(action=f"residentnumber.{deed}").order_by("pk")
        return [(row.actor.email, row.reason, row.data) for row in rows]


class TestWithheld:
    def test_names_whose_number_is_missing(self, market, hosts):
        entered(market, hosts[0])
        answer = operator(market).get(WITHHELD)
        persons = [(person.name, person.has_number) for person in answer.context["persons"]]
        assert persons == [("이진행", False), ("한방송", True)]
        assert "1 number missing" in answer.content.decode()

    def test_is_written_with_the_numbers_and_recorded(self, market, hosts):
        entered(market, hosts[0])
        answer = operator(market).post(WITHHELD, WHY)
        assert "no-store" in answer["Cache-Control"]
        assert answer["Content-Disposition"] == 'attachment; filename="withholding-2026-09.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert rows == [
            {
                "month": "2026-09",
                "seller": code,
                "name": name,
                "resident_number": number,
                "statements": "1",
                "service_net": "86800",
                "withholding_income": "2600",
                "withholding_local": "260",
            }
            for code, name, number in (("H", "한방송", NUMBER), ("I", "이진행", ""))
        ]
        told = {"purpose": "withholding", "month": "2026-09", "persons": 1, "missing": 1}
        assert deeds(market, "taken_out") == [("finance@example.org", WHY["reason"], told)]
        [row] = kept(market)
        assert row.last_used_for == "withholding"
        assert row.last_used_at is not None

    def test_has_the_same_amounts_as_the_export_without(self, market, hosts):
        entered(market, hosts[0])
        out = io.StringIO()
        with tenancy.use(market.pk):
            exports.write("withholding", out)
        content = operator(market).post(WITHHELD, WHY).content.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(content)))
        for row in rows:
            del row["resident_number"]
        assert rows == list(csv.DictReader(io.StringIO(out.getvalue())))

    def test_wants_a_reason_and_a_fresh_log_in(self, market, hosts):
        entered(market, hosts[0])
        answer = operator(market).post(WITHHELD, {"reason": " "})
        assert answer.status_code == 422
        late = operator(market, "late", is_fresh=False)
        for answer in (late.get(WITHHELD), late.post(WITHHELD, WHY)):
            assert answer.url.startswith("/accounts/reauthenticate/?next=")
        assert deeds(market, "taken_out") == []

    def test_is_refused_of_a_month_without_any(self, market, hosts):
        answer = operator(market).post(WITHHELD, WHY)
        assert answer.status_code == 422
        assert "Nobody in 2026-09 whose number is to be told." in answer.content.decode()
        assert operator(market).get(f"{LIST}withheld/?month=2026-08").context["persons"] == []

    def test_names_whose_number_cannot_be_read(self, market, hosts, settings):
        settings.FIELD_KEYS = [b"o" * 32]
        entered(market, hosts[0])
        settings.FIELD_KEYS = [b"n" * 32]
        answer = operator(market).post(WITHHELD, WHY)
        assert answer.status_code == 422
        assert "The number of “상점 H” was sealed with a key" in answer.content.decode()
        assert deeds(market, "taken_out") == []


class TestInvoices:
    def test_have_the_number_of_the_person(self, market, hosts):
        entered(market, hosts[0])
        with tenancy.use(market.pk):
            business = make.seller("B")
            make.tax_parties(business)
            for seller in (*hosts, business):
                make.tax_invoice(seller, month=date(2026, 9, 1))
        client = operator(market)
        assert [person.name for person in client.get(INVOICES).context["persons"]] == [
            "이진행",
            "한방송",
        ]
        answer = client.post(INVOICES, {"reason": "9월분 발급"})
        with zipfile.ZipFile(io.BytesIO(answer.content)) as files:
            found = {name: ElementTree.fromstring(files.read(name)) for name in files.namelist()}  # noqa: S314
        told = {}
        for name, root in found.items():
            party = f"{SPACE}TaxInvoiceTradeSettlement/{SPACE}InvoiceeParty/"
            code = f"{party}{SPACE}SpecifiedOrganization/{SPACE}BusinessTypeCode"
            told[name] = (root.findtext(f"{party}{SPACE}ID"), root.findtext(code))
        assert told == {
            "tax-invoice-202609-000001.xml": (DIGITS, "02"),
            "tax-invoice-202609-000002.xml": (None, "02"),
        }
        told = {"purpose": "tax_invoice", "month": "2026-09", "persons": 1, "missing": 1}
        assert deeds(market, "taken_out") == [("finance@example.org", "9월분 발급", told)]

    def test_are_as_before_without_the_numbers(self, market, hosts):
        entered(market, hosts[0])
        with tenancy.use(market.pk):
            make.tax_parties()
            make.tax_invoice(hosts[0], month=date(2026, 9, 1))
        client = operator(market)
        zipped = client.get("/admin/settlements/taxinvoice/months/?month=2026-09&xml=1").content
        with zipfile.ZipFile(io.BytesIO(zipped)) as files:
            assert all(DIGITS not in files.read(name).decode() for name in files.namelist())


def texts_with(*wanted) -> set[str]:
    """Every table of the database that has one of the texts in some row, plain or in bytes."""
    found = set()
    patterns = [f"%{form}%" for text in wanted for form in (text, text.encode().hex())]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
            "AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" t WHERE t::text LIKE ANY(%s))', [patterns]
            )
            if cursor.fetchone()[0]:
                found.add(table)
    return found


class TestNothingElse:
    def test_has_the_number(self, market, hosts, media, caplog):
        """After every face was used, the number is in no row, file, log, mail or answer."""
        caplog.set_level(logging.DEBUG)
        host = owner_of(hosts[0])
        answers = [host.post(ENTER, {"number": text}) for text in ("900101-1", NUMBER, NUMBER)]
        assert [answer.status_code for answer in answers] == [422, 302, 422]
        with tenancy.use(market.pk):
            make.tax_parties()
            make.tax_invoice(hosts[0], month=date(2026, 9, 1))
        client = operator(market)
        for address in (WITHHELD, INVOICES):
            assert client.post(address, WHY).status_code == 200
        [row] = kept(market)
        answers += [client.get(f"{LIST}{row.pk}/change/"), client.get(LIST), host.get(SHOW)]
        program = ApiClient(api_key(market))
        answers += [
            program.read(f"{kind}/")
            for kind in ("statements", "tax-invoices", "changes", "sellers")
        ]
        with tenancy.use(market.pk):
            statement = Statement.objects.filter(seller=hosts[0]).withheld().get()
            made = bundles.make(statement)
            jobs = [export_jobs.ask(kind, by=None, at=AT).pk for kind in exports.KINDS]
        for job in jobs:
            export_jobs.write(market.pk, job, at=AT)
        with tenancy.use(market.pk):
            resident_numbers.erase_due(at=AT)
            assert JobRun.objects.filter(pk__in=jobs, state="done").count() == len(jobs)
            assert texts_with("상점 H") >= {"sellers_seller"}
            assert texts_with("9월분 원천세 신고") == {"marketplace_auditentry"}
            assert texts_with(NUMBER, DIGITS) == set()
        with zipfile.ZipFile(io.BytesIO(made)) as files:
            written = [files.read(name) for name in files.namelist()]
        written += [file.read_bytes() for file in media.rglob("*") if file.is_file()]
        assert len(written) > len(jobs)
        written += [answer.content for answer in answers]
        written += [caplog.text.encode(), str([each.message() for each in mail.outbox]).encode()]
        written += [str(dict(each.session)).encode() for each in (host, client)]
        for text in written:
            assert DIGITS.encode() not in text
            assert NUMBER.encode() not in text
