"""What marketplaces stumble over, each case with its figures.

Elsewhere: failed transfers in test_payout_sending, holds of claims in test_holding, due dates over
holidays in test_due_dates, reserves that come back in test_collecting.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from marketplace import approvals, states, tenancy, versions
from marketplace.tests import make as people
from orders import claims, exchanging, goodwill, refunds, return_shipping
from orders.models import OrderLine
from sellers.models import PerformanceDay
from settlements import (
    keeping_windows,
    nights,
    payout_connections,
    payout_sending,
    payouts,
    return_costs,
    revenue_reporting,
    verification,
)
from settlements.gateways import sandbox
from settlements.models import (
    Adjustment,
    LedgerDifference,
    MonthlyFee,
    PayoutBatch,
    SandboxTransfer,
    SellerBalance,
    SettlementLine,
    Statement,
)
from settlements.revenue_reporting import NewReport
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
SEP_8 = date(2026, 9, 8)
DUE = date(2026, 9, 11)  # of what is confirmed on 8 September
BACK = date(2026, 9, 14)
LATER = date(2026, 9, 17)  # of what comes back on that day


@pytest.fixture
def market(db):
    return make.market(first_open_on=SEP_8)


@pytest.fixture
def close(market):
    def close(on=DUE):
        nights.close_day(market.pk, on, at=AT)
        with tenancy.use(market.pk):
            assert [str(found) for found in verification.verify(on=on)] == []
            assert not LedgerDifference.objects.exists()

    return close


def charged(line):
    """Fee, VAT and net of a line."""
    return (line.fee, line.vat, line.net)


def lines():
    return [charged(line) for line in SettlementLine.objects.order_by("basis_on", "sequence")]


class TestShipping:
    def test_attracts_a_fee_of_its_own_rate(self, market, close):
        """3,000 at 3.3 %, VAT contained: 99, of which 9."""
        with tenancy.use(market.pk):
            make.sold(make.seller(), stream="shipping", category=None, unit_price=3_000)
        close()
        with tenancy.use(market.pk):
            assert lines() == [(99, 9, 2_901)]


def gave_back(line, *, fault, at=datetime(2026, 9, 14, 3, tzinfo=UTC), **shipping):
    """A line that came back, with what was agreed about its shipping."""
    told = {"type": "return", "quantity": line.units_left, "fault": fault}
    terms = return_shipping.Terms(**shipping)
    claim = claims.request(line, **told, shipping_terms=terms, by=None, at=at)
    claims.approve(claim, by=None, at=at)
    return claims.complete(claim, by=None, at=at)


def exchanged(line, *, fault, at=datetime(2026, 9, 14, 3, tzinfo=UTC), **shipping):
    """A line that was exchanged, with what was agreed about shipping both ways."""
    terms = return_shipping.Terms(**shipping)
    told = {"type": "exchange", "quantity": line.units_left, "fault": fault}
    claim = claims.request(line, **told, shipping_terms=terms, by=None, at=at)
    claims.approve(claim, by=None, at=at)
    claim = exchanging.collect(claim, by=None, at=at)
    parcel = {"carrier": "cj", "tracking_number": "689123456784"}
    claim = exchanging.resend(claim, **parcel, by=None, at=at)
    return claims.complete(claim, by=None, at=at)


SOLD, TAKEN_BACK = (1_200, 120, 8_680), (-1_200, -120, -8_680)
KEPT = (99, 9, 2_901)  # of 3,000 of shipping


class TestWhoBearsShipping:
    """10,000 come back; the way back costs 3,000, for which shipping is charged 3.3 %."""

    @pytest.mark.parametrize(
        ("fault", "shipping", "others", "net", "to_come"),
        [
            # A change of mind: the refund is 7,000, and the provider keeps 3,000 for the seller.
            ("buyer", {"paid": "deducted"}, [KEPT], -5_779, {"clearing": 3_000}),
            # The provider gives 10,000 back; the 3,000 come from the buyer by another way.
            ("buyer", {"paid": "direct"}, [KEPT], -5_779, {"buyer_transfers": 3_000}),
            # Enclosed with the goods: the seller has it already.
            ("buyer", {"paid": "enclosed"}, [], -8_680, {}),
            # We paid the carrier: the seller gives it back, out of what the buyer paid.
            (
                "buyer",
                {"paid": "deducted", "is_advanced": True},
                [KEPT, 3_000],
                -8_779,
                {"clearing": 3_000},
            ),
            # Defective goods: the seller bears it, whoever paid the carrier.
            ("seller", {"paid": "charged"}, [], -8_680, {}),
            ("seller", {"paid": "charged", "is_advanced": True}, [3_000], -11_680, {}),
            ("carrier", {"paid": "charged", "is_advanced": True}, [3_000], -11_680, {}),
            # Our own fault: we bear it.
            ("platform", {"paid": "charged", "is_advanced": True}, [], -8_680, {}),
        ],
    )
    def test_follows_from_the_fault(self, market, close, fault, shipping, others, net, to_come):
        with tenancy.use(market.pk):
            sale = make.sold(make.seller(), unit_price=10_000)
            gave_back(sale, fault=fault, return_cost=3_000, **shipping)
        close(LATER)
        with tenancy.use(market.pk):
            wanted = [each if each == KEPT else (each, 0, -each) for each in others]
            assert sorted(lines()) == sorted([SOLD, TAKEN_BACK, *wanted])
            found = Statement.objects.get(due_on=LATER)
            assert found.net == net
            assert found.list_amount == (3_000 if KEPT in others else 0) - 10_000
            booked = make.balances()
            found = {code: -booked.get(code, 0) for code in ("clearing", "buyer_transfers")}
            assert {code: amount for code, amount in found.items() if amount} == to_come

    def test_charges_a_buyer_for_shipping_that_had_been_free(self, market, close):
        """3,000 back and 2,500 there, deducted from 10,000: 5,500 less 3.3 %, cut to 181."""
        with tenancy.use(market.pk):
            sale = make.sold(make.seller(), unit_price=10_000)
            costs = {"return_cost": 3_000, "outbound_cost": 2_500}
            gave_back(sale, fault="buyer", paid="deducted", **costs)
            assert refunds.due([sale.order_id]) == {sale.order_id: -5_500}  # nothing was paid
        close(LATER)
        with tenancy.use(market.pk):
            assert sorted(lines()) == sorted([SOLD, TAKEN_BACK, (181, 16, 5_319)])

    def test_lets_the_seller_bear_both_ways(self, market, close):
        """The buyer gets back the 3,000 that shipping had cost, and its fee is given back."""
        with tenancy.use(market.pk):
            seller = make.seller()
            sale = make.sold(seller, unit_price=10_000)
            make.sold(seller, line=2, stream="shipping", category=None, unit_price=3_000)
            gave_back(sale, fault="seller", return_cost=3_000, paid="charged")
        close(LATER)
        with tenancy.use(market.pk):
            wanted = [SOLD, KEPT, TAKEN_BACK, (-99, -9, -2_901)]
            assert sorted(lines()) == sorted(wanted)

    @pytest.mark.parametrize(
        ("fault", "shipping", "others"),
        [
            # 3,000 back and 2,500 there, paid to us: 5,500 less 3.3 %, cut to 181.
            ("buyer", {"outbound_cost": 2_500, "paid": "direct"}, [(181, 16, 5_319)]),
            (
                "buyer",
                {"outbound_cost": 2_500, "paid": "direct", "is_advanced": True},
                [(181, 16, 5_319), (3_000, 0, -3_000)],
            ),
            ("buyer", {"outbound_cost": 2_500, "paid": "enclosed"}, []),
            ("seller", {"paid": "charged"}, []),
            ("carrier", {"paid": "charged", "is_advanced": True}, [(3_000, 0, -3_000)]),
            ("platform", {"paid": "charged", "is_advanced": True}, []),
        ],
    )
    def test_is_all_that_an_exchange_costs(self, market, close, fault, shipping, others):
        with tenancy.use(market.pk):
            sale = make.sold(make.seller(), unit_price=10_000)
            exchanged(sale, fault=fault, return_cost=3_000, **shipping)
        close(LATER)
        with tenancy.use(market.pk):
            assert sorted(lines()) == sorted([SOLD, *others])
            nets = dict(Statement.objects.values_list("due_on", "net"))
            assert nets.pop(LATER, 0) == sum(net for _, _, net in others)
            assert list(nets.values()) == [SOLD[2]]

    def test_may_have_a_rate_of_its_own(self, market, close):
        """A contract takes 10 % of return shipping, VAT on top, and nothing of other shipping."""
        with tenancy.use(market.pk):
            seller = make.seller()
            rule = {"component": "shipping", "base": "shipping", "stream": "return_shipping"}
            make.contract(seller, rules=[{**rule, "rate_ppm": 100_000}])
            sale = make.sold(seller, unit_price=10_000)
            gave_back(sale, fault="buyer", return_cost=3_000, paid="deducted")
        close(LATER)
        with tenancy.use(market.pk):
            assert (300, 30, 2_670) in lines()

    def test_is_charged_once_however_often_the_night_looks(self, market, close):
        with tenancy.use(market.pk):
            sale = make.sold(make.seller(), unit_price=10_000)
            charged = {"paid": "charged", "is_advanced": True, "return_cost": 3_000}
            claim = gave_back(sale, fault="seller", **charged)
            assert return_costs.charge(BACK - timedelta(days=1), at=AT) == 0
            assert return_costs.charge(BACK, at=AT) == 1
            assert return_costs.charge(BACK, at=AT) == 0
            row = Adjustment.objects.get()
            assert (row.claim, row.amount, row.tax_kind) == (claim, -3_000, "outside_scope")
            assert row.reason == f"주문 {sale.order.number}, 1번 줄: 반품 운송사 비용 대납"
            with pytest.raises(IntegrityError), transaction.atomic():
                Adjustment.objects.create(
                    seller=row.seller,
                    claim=claim,
                    amount=-1,
                    tax_kind="outside_scope",
                    reason_code="shipping",
                    reason="twice",
                    basis_on=BACK,
                    requested_at=AT,
                )
        close(LATER)
        with tenancy.use(market.pk):
            assert Statement.objects.get(due_on=LATER).net == -11_680


class TestGoodwill:
    @pytest.mark.parametrize(
        ("funder", "figures", "expense"),
        [
            # 1,000 off the price, and 12 % of it with VAT given back.
            ("seller", (-120, -12, -868), 0),
            # The seller keeps the price and its fees; the marketplace has an expense.
            ("platform", (0, 0, 0), 1_000),
        ],
    )
    def test_is_borne_by_who_grants_it(self, market, close, funder, figures, expense):
        """A buyer keeps goods of 10,000 and is granted 1,000."""
        with tenancy.use(market.pk):
            sale = make.sold(make.seller(), unit_price=10_000)
            told = {"line": sale.number, "amount": 1_000, "funder": funder, "reason": "흠집"}
            on_the_day = datetime(2026, 9, 14, 3, tzinfo=UTC)
            asker, other = people.user("a@example.org"), people.user("b@example.org")
            asked = goodwill.ask(sale.order, **told, by=asker, at=on_the_day)
            if asked.state == "asked":
                approvals.approve(asked, by=other, at=on_the_day)
        close(LATER)
        with tenancy.use(market.pk):
            assert lines() == [SOLD, figures]
            assert -make.balances().get("platform_funding", 0) == expense
            assert -make.balances()["clearing"] == 9_000


class TestDiscounts:
    def test_are_taken_from_those_who_fund_them(self, market, close):
        """A coupon of 5,000 on 30,000: 2,000 by the seller, 3,000 by the platform."""
        with tenancy.use(market.pk):
            by = {"seller_discount": 2_000, "platform_discount": 3_000}
            make.sold(make.seller(), unit_price=30_000, **by)
        close()
        with tenancy.use(market.pk):
            assert lines() == [(3_360, 336, 24_304)]  # 12 % of 28,000
            booked = make.balances()
            assert (booked["clearing"], booked["platform_funding"]) == (-25_000, -3_000)

    @pytest.mark.parametrize(
        ("base", "fee", "net"),
        [
            ("list_amount", 2_700, 25_030),
            ("after_seller_discount", 2_520, 25_228),
            ("buyer_paid", 2_250, 25_525),
        ],
    )
    def test_count_by_the_base_of_the_rule(self, market, close, base, fee, net):
        """9 % with VAT on top, of 30,000 with 2,000 by the seller and 3,000 by the platform."""
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, rules=[{"base": base, "rate_ppm": 90_000}])
            by = {"seller_discount": 2_000, "platform_discount": 3_000}
            make.sold(seller, unit_price=30_000, **by)
        close()
        with tenancy.use(market.pk):
            assert lines() == [(fee, fee // 10, net)]


class TestPartialCancel:
    def test_leaves_nothing_behind(self, market, close):
        """7.7 % of 33,333 in three parts: 855, 856 and 855, not three times 855."""
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, rules=[{"rate_ppm": 77_000}])
            sale = make.sold(seller, unit_price=11_111, quantity=3)
            for days, left in enumerate((2, 1, 0)):
                make.returned(sale, left=left, on=BACK + timedelta(days))
        close(date(2026, 9, 21))
        with tenancy.use(market.pk):
            fees = [line.fee for line in SettlementLine.objects.order_by("sequence")]
            assert fees == [2_566, -855, -856, -855]
            assert sum(line.net for line in SettlementLine.objects.all()) == 0

    def test_before_settlement_makes_no_line(self, market, close):
        with tenancy.use(market.pk):
            make.placed(make.seller(), status="cancelled")
        close()
        with tenancy.use(market.pk):
            assert not SettlementLine.objects.exists()

    def test_after_settlement_is_a_line_on_its_own_date(self, market, close):
        with tenancy.use(market.pk):
            sale = make.sold(make.seller(), unit_price=10_000)
        close()
        with tenancy.use(market.pk):
            make.returned(sale, left=0, on=BACK)
        close(LATER)
        with tenancy.use(market.pk):
            found = SettlementLine.objects.order_by("sequence")
            assert [(line.basis_on, line.net) for line in found] == [
                (date(2026, 9, 8), 8_680),
                (BACK, -8_680),
            ]


class TestReturnAfterPayout:
    def test_is_netted_in_the_next_settlement_and_carried_until_then(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            sale = make.sold(seller, number="O1", unit_price=10_000)
        close()
        with tenancy.use(market.pk):
            make.returned(sale, left=0, on=BACK)
        close(LATER)
        with tenancy.use(market.pk):
            last = Statement.objects.get(due_on=LATER)
            assert (last.state, last.payout, last.carry_out) == ("closed", 0, -8_680)
            assert SellerBalance.objects.get().carry == -8_680
            make.sold(seller, number="O2", unit_price=20_000, confirmed_on=date(2026, 9, 18))
        close(date(2026, 9, 29))
        with tenancy.use(market.pk):
            last = Statement.objects.latest("due_on")
            assert (last.net, last.carry_in, last.payout) == (17_360, -8_680, 8_680)


class TestVat:
    def test_on_top_and_contained_come_to_the_same(self, market, close):
        """12 % with VAT apart is 13.2 % with VAT in it."""
        for code, rate_ppm, kind in (("A", 120_000, "exclusive"), ("B", 132_000, "inclusive")):
            with tenancy.use(market.pk):
                seller = make.seller(code)
                make.contract(seller, rules=[{"rate_ppm": rate_ppm, "vat_kind": kind}])
                make.sold(seller, number=code, unit_price=10_000)
        close()
        with tenancy.use(market.pk):
            assert sorted(lines()) == [(1_200, 120, 8_680), (1_320, 120, 8_680)]

    def test_is_charged_on_the_fee_of_tax_free_goods_as_well(self, market, close):
        with tenancy.use(market.pk):
            make.sold(make.seller(), unit_price=10_000, tax_kind="exempt")
        close()
        with tenancy.use(market.pk):
            assert lines() == [(1_200, 120, 8_680)]


class TestReserve:
    def test_is_cut_down_and_the_rest_is_paid(self, market, close):
        """30 % of 91,234 are 27,370; what is paid is the rest, not 70 % cut down."""
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, rules=[{"rate_ppm": 0}], reserve_ppm=300_000)
            make.sold(seller, unit_price=91_234)
        close()
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert (statement.reserve, statement.payout) == (27_370, 63_864)


class TestWithholding:
    @pytest.mark.parametrize(
        ("net", "income", "local"),
        [(1_000_000, 30_000, 3_000), (333_333, 9_990, 990), (33_300, 990, 90)],
    )
    def test_is_of_personal_services_and_cut_below_ten(self, market, close, net, income, local):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, rules=[{"rate_ppm": 0}], income_kind="service")
            make.sold(seller, unit_price=net)
        close()
        with tenancy.use(market.pk):
            found = Statement.objects.get()
            assert (found.withholding_income, found.withholding_local) == (income, local)
            assert found.payout == net - income - local


class TestFeeCutOver:
    def test_leaves_the_refund_of_an_old_order_at_the_old_rate(self, market, close):
        """A waiver ends on 5 September: 0 % before, 5 % from then on, each refunded as charged."""
        with tenancy.use(market.pk):
            seller = make.seller()
            days = date(2026, 9, 5)
            rules = [{"rate_ppm": 0, "date_to": days}, {"rate_ppm": 50_000, "date_from": days}]
            make.contract(seller, rules=rules)
            old = make.sold(seller, number="old", paid_on=date(2026, 9, 4))
            new = make.sold(seller, number="new", paid_on=days)
            for sale in (old, new):
                make.returned(sale, left=0, on=BACK)
        close(LATER)
        with tenancy.use(market.pk):
            fees = {
                (line.order_line_id, line.sequence): line.fee
                for line in SettlementLine.objects.all()
            }
            assert fees == {(old.pk, 0): 0, (old.pk, 1): 0, (new.pk, 0): 500, (new.pk, 1): -500}


class TestLinesWithoutOrders:
    def test_are_monthly_fees_and_shares_of_advertising(self, market, close):
        """55,000 of a server fee, and 85 % of 100,000 that advertising brought."""
        with tenancy.use(market.pk):
            seller = make.seller()
            words = {"threshold": 1_000_000, "amount": 50_000}
            draft = versions.draft(MonthlyFee, valid_from=date(2026, 9, 1), by=None, at=AT, **words)
            versions.publish(draft, by=None, at=AT)
            PerformanceDay.objects.create(
                seller=seller, on=date(2026, 9, 8), sales_confirmed=1_000_000
            )
            rule = {"component": "sales", "stream": "ads", "base": "amount", "rate_ppm": 150_000}
            make.contract(seller, rules=[rule])
            said = {"seller_code": "A", "stream": "ads", "on": date(2026, 9, 8)}
            report = NewReport(**said, amount=100_000, version=1, is_final=True)
            at = datetime(2026, 9, 8, 3, tzinfo=UTC)
            revenue_reporting.accept_many([report], source="api", at=at)
        close(date(2026, 9, 30))
        with tenancy.use(market.pk):
            found = {row.reason_code: row.amount for row in Adjustment.objects.all()}
            assert found == {"monthly_fee": -50_000, "revenue_share": 85_000}
            assert sorted(line.net for line in SettlementLine.objects.all()) == [-55_000, 93_500]


class TestMinimumPayout:
    def test_is_carried_over_and_a_statement_of_nothing_pays_nothing(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, rules=[{"rate_ppm": 0}], minimum_payout=50_000)
            make.sold(seller, number="O1", unit_price=49_999)
        close()
        with tenancy.use(market.pk):
            found = Statement.objects.get()
            assert (found.state, found.payout, found.carry_out) == ("closed", 0, 49_999)
            make.sold(seller, number="O2", unit_price=1, confirmed_on=BACK)
        close(LATER)
        with tenancy.use(market.pk):
            found = Statement.objects.get(due_on=LATER)
            assert (found.state, found.payout, found.carry_out) == ("payable", 50_000, 0)


class TestInAppPurchase:
    def test_passes_the_stores_fee_through_and_its_refund_into_the_period_of_the_refund(
        self, market, close
    ):
        """9,900 of which the store keeps 30 %, VAT contained; refunded in October."""
        with tenancy.use(market.pk):
            seller = make.seller()
            rule = {"stream": "iap", "base": "amount", "rate_ppm": 300_000}
            make.contract(seller, rules=[{**rule, "vat_kind": "inclusive"}])
            sale = make.sold(seller, stream="iap", category=None, unit_price=9_900)
        close()
        with tenancy.use(market.pk):
            make.returned(sale, left=0, on=date(2026, 10, 2))
        close(date(2026, 10, 2))
        with tenancy.use(market.pk):
            assert lines() == [(2_970, 270, 6_930), (-2_970, -270, -6_930)]
            assert SettlementLine.objects.latest("basis_on").basis_on == date(2026, 10, 2)

    def test_leaves_a_store_fee_that_is_kept_on_refunds_with_the_seller(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            rule = {"stream": "iap", "base": "amount", "rate_ppm": 300_000, "vat_kind": "inclusive"}
            make.contract(seller, rules=[{**rule, "keep_on_refund": True}])
            sale = make.sold(seller, stream="iap", category=None, unit_price=9_900)
            make.returned(sale, left=0, on=BACK)
        close(BACK)
        with tenancy.use(market.pk):
            assert lines() == [(2_970, 270, 6_930), (0, 0, -9_900)]


class TestLiveSurcharge:
    def test_comes_on_top_of_the_sales_fee_of_the_live_channel_alone(self, market, close):
        """12 % of 10,000, and 3 % more in a live show, each with VAT."""
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, number="O1", unit_price=10_000)
            make.sold(seller, number="O2", unit_price=10_000, channel="live")
        close()
        with tenancy.use(market.pk):
            assert sorted(lines()) == [(1_200, 120, 8_680), (1_500, 150, 8_350)]
            assert Statement.objects.get().components["live"] == [300, 30, 30]


class TestOneOrder:
    def test_may_hold_the_same_thing_at_two_prices(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, number="O1", line=1, unit_price=10_000)
            make.sold(seller, number="O1", line=2, unit_price=9_000)
        close()
        with tenancy.use(market.pk):
            assert sorted(lines()) == [(1_080, 108, 7_812), (1_200, 120, 8_680)]
            assert Statement.objects.get().net == 16_492


class TestForeignCurrency:
    def test_is_settled_in_its_own_units_and_paid_by_hand(self):
        """100.00 dollars less 12 % and VAT are 86.80. The payout API pays won alone."""
        market = make.market(currency="USD", exponent=2, first_open_on=SEP_8)
        with tenancy.use(market.pk):
            seller = make.seller()
            make.account(seller, ending=sandbox.LOSES_THE_TRANSFER)
            make.sold(seller, unit_price=10_000)
        nights.close_day(market.pk, DUE, at=AT)
        with tenancy.use(market.pk):
            assert lines() == [(1_200, 120, 8_680)]
            keys = {"secret_key": "test_sk_" + "a" * 20, "security_key": "a" * 64}
            with pytest.raises(payout_connections.OnlyWon):
                payout_connections.enter(
                    url="https://pay.example.org", **keys, by=None, at=AT, reason="연결"
                )
            batch = PayoutBatch.objects.get()
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
            payouts.execute(batch, by=None, at=AT)
            payout = batch.rows.get()
        payout_sending.serve(market.pk, payout.pk, now=lambda: AT)
        with tenancy.use(market.pk):
            payout.refresh_from_db()
            said = {"outcome": "paid", "said": "외화 송금 완료"}
            payout_sending.record_by_hand(payout, by=None, at=AT, **said)
            payout.refresh_from_db()
            assert (payout.state, payout.amount) == ("paid", 8_680)
            assert make.balances()["bank"] == 8_680
            assert Statement.objects.get().state == "paid"


class TestBankMaintenance:
    def test_refuses_scheduling_and_sends_nothing_until_the_bank_is_back(self, market):
        """From 23:30 to 00:30 every night: 86,800 won wait, and arrive without a lost answer."""
        midnight = datetime(2026, 9, 15, tzinfo=ZoneInfo("Asia/Seoul"))
        with tenancy.use(market.pk):
            hours = {"from_time": time(23, 30), "to_time": time(0, 30)}
            keeping_windows.enter_recurring(
                weekdays=[0, 1, 2, 3, 4, 5, 6], **hours, note="야간 점검", by=None, at=AT
            )
            seller = make.seller()
            make.account(seller)
            make.sold(seller, unit_price=100_000)
        nights.close_day(market.pk, DUE, at=AT)
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.get()
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
            with pytest.raises(keeping_windows.BankClosed) as refused:
                payouts.schedule(batch, by=None, at=AT, scheduled_at=midnight)
            assert str(refused.value) == (
                "The bank takes no transfers from 2026-09-14 23:30 until 2026-09-15 00:30 "
                "(야간 점검). Choose 2026-09-15 00:30 or later."
            )
            payouts.execute(batch, by=None, at=midnight - timedelta(hours=1))
            payout = batch.rows.get()
        for minutes in (-31, 0, 29):
            moment = midnight + timedelta(minutes=minutes)
            payout_sending.serve(market.pk, payout.pk, now=lambda moment=moment: moment)
        with tenancy.use(market.pk):
            payout.refresh_from_db()
            assert (payout.state, payout.attempts.count()) == ("prepared", 0)
            assert payout_sending.left_behind(at=midnight) == [payout.pk]
        free = midnight + timedelta(minutes=30)
        payout_sending.serve(market.pk, payout.pk, now=lambda: free)
        with tenancy.use(market.pk):
            payout.refresh_from_db()
            assert (payout.state, payout.amount, payout.sent_at) == ("paid", 86_800, free)
            assert SandboxTransfer.objects.get().received == 1
            batch.refresh_from_db()
            assert batch.state == "completed"


class TestGrossAndNet:
    @pytest.mark.parametrize(
        ("supply_tax", "figures"),
        [
            ("taxable", (-85_000, -8_500, 93_500)),  # VAT is added when it is paid
            ("outside_scope", (-85_000, 0, 85_000)),  # what is agreed is all there is
        ],
    )
    def test_settlement_adds_the_sellers_vat_or_has_it_within(
        self, market, close, supply_tax, figures
    ):
        with tenancy.use(market.pk):
            seller = make.seller()
            rule = {"component": "sales", "stream": "ads", "base": "amount", "rate_ppm": 150_000}
            make.contract(seller, rules=[rule], supply_tax=supply_tax)
            said = {"seller_code": "A", "stream": "ads", "on": date(2026, 9, 8)}
            report = NewReport(**said, amount=100_000, version=1, is_final=True)
            at = datetime(2026, 9, 8, 3, tzinfo=UTC)
            revenue_reporting.accept_many([report], source="api", at=at)
        close(date(2026, 9, 30))
        with tenancy.use(market.pk):
            assert lines() == [figures]


class TestFastSettlement:
    @pytest.fixture
    def market(self, db):
        return make.market()

    def test_pays_at_pick_up_and_claws_back_on_cancellation(self, market, close):
        """8,680 the day after the pick-up; all of it back after the cancellation."""
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, fast_ppm=1_000_000)
            line = make.placed(seller, status="shipped", shipped_on=date(2026, 9, 2))
        close(date(2026, 9, 3))
        with tenancy.use(market.pk):
            assert Statement.objects.get().payout == 8_680
            OrderLine.objects.filter(pk=line.pk).update(status="cancelled", units_left=0)
        close(date(2026, 9, 9))
        with tenancy.use(market.pk):
            assert lines() == [(-8_680, 0, 8_680), (8_680, 0, -8_680)]
            assert SellerBalance.objects.get().carry == -8_680
