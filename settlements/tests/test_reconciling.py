"""Files of payment providers against orders: once each, to the won, and nothing is absorbed."""

from datetime import UTC, date, datetime

import pytest

from marketplace import approvals, tenancy
from marketplace.models import Approval, Marketplace
from marketplace.tests import make as people
from orders.models import Order, OrderLine, Payment
from settlements import (
    chart,
    day_closing,
    ledger_balances,
    provider_files,
    reconciliation_report,
    reconciling,
    verification,
)
from settlements.models import Account, Discrepancy, Journal, ProviderFile, ProviderRow
from settlements.reconciliation_report import Standing
from settlements.tests import make

AT = datetime(2026, 9, 20, 3, tzinfo=UTC)
ON = date(2026, 9, 20)
HEADER = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
FORMAT = provider_files.load_format("standard")


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def paid(provider_id, amount, *, seller, number=None, left=1):
    """An order of one line of one unit, paid by one payment."""
    line = make.placed(seller, number=number or provider_id, unit_price=amount)
    OrderLine.objects.filter(pk=line.pk).update(units_left=left)
    Payment.objects.create(
        order=line.order,
        sequence=1,
        kind="card",
        amount=amount,
        provider_id=provider_id,
        approved_at=datetime(2026, 9, 1, 3, tzinfo=UTC),
    )
    return line


def payment(provider_id, gross, *, fee=0, vat=0, day=3):
    deposit = gross - fee - vat
    return f"{provider_id},payment,2026-09-01,2026-09-{day:02},{gross},{fee},{vat},{deposit}\n"


def refund(provider_id, gross, *, day=3):
    return f"{provider_id},refund,2026-09-02,2026-09-{day:02},{-gross},0,0,{-gross}\n"


def take(*rows):
    return reconciling.import_file(
        (HEADER + "".join(rows)).encode(), name="정산.csv", format=FORMAT, by=None, at=AT
    )


def balances():
    sides = ledger_balances.at_end_of(date(2026, 12, 31))
    codes = dict(Account.objects.values_list("pk", "code"))
    return {codes[key]: side.balance for key, side in sides.items() if side.balance}


def told():
    rows = Discrepancy.objects.order_by("provider_id", "side")
    return [(r.provider_id, r.side, r.kind, r.difference, r.suspended, r.state) for r in rows]


class TestImportFile:
    def test_posts_what_was_deposited(self, market):
        seller = make.seller()
        paid("P1", 10_000, seller=seller)
        paid("P2", 5_000, seller=seller)
        take(payment("P1", 10_000, fee=300, vat=30), payment("P2", 5_000, fee=150, vat=15, day=4))
        assert told() == []
        assert balances() == {
            "bank": 9_670 + 4_835,
            "provider_fee": 450,
            "input_vat": 45,
            "clearing": -15_000,
        }
        days = Journal.objects.filter(template="provider_deposit").values_list("basis_on")
        assert sorted(days) == [(date(2026, 9, 3),), (date(2026, 9, 4),)]

    def test_changes_nothing_the_second_time(self, market):
        paid("P1", 10_000, seller=make.seller())
        first = take(payment("P1", 10_000, fee=300, vat=30))
        before = balances()
        assert take(payment("P1", 10_000, fee=300, vat=30)) == first
        assert (balances(), ProviderRow.objects.count()) == (before, 1)

    def test_counts_a_row_once_that_two_files_bring(self, market):
        seller = make.seller()
        paid("P1", 10_000, seller=seller)
        paid("P2", 5_000, seller=seller)
        take(payment("P1", 10_000))
        second = take(payment("P1", 10_000), payment("P2", 5_000))
        assert (second.rows, second.known_rows) == (2, 1)
        assert balances()["bank"] == 15_000
        assert told() == []

    def test_takes_nothing_of_a_file_with_a_mistake(self, market):
        with pytest.raises(provider_files.ProviderFileRefused):
            take(payment("P1", 10_000), "P2,payment,x,y,1,0,0,1\n")
        assert not ProviderFile.objects.exists()
        assert not Journal.objects.exists()

    def test_posts_on_an_open_day_what_was_paid_out_on_a_signed_one(self, market):
        Marketplace.objects.filter(pk=market.pk).update(
            last_closed_on=date(2026, 9, 10), needs_second_person=False
        )
        day_closing.begin(date(2026, 9, 3))
        day = day_closing.DayClose.objects.get()
        day_closing.sign_first(day, by=people.user("a@example.com"), at=AT, remark="x")
        paid("P1", 10_000, seller=make.seller())
        take(payment("P1", 10_000))
        assert Journal.objects.get().basis_on == date(2026, 9, 11)


class TestDiscrepancies:
    def test_name_each_kind_and_suspend_what_is_unexplained(self, market):
        seller = make.seller()
        paid("P1", 10_000, seller=seller)  # provider says more
        paid("P2", 5_000, seller=seller)  # provider says less
        paid("P4", 2_000, seller=seller)  # provider says nothing
        take(
            payment("P1", 10_500),
            payment("P2", 4_000),
            payment("P3", 700),
            "P9,payment,2026-09-18,2026-09-19,0,0,0,0\n",
        )
        assert told() == [
            ("P1", "payment", "amount", 500, 500, "open"),
            ("P2", "payment", "amount", -1_000, 0, "open"),
            ("P3", "payment", "missing_here", 700, 700, "open"),
            ("P4", "payment", "missing_there", -2_000, 0, "open"),
            ("P9", "payment", "missing_here", 0, 0, "open"),
        ]
        assert balances() == {"bank": 15_200, "clearing": -14_000, "suspense": -1_200}

    def test_ask_about_nothing_that_was_sold_before_the_first_file(self, market):
        seller = make.seller()
        paid("P1", 10_000, seller=seller)
        paid("P2", 2_000, seller=seller)
        Payment.objects.filter(provider_id="P2").update(
            approved_at=datetime(2026, 8, 31, 3, tzinfo=UTC)
        )
        take(payment("P1", 10_000), "P9,payment,2026-09-18,2026-09-19,0,0,0,0\n")
        assert [row[0] for row in told()] == ["P9"]

    def test_know_what_was_to_be_given_back(self, market):
        seller = make.seller()
        paid("P1", 10_000, seller=seller, left=0)  # cancelled
        paid("P2", 5_000, seller=seller)  # not cancelled
        take(payment("P1", 10_000), refund("P1", 10_000), payment("P2", 5_000), refund("P2", 800))
        assert told() == [("P2", "refund", "amount", -800, -800, "open")]
        assert balances() == {"bank": 4_200, "clearing": -5_000, "suspense": 800}

    def test_compare_what_was_given_back_order_by_order(self, market):
        line = paid("P1", 10_000, seller=make.seller(), left=0)
        Payment.objects.create(
            order=line.order, sequence=2, kind="points", amount=500, provider_id="P2"
        )
        take(payment("P1", 10_000), payment("P2", 500), refund("P1", 9_900))
        assert told() == []
        take(refund("P2", 700))
        assert told() == [("P1", "refund", "amount", -100, -100, "open")]
        take(refund("P2", 40))
        assert told() == [("P1", "refund", "amount", -140, -140, "open")]
        assert balances()["suspense"] == 140

    def test_expect_no_more_back_than_went_through_the_provider(self, market):
        line = paid("P1", 10_500, seller=make.seller(), left=0)
        Payment.objects.filter(provider_id="P1").update(amount=10_000)
        Payment.objects.create(order=line.order, sequence=2, kind="points", amount=500)
        take(payment("P1", 10_000), refund("P1", 10_000))
        assert told() == []
        take(refund("P1", 300))
        assert told() == [("P1", "refund", "amount", -300, -300, "open")]

    def test_leave_the_other_payments_of_an_order_time(self, market):
        line = paid("P1", 10_000, seller=make.seller())
        Payment.objects.create(
            order=line.order, sequence=2, kind="points", amount=500, provider_id="P2"
        )
        take(payment("P1", 10_000))
        assert told() == []

    def test_wait_for_a_refund_that_may_still_come(self, market):
        paid("P1", 10_000, seller=make.seller(), left=0)
        take(payment("P1", 10_000))
        assert told() == []

    def test_are_explained_by_an_order_that_comes_late(self, market):
        take(payment("P3", 700))
        assert balances()["suspense"] == -700
        paid("P3", 700, seller=make.seller())
        report = reconciling.rematch(on=ON, at=AT)
        assert report == {"explained": 1, "suspended": 0}
        assert reconciliation_report.standing(ON)[0] == Standing("provider", 0, 0, 0)
        assert told() == [("P3", "payment", "missing_here", 0, 0, "resolved")]
        assert balances() == {"bank": 700, "clearing": -700}

    def test_are_reported_with_amount_and_age(self, market):
        take(payment("P3", 700))
        later = date(2026, 9, 30)
        assert reconciling.rematch(on=later, at=AT) == {"explained": 0, "suspended": 700}
        assert reconciliation_report.standing(later)[0] == Standing("provider", 1, 700, 10)
        told = reconciliation_report.counts(later)
        assert (told["open"], told["amount"], told["oldest_days"]) == (1, 700, 10)

    def test_are_explained_by_a_person_only_where_no_money_is_left_over(self, market):
        paid("P2", 5_000, seller=make.seller())
        take(payment("P2", 4_000), payment("P3", 700))
        short, unknown = Discrepancy.objects.order_by("provider_id")
        reconciling.resolve(short, by=None, at=AT, reason="다음 파일에서 정산")
        with pytest.raises(reconciling.MoneyOnSuspense):
            reconciling.resolve(unknown, by=None, at=AT, reason="모름")
        assert [row[-1] for row in told()] == ["resolved", "open"]


class TestBook:
    def test_writes_off_by_two_people(self, market):
        one, other = people.user("a@example.com"), people.user("b@example.com")
        take(payment("P3", 700))
        approvals.ask(
            "book_discrepancy",
            Discrepancy.objects.get(),
            by=one,
            at=AT,
            reason="소액",
            data={"account": chart.RECONCILIATION_DIFFERENCE, "reason": "소액"},
        )
        asked = Approval.objects.waiting().get()
        with pytest.raises(approvals.SamePerson):
            approvals.approve(asked, by=one, at=AT)
        assert balances()["suspense"] == -700
        approvals.approve(asked, by=other, at=AT)
        assert balances() == {"bank": 700, "reconciliation_difference": -700}
        row = Discrepancy.objects.get()
        assert (row.state, row.account, row.closed_by) == (
            "booked", chart.RECONCILIATION_DIFFERENCE, other,
        )  # fmt: skip

    def test_gives_up_what_a_provider_will_never_pay(self, market):
        paid("P2", 5_000, seller=make.seller())
        take(payment("P2", 4_990))
        reconciling.book(
            Discrepancy.objects.get(),
            account=chart.RECONCILIATION_DIFFERENCE,
            by=None,
            at=AT,
            reason="절사",
        )
        assert balances() == {"bank": 4_990, "clearing": -5_000, "reconciliation_difference": 10}

    @pytest.mark.parametrize("account", ["suspense", "clearing", "seller_payable", "nothing"])
    def test_refuses_accounts_where_it_would_be_lost_again(self, market, account):
        take(payment("P3", 700))
        with pytest.raises(reconciling.AccountNotForBooking):
            reconciling.book(Discrepancy.objects.get(), account=account, by=None, at=AT, reason="x")


class TestLedger:
    def test_agrees_with_itself_whatever_was_reconciled(self, market):
        take(payment("P3", 700), refund("P3", 50))
        assert [str(found) for found in verification.verify(on=ON)] == []
        assert Order.objects.count() == 0
