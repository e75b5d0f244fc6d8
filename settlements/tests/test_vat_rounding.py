"""VAT that is computed once for a month's invoice, and the line that makes up for its lines."""

from datetime import date

import pytest

from marketplace import tenancy
from settlements import adjusting, month_ends, nights, tax_ties, verification
from settlements.models import Adjustment, LedgerDifference, SettlementLine, Statement, TaxInvoice
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
OPEN, SEPTEMBER, LAST = date(2026, 9, 28), date(2026, 9, 1), date(2026, 9, 30)
LATER = date(2026, 10, 7)  # once the lines of the month's end are paid
OF_14 = {"rate_ppm": 0, "fixed_amount": 14}  # VAT of a line 1.4, of three 4.2
OF_16 = {"rate_ppm": 0, "fixed_amount": 16, "vat_kind": "inclusive"}  # 1.45 and 4.36
ROUNDING = "adj_vat_rounding"


@pytest.fixture
def market(db):
    return make.market(first_open_on=OPEN)


@pytest.fixture
def close(market):
    def close(on=LAST):
        nights.close_day(market.pk, on, at=AT)
        with tenancy.use(market.pk):
            assert [str(found) for found in verification.verify(on=on)] == []
            assert not LedgerDifference.objects.exists()

    return close


def agreed(rule, *, lines=3, code="A", vat_level="invoice"):
    seller = make.seller(code)
    make.contract(seller, valid_from=OPEN, rules=[rule], vat_level=vat_level)
    return seller, [sold(seller, f"{code}{n}") for n in range(lines)]


def sold(seller, number, *, on=OPEN):
    return make.sold(seller, number=number, unit_price=1_000, paid_on=OPEN, confirmed_on=on)


def roundings():
    """Basis date, fee, VAT and net of each line that makes up for others, the oldest first."""
    lines = SettlementLine.objects.filter(kind=3).order_by("pk")
    return [(line.basis_on, line.fee, line.vat, line.net) for line in lines]


def said(month=SEPTEMBER):
    """What the drafts of a month come to: their items, supply and VAT."""
    rows = TaxInvoice.objects.filter(month=month).order_by("pk")
    return [(row.components, row.supply, row.vat) for row in rows]


class TestVatOfTheInvoice:
    def test_is_charged_at_the_months_end(self, market, close):
        """Three fees of 14 bear VAT of 1 each; the invoice says 4 on 42."""
        with tenancy.use(market.pk):
            agreed(OF_14)
        close()
        with tenancy.use(market.pk):
            assert roundings() == [(LAST, 0, 1, -1)]
            assert said() == [({"sales": [42, 3], ROUNDING: [0, 1]}, 42, 4)]
            assert tax_ties.of_month(SEPTEMBER).is_tied
        close(LATER)
        with tenancy.use(market.pk):
            taken = sum(row.list_amount - row.net for row in Statement.objects.all())
            assert taken == 42 + 4
            assert tax_ties.of_month(date(2026, 10, 1)).is_tied
            assert make.balances()["vat_payable"] == 4

    def test_of_fees_that_contain_it_takes_nothing_more(self, market, close):
        """Three fees of 16 contain 1 each, 48 contain 4: one of the fees is VAT."""
        with tenancy.use(market.pk):
            agreed(OF_16)
        close(LATER)
        with tenancy.use(market.pk):
            assert roundings() == [(LAST, -1, 1, 0)]
            assert said() == [({"sales": [45, 3], ROUNDING: [-1, 1]}, 44, 4)]
            booked = make.balances()
            assert (booked["vat_payable"], booked["rounding"]) == (4, -1)
            assert tax_ties.of_month(date(2026, 10, 1)).is_tied

    def test_counts_adjustments_and_no_penalties(self, market, close):
        with tenancy.use(market.pk):
            seller, _ = agreed(OF_14)
            for amount, tax_kind in ((-14, "taxable"), (-7, "outside_scope")):
                row = Adjustment.objects.create(
                    seller=seller,
                    amount=amount,
                    tax_kind=tax_kind,
                    reason_code="service",
                    reason="이용료",
                    basis_on=date(2026, 9, 29),
                    requested_at=AT,
                )
                adjusting.approve(row, by=None, at=AT)
        close()
        with tenancy.use(market.pk):
            assert roundings()[-1] == (LAST, 0, 2, -2)  # 5.6 is 6, the lines say 4

    def test_leaves_other_sellers_alone(self, market, close):
        with tenancy.use(market.pk):
            agreed(OF_14, vat_level="line")
            sold(make.seller("B"), "B")
        close()
        with tenancy.use(market.pk):
            assert roundings() == []

    def test_makes_no_line_of_nothing(self, market, close):
        with tenancy.use(market.pk):
            agreed(OF_14, lines=1)
        close()
        with tenancy.use(market.pk):
            assert roundings() == []

    def test_is_made_up_again_for_lines_that_come_late(self, market, close):
        with tenancy.use(market.pk):
            seller, _ = agreed(OF_14)
        close()
        with tenancy.use(market.pk):
            sold(seller, "late", on=LAST)
        close(date(2026, 10, 1))
        with tenancy.use(market.pk):
            assert roundings() == [(LAST, 0, 1, -1), (LAST, 0, 1, -1)]  # of 56 it is 6
            assert said() == [({"sales": [56, 4], ROUNDING: [0, 2]}, 56, 6)]

    def test_of_what_is_given_back_belongs_to_the_month_of_the_reversal(self, market, close):
        with tenancy.use(market.pk):
            _, sales = agreed(OF_14)
        close()
        with tenancy.use(market.pk):
            for sale in sales[:2]:
                make.returned(sale, left=0, on=date(2026, 10, 5))
        close(date(2026, 10, 31))
        with tenancy.use(market.pk):
            assert roundings()[1:] == [(date(2026, 10, 31), 0, -1, 1)]  # −2.8 is −3
            assert sum(vat for _, _, vat in said(date(2026, 10, 1))) == -3

    def test_is_settled_once(self, market, close):
        with tenancy.use(market.pk):
            agreed(OF_14)
        close()
        with tenancy.use(market.pk):
            assert month_ends.settle_night(LAST, at=AT) == 0
            assert len(roundings()) == 1

    def test_is_missed_where_no_line_makes_up_for_it(self, market, monkeypatch):
        monkeypatch.setattr(month_ends, "settle_night", lambda on, at: 0)
        with tenancy.use(market.pk):
            agreed(OF_14)
        nights.close_day(market.pk, LAST, at=AT)
        with tenancy.use(market.pk):
            [found] = verification.verify(on=LAST)
            assert (found.field, found.found) == ("VAT beyond its lines", (1, 0))
