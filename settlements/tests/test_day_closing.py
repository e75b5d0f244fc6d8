"""The day close: sums from where they stand, signed by two, and locked."""

from datetime import date

import pytest
from django.db import connections, transaction

from marketplace import approvals, tenancy
from marketplace.models import Approval, AuditEntry
from marketplace.tests import make as people
from orders.models import OutcomeToSettle
from settlements import (
    chart,
    day_closing,
    day_figures,
    ledger,
    nights,
    provider_files,
    reconciling,
    verification,
)
from settlements.models import DayClose, Period, SignedSheet
from settlements.tests import make

SALE_ON = date(2026, 9, 8)
DUE_ON = date(2026, 9, 11)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    """A sale of the eighth, part of it back on the tenth; closed up to the eleventh."""
    market = make.market(first_open_on=SALE_ON)
    with tenancy.use(market.pk):
        line = make.sold(make.seller(), unit_price=50_000, quantity=2, category="gold")
        make.returned(line, left=1, on=date(2026, 9, 10))
    nights.close_day(market.pk, DUE_ON, at=make.AT)
    return market


PAID = "P1,payment,2026-09-09,{on},1000,30,3,967\n"


def take(*rows):
    """Take in a settlement file of the standard format."""
    header = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
    reconciling.import_file(
        (header + "".join(rows)).encode(),
        name="정산.csv",
        format=provider_files.load_format("standard"),
        by=None,
        at=make.AT,
    )


def figures(day):
    sheet = day_figures.live(day)
    return {
        block.code: ([term.amount for term in block.terms], block.result.amount, block.difference)
        for block in sheet.blocks
    }


class TestLive:
    def test_reads_the_day_of_a_sale(self, market):
        with tenancy.use(market.pk):
            found = figures(SALE_ON)
        assert found["provider"] == ([None, None, None], None, None)
        assert found["outcomes"] == ([100_000, 0, 0], 100_000, 0)
        assert found["settled"] == ([0, 0], 0, 0)
        assert found["owed"] == ([0, 0, 0], 0, 0)

    def test_reads_the_day_on_which_a_part_came_back(self, market):
        with tenancy.use(market.pk):
            assert figures(date(2026, 9, 10))["outcomes"] == ([-50_000, 0, 0], -50_000, 0)

    def test_reads_the_day_on_which_a_statement_closed(self, market):
        with tenancy.use(market.pk):
            found = figures(DUE_ON)
        (sold, charged), net, difference = found["settled"]
        assert (sold - charged, difference) == (net, 0)
        assert found["owed"] == ([0, net, 0], net, 0)
        [debits], its_credits, difference = found["ledger"]
        assert debits == its_credits > 0
        assert difference == 0

    def test_names_an_outcome_that_is_lost(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller("B"), number="O2", unit_price=700, confirmed_on=SALE_ON)
            assert figures(SALE_ON)["outcomes"] == ([100_000, 700, 0], 100_700, 0)
            OutcomeToSettle.objects.all().delete()
            assert figures(SALE_ON)["outcomes"] == ([100_000, 0, 700], 100_700, 0)


class TestSign:
    @pytest.fixture
    def two(self, market):
        return people.user("one@example.com"), people.user("other@example.com")

    def sign(self, market, one, *, remark="PG 파일 없음", day=DUE_ON):
        with tenancy.use(market.pk):
            return day_closing.sign_first(
                DayClose.objects.get(day=day), by=one, at=make.AT, remark=remark
            )

    def approve(self, market, other):
        with tenancy.use(market.pk):
            approvals.approve(Approval.objects.waiting().get(), by=other, at=make.AT)

    def test_takes_two_people_and_locks_the_day(self, market, two):
        one, other = two
        assert self.sign(market, one).state == "asked"
        with pytest.raises(approvals.SamePerson):
            self.approve(market, one)
        self.approve(market, other)
        with tenancy.use(market.pk):
            signed = SignedSheet.objects.get()
            assert (signed.signed_first_by, signed.signed_by) == (one, other)
            assert DayClose.objects.get(day=DUE_ON).state == "signed"
            assert day_closing.day_sheet.read(signed.sheet) == day_figures.live(DUE_ON)
            entry = AuditEntry.objects.get(action="ledger.day_signed")
            assert entry.data["hash"] == signed.hash
            with pytest.raises(ledger.DayLocked, match="2026-09-11"), transaction.atomic():
                ledger.post([ledger.Draft("x", "x", DUE_ON)])
            ledger.post([ledger.Draft("x", "x", date(2026, 9, 12))])
            assert [str(found) for found in verification.verify(on=DUE_ON)] == []

    def test_is_done_anew_where_the_sheet_changed_in_between(self, market, two):
        one, other = two
        self.sign(market, one)
        with tenancy.use(market.pk):
            draft = ledger.Draft("x", "x", DUE_ON)
            draft.debit(chart.BANK, 5)
            draft.credit(chart.SUSPENSE, 5)
            ledger.post([draft])
        with pytest.raises(day_closing.SheetChanged):
            self.approve(market, other)
        with tenancy.use(market.pk):
            approvals.refuse(Approval.objects.waiting().get(), by=other, at=make.AT, reason="바뀜")
        self.sign(market, one)
        self.approve(market, other)
        with tenancy.use(market.pk):
            assert dict(map(tuple, SignedSheet.objects.get().sheet["unresolved"]))["suspense"] == 5

    def test_needs_a_remark_where_a_sum_does_not_come_out(self, market, two):
        with connections["owner"].cursor() as cursor:
            cursor.execute("UPDATE settlements_statement SET net = net - 1, carry_in = 1")
        with pytest.raises(day_closing.SheetDiffers, match="settled, owed"):
            self.sign(market, two[0], remark=" ")
        assert self.sign(market, two[0], remark="확인 중").remark == "확인 중"

    def test_needs_a_remark_where_no_file_tells_what_providers_paid(self, market, two):
        with pytest.raises(day_closing.ProvidersUnknown, match="2026-09-11"):
            self.sign(market, two[0], remark=" ")
        with tenancy.use(market.pk):
            assert DayClose.objects.get(day=DUE_ON).state == "open"
            take(PAID.format(on="2026-09-10"), PAID.format(on="2026-09-14"))
            assert figures(DUE_ON)["provider"] == ([0, 0, 0], 0, 0)  # a file says: nothing
        assert self.sign(market, two[0], remark="").state == "asked"

    def test_waits_for_the_night(self, market, two):
        with tenancy.use(market.pk):
            day_closing.begin(date(2026, 9, 12))
        with pytest.raises(day_closing.DayNotOver):
            self.sign(market, two[0], day=date(2026, 9, 12))

    def test_is_taken_back_by_two_people_and_keeps_what_was_signed(self, market, two):
        one, other = two
        self.sign(market, one)
        self.approve(market, other)
        with tenancy.use(market.pk):
            approvals.ask(
                "reopen_day", DayClose.objects.get(day=DUE_ON), by=one, at=make.AT, reason="x",
                data={"reason": "늦은 전표"},
            )  # fmt: skip
        self.approve(market, other)
        self.sign(market, one)
        self.approve(market, other)
        with tenancy.use(market.pk):
            first, second = SignedSheet.objects.order_by("pk")
            assert (second.version, second.previous_hash) == (2, first.hash)
            assert list(day_closing.verify()) == []


class TestBegin:
    def test_is_done_by_the_night_for_each_day(self, market):
        with tenancy.use(market.pk):
            assert DayClose.objects.count() == 4
            assert [f"{period}" for period in Period.objects.all()] == ["2026-09"]
