"""Months close with what they came to; nothing gets in afterwards, and balances agree for ever."""

import threading
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import approvals, tenancy
from marketplace.models import AuditEntry, Change, Marketplace
from marketplace.tests import make as people
from settlements import (
    chart,
    collecting,
    ledger,
    ledger_balances,
    ledger_reading,
    payout_sending,
    payouts,
    periods,
    verification,
)
from settlements.gateways.interface import Answer, Outcome
from settlements.models import (
    DayClose,
    Journal,
    LedgerEntry,
    MonthBalance,
    Period,
    PeriodClosing,
    SellerBalance,
)
from settlements.tests import make

JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
ACCOUNTS = (chart.CLEARING, chart.BANK, chart.SELLER_PAYABLE, chart.SUSPENSE)


@pytest.fixture
def market(db):
    market = make.market(first_open_on=JAN)
    with tenancy.use(market.pk):
        over(market, date(2026, 4, 30))
        yield market


def over(market, last):
    """Nights up to a day are over."""
    Marketplace.objects.filter(pk=market.pk).update(last_closed_on=last)


def posted(on, amount=100, *, debit=chart.CLEARING, credit=chart.SUSPENSE, seller=None):
    """A journal of two legs; debits and credits of a seller's account are the seller's."""
    ledger.open_month(on)
    number = Journal.objects.count()
    draft = ledger.Draft("test", f"J{number}", on, seller.pk if seller else None)
    draft.debit(debit, amount)
    draft.credit(credit, amount)
    return ledger.post([draft])[0]


def close(month):
    return periods.close(month, by=None, at=make.AT)


def account(code):
    return ledger._accounts({code})[code]


def differences(market):
    return [str(found) for found in verification.verify(on=date(2026, 4, 30))]


class TestClose:
    def test_keeps_what_every_account_came_to(self, market):
        seller = make.seller()
        posted(date(2026, 1, 5), 700, credit=chart.SELLER_PAYABLE, seller=seller)
        posted(date(2026, 1, 31), 50)
        posted(date(2026, 2, 1), 9)
        closing = close(JAN)
        assert closing.trial_balance == [
            ["clearing", 750, 0],
            ["seller_payable", 0, 700],
            ["suspense", 0, 50],
        ]
        assert (closing.version, closing.entries) == (1, 4)
        assert closing.previous_hash == periods.GENESIS
        kept = MonthBalance.objects.order_by("account__place", "seller")
        assert list(kept.values_list("account__code", "seller", "debit", "credit")) == [
            ("clearing", None, 750, 0),
            ("seller_payable", seller.pk, 0, 700),
            ("seller_payable", None, 0, 700),
            ("suspense", None, 0, 50),
        ]
        assert Period.objects.get().state == "closed"
        assert AuditEntry.objects.filter(action="ledger.month_closed").count() == 1
        assert Change.objects.get(type="period.closed").data["hash"] == closing.hash

    def test_goes_month_by_month_and_adds_up(self, market):
        posted(date(2026, 1, 5), 700)
        posted(date(2026, 3, 5), 50)
        first, second, third = close(JAN), close(FEB), close(MAR)
        assert [len(c.trial_balance) for c in (first, second, third)] == [2, 2, 2]
        assert third.trial_balance == [["clearing", 750, 0], ["suspense", 0, 750]]
        assert second.entries == 0
        assert third.previous_hash == second.hash
        # A month in which an account did not move needs no row.
        assert MonthBalance.objects.filter(month=FEB).count() == 0
        assert MonthBalance.objects.filter(month=MAR).count() == 2

    @pytest.mark.parametrize("month", [FEB, date(2025, 12, 1)])
    def test_is_refused_out_of_turn(self, market, month):
        posted(date(2026, 1, 5))
        with pytest.raises(periods.NotTheNextMonth, match="2026-01"):
            close(month)

    def test_is_refused_before_the_last_night(self, market):
        posted(date(2026, 1, 5))
        over(market, date(2026, 1, 30))
        with pytest.raises(periods.MonthNotOver, match="2026-01-31"):
            close(JAN)
        assert not PeriodClosing.objects.exists()

    def test_is_refused_where_nothing_was_posted(self, market):
        assert periods.next_to_close() is None
        with pytest.raises(periods.NotTheNextMonth):
            close(JAN)


class TestClosedMonth:
    @pytest.mark.parametrize("on", [JAN, date(2026, 1, 31)])
    def test_lets_no_journal_in(self, market, on):
        posted(date(2026, 1, 5))
        close(JAN)
        with pytest.raises(ledger.DayLocked, match=f"{on}"), transaction.atomic():
            posted(on)
        assert Journal.objects.count() == 1

    def test_lets_no_entry_in_by_any_other_way(self, market):
        journal = posted(date(2026, 1, 5))
        close(JAN)
        legs = [
            LedgerEntry(
                basis_on=date(2026, 1, 6),
                journal_id=journal.pk,
                account_id=account(chart.CLEARING),
                debit=debit,
                credit=1 - debit,
            )
            for debit in (0, 1)
        ]
        with pytest.raises(IntegrityError, match="month is closed"), transaction.atomic():
            LedgerEntry.objects.bulk_create(legs)
        with pytest.raises(IntegrityError, match="month is closed"), transaction.atomic():
            Journal.objects.create(template="x", reference="x", basis_on=date(2026, 1, 6))

    def test_takes_them_again_once_it_was_opened(self, market):
        posted(date(2026, 1, 5))
        first = close(JAN)
        periods.reopen(Period.objects.get(), by=None, at=make.AT, reason="늦은 전표")
        assert not MonthBalance.objects.exists()
        posted(date(2026, 1, 6), 11)
        second = close(JAN)
        assert (second.version, second.previous_hash) == (2, first.hash)
        assert second.trial_balance == [["clearing", 111, 0], ["suspense", 0, 111]]
        assert differences(market) == []

    def test_is_opened_only_as_the_last_one(self, market):
        posted(date(2026, 1, 5))
        close(JAN)
        close(FEB)
        january = Period.objects.get(month=JAN)
        with pytest.raises(periods.NotTheLastMonth, match="2026-02"):
            periods.reopen(january, by=None, at=make.AT, reason="x")

    def test_is_opened_by_two_people(self, market):
        posted(date(2026, 1, 5))
        close(JAN)
        one, other = people.user("a@example.com"), people.user("b@example.com")
        period = Period.objects.get()
        asked = approvals.ask(
            "reopen_period", period, by=one, at=make.AT, reason="x", data={"reason": "늦은 전표"}
        )
        with pytest.raises(approvals.SamePerson):
            approvals.approve(asked, by=one, at=make.AT)
        assert Period.objects.get().state == "closed"
        approvals.approve(asked, by=other, at=make.AT)
        assert Period.objects.get().state == "open"
        entry = AuditEntry.objects.get(action="period.open")
        assert (entry.actor, entry.reason) == (other, "늦은 전표")


class TestPostOnOpenDay:
    """What cannot be refused because it has happened: a bank's answer, a deposit."""

    def late(self, on, reference="late"):
        draft = ledger.Draft("test", reference, on)
        draft.debit(chart.BANK, 7)
        draft.credit(chart.SUSPENSE, 7)
        return ledger.post_on_open_day(draft)

    def test_takes_the_day_itself_where_it_is_open(self, market):
        posted(date(2026, 1, 5))
        close(JAN)
        journal = self.late(date(2026, 2, 3))
        assert (journal.basis_on, journal.occurred_on) == (date(2026, 2, 3), None)

    def test_keeps_the_day_of_a_closed_month_on_the_first_day_after_the_nights(self, market):
        posted(date(2026, 1, 5))
        close(JAN)
        self.late(date(2026, 1, 6))
        journal = Journal.objects.get(reference="late")
        assert (journal.basis_on, journal.occurred_on) == (date(2026, 5, 1), date(2026, 1, 6))
        entries = LedgerEntry.objects.filter(journal_id=journal.pk)
        assert set(entries.values_list("basis_on", flat=True)) == {date(2026, 5, 1)}
        assert differences(market) == []

    def test_keeps_a_signed_day(self, market):
        DayClose.objects.create(day=date(2026, 2, 3), state="signed")
        journal = self.late(date(2026, 2, 3))
        assert (journal.basis_on, journal.occurred_on) == (date(2026, 5, 1), date(2026, 2, 3))
        assert self.late(date(2026, 2, 4), "open").occurred_on is None


class TestWhatComesLate:
    """Answers and deposits of a day that two people have signed lose nothing."""

    DAY, AFTER = date(2026, 9, 1), date(2026, 9, 2)

    @pytest.fixture
    def signed(self, db):
        market = make.market()
        with tenancy.use(market.pk):
            yield market

    def sign(self, market):
        DayClose.objects.create(day=self.DAY, state="signed")
        over(market, self.DAY)

    def test_a_payout_is_paid_and_booked_on_the_first_open_day(self, signed):
        seller = make.seller()
        make.account(seller)
        make.payable(seller)
        [batch] = payouts.prepare(on=self.DAY, at=make.AT)
        [payout] = batch.rows.all()
        payout.state, payout.sent_at, payout.result_due_on = "sent", make.AT, self.AFTER
        payout.save()
        self.sign(signed)
        came_to = payout_sending.record(payout.pk, Answer(Outcome.PAID), at=make.AT)
        assert came_to == "paid"
        journal = Journal.objects.get(template="payout_paid")
        assert (journal.basis_on, journal.occurred_on) == (self.AFTER, self.DAY)

    def test_a_deposit_on_a_debt_is_booked_on_the_first_open_day(self, signed):
        balance = SellerBalance.objects.create(seller=make.seller(), receivable=500)
        self.sign(signed)
        [movement] = collecting.record_deposit(
            balance,
            amount=500,
            evidence="통장 3",
            on=self.DAY,
            by=people.user("a@example.com"),
            at=make.AT,
        )
        assert movement.on == self.DAY
        journal = Journal.objects.get(template="debt")
        assert (journal.basis_on, journal.occurred_on) == (self.AFTER, self.DAY)


days = st.dates(JAN, date(2026, 4, 30))
postings = st.lists(
    st.tuples(
        days,
        st.integers(1, 10**9),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(ACCOUNTS),
        st.integers(0, 1),
    ),
    max_size=12,
)


class TestBalances:
    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(history=postings, closed=st.integers(0, 4), asked=st.lists(days, min_size=1, max_size=4))
    def test_are_the_same_however_much_of_a_history_is_closed(self, market, history, closed, asked):
        with transaction.atomic():
            sellers = [make.seller("A"), make.seller("B")]
            posted(JAN, 1)
            for on, amount, debit, credit, who in history:
                posted(on, amount, debit=debit, credit=credit, seller=sellers[who])
            before = [_told(on, sellers) for on in asked]
            month = JAN
            for _ in range(closed):
                close(month)
                month = ledger_balances.next_month(month)
            assert [_told(on, sellers) for on in asked] == before
            assert ledger_balances.differences() == []
            for on in asked:
                _, total = ledger_reading.trial_balance(on)
                assert total.debit == total.credit
            transaction.set_rollback(True)

    def test_read_the_last_closed_month_and_what_followed(self, market):
        for month in (JAN, FEB, MAR):
            posted(month + timedelta(days=3), 10)
        close(JAN)
        close(FEB)
        on = date(2026, 3, 31)
        ledger.open_month(date(2026, 4, 1))
        with connection.cursor() as cursor:
            base, since = ledger_balances._base(on)
            assert (base, since) == (FEB, MAR)
            cursor.execute(
                "EXPLAIN SELECT sum(debit) FROM ledger_entry WHERE marketplace_id = %s "
                "AND basis_on >= %s AND basis_on <= %s",
                [market.pk, since, on],
            )
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "ledger_entry_y2026m03" in plan
        assert "m01" not in plan
        assert "m02" not in plan
        assert ledger_balances.of(account(chart.CLEARING), on).balance == 30

    def test_read_no_entry_of_closed_months(self, market, django_assert_num_queries):
        posted(date(2026, 1, 3), 10)
        close(JAN)
        with django_assert_num_queries(3) as asked:
            ledger_balances.at_end_of(date(2026, 2, 10))
        [entries] = [q["sql"] for q in asked.captured_queries if '"ledger_entry"' in q["sql"]]
        assert "2026-02-01" in entries

    def test_differ_loudly_when_somebody_edits_one(self, market):
        posted(date(2026, 1, 3), 10)
        close(JAN)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM settlements_monthbalance WHERE debit = 10")
        assert [found[:3] for found in ledger_balances.differences()] == [("clearing", None, JAN)]
        assert any("month balance 2026-01 clearing" in told for told in differences(market))


def _told(on, sellers):
    seller_payable = account(chart.SELLER_PAYABLE)
    return (
        {
            key: side
            for key, side in ledger_balances.at_end_of(on).items()
            if side.debit + side.credit
        },
        [ledger_balances.of(seller_payable, on, seller_id=seller.pk) for seller in sellers],
        ledger_balances.of(seller_payable, on),
    )


class TestBeforeTheFirst:
    """Days before the first month that was ever closed belong to what it began with."""

    def test_takes_no_journal(self, market):
        posted(date(2026, 1, 5))
        over(market, date(2026, 1, 31))
        close(JAN)
        with pytest.raises(ledger.DayLocked) as refused, transaction.atomic():
            posted(date(2025, 12, 31))
        assert "2025-12-31" in str(refused.value)
        assert ledger.open_day(date(2025, 12, 31)) == date(2026, 2, 1)
        assert Journal.objects.count() == 1

    def test_takes_them_again_while_nothing_is_closed(self, market):
        posted(date(2026, 1, 5))
        over(market, date(2026, 1, 31))
        close(JAN)
        periods.reopen(Period.objects.get(), by=None, at=make.AT, reason="r")
        posted(date(2025, 12, 31))
        assert Journal.objects.count() == 2


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_a_journal_on_its_way_is_waited_for_and_counted(self):
        market = make.market(first_open_on=JAN)
        with tenancy.use(market.pk):
            over(market, date(2026, 1, 31))
            posted(date(2026, 1, 5), 100)
        posting, closing = threading.Event(), threading.Event()
        outcome = {}

        def post_slowly():
            try:
                with tenancy.use(market.pk, durable=True):
                    posted(date(2026, 1, 6), 11)
                    posting.set()
                    outcome["waited"] = not closing.wait(0.7)
            finally:
                connections.close_all()

        def close_meanwhile():
            try:
                posting.wait(10)
                with tenancy.use(market.pk, durable=True):
                    outcome["closing"] = close(JAN)
                closing.set()
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for work in (post_slowly, close_meanwhile)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcome["waited"]
        assert outcome["closing"].trial_balance == [["clearing", 111, 0], ["suspense", 0, 111]]
        with tenancy.use(market.pk), pytest.raises(ledger.DayLocked):
            posted(date(2026, 1, 7))
