"""What is reported to the tax office: rows of the files, and their ties to the ledger."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from marketplace import tenancy
from sellers.models import SellerProfile
from settlements import exports, invoicing, ledger, nights, statutory
from settlements.ledger import Draft
from settlements.models import Statement, TaxInvoice
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
    def test_is_told_by_person_and_month_and_tied(self, market):
        with tenancy.use(market.pk):
            host = make.seller("H", seller_type="individual")
            SellerProfile.objects.create(seller=host, representative="한방송")
            statement = Statement.objects.create(
                seller=host,
                due_on=OPEN_ON,
                closed_on=OPEN_ON,
                state=Statement.State.PAYABLE,
                net=100_000,
                service_net=100_000,
                list_amount=100_000,
                payable=100_000,
                withholding_income=3_000,
                withholding_local=300,
                payout=96_700,
            )
            tie = statutory.quarter(OPEN_ON).withholding
            assert tie.unexplained == -3_300
            from_statement = nights.statements.journal(statement, OPEN_ON)
            nights._open_months(OPEN_ON)
            ledger.post([from_statement])
            tie = statutory.quarter(OPEN_ON).withholding
            assert tie.reported == tie.booked == (3_000, 300)
            assert tie.unexplained == 0
            assert [tuple(row.values()) for row in rows_of("withholding")] == [
                ("2026-09", "H", "한방송", "1", "100000", "3000", "300")
            ]


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
