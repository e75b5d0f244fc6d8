"""What is reported to the tax office: rows of the files, and their ties to the ledger."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from marketplace import states, tenancy
from sellers.models import SellerProfile
from settlements import (
    exports,
    holding,
    invoicing,
    ledger,
    nights,
    payout_sending,
    payouts,
    statutory,
)
from settlements.ledger import Draft
from settlements.models import PayoutBatch, Statement, TaxInvoice
from settlements.tests import make
from settlements.tests.test_payout_pages import operator

pytestmark = pytest.mark.django_db

OPEN_ON, END = date(2026, 9, 28), date(2026, 9, 30)
ISSUED_AT = datetime(2026, 10, 2, 3, tzinfo=UTC)
REPORTS = "/admin/settlements/taxinvoice/reports/"


@pytest.fixture
def market():
    return make.market("ours", first_open_on=OPEN_ON)


def rows_of(kind):
    out = io.StringIO()
    exports.write(kind, out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def sold(seller, number, unit_price, on=OPEN_ON, **fields):
    return make.sold(
        seller, number=number, unit_price=unit_price, paid_on=OPEN_ON, confirmed_on=on, **fields
    )


class TestSales:
    def test_are_told_by_seller_and_month_less_reversals(self, market):
        with tenancy.use(market.pk):
            one, other = make.seller("A", business_number="1208800767"), make.seller("B")
            SellerProfile.objects.create(seller=one, company="가게 주식회사")
            line = sold(one, "1", 10_000, quantity=3, seller_discount=3_000)
            sold(one, "2", 5_000, tax_kind="exempt")
            sold(other, "3", 7_000, platform_discount=700)
            make.returned(line, left=2, on=date(2026, 10, 2))
        nights.close_day(market.pk, date(2026, 10, 31), at=make.AT)
        with tenancy.use(market.pk):
            first, second, third = rows_of("sales_by_month")
        assert first == {
            "quarter": "2026Q3",
            "month": "2026-09",
            "seller": "A",
            "business_number": "1208800767",
            "seller_type": "sole_proprietor",
            "company": "가게 주식회사",
            "sales": "2",
            "reversals": "0",
            "amount": "32000",
            "taxable": "27000",
            "exempt": "5000",
            "buyers_paid": "32000",
            "platform_discount": "0",
            "partner_discount": "0",
        }
        assert (second["seller"], second["amount"], second["buyers_paid"]) == ("B", "7000", "6300")
        assert (third["month"], third["quarter"], third["amount"]) == ("2026-10", "2026Q4", "-9000")

    def test_are_tied_to_what_statements_took_up(self, market):
        with tenancy.use(market.pk):
            sold(make.seller(), "1", 100_000)  # due on 2 October
        nights.close_day(market.pk, END, at=make.AT)
        with tenancy.use(market.pk):
            tie = statutory.quarter(END).sales
            assert (tie.reported, tie.closed_elsewhere, tie.booked) == (100_000, 100_000, 0)
            assert tie.unexplained == 0
        nights.close_day(market.pk, date(2026, 10, 5), at=make.AT)
        with tenancy.use(market.pk):
            found = statutory.quarter(date(2026, 11, 30))
            assert (found.first, found.due_on) == (date(2026, 10, 1), date(2027, 1, 15))
            tie = found.sales
            assert (tie.reported, tie.of_other_quarters, tie.booked) == (0, 100_000, 100_000)
            assert tie.unexplained == 0
            stray = Draft("statement", "stray", date(2026, 10, 5))
            stray.debit("clearing", 7)
            stray.credit("suspense", 7)
            ledger.post([stray])
            assert statutory.quarter(date(2026, 10, 1)).sales.unexplained == 7


class TestInvoiceSums:
    def test_are_by_receiver_with_persons_together(self, market):
        with tenancy.use(market.pk):
            business = make.seller("A")
            make.tax_parties(business)
            persons = [make.seller(code, seller_type="individual") for code in "PQ"]
            for at, seller in enumerate((business, *persons)):
                sold(seller, str(at), 100_000)
            make.tax_invoice(business, supply=5_000, month=date(2026, 8, 1))
        nights.close_day(market.pk, END, at=make.AT)
        with tenancy.use(market.pk):
            assert statutory.quarter(END).invoices.drafts == (36_000, 3_600)
            invoicing.issue_many(TaxInvoice.objects.all(), by=None, at=ISSUED_AT)
            assert [tuple(row.values()) for row in rows_of("tax_invoice_sums")] == [
                ("2026Q3", "taxable", "1208800767", "상점 A 주식회사", "2", "17000", "1700"),
                ("2026Q3", "taxable", "persons", "", "2", "24000", "2400"),
            ]
            tie = statutory.quarter(END).invoices
            assert (tie.reported, tie.drafts) == ((41_000, 4_100), (0, 0))
            # August was made by hand: its invoice has no lines.
            assert tie.unexplained == 5_500


class TestWithholding:
    """A host's statement that closed on 30 September, and what became of its money."""

    CLOSED, PAID_AT = date(2026, 9, 30), datetime(2026, 10, 2, 3, tzinfo=UTC)

    @pytest.fixture
    def host(self, market):
        with tenancy.use(market.pk):
            host = make.seller("H", seller_type="individual")
            SellerProfile.objects.create(seller=host, representative="한방송")
            make.account(host)
            statement = Statement.objects.create(
                seller=host,
                due_on=self.CLOSED,
                closed_on=self.CLOSED,
                state=Statement.State.PAYABLE,
                net=100_000,
                service_net=100_000,
                list_amount=100_000,
                payable=100_000,
                withholding_income=3_000,
                withholding_local=300,
                payout=96_700,
            )
            ledger.open_month(self.CLOSED)
            ledger.post([nights.statements.journal(statement, self.CLOSED)])
            return host

    def pay(self, market, at):
        with tenancy.use(market.pk):
            [batch] = payouts.prepare(on=at.date(), at=at)
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=at)
            payouts.execute(batch, by=None, at=at)
            payout = batch.rows.get()
        payout_sending.serve(market.pk, payout.pk, now=lambda: at)
        return payout

    def test_is_told_by_person_and_month_of_payment(self, market, host):
        with tenancy.use(market.pk):
            assert rows_of("withholding") == []
        self.pay(market, self.PAID_AT)
        with tenancy.use(market.pk):
            assert [tuple(row.values()) for row in rows_of("withholding")] == [
                ("2026-10", "H", "한방송", "1", "100000", "3000", "300")
            ]

    def test_is_tied_in_both_quarters(self, market, host):
        self.pay(market, self.PAID_AT)
        with tenancy.use(market.pk):
            closed = statutory.quarter(self.CLOSED).withholding
            assert (closed.reported, closed.closed_unpaid) == ((0, 0), (3_000, 300))
            assert closed.booked == closed.waiting == closed.balance == (3_000, 300)
            assert (closed.to_remit, closed.unexplained) == ((0, 0), 0)
            paid = statutory.quarter(self.PAID_AT.date()).withholding
            assert paid.reported == paid.paid_of_earlier == paid.to_remit == (3_000, 300)
            assert paid.closed_unpaid == paid.waiting == paid.booked == (0, 0)
            assert paid.unexplained == 0

    def test_is_not_reported_of_what_is_never_paid(self, market, host):
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            holding.exclude(statement, reason="legal", note="합의", by=None, at=self.PAID_AT)
            assert payouts.prepare(on=date(2026, 10, 2), at=self.PAID_AT) == []
            assert rows_of("withholding") == []
            later = statutory.quarter(date(2026, 12, 31)).withholding
            assert (later.reported, later.waiting, later.to_remit) == ((0, 0), (3_000, 300), (0, 0))
            assert later.unexplained == 0

    def test_is_taken_back_in_the_month_in_which_the_money_came_back(self, market, host):
        payout = self.pay(market, self.PAID_AT)
        back_at = datetime(2026, 11, 3, 3, tzinfo=UTC)
        with tenancy.use(market.pk):
            payout.refresh_from_db()
            payout_sending.record_by_hand(
                payout, by=None, at=back_at, outcome="returned", said="반환"
            )
            told = [
                (row["month"], row["statements"], row["withholding_income"])
                for row in rows_of("withholding")
            ]
            assert told == [("2026-10", "1", "3000"), ("2026-11", "-1", "-3000")]
            tie = statutory.quarter(back_at.date()).withholding
            assert (tie.reported, tie.waiting, tie.unexplained) == ((0, 0), (3_000, 300), 0)
            payout_sending.release_account(payout, by=None, at=back_at, reason="계좌 확인")
        self.pay(market, back_at)
        with tenancy.use(market.pk):
            [october] = rows_of("withholding")
            assert (october["month"], october["withholding_local"]) == ("2026-10", "300")

    def test_differs_where_the_journal_is_missing(self, market, host):
        with tenancy.use(market.pk):
            Statement.objects.update(withholding_income=2_000, withholding_local=1_300)
            tie = statutory.quarter(self.CLOSED).withholding
            assert (tie.differences, tie.unexplained) == ((1_000, -1_000), 2_000)


class TestPage:
    def test_shows_a_quarter_with_its_ties(self, market):
        with tenancy.use(market.pk):
            sold(make.seller(), "1", 100_000)
        nights.close_day(market.pk, date(2026, 10, 5), at=make.AT)
        client = operator(market)
        page = client.get(REPORTS)
        assert [code for code, _ in page.context["quarters"]] == ["2026Q4", "2026Q3"]
        assert "Differs" not in page.content.decode()
        assert client.get(f"{REPORTS}?quarter=2026Q3").context["quarter"].sales.reported == 100_000
