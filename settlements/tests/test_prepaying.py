"""Advertising prepayments: paid in, drawn for charges, given back, refunded; and never twice."""

import threading
from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace import approvals, tenancy
from marketplace.models import Approval, Change, User
from marketplace.tests import make as people
from orders import verdicts
from sellers.models import Seller
from settlements import (
    adjusting,
    collecting,
    deposits,
    forecasts,
    leaving,
    nights,
    prepaying,
    tax_lines,
    verification,
)
from settlements.models import (
    Adjustment,
    AdPrepayment,
    AdPrepaymentMovement,
    Journal,
    LedgerDifference,
    SellerBalance,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8, DUE, NEXT = date(2026, 9, 8), date(2026, 9, 11), date(2026, 9, 14)
AT = datetime(2026, 9, 8, 3, tzinfo=UTC)


@pytest.fixture
def market(db):
    return make.market(first_open_on=SEP_8)


@pytest.fixture
def users(db):
    return people.user("a@example.org"), people.user("b@example.org")


@pytest.fixture
def close(market):
    def close(on=DUE):
        nights.close_day(market.pk, on, at=AT)
        with tenancy.use(market.pk):
            agrees(on)
            assert not LedgerDifference.objects.exists()
            assert prepaying.unexplained() == 0

    return close


def agrees(on=DUE):
    assert [str(found) for found in verification.verify(on=on)] == []


def paid_in(seller, amount, *, evidence="국민 0908-1", on=SEP_8, by=None, at=AT):
    by = by or User.objects.first() or people.user("finance@example.org")
    return prepaying.record_deposit(seller, amount=amount, evidence=evidence, on=on, by=by, at=at)


def charged(seller, amount=100_000, *, tax_kind="taxable", at=AT, basis_on=SEP_8):
    """An approved charge before VAT."""
    by = people.user(f"asker-{Adjustment.objects.count()}@example.org")
    asked = adjusting.request(
        seller,
        amount=-amount,
        tax_kind=tax_kind,
        reason_code="advertising",
        reason="9월 검색 광고",
        basis_on=basis_on,
        by=by,
        at=at,
    )
    return adjusting.approve(asked, by=None, at=at)


def taken_back(charge, *, at=AT):
    by = people.user(f"asker-{Adjustment.objects.count()}@example.org")
    return adjusting.approve(
        adjusting.take_back(charge, reason="광고 미집행", by=by, at=at), by=None, at=at
    )


def moved():
    """Kind, amount and what was left of each movement, the oldest first."""
    rows = AdPrepaymentMovement.objects.order_by("pk")
    return [(row.kind, row.amount, row.balance) for row in rows]


def left():
    return AdPrepayment.objects.get().balance


class TestRecordDeposit:
    def test_is_owed_to_the_seller_and_is_no_revenue(self, market):
        with tenancy.use(market.pk):
            paid_in(make.seller(), 300_000)
            assert moved() == [("deposit", 300_000, 300_000)]
            assert make.balances() == {"bank": -300_000, "ad_prepayment": 300_000}
            journal = Journal.objects.get()
            assert (journal.template, journal.basis_on) == ("ad_prepayment", SEP_8)
            agrees()

    def test_is_recorded_once_also_where_a_debt_was_paid(self, market, users):
        with tenancy.use(market.pk):
            seller, other = make.seller(), make.seller("B")
            paid_in(seller, 1_000, evidence="국민 0908-7")
            with pytest.raises(deposits.EvidenceUsed):
                paid_in(other, 1_000, evidence=" 국민  0908-7")
            debt = SellerBalance.objects.create(seller=other, receivable=5_000)
            paid = {"amount": 1_000, "on": SEP_8, "by": users[0], "at": AT}
            with pytest.raises(deposits.EvidenceUsed):
                collecting.record_deposit(debt, evidence="국민 0908-7", **paid)
            collecting.record_deposit(debt, evidence="국민 0908-8", **paid)
            with pytest.raises(deposits.EvidenceUsed) as refused:
                paid_in(seller, 1_000, evidence="국민 0908-8")
            assert refused.value.params["field"] == "evidence"
            row = AdPrepaymentMovement.objects.get()
            row.pk, row.public_id = None, "apm_other"
            with pytest.raises(IntegrityError), transaction.atomic():
                row.save(force_insert=True)
            assert left() == 1_000

    @pytest.mark.parametrize(
        ("given", "refused", "field"),
        [
            ({"evidence": " "}, deposits.EvidenceMissing, "evidence"),
            ({"on": date(2026, 9, 9)}, deposits.DepositInFuture, "on"),
            ({"on": date(2026, 9, 7)}, deposits.DepositTooEarly, "on"),
            ({"amount": 0}, verdicts.NotBetween, "amount"),
            ({"amount": -5}, verdicts.NotBetween, "amount"),
        ],
    )
    def test_refuses_what_cannot_be(self, market, given, refused, field):
        with tenancy.use(market.pk):
            with pytest.raises(refused) as found:
                paid_in(make.seller(), **{"amount": 1_000, **given})
            assert found.value.params["field"] == field
            assert not AdPrepayment.objects.exists()

    def test_pays_what_is_charged_and_on_no_statement_yet_the_earliest_first(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            charged(seller, 50_000, basis_on=date(2026, 9, 9))
            charged(seller, 100_000)
            assert moved() == []
            paid_in(seller, 120_000)
            assert moved() == [
                ("deposit", 120_000, 120_000),
                ("drawn", -110_000, 10_000),
                ("drawn", -10_000, 0),
            ]
        close()
        with tenancy.use(market.pk):
            paid_in(seller, 45_000, evidence="2")
            assert moved()[3:] == [("deposit", 45_000, 45_000)]  # both are settled


class TestCharge:
    def test_is_drawn_first_and_only_the_rest_is_taken_off_the_statement(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, unit_price=100_000, category="gold")  # 96,700
            paid_in(seller, 80_000)
            charge = charged(seller)
            assert moved() == [("deposit", 80_000, 80_000), ("drawn", -80_000, 0)]
            assert prepaying.drawn_for(charge) == 80_000
        close()
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert statement.payout == 96_700 - 110_000 + 80_000
            assert statement.components["adj_advertising"] == [100_000, 10_000, 10_000]
            assert statement.components["adj_ad_prepaid"] == [-80_000, 0, 0]
            assert (statement.split.fee, statement.split.additions) == (103_000, 80_000)
            booked = make.balances()
            assert booked["fee_revenue:adj_advertising"] == 100_000
            assert (booked["bank"], booked["payout_payable"]) == (-80_000, 66_700)
            assert "ad_prepayment" not in booked

    def test_is_invoiced_whole_whoever_paid_it_in_advance(self, market, close):
        with tenancy.use(market.pk):
            for code, deposit in (("A", 110_000), ("B", 0)):
                seller = make.seller(code)
                if deposit:
                    paid_in(seller, deposit)
                charged(seller)
        close()
        with tenancy.use(market.pk):
            owed = tax_lines.owed(date(2026, 9, 1))
            assert len(owed) == 2
            for found in owed.values():
                assert {code: tuple(each) for code, each in found.components.items()} == {
                    "adj_advertising": (100_000, 10_000)
                }
            assert dict(Statement.objects.values_list("seller__code", "net")) == {
                "A": 0,
                "B": -110_000,
            }

    def test_leaves_what_is_left_for_the_next(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 300_000)
            charged(seller)
            charged(seller, 10_000, tax_kind="exempt")
            assert moved()[1:] == [("drawn", -110_000, 190_000), ("drawn", -10_000, 180_000)]
        close()
        with tenancy.use(market.pk):
            assert make.balances()["ad_prepayment"] == 180_000
            assert list(leaving.open_money(seller)) == ["₩180,000 paid in advance for advertising"]

    def test_of_another_kind_or_seller_draws_nothing(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 300_000)
            charged(make.seller("B"))
            asked = adjusting.request(
                seller,
                amount=-10_000,
                tax_kind="taxable",
                reason_code="service",
                reason="입점 도움",
                basis_on=SEP_8,
                by=people.user("asker@example.org"),
                at=AT,
            )
            adjusting.approve(asked, by=None, at=AT)
            assert moved() == [("deposit", 300_000, 300_000)]

    def test_is_foretold_with_what_is_drawn(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 80_000)
            charged(seller)
            days = forecasts.of_seller(seller, on=SEP_8).days
            assert [day.net for day in days if day.net] == [-30_000]

    def test_is_never_given(self, market, users):
        with tenancy.use(market.pk), pytest.raises(adjusting.AdvertisingGiven) as refused:
            adjusting.request(
                make.seller(),
                amount=10_000,
                tax_kind="taxable",
                reason_code="advertising",
                reason="보상",
                basis_on=SEP_8,
                by=users[0],
                at=AT,
            )
        assert refused.value.params["field"] == "reason_code"

    def test_tells_of_both_adjustments(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 80_000)
            charged(seller)
            told = Change.objects.filter(type="adjustment.approved")
            drawn = Adjustment.objects.get(reason_code="ad_prepaid")
            assert told.count() == 2
            assert told.order_by("pk").last().object_id == drawn.public_id


class TestTakeBack:
    def test_gives_back_what_was_drawn_and_the_rest_on_the_statement(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 80_000)
            charge = charged(seller)
        close()
        with tenancy.use(market.pk):
            at = datetime(2026, 9, 14, 3, tzinfo=UTC)
            charge.refresh_from_db()
            taken_back(charge, at=at)
            assert moved()[2:] == [("given_back", 80_000, 80_000)]
            assert prepaying.drawn_for(charge) == 0
        close(date(2026, 9, 17))
        with tenancy.use(market.pk):
            last = Statement.objects.latest("due_on")
            assert (last.net, last.carry_in, last.carry_out) == (30_000, -30_000, 0)
            assert make.balances() == {"bank": -80_000, "ad_prepayment": 80_000}

    def test_is_asked_of_a_charge_once(self, market, users):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 200_000)
            charge = charged(seller)
            asked = {"reason": "미집행", "by": users[0], "at": AT}
            first = adjusting.take_back(charge, **asked)
            with pytest.raises(adjusting.TakenBackBefore):
                adjusting.take_back(charge, **asked)
            assert left() == 90_000  # nobody has approved yet
            adjusting.withdraw(first, by=users[0], at=AT, reason="착오")
            adjusting.approve(adjusting.take_back(charge, **asked), by=users[1], at=AT)
            assert left() == 200_000
            for row in Adjustment.objects.exclude(pk=charge.pk):
                with pytest.raises(adjusting.NotACharge):
                    adjusting.take_back(row, **asked)

    def test_lets_another_charge_be_paid_with_it_and_the_same_never_again(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 110_000)
            first = charged(seller)
            second = charged(seller, 50_000)
            taken_back(first)
            assert moved()[2:] == [("given_back", 110_000, 110_000), ("drawn", -55_000, 55_000)]
            paid_in(seller, 1_000, evidence="2")
            assert (prepaying.drawn_for(first), prepaying.drawn_for(second)) == (0, 55_000)
            assert left() == 56_000


class TestRefund:
    def test_goes_with_the_next_statement_once_a_second_person_approves(self, market, users, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 300_000)
            row = AdPrepayment.objects.get()
            asked = {"amount": 200_000, "reason": "광고 종료", "by": users[0], "at": AT}
            prepaying.ask_to_refund(row, **asked)
            assert left() == 300_000
            with pytest.raises(approvals.SamePerson):
                approvals.approve(Approval.objects.get(), by=users[0], at=AT)
            approvals.approve(Approval.objects.get(), by=users[1], at=AT)
            assert moved()[1:] == [("refund", -200_000, 100_000)]
        close()
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert (statement.payout, statement.vat, statement.split.fee) == (200_000, 0, 0)
            assert make.balances() == {
                "bank": -300_000,
                "ad_prepayment": 100_000,
                "payout_payable": 200_000,
            }

    def test_is_at_most_what_is_left_when_asked_and_when_approved(self, market, users):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 100_000)
            row = AdPrepayment.objects.get()
            asked = {"reason": "광고 종료", "by": users[0], "at": AT}
            with pytest.raises(prepaying.MoreThanPrepaid) as refused:
                prepaying.ask_to_refund(row, amount=100_001, **asked)
            assert refused.value.params["field"] == "amount"
            prepaying.ask_to_refund(row, amount=100_000, **asked)
            charged(seller, 10_000)
            asked = Approval.objects.get(kind="refund_ad_prepayment")
            with pytest.raises(prepaying.MoreThanPrepaid), transaction.atomic():
                approvals.approve(asked, by=users[1], at=AT)
            assert left() == 89_000

    @pytest.mark.django_db(transaction=True)
    def test_and_a_charge_at_once_take_no_more_than_there_is(self, users):
        market = make.market(first_open_on=SEP_8)
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 110_000)
            charge = adjusting.request(
                seller,
                amount=-100_000,
                tax_kind="taxable",
                reason_code="advertising",
                reason="9월",
                basis_on=SEP_8,
                by=users[0],
                at=AT,
            )
            row = AdPrepayment.objects.get()
            prepaying.ask_to_refund(row, amount=110_000, reason="종료", by=users[0], at=AT)
            asked = list(Approval.objects.order_by("pk").values_list("pk", flat=True))
        both_there = threading.Barrier(2, timeout=30)
        results = []

        def approve(key):
            try:
                both_there.wait()
                with tenancy.use(market.pk):
                    approvals.approve(Approval.objects.get(pk=key), by=users[1], at=AT)
                results.append("done")
            except prepaying.MoreThanPrepaid as refused:
                results.append(refused.code)
            finally:
                connection.close()

        threads = [threading.Thread(target=approve, args=[key]) for key in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with tenancy.use(market.pk):
            kinds = [kind for kind, *_ in moved()]
            drawn = prepaying.drawn_for(charge)
            assert (sorted(results), kinds[1:], drawn) in [
                (["done", "more_than_prepaid"], ["drawn"], 110_000),
                (["done", "done"], ["refund"], 0),
            ]
            assert left() == 0
            agrees()
            assert prepaying.unexplained() == 0


class TestRows:
    def test_keep_to_the_rules_whoever_writes_them(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 1_000)
            with pytest.raises(IntegrityError), transaction.atomic():
                AdPrepayment.objects.update(balance=-1)
            with pytest.raises(DatabaseError), transaction.atomic():
                AdPrepaymentMovement.objects.update(amount=2)

    def test_that_do_not_add_up_are_found_by_verify(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_in(seller, 1_000)
            AdPrepayment.objects.update(balance=900)
            assert [str(found) for found in verification.verify(on=DUE)] == [
                "advertising prepayment A: left should be 1000, 1000, 0, is 900, 1000, 0"
            ]
            AdPrepayment.objects.update(balance=1_000)
            AdPrepaymentMovement.objects.create(
                seller=seller,
                kind="deposit",
                amount=500,
                balance=1_500,
                on=SEP_8,
                evidence="x",
                at=AT,
            )
            found = [str(each) for each in verification.verify(on=DUE)]
            assert "seller A: ad_prepayment should be 1500, is 1000" in found

    def test_are_of_one_marketplace(self, market):
        with tenancy.use(market.pk):
            paid_in(make.seller(), 1_000)
        other = make.market("other", first_open_on=SEP_8)
        with tenancy.use(other.pk):
            assert not AdPrepayment.objects.exists()
            assert not Seller.objects.exists()
