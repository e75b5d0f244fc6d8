"""Adjustments on real rows: approved by two people, settled, booked, verified; monthly fees."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connections, transaction

from marketplace import approvals, reasons, states, tenancy, versions
from marketplace.models import Change
from marketplace.tests import make as people
from sellers.models import PerformanceDay
from settlements import adjusting, nights, verification
from settlements.models import (
    Account,
    Adjustment,
    LedgerEntry,
    MonthlyFee,
    SettlementLine,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8, DUE = date(2026, 9, 8), date(2026, 9, 11)
AT = datetime(2026, 9, 8, 3, tzinfo=UTC)


@pytest.fixture
def market(db):
    return make.market(first_open_on=SEP_8)


@pytest.fixture
def operator(db):
    return people.user("operator@example.org")


def requested(seller, operator, amount=-10_000, **given):
    given = {
        "tax_kind": "outside_scope",
        "reason_code": "penalty",
        "reason": "발송 지연",
        "basis_on": SEP_8,
        **given,
    }
    return adjusting.request(seller, amount=amount, by=operator, at=AT, **given)


def approved(seller, operator, amount=-10_000, **given):
    return adjusting.approve(requested(seller, operator, amount, **given), by=None, at=AT)


def booked() -> dict[str, int]:
    """What stands on each account, credit less debit."""
    accounts = dict(Account.objects.values_list("pk", "code"))
    sums: dict[str, int] = {}
    for entry in LedgerEntry.objects.all():
        code = accounts[entry.account_id]
        sums[code] = sums.get(code, 0) + entry.credit - entry.debit
    return {code: amount for code, amount in sums.items() if amount}


class TestRequest:
    def test_waits_for_a_second_person(self, market, operator):
        with tenancy.use(market.pk):
            row = requested(make.seller(), operator)
            assert row.state == "requested"
            assert adjusting.settle(on=SEP_8, first_seller=0, end_seller=2**62, at=AT) == 0
            asked = approvals.Approval.objects.get()
            with pytest.raises(approvals.SamePerson):
                approvals.approve(asked, by=operator, at=AT)
            other = people.user("other@example.org")
            approvals.approve(asked, by=other, at=AT)
            row.refresh_from_db()
            assert (row.state, row.approved_by) == ("approved", other)
            told = Change.objects.get(type="adjustment.approved")
            assert (told.object_id, told.seller_id) == (row.public_id, row.seller_id)

    def test_can_be_asked_for_again_or_withdrawn_after_a_refusal(self, market, operator):
        with tenancy.use(market.pk):
            row = requested(make.seller(), operator)
            with pytest.raises(approvals.AlreadyAsked):
                adjusting.ask(row, by=operator, at=AT, reason="again")
            other = people.user("other@example.org")
            approvals.refuse(approvals.Approval.objects.get(), by=other, at=AT, reason="no")
            adjusting.ask(row, by=operator, at=AT, reason="with the document")
            adjusting.withdraw(row, by=operator, at=AT, reason="a mistake")
            assert row.state == "withdrawn"
            waiting = approvals.Approval.objects.waiting().get()
            with pytest.raises(states.IllegalMove):
                approvals.approve(waiting, by=other, at=AT)

    @pytest.mark.parametrize("amount", [0, 10**15 + 1, -(10**15) - 1])
    def test_refuses_amounts_that_are_none(self, market, operator, amount):
        with tenancy.use(market.pk), pytest.raises(adjusting.AmountNotUsable):
            requested(make.seller(), operator, amount)

    @pytest.mark.parametrize("on", [SEP_8 - timedelta(1), SEP_8 + timedelta(367)])
    def test_refuses_days_out_of_reach(self, market, operator, on):
        with tenancy.use(market.pk), pytest.raises(adjusting.BasisTooFar):
            requested(make.seller(), operator, basis_on=on)

    def test_wants_a_reason(self, market, operator):
        with tenancy.use(market.pk), pytest.raises(reasons.ReasonMissing):
            requested(make.seller(), operator, reason=" ")


class TestSettle:
    def test_stands_on_the_statement_of_its_due_date_beside_sales(self, market, operator):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, unit_price=100_000)  # 12 % and VAT: 13,200
            taxed = {"tax_kind": "taxable", "reason_code": "service"}
            charged = approved(seller, operator, -50_000, **taxed)
            given = approved(seller, operator, 7_778, **taxed | {"reason_code": "compensation"})
        nights.close_day(market.pk, DUE, at=make.AT)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert (statement.due_on, statement.lines, statement.state) == (DUE, 3, "payable")
            assert statement.net == 86_800 - 55_000 + 8_556
            assert statement.payout == statement.net
            assert statement.components == {
                "sales": [12_000, 1_200, 1_200],
                "adj_service": [50_000, 5_000, 5_000],
                "adj_compensation": [-7_778, -778, -778],
            }
            line = SettlementLine.objects.get(order_line_id=-charged.pk)
            assert (line.kind, line.sequence, line.terms_id) == (3, 0, 0)
            assert (line.fee, line.vat, line.net) == (50_000, 5_000, -55_000)
            assert line.charges == [50_000, 50_000, 5_000]
            for row in (charged, given):
                row.refresh_from_db()
                assert (row.state, row.statement) == ("settled", statement)
            assert list(SettlementLine.objects.of_statement(statement)) == list(
                SettlementLine.objects.filter(kind=1)
            )
            assert booked() == {
                "clearing": -100_000,
                "fee_revenue:sales": 12_000,
                "fee_revenue:adj_service": 50_000,
                "fee_revenue:adj_compensation": -7_778,
                "vat_payable": 1_200 + 5_000 - 778,
                "payout_payable": 86_800 - 55_000 + 8_556,
            }
            assert Account.objects.get(code="fee_revenue:adj_service").name == "서비스 이용료"
            assert list(verification.verify(on=DUE)) == []
            assert not SettlementLine.objects.filter(digest=None).exists()

    def test_needs_no_sale(self, market, operator):
        with tenancy.use(market.pk):
            approved(make.seller(), operator, 3_000)
        nights.close_day(market.pk, DUE, at=make.AT)
        with tenancy.use(market.pk):
            assert Statement.objects.get().payout == 3_000

    def test_waits_for_its_basis_date_and_goes_by_the_sellers_terms(self, market, operator):
        with tenancy.use(market.pk):
            seller = make.seller()
            weekly = {"cycle": "weekly", "cycle_arg": 0, "holiday": "next"}
            make.contract(seller, lag_days=1, lag_kind="calendar", at=AT, **weekly)
            row = approved(seller, operator, basis_on=date(2026, 9, 10))
        nights.close_day(market.pk, SEP_8, at=make.AT)
        nights.close_day(market.pk, date(2026, 9, 10), at=make.AT)
        with tenancy.use(market.pk):
            row.refresh_from_db()
            assert row.statement.due_on == date(2026, 9, 14)

    def test_is_no_income_from_services(self, market, operator):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.contract(seller, income_kind="service", rules=[{"rate_ppm": 0}])
            make.sold(seller, unit_price=1_000_000)
            approved(seller, operator, 100_000)
        nights.close_day(market.pk, DUE, at=make.AT)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert (statement.net, statement.service_net) == (1_100_000, 1_000_000)
            assert statement.payout == 1_100_000 - 33_000
            assert list(verification.verify(on=DUE)) == []

    def test_is_done_once_and_then_frozen(self, market, operator):
        with tenancy.use(market.pk):
            row = approved(make.seller(), operator)
            nights._open_months(SEP_8)
            span = {"on": SEP_8, "first_seller": 0, "end_seller": 2**62, "at": AT}
            assert (adjusting.settle(**span), adjusting.settle(**span)) == (1, 0)
            with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
                Adjustment.objects.filter(pk=row.pk).update(amount=-1)


@pytest.mark.django_db(transaction=True)
class TestVerify:
    def test_names_an_edited_line_and_one_without_its_adjustment(self, market, operator):
        with tenancy.use(market.pk):
            row = approved(make.seller(), operator)
            public_id = row.public_id
        nights.close_day(market.pk, SEP_8, at=make.AT)
        with connections["owner"].cursor() as cursor:
            cursor.execute("UPDATE settlement_line SET vat = vat + 1 WHERE kind = 3")
        with tenancy.use(market.pk):
            found = {(d.subject, d.key, d.field) for d in verification.verify(on=SEP_8)}
        assert ("adjustment", public_id, "vat") in found
        with connections["owner"].cursor() as cursor:
            cursor.execute("DELETE FROM settlement_line WHERE kind = 3")
        with tenancy.use(market.pk):
            found = {(d.subject, d.key, d.field) for d in verification.verify(on=SEP_8)}
        assert ("adjustment", public_id, "line") in found


class TestChargeMonthly:
    SEP_30 = date(2026, 9, 30)

    @pytest.fixture
    def inside(self, market):
        with tenancy.use(market.pk):
            fee = versions.draft(
                MonthlyFee, valid_from=SEP_8, by=None, threshold=1_000_000, amount=50_000
            )
            versions.publish(fee, by=None, at=AT)
            yield

    def sell(self, code, *days):
        seller = make.seller(code)
        for on, confirmed, returned in days:
            PerformanceDay.objects.create(
                seller=seller,
                on=on,
                sales_confirmed=confirmed,
                sales_returned=returned,
            )
        return seller

    def test_charges_those_who_reach_the_threshold_once(self, inside):
        half = (date(2026, 9, 10), 500_000, 0)
        reaches = self.sell("A", half, (self.SEP_30, 500_000, 0))
        self.sell("B", half, (self.SEP_30, 499_999, 0))
        self.sell("C", half, (self.SEP_30, 600_000, 100_001))
        self.sell("D", (date(2026, 8, 31), 500_000, 0), half)
        assert adjusting.charge_monthly(self.SEP_30, at=AT) == 1
        assert adjusting.charge_monthly(self.SEP_30, at=AT) == 0
        row = Adjustment.objects.get()
        assert (row.seller, row.amount, row.tax_kind) == (reaches, -50_000, "taxable")
        assert (row.state, row.basis_on, row.month) == (
            "approved",
            self.SEP_30,
            date(2026, 9, 1),
        )
        assert row.reason == "2026-09 월 고정 이용료"
        nights._open_months(self.SEP_30)
        adjusting.settle(on=self.SEP_30, first_seller=0, end_seller=2**62, at=AT)
        line = SettlementLine.objects.get()
        assert (line.fee, line.vat, line.net) == (50_000, 5_000, -55_000)

    def test_charges_on_no_other_day(self, inside):
        self.sell("A", (date(2026, 9, 10), 2_000_000, 0))
        for day in (date(2026, 9, 29), date(2026, 10, 1)):
            assert adjusting.charge_monthly(day, at=AT) == 0

    def test_charges_nobody_without_a_rule_or_with_one_of_nothing(self, market):
        with tenancy.use(market.pk):
            self.sell("A", (date(2026, 9, 10), 2_000_000, 0))
            assert adjusting.charge_monthly(self.SEP_30, at=AT) == 0
            none = versions.draft(MonthlyFee, valid_from=SEP_8, by=None, threshold=0, amount=0)
            versions.publish(none, by=None, at=AT)
            assert adjusting.charge_monthly(self.SEP_30, at=AT) == 0

    def test_is_a_step_of_the_night(self, market):
        with tenancy.use(market.pk):
            fee = versions.draft(MonthlyFee, valid_from=SEP_8, by=None, threshold=0, amount=50_000)
            versions.publish(fee, by=None, at=AT)
            self.sell("A", (date(2026, 9, 10), 1, 0))
        nights.close_day(market.pk, date(2026, 10, 1), at=make.AT)
        with tenancy.use(market.pk):
            row = Adjustment.objects.get()
            assert (row.state, row.month) == ("settled", date(2026, 9, 1))
            assert list(verification.verify(on=date(2026, 10, 1))) == []
