"""Discounts that the marketplace funds, as a payment and as a cut of its fees."""

import random
from datetime import date, timedelta

import pytest

from marketplace import tenancy, versions
from settlements import (
    fee_cuts,
    month_ends,
    nights,
    statutory,
    tax_ties,
    vat_view,
    verification,
)
from settlements.models import (
    Adjustment,
    SettlementLine,
    SettlementTerms,
    Statement,
    TaxInvoice,
)
from settlements.tests import closing, make

pytestmark = pytest.mark.django_db

AT = make.AT
OPEN, SEPTEMBER, LAST = date(2026, 9, 28), date(2026, 9, 1), date(2026, 9, 30)
LATER = date(2026, 10, 7)  # once the lines of the month's end are paid


@pytest.fixture
def market(db):
    return make.market(first_open_on=OPEN)


@pytest.fixture
def close(market):
    def close(on=LATER):
        closing.close_and_check(market, on, month=SEPTEMBER)

    return close


def switch(funding_as="fee_cut", *, valid_from=date(2026, 9, 29)):
    before = SettlementTerms.objects.published().latest("valid_from")
    draft = versions.revise(before, valid_from=valid_from, by=None, at=AT)
    draft.funding_as = funding_as
    draft.save()
    return versions.publish(draft, by=None, at=AT)


def sold(*, number="O1", unit_price=30_000, discount=3_000, code="A", **fields):
    """A line of which the marketplace funds a part; 12 % and VAT are 3,600 and 360."""
    return more(make.seller(code), number, unit_price, discount, **fields)


def more(seller, number, unit_price=30_000, discount=3_000, *, on=OPEN, **fields):
    by = {"platform_discount": discount, "paid_on": OPEN, "confirmed_on": on}
    return make.sold(seller, number=number, unit_price=unit_price, **by, **fields)


def month_end():
    """Component, fee, VAT and net of each line that the month's end made."""
    rows = SettlementLine.objects.filter(kind=3).order_by("pk")
    return [(row.fee, row.vat, row.net) for row in rows]


def invoice():
    [row] = TaxInvoice.objects.filter(month=SEPTEMBER)
    return row.components, row.supply, row.vat


class TestPayment:
    def test_leaves_the_fees_whole(self, market, close):
        with tenancy.use(market.pk):
            sold()
        close()
        with tenancy.use(market.pk):
            assert month_end() == []
            assert invoice() == ({"sales": [3_600, 360]}, 3_600, 360)
            booked = make.balances()
            assert (booked["platform_funding"], booked["vat_payable"]) == (-3_000, 360)


class TestCutOfFees:
    def test_makes_fees_vat_and_invoice_less_and_pays_the_same(self, market, close):
        """3,000 off fees of 3,960: 2,727 of supply and 273 of VAT; 30,000 − 3,960 are paid."""
        with tenancy.use(market.pk):
            switch()
            sold()
        close()
        with tenancy.use(market.pk):
            assert month_end() == [(-2_727, -273, 3_000), (3_000, 0, -3_000)]
            said = {"adj_fee_cut": [-2_727, -273], "sales": [3_600, 360]}
            assert invoice() == (said, 873, 87)
            booked = make.balances()
            assert "platform_funding" not in booked
            assert booked["vat_payable"] == 87
            assert booked["fee_revenue:sales"] + booked["fee_revenue:adj_fee_cut"] == 873
            assert sum(row.net for row in Statement.objects.all()) == 26_040
            tie = statutory.quarter(LATER).sales
            assert (tie.of_other_quarters, tie.taken_off_fees, tie.booked) == (
                30_000,
                3_000,
                27_000,
            )
            assert tie.unexplained == 0

    def test_takes_no_more_off_than_the_fees_of_the_line(self, market, close):
        """Of 3,000 on 10,000 the fees of 1,320 are cut; 1,680 remain a payment."""
        with tenancy.use(market.pk):
            switch()
            sold(unit_price=10_000)
        close()
        with tenancy.use(market.pk):
            assert month_end() == [(-1_200, -120, 1_320), (1_320, 0, -1_320)]
            assert not TaxInvoice.objects.exists()  # fees and cut leave nothing to invoice
            assert make.balances()["platform_funding"] == -1_680

    def test_is_undone_by_a_return_in_the_month_of_the_return(self, market, close):
        with tenancy.use(market.pk):
            switch()
            line = sold()
        close(LAST)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=date(2026, 10, 5))
        close(date(2026, 11, 5))
        with tenancy.use(market.pk):
            assert month_end()[2:] == [(2_727, 273, -3_000), (-3_000, 0, 3_000)]
            assert make.balances().get("vat_payable", 0) == 0

    def test_nets_a_return_of_the_same_month(self, market, close):
        with tenancy.use(market.pk):
            switch()
            line = sold(quantity=2, unit_price=15_000)
            make.returned(line, left=1, on=date(2026, 9, 29))
        close()
        with tenancy.use(market.pk):
            assert month_end() == [(-1_364, -136, 1_500), (1_500, 0, -1_500)]

    def test_is_made_up_for_lines_that_come_late(self, market, close):
        with tenancy.use(market.pk):
            switch()
            line = sold()
        close(LAST)
        with tenancy.use(market.pk):
            more(line.seller, "late", on=LAST)
        close()
        with tenancy.use(market.pk):
            assert month_end()[2:] == [(-2_728, -272, 3_000), (3_000, 0, -3_000)]  # 545.45 in all

    def test_holds_for_months_that_end_under_it(self, market, close):
        with tenancy.use(market.pk):
            switch(valid_from=date(2026, 9, 29))
            switch("payment", valid_from=LAST)
            sold()
        close()
        with tenancy.use(market.pk):
            assert month_end() == []

    def test_is_settled_once(self, market, close):
        with tenancy.use(market.pk):
            switch()
            sold()
        close(LAST)
        with tenancy.use(market.pk):
            assert month_ends.settle_night(LAST, at=AT) == 0

    def test_is_missed_where_no_line_says_it(self, market, monkeypatch):
        with tenancy.use(market.pk):
            switch()
            sold()
        monkeypatch.setattr(fee_cuts, "missing", lambda months, at: [])
        nights.close_day(market.pk, LAST, at=AT)
        with tenancy.use(market.pk):
            [found] = verification.verify(on=LAST)
            assert (found.field, found.found) == ("cut of fees", (2_727, 273))

    def test_is_rounded_with_the_invoice_where_a_contract_says_so(self, market, close):
        """Two fees of 14, VAT 1 each; 16 of the 30 cut are 15 and 1. Of 13 the VAT is 1."""
        with tenancy.use(market.pk):
            switch()
            seller = make.seller()
            rule = {"rate_ppm": 0, "fixed_amount": 14}
            make.contract(seller, valid_from=OPEN, rules=[rule], vat_level="invoice")
            for number in ("O1", "O2"):
                more(seller, number, 1_000, 8)
        close()
        with tenancy.use(market.pk):
            assert month_end() == [(-15, -1, 16), (16, 0, -16)]
            assert invoice()[1:] == (13, 1)


class TestVatView:
    def test_counts_a_discount_among_the_sellers_sales_only_where_it_is_paid(self, market, close):
        with tenancy.use(market.pk):
            line = sold()
        close(LAST)
        with tenancy.use(market.pk):
            assert vat_view.of_month(line.seller, SEPTEMBER).confirmation.total.sales == 30_000

    def test_leaves_it_out_where_it_is_a_cut(self, market, close):
        """27,000 are sold, and 1,680 are paid beside the 7,000 of a line with small fees."""
        with tenancy.use(market.pk):
            switch()
            line = sold()
            more(line.seller, "O2", 10_000)
            make.returned(line, left=0, on=date(2026, 9, 29))
            more(line.seller, "O3", on=LAST)
        close(LAST)
        with tenancy.use(market.pk):
            view = vat_view.of_month(line.seller, SEPTEMBER)
            assert view.confirmation.total.sales == 27_000 + 8_680
            assert view.approval.total.sales == 27_000 + 8_680


class TestHistory:
    @pytest.mark.parametrize("seed", range(2))
    def test_of_sales_and_returns_comes_to_what_is_invoiced(self, market, close, seed):
        """What sellers are paid less than their price is on invoices, but for what is funded."""
        chance = random.Random(seed)
        with tenancy.use(market.pk):
            switch()
            sellers = [make.seller(code) for code in "ABC"]
            make.contract(sellers[0], valid_from=OPEN, vat_level="invoice")
            kept = [{"rate_ppm": 30_000, "keep_on_refund": True}]
            make.contract(sellers[1], valid_from=OPEN, vat_level="invoice", rules=kept)
            lines = []
            for number in range(30):
                price, quantity = chance.randint(1, 30_000), chance.randint(1, 3)
                discount = chance.choice([0, chance.randint(0, price * quantity)])
                by = {"quantity": quantity, "on": OPEN + timedelta(chance.randint(0, 2))}
                lines.append(more(chance.choice(sellers), f"N{number}", price, discount, **by))
            for line in chance.sample(lines, 12):
                left = chance.randint(0, line.quantity - 1)
                make.returned(
                    line, left=left, on=date(2026, 9, 30) + timedelta(chance.randint(0, 4))
                )
        close(date(2026, 10, 31))
        with tenancy.use(market.pk):
            assert tax_ties.of_month(date(2026, 10, 1)).is_tied
            for seller in sellers:
                of_seller = SettlementLine.objects.filter(seller_id=seller.pk)
                less = sum(row.list_amount - row.seller_discount - row.net for row in of_seller)
                cut = Adjustment.objects.filter(seller=seller, reason_code="funding_offset")
                invoices = TaxInvoice.objects.filter(seller=seller)
                invoiced = sum(row.supply + row.vat for row in invoices)
                assert less == invoiced - sum(row.amount for row in cut)
            for month in (SEPTEMBER, date(2026, 10, 1)):
                for seller in sellers[:2]:
                    rows = TaxInvoice.objects.filter(seller=seller, month=month)
                    supply, tax = sum(row.supply for row in rows), sum(row.vat for row in rows)
                    assert abs(supply * 10 - tax * 100) <= 50
