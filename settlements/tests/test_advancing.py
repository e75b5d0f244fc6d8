"""What is paid ahead on shipment, to whom, and how it comes back."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest

from marketplace import tenancy, versions
from orders import outcomes
from orders.folding import Sale
from orders.models import Claim, OrderLine
from sellers.models import Seller
from settlements import advancing, nights, tax_ties, verification
from settlements.models import (
    Adjustment,
    FastSettlement,
    LedgerDifference,
    SellerBalance,
    SettlementLine,
    SettlementTerms,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
OPEN = date(2026, 9, 7)
NEXT = OPEN + timedelta(days=1)
CONFIRMED = date(2026, 9, 9)
DUE = date(2026, 9, 14)  # of what is confirmed then


@pytest.fixture
def market(db):
    return make.market(first_open_on=OPEN)


@pytest.fixture
def close(market):
    def close(on=OPEN):
        nights.close_day(market.pk, on, at=AT)
        with tenancy.use(market.pk):
            assert [str(found) for found in verification.verify(on=on)] == []
            assert not LedgerDifference.objects.exists()

    return close


def seller(code="A", *, fast_ppm=1_000_000, **said):
    row = make.seller(code)
    make.contract(row, valid_from=OPEN, fast_ppm=fast_ppm, **said)
    return row


def shipped(row, number="O1", *, unit_price=10_000, on=OPEN, **fields):
    return make.placed(
        row,
        number=number,
        unit_price=unit_price,
        status="shipped",
        paid_on=OPEN,
        shipped_on=on,
        **fields,
    )


def confirmed(line, on=CONFIRMED):
    OrderLine.objects.filter(pk=line.pk).update(status="confirmed", confirmed_on=on)
    left = OrderLine.objects.get(pk=line.pk).units_left
    outcomes.record([Sale(SimpleNamespace(id=line.pk), left, OPEN, on, "confirmed")], [])


def cancelled(line, left=0):
    OrderLine.objects.filter(pk=line.pk).update(
        units_left=left, status="shipped" if left else "cancelled"
    )


def moved():
    """Kind, basis date, due date and net of each adjustment, the oldest first."""
    rows = Adjustment.objects.select_related("statement").order_by("pk")
    return [(row.reason_code, row.basis_on, row.statement.due_on, row.amount) for row in rows]


PAID = ("fast_advance", OPEN, NEXT, 8_680)


class TestPayment:
    def test_is_due_the_day_after_the_shipment(self, market, close):
        with tenancy.use(market.pk):
            shipped(seller())
        close(NEXT)
        with tenancy.use(market.pk):
            assert moved() == [PAID]
            statement = Statement.objects.get()
            assert (statement.state, statement.payout, statement.fee) == ("payable", 8_680, -8_680)
            assert (statement.split.fee, statement.split.additions) == (0, 8_680)
            assert make.balances() == {"seller_advance": -8_680, "payout_payable": 8_680}

    def test_is_a_share_where_the_terms_say_so(self, market, close):
        with tenancy.use(market.pk):
            shipped(seller(fast_ppm=900_000))
        close()
        with tenancy.use(market.pk):
            assert moved() == [("fast_advance", OPEN, NEXT, 7_812)]

    def test_leaves_the_vat_of_a_sale_that_the_marketplace_issues(self, market, close):
        """Of 11,000 the fees take 1,452 and the VAT of the sale 1,000."""
        with tenancy.use(market.pk):
            row = seller(sale_issuer="platform")
            line = shipped(row, unit_price=11_000)
            shipped(row, "O2", unit_price=11_000, tax_kind="exempt")
        close()
        with tenancy.use(market.pk):
            assert sorted(amount for *_, amount in moved()) == [8_548, 9_548]
            confirmed(line)
        close(date(2026, 9, 15))
        with tenancy.use(market.pk):
            assert moved()[-1] == ("fast_offset", CONFIRMED, DUE, -8_548)
            assert make.balances()["sale_vat_payable"] == 1_000

    def test_is_made_once(self, market, close):
        with tenancy.use(market.pk):
            shipped(seller())
        close()
        close(NEXT)
        with tenancy.use(market.pk):
            assert advancing.night(NEXT, at=AT) == {"taken_back": 0, "paid_ahead": 0}
            assert moved() == [PAID]

    def test_goes_by_the_grade_of_the_day(self, market, close):
        """Silver is not paid ahead; gold is, from the day on which it is official."""
        with tenancy.use(market.pk):
            before = SettlementTerms.objects.published().latest("valid_from")
            draft = versions.revise(before, valid_from=NEXT, by=None, at=AT)
            draft.fast_ppm, draft.fast_grades = 1_000_000, ["gold"]
            draft.save()
            versions.publish(draft, by=None, at=AT)
            row = make.seller()
            make.graded(row, "silver", effective_from=OPEN)
            make.graded(row, "gold", effective_from=CONFIRMED)
            shipped(row, "O1", on=NEXT)
        close(NEXT)
        with tenancy.use(market.pk):
            assert moved() == []
            shipped(row, "O2", on=CONFIRMED)
        close(CONFIRMED)
        with tenancy.use(market.pk):
            assert {each.order_line.order.number for each in FastSettlement.objects.all()} == {
                "O1",  # it is still on its way
                "O2",
            }

    @pytest.mark.parametrize(
        "said", [{"fast_ppm": 0}, {"fast_ppm": None}, {"income_kind": "service"}]
    )
    def test_is_not_made_where_the_contract_does_not_allow_it(self, market, close, said):
        with tenancy.use(market.pk):
            shipped(seller(**said))
            shipped(seller("B"), "O2")
        close()
        with tenancy.use(market.pk):
            assert [row.seller.code for row in FastSettlement.objects.all()] == ["B"]

    def test_leaves_out_what_cannot_be_charged_and_pays_the_others(self, market, close):
        with tenancy.use(market.pk):
            row = seller()
            old = shipped(row, "before all rules")
            OrderLine.objects.filter(pk=old.pk).update(paid_on=date(2020, 1, 1))
            shipped(row, "O2")
        close()
        with tenancy.use(market.pk):
            assert [each.order_line.order.number for each in FastSettlement.objects.all()] == ["O2"]

    def test_is_not_made_for_what_is_disputed_or_not_on_its_way(self, market, close):
        with tenancy.use(market.pk):
            row = seller()
            line = shipped(row, "claimed")
            at = datetime.combine(OPEN, AT.timetz())
            Claim.objects.create(
                line=line, seller=row, type="return", fault="buyer", quantity=1, requested_at=at
            )
            make.placed(row, number="paid", paid_on=OPEN)
            shipped(row, "old", on=OPEN - advancing.LOOKED_BACK)
            other = seller("B")
            Seller.objects.filter(pk=other.pk).update(state="suspended")
            shipped(other, "suspended")
        close()
        with tenancy.use(market.pk):
            assert moved() == []


class TestTakingBack:
    def test_stands_beside_the_sale_once_that_is_confirmed(self, market, close):
        with tenancy.use(market.pk):
            line = shipped(seller())
        close(NEXT)
        with tenancy.use(market.pk):
            confirmed(line)
        close(DUE)
        with tenancy.use(market.pk):
            assert moved() == [PAID, ("fast_offset", CONFIRMED, DUE, -8_680)]
            statement = Statement.objects.get(due_on=DUE)
            assert (statement.net, statement.payout, statement.carry_out) == (0, 0, 0)
            assert make.balances() == {
                "clearing": -10_000,
                "fee_revenue:sales": 1_200,
                "vat_payable": 120,
                "payout_payable": 8_680,
            }
            assert tax_ties.of_month(date(2026, 9, 1)).unexplained == (0, 0)
            assert FastSettlement.objects.get().ended_on == CONFIRMED

    def test_is_a_claw_back_where_the_sale_is_cancelled(self, market, close):
        with tenancy.use(market.pk):
            line = shipped(seller())
        close(NEXT)
        with tenancy.use(market.pk):
            cancelled(line)
        close(DUE)
        with tenancy.use(market.pk):
            assert moved() == [PAID, ("fast_clawback", CONFIRMED, DUE, -8_680)]
            assert SellerBalance.objects.get().carry == -8_680
            assert len(SettlementLine.objects.all()) == 2  # and none of a sale

    def test_goes_unit_by_unit(self, market, close):
        """17,360 ahead on two units; one is cancelled, the other confirmed."""
        with tenancy.use(market.pk):
            line = shipped(seller(), quantity=2)
        close(NEXT)
        with tenancy.use(market.pk):
            cancelled(line, left=1)
        close(CONFIRMED)
        with tenancy.use(market.pk):
            row = FastSettlement.objects.get()
            assert (row.advanced, row.taken_back, row.ended_on) == (17_360, 8_680, None)
            confirmed(line, on=date(2026, 9, 10))
        close(date(2026, 9, 15))
        with tenancy.use(market.pk):
            assert [amount for *_, amount in moved()] == [17_360, -8_680, -8_680]
            assert "seller_advance" not in make.balances()

    def test_is_missed_where_a_sale_is_settled_without_it(self, market, monkeypatch):
        with tenancy.use(market.pk):
            line = shipped(seller())
        nights.close_day(market.pk, NEXT, at=AT)
        monkeypatch.setattr(advancing, "_take_back", lambda on, at: 0)
        with tenancy.use(market.pk):
            confirmed(line)
        nights.close_day(market.pk, CONFIRMED, at=AT)
        with tenancy.use(market.pk):
            [found] = verification.verify(on=CONFIRMED)
            assert (found.subject, found.field) == ("fast settlement", "ended")
