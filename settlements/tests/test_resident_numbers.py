"""Resident numbers: of whom they are asked, how they are kept, and when they are gone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from marketplace import identifiers, reasons, sealing, states, tenancy
from marketplace.models import AuditEntry, Marketplace
from marketplace.tests import make as people
from settlements import nights, payout_sending, payouts, resident_numbers, retention, tasks
from settlements.models import PayoutBatch, ResidentNumber, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
ON = make.FIRST_OPEN_ON
CHANGED_ON = ON + timedelta(days=40)
NUMBER, OTHER = "900101-1234568", "851231-2345678"
Purpose = ResidentNumber.Purpose


@pytest.fixture
def market():
    return make.market("ours")


@pytest.fixture
def inside(market):
    with tenancy.use(market.pk):
        yield market


@pytest.fixture
def owner():
    return people.user("host@example.org", is_staff=False)


def host(code="H", **fields):
    """Somebody who is paid for personal services."""
    fields.setdefault("seller_type", "individual")
    seller = make.seller(code, **fields)
    make.contract(seller, income_kind="service")
    return seller


def former_host(code="H"):
    """The same, until the contract said otherwise."""
    seller = host(code)
    make.contract(seller, valid_from=CHANGED_ON, income_kind="goods")
    return seller


def purpose(seller, on=ON):
    return resident_numbers.purpose_of(seller, on=on)


def enter(seller, owner, text=NUMBER, at=AT):
    return resident_numbers.enter(seller, text, by=owner, at=at)


def at(day):
    return datetime(day.year, day.month, day.day, 3, tzinfo=UTC)


def pay(market, moment):
    """Pay out what can be, in the one batch that a night prepared, or that is prepared now."""
    with tenancy.use(market.pk):
        payouts.prepare(on=moment.date(), at=moment)
        batch = PayoutBatch.objects.get()
        states.move(batch, PayoutBatch.State.APPROVED, by=None, at=moment)
        payouts.execute(batch, by=None, at=moment)
        ids = list(batch.rows.values_list("pk", flat=True))
    for payout_id in ids:
        payout_sending.serve(market.pk, payout_id, now=lambda: moment)


def trail():
    rows = AuditEntry.objects.filter(action__startswith="residentnumber").order_by("pk")
    return [(row.action.partition(".")[2], row.reason) for row in rows]


class TestPurposeOf:
    def test_is_the_report_of_withheld_tax_where_the_contract_says_so(self, inside):
        assert purpose(host()) == Purpose.WITHHOLDING
        assert purpose(host("S", seller_type="sole_proprietor")) == Purpose.WITHHOLDING

    def test_asks_already_for_what_a_coming_contract_says(self, inside):
        seller = make.seller(seller_type="individual")
        make.contract(seller, valid_from=ON + timedelta(days=40), income_kind="service")
        assert purpose(seller) == Purpose.WITHHOLDING

    def test_forgets_a_contract_that_was_replaced_before_anything_was_paid(self, inside):
        seller = former_host()
        assert purpose(seller, CHANGED_ON - timedelta(days=1)) == Purpose.WITHHOLDING
        assert purpose(seller, CHANGED_ON) is None

    def test_is_the_report_while_it_is_of_this_year_or_the_last(self, inside):
        seller = former_host()
        make.withheld(seller)
        assert purpose(seller, date(2027, 12, 31)) == Purpose.WITHHOLDING
        assert purpose(seller, date(2028, 1, 1)) is None

    def test_is_the_report_of_what_was_paid_long_after_it_was_withheld(self, market):
        with tenancy.use(market.pk):
            seller = former_host()
            make.account(seller)
            make.withheld(seller)
        pay(market, at(date(2028, 5, 2)))
        with tenancy.use(market.pk):
            assert purpose(seller, date(2029, 12, 31)) == Purpose.WITHHOLDING
            assert purpose(seller, date(2030, 1, 1)) is None

    def test_is_the_report_of_what_an_open_statement_says(self, inside):
        seller = former_host()
        row = Statement.objects.create(seller=seller, due_on=ON, service_net=1, net=1)
        assert purpose(seller, CHANGED_ON) == Purpose.WITHHOLDING
        Statement.objects.filter(pk=row.pk).update(service_net=0)
        assert purpose(seller, CHANGED_ON) is None

    def test_is_the_invoice_of_a_person_alone(self, inside):
        person = make.seller("P", seller_type="individual")
        business = make.seller("B")
        make.tax_parties(business)
        for seller in (person, business):
            make.tax_invoice(seller)
        assert purpose(person) == Purpose.TAX_INVOICE
        assert purpose(person, date(2028, 1, 1)) is None
        assert purpose(business) is None

    def test_is_nothing_of_companies_and_of_those_without_such_income(self, inside):
        assert purpose(make.seller("G", seller_type="individual")) is None
        assert purpose(host("C", seller_type="corporation")) is None

    def test_is_nothing_where_another_country_has_the_say(self):
        foreign = make.market("theirs", currency="USD", exponent=2)
        with tenancy.use(foreign.pk):
            assert purpose(host()) is None


class TestEnter:
    def test_seals_it_with_its_law(self, inside, owner):
        seller = host()
        row = enter(seller, owner)
        row.refresh_from_db()
        assert sealing.reveal(row, "number") == "9001011234568"
        assert (row.purpose, row.legal_basis) == ("withholding", "kr_income_tax_164")
        assert (row.entered_by, row.entered_at, row.has_odd_check_digit) == (owner, AT, False)
        assert resident_numbers.masked(row) == "900101-*******"
        [entry] = AuditEntry.objects.filter(action="residentnumber.entered")
        assert entry.data == {"purpose": "withholding", "seller": seller.pk}

    def test_names_the_law_of_invoices(self, inside, owner):
        person = make.seller(seller_type="individual")
        make.tax_parties()
        make.tax_invoice(person)
        row = enter(person, owner)
        assert (row.purpose, row.legal_basis) == ("tax_invoice", "kr_vat_32")

    def test_keeps_one_with_an_odd_check_digit_and_remembers_it(self, inside, owner):
        assert enter(host(), owner, "900101-1234567").has_odd_check_digit

    def test_replaces_the_one_before_and_leaves_nothing_of_it(self, inside, owner):
        seller = host()
        first = enter(seller, owner)
        ResidentNumber.objects.update(last_used_for="withholding", last_used_at=AT)
        second = enter(seller, owner, OTHER, AT + timedelta(days=1))
        assert second.pk == first.pk
        row = ResidentNumber.objects.get()
        assert sealing.reveal(row, "number") == "8512312345678"
        assert (row.last_used_for, row.last_used_at) == ("", None)
        assert [deed for deed, _reason in trail()] == ["entered", "replaced"]

    def test_refuses_the_same_number_again(self, inside, owner):
        seller = host()
        enter(seller, owner)
        with pytest.raises(resident_numbers.SameNumber):
            enter(seller, owner, "9001011234568")
        assert len(trail()) == 1

    def test_keeps_nothing_of_whom_no_law_asks(self, inside, owner):
        with pytest.raises(resident_numbers.NotAskedFor):
            enter(make.seller(seller_type="individual"), owner)
        with pytest.raises(identifiers.NotAResidentNumber):
            enter(host(), owner, "900101-123")
        assert not ResidentNumber.objects.exists()
        assert trail() == []

    def test_is_open_to_who_left_with_something_to_report(self, inside, owner):
        seller = former_host()
        make.withheld(seller)
        type(seller).objects.update(state="terminated")
        assert enter(seller, owner, at=AT + timedelta(days=60)).seller == seller

    def test_takes_the_place_of_one_whose_key_is_lost(self, inside, owner, settings):
        settings.FIELD_KEYS = [b"o" * 32]
        seller = host()
        enter(seller, owner)
        settings.FIELD_KEYS = [b"n" * 32]
        row = ResidentNumber.objects.get()
        assert resident_numbers.masked(row) == "******-*******"
        assert resident_numbers.doubles(row) == []
        enter(seller, owner)
        assert resident_numbers.masked(ResidentNumber.objects.get()) == "900101-*******"


class TestDoubles:
    def test_are_found_in_the_own_marketplace_alone(self, market, owner):
        theirs = make.market("theirs")
        with tenancy.use(theirs.pk):
            enter(host("X"), owner)
        with tenancy.use(market.pk):
            one, two, three = (host(code) for code in "ABC")
            row = enter(one, owner)
            assert resident_numbers.doubles(row) == []
            enter(two, owner, "9001011234568")
            enter(three, owner, OTHER)
            assert resident_numbers.doubles(row) == [two]

    def test_are_found_under_an_older_key(self, inside, owner, settings):
        settings.FIELD_KEYS = [b"o" * 32]
        one, two = host("A"), host("B")
        enter(one, owner)
        settings.FIELD_KEYS = [b"n" * 32, b"o" * 32]
        assert resident_numbers.doubles(enter(two, owner)) == [one]


class TestRotation:
    def test_seals_number_and_index_anew(self, market, owner, settings, capsys):
        settings.FIELD_KEYS = [b"o" * 32]
        with tenancy.use(market.pk):
            one, two = host("A"), host("B")
            enter(one, owner)
        settings.FIELD_KEYS = [b"n" * 32, b"o" * 32]
        call_command("rotate_fields")
        assert "settlements.ResidentNumber.number\t1" in capsys.readouterr().out
        settings.FIELD_KEYS = [b"n" * 32]
        with tenancy.use(market.pk):
            assert resident_numbers.doubles(enter(two, owner)) == [one]


class TestTable:
    def test_holds_one_number_of_a_seller(self, inside, owner):
        seller = host()
        make.resident_number(seller, by=owner)
        with pytest.raises(IntegrityError, match="one_per_seller"), transaction.atomic():
            make.resident_number(seller, by=owner)

    def test_holds_none_without_its_law(self, inside, owner):
        with pytest.raises(IntegrityError, match="by_the_law_of_its_purpose"):
            make.resident_number(host(), by=owner, legal_basis="kr_vat_32")

    def test_is_closed_to_strangers(self, market, owner):
        with tenancy.use(market.pk):
            seller = host()
            row = enter(seller, owner)
        theirs = make.market("theirs")
        with tenancy.use(theirs.pk):
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM settlements_residentnumber")
                assert cursor.fetchone() == (0,)
            assert ResidentNumber.objects.filter(pk=row.pk).update(purpose="withholding") == 0
            # A seller of another marketplace cannot be named.
            make.resident_number(seller, by=owner, marketplace_id=theirs.pk)
            with (
                pytest.raises(IntegrityError, match="is_own"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            ResidentNumber.objects.all().delete()

    def test_keeps_the_seller(self, inside, owner):
        seller = host()
        enter(seller, owner)
        with pytest.raises(ProtectedError):
            seller.delete()


class TestErase:
    def test_leaves_nothing_but_who_and_why(self, inside, owner):
        row = enter(host(), owner)
        with pytest.raises(reasons.ReasonMissing):
            resident_numbers.erase(row, by=owner, at=AT, reason=" ")
        assert ResidentNumber.objects.exists()
        resident_numbers.erase(row, by=owner, at=AT, reason="다른 사람의 번호")
        assert not ResidentNumber.objects.exists()
        assert trail()[-1] == ("erased", "다른 사람의 번호")


class TestEraseDue:
    def test_erases_what_the_law_no_longer_asks_for(self, inside, owner):
        old, young = host("A"), host("B")
        for seller, paid_on in ((old, date(2026, 10, 1)), (young, date(2027, 1, 4))):
            make.withheld(seller, on=paid_on)
            enter(seller, owner)
        assert resident_numbers.erase_due(at=at(date(2032, 3, 10))) == 0
        assert resident_numbers.erase_due(at=at(date(2032, 3, 11))) == 1
        assert [row.seller for row in ResidentNumber.objects.all()] == [young]
        assert trail()[-1] == ("erased", retention.PERIOD_OVER)
        assert resident_numbers.erase_due(at=at(date(2032, 3, 12))) == 0

    def test_counts_from_the_payment_when_it_came_after_the_year(self, market, owner):
        with tenancy.use(market.pk):
            seller = host()
            make.account(seller)
            make.withheld(seller, on=date(2026, 12, 30))
            enter(seller, owner)
        pay(market, at(date(2027, 1, 4)))
        with tenancy.use(market.pk):
            [row] = ResidentNumber.objects.with_last_income()
            assert resident_numbers.last_income_on(row) == date(2027, 1, 4)
            assert resident_numbers.erase_due(at=at(date(2033, 3, 10))) == 0
            assert resident_numbers.erase_due(at=at(date(2033, 3, 11))) == 1

    def test_counts_the_last_invoice_to_a_person_and_none_that_is_a_draft(self, inside, owner):
        make.tax_parties()
        person, business = make.seller("P", seller_type="individual"), host("B")
        type(business).objects.filter(pk=business.pk).update(seller_type="sole_proprietor")
        for seller in (person, business):
            make.tax_invoice(seller, month=date(2027, 5, 1))
        make.tax_invoice(person, month=date(2028, 5, 1), state="draft", issued_at=None)
        for seller in (person, business):
            make.resident_number(seller, by=owner)
        rows = {row.seller: row for row in ResidentNumber.objects.with_last_income()}
        assert rows[person].invoiced_on == date(2027, 5, 31)
        assert rows[business].invoiced_on is None
        assert resident_numbers.kept_until(rows[person], years=5) == date(2033, 3, 10)
        assert resident_numbers.kept_until(rows[business], years=5) is None

    def test_goes_by_the_years_of_the_marketplace(self, market, owner):
        with tenancy.use(market.pk):
            seller = host()
            make.withheld(seller, on=date(2026, 10, 1))
            enter(seller, owner)
            Marketplace.objects.filter(pk=market.pk).update(resident_number_years=3)
        with tenancy.use(market.pk):
            assert resident_numbers.erase_due(at=at(date(2030, 3, 10))) == 0
            assert resident_numbers.erase_due(at=at(date(2030, 3, 11))) == 1

    def test_erases_at_once_who_left_and_was_never_reported(self, inside, owner):
        leaving, staying, paid = (host(code) for code in "ABC")
        make.withheld(paid)
        for seller in (leaving, staying, paid):
            enter(seller, owner)
        gone = [leaving.pk, paid.pk]
        type(paid).objects.filter(pk__in=gone).update(state="terminated")
        assert resident_numbers.erase_due(at=AT) == 1
        left = ResidentNumber.objects.order_by("seller__code").values_list("seller", flat=True)
        assert list(left) == [staying.pk, paid.pk]
        assert trail()[-1] == ("erased", retention.NEVER_NEEDED)

    def test_reaches_an_archived_marketplace(self, market, owner):
        with tenancy.use(market.pk):
            seller = host()
            enter(seller, owner)
            type(seller).objects.update(state="terminated")
            Marketplace.objects.filter(pk=market.pk).update(state="archived")
        tasks.erase_resident_numbers(marketplace_id=market.pk)
        with tenancy.use(market.pk):
            assert not ResidentNumber.objects.exists()

    def test_is_asked_for_every_marketplace(self, market, monkeypatch):
        asked = []
        monkeypatch.setattr(
            tasks.erase_resident_numbers, "delay", lambda **given: asked.append(given)
        )
        tasks.erase_resident_numbers_everywhere()
        assert asked == [{"marketplace_id": market.pk}]


class TestNight:
    def test_settles_whoever_has_entered_nothing(self, market):
        """The number is for the report; pay does not wait for it."""
        with tenancy.use(market.pk):
            make.sold(host(), unit_price=100_000, confirmed_on=ON)
        nights.close_day(market.pk, date(2026, 9, 4), at=AT)
        with tenancy.use(market.pk):
            assert Statement.objects.withheld().count() == 1
