"""Supplies of sellers: their VAT, the hold until the invoice is there, withholding, journals."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from marketplace import tenancy
from marketplace.models import AuditEntry
from marketplace.tests import make as people
from orders import verdicts
from settlements import holding, nights, purchases, revenue_reporting, supply_invoices, verification
from settlements.models import Adjustment, Hold, PayeeInvoice, SettlementLine, Statement
from settlements.revenue_reporting import NewReport
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
SEPTEMBER = date(2026, 9, 1)
AT = datetime(2026, 9, 8, 3, tzinfo=UTC)
DAILY = {"cycle": "daily", "lag_days": 0, "lag_kind": "calendar", "holiday": "none"}
KEPT = {"component": "ad_share", "base": "amount"}


@pytest.fixture
def market(db):
    return make.market("ours", preset="app-in-app", first_open_on=SEP_8)


@pytest.fixture
def operator(db):
    return people.user("operator@example.org")


def agreed(seller, *rules, **said):
    """Paid the day it is settled, and by these rules."""
    rules = rules or ({**KEPT, "stream": "ads", "rate_ppm": 150_000},)
    return make.contract(seller, valid_from=SEP_8, rules=rules, at=AT, **DAILY, **said)


def reported(seller, amount=100_000, *, on=SEP_8, version=1, stream="ads", at=None):
    at = at or datetime(on.year, on.month, on.day, 3, tzinfo=UTC)
    said = {"seller_code": seller.code, "stream": stream, "on": on, "amount": amount}
    new = NewReport(**said, version=version, is_final=True)
    [verdict] = revenue_reporting.accept_many([new], source="api", at=at)
    assert verdict.result == verdicts.ACCEPTED, verdict


def close(market, on):
    nights.close_day(market.pk, on, at=AT)


def recorded(supply, vat, *, number="2026-1", by=None, at=AT, issued_on=SEP_8):
    hold = Hold.objects.get(state="placed")
    said = {"number": number, "issued_on": issued_on, "supply": supply, "vat": vat}
    return supply_invoices.record(hold, **said, by=by, at=at)


def paid():
    rows = Statement.objects.exclude(state="open").order_by("due_on")
    return [(row.hold_taken, row.released_holds, row.payout) for row in rows]


class TestHoldMissing:
    def test_holds_what_a_business_supplied_and_nothing_else(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            reported(seller)
            make.sold(seller, unit_price=100_000, category=None, paid_on=SEP_8, confirmed_on=SEP_8)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            sale = SettlementLine.objects.get(kind=1).net
            hold = Hold.objects.get()
            assert (hold.reason, hold.invoice_month, hold.taken) == (
                "invoice_missing",
                SEPTEMBER,
                93_500,
            )
            assert hold.has_way_out
            assert paid() == [(93_500, 0, sale)]
            assert list(verification.verify(on=SEP_8)) == []

    def test_takes_nothing_of_what_falls_due_before_the_supply(self, market):
        sep_9 = SEP_8 + timedelta(1)
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            # What is earned from the 9th on is paid on Mondays.
            weekly = {**DAILY, "cycle": "weekly", "cycle_arg": 0}
            make.contract(seller, valid_from=sep_9, at=AT, **weekly)
            reported(seller, on=sep_9)
            make.sold(seller, unit_price=100_000, category=None, paid_on=SEP_8, confirmed_on=sep_9)
        close(market, sep_9)
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == 0
            assert [(taken, back) for taken, back, _ in paid()] == [(0, 0)]
            assert paid()[0][2] == SettlementLine.objects.get(kind=1).net
            coming = Statement.objects.get(state="open")
            assert (coming.due_on, coming.net) == (date(2026, 9, 14), 110_000)
        close(market, date(2026, 9, 14))
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == 110_000

    @pytest.mark.parametrize(
        ("seller_type", "supply_tax", "vat", "is_held"),
        [
            ("corporation", "", 8_500, True),
            ("sole_proprietor", "exempt", 0, True),
            ("individual", "", 0, False),
            ("individual", "taxable", 8_500, True),
            ("corporation", "outside_scope", 0, False),
        ],
    )
    def test_goes_by_the_registration_of_the_payee(
        self, market, seller_type, supply_tax, vat, is_held
    ):
        with tenancy.use(market.pk):
            seller = make.seller(seller_type=seller_type)
            agreed(seller, supply_tax=supply_tax)
            reported(seller)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            line = SettlementLine.objects.get()
            assert (line.net, -line.vat) == (85_000 + vat, vat)
            assert Hold.objects.exists() is is_held

    def test_wants_one_hold_a_month_however_many_days(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            reported(seller)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            reported(seller, 10_000, on=SEP_8 + timedelta(1))
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == 93_500 + 9_350
            assert paid() == [(93_500, 0, 0), (9_350, 0, 0)]
            hold = Hold.objects.get()
            terms = holding.Terms(reason="invoice_missing", note="x", condition="x")
            with pytest.raises(DatabaseError), transaction.atomic():
                holding.hold_supplies(hold.seller_id, SEPTEMBER, terms, at=AT)

    def test_gives_back_what_a_restatement_takes_away(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            reported(seller)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            reported(seller, 40_000, version=2, at=AT + timedelta(1))
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            # 15 % kept: the share falls from 85,000 to 34,000, and the hold with it.
            assert Hold.objects.get().taken == 37_400
            assert paid() == [(93_500, 0, 0), (0, 56_100, 0)]
            assert list(verification.verify(on=SEP_8)) == []


class TestRecord:
    def test_lets_the_month_go_once_nothing_is_missing(self, market, operator):
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            reported(seller)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            invoice = recorded(85_000, 8_500, by=operator)
            assert (invoice.month, invoice.supply, invoice.vat) == (SEPTEMBER, 85_000, 8_500)
            assert Hold.objects.get().state == "released"
            entry = AuditEntry.objects.get(action="supply_invoice.recorded")
            assert entry.data["supply"] == 85_000
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            assert paid() == [(93_500, 0, 0), (0, 93_500, 93_500)]
            assert list(verification.verify(on=SEP_8)) == []

    def test_of_a_part_keeps_the_rest_back(self, market, operator):
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            reported(seller)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            recorded(50_000, 5_000)
            [balance] = purchases.balances([(seller.pk, SEPTEMBER)]).values()
            assert (balance.missing_supply, balance.missing_vat) == (35_000, 3_500)
            reported(seller, 10_000, on=SEP_8 + timedelta(1))
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            # Missing now: 35,000 + 8,500 of supply, with VAT 47,850.
            assert Hold.objects.get().taken == 47_850
            recorded(43_500, 4_350, number="2026-2")
            assert Hold.objects.get().state == "released"

    def test_refuses_what_cannot_be(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            agreed(seller)
            reported(seller)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            with pytest.raises(supply_invoices.InvoiceTooLarge):
                recorded(85_001, 8_500)
            with pytest.raises(supply_invoices.InvoiceTooLarge):
                recorded(85_000, 8_501)
            with pytest.raises(verdicts.NotBetween):
                recorded(0, 0)
            with pytest.raises(verdicts.FieldMissing):
                recorded(1, 0, number=" ")
            with pytest.raises(supply_invoices.IssuedTooLate):
                recorded(1, 0, issued_on=SEP_8 + timedelta(1))
            recorded(1, 0)
            with pytest.raises(supply_invoices.InvoiceKnown):
                recorded(1, 0)
            assert PayeeInvoice.objects.count() == 1
            hold = Hold.objects.get()
            recorded(84_999, 8_500, number="2")
            said = {"number": "3", "issued_on": SEP_8, "supply": 1, "vat": 0}
            with pytest.raises(supply_invoices.NotOfSupplies):
                supply_invoices.record(hold, **said, by=None, at=AT)


class TestCommissions:
    def test_of_a_host_is_a_second_payees_with_tax_withheld(self, market):
        """Live sales of 1,000,000 of which the marketplace and the shop keep 90 %."""
        with tenancy.use(market.pk):
            host = make.seller("H", seller_type="individual")
            rule = {**KEPT, "stream": "host", "rate_ppm": 900_000}
            agreed(host, rule, income_kind="service")
            reported(host, 1_000_000, stream="host")
        close(market, SEP_8)
        with tenancy.use(market.pk):
            made = Adjustment.objects.get()
            assert (made.reason_code, made.amount) == ("host_commission", 100_000)
            statement = Statement.objects.get()
            assert statement.service_net == 100_000
            # 3 % and a tenth of it.
            assert (statement.withholding_income, statement.withholding_local) == (3_000, 300)
            assert statement.payout == 96_700
            booked = make.balances()
            assert booked["purchase:adj_host_commission"] == -100_000
            assert "input_vat" not in booked
            assert list(verification.verify(on=SEP_8)) == []

    def test_of_an_affiliate_is_bought_with_its_vat(self, market):
        with tenancy.use(market.pk):
            partner = make.seller("P", seller_type="corporation")
            agreed(partner, {**KEPT, "stream": "affiliate", "rate_ppm": 970_000})
            reported(partner, 33_333, stream="affiliate")
        close(market, SEP_8)
        with tenancy.use(market.pk):
            line = SettlementLine.objects.get()
            # 33,333 less 32,333 (97 %, cut down), and VAT of 100.
            assert (line.fee, line.vat, line.net) == (-1_000, -100, 1_100)
            booked = make.balances()
            assert booked["purchase:adj_affiliate_commission"] == -1_000
            assert booked["input_vat"] == -100
            assert booked["seller_held"] == 1_100
