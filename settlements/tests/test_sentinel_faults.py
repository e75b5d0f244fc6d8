"""A market lives for five weeks and no sentinel says a word; then each fault is found in one night.

Everything up to then goes through the processes that people and programs use. The faults are what
no process does: rows that vanish, are edited by the owner of the tables, or are left lying.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connections, transaction

from marketplace import approvals, tenancy
from marketplace.models import Approval, JobRun, Marketplace
from marketplace.tests import make as people
from orders import arbitrating, claims, exchanging
from orders.models import OrderLine, Outcome, OutcomeToCredit, OutcomeToSettle, Payment
from orders.tests import make as shop
from settlements import (
    adjusting,
    chart,
    clearing,
    day_closing,
    deadlines,
    holding,
    ledger,
    lost_lines,
    nights,
    payout_sending,
    payouts,
    periods,
    prepaying,
    provider_files,
    reconciling,
    revenue_reporting,
    sentinel_words,
    sentinels,
    tax_drawing,
    verification,
)
from settlements.holding import Terms
from settlements.models import (
    Adjustment,
    AdPrepayment,
    ClearingItem,
    DayClose,
    Discrepancy,
    Hold,
    LedgerDifference,
    MissingFile,
    Payout,
    PayoutBatch,
    PayoutException,
    Period,
    RevenueReport,
    SettlementLine,
    Statement,
    TaxInvoice,
)
from settlements.revenue_reporting import NewReport
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = date(2026, 8, 18)
LAST = date(2026, 9, 21)  # the last night without a fault, a Monday
ON = date(2026, 9, 22)
LONG_AGO = date(2020, 1, 2)  # before any rule
DAY = timedelta(days=1)
FORMAT = provider_files.load_format("standard")
HEADER = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
PARCEL = {"carrier": "cj", "tracking_number": "689123456784"}


def noon(on: date) -> datetime:
    """Noon of a day in Seoul."""
    return datetime.combine(on, time(3), UTC)


def small_hours(on: date) -> datetime:
    """When the night of a day is run: half past two of the next day in Seoul."""
    return datetime.combine(on, time(17, 30), UTC)


class Market:
    """A marketplace, two of its people, its sellers, and what happens to them day by day."""

    def __init__(self):
        self.row = make.market(first_open_on=FIRST)
        self.asker = people.user("asks@example.org")
        self.decider = people.user("decides@example.org")
        self.lines: dict[str, OrderLine] = {}
        self.claims = {}
        self.holds: dict[str, Hold] = {}
        with tenancy.use(self.row.pk):
            deadlines.watch(
                pack="kr-intermediary-40", warning_days=3, by=self.asker, at=noon(FIRST)
            )
            self.sellers = {}
            for code, ending in {"A": "1234", "B": "1234", "slow": "0002", "fails": "0001"}.items():
                self.seller(code, ending=ending, on=FIRST)
            rule = {"component": "sales", "stream": "ads", "base": "amount", "rate_ppm": 150_000}
            contract = {"rules": [rule], "at": noon(FIRST)}
            make.contract(self.seller("ads", on=FIRST), valid_from=FIRST, **contract)

    def seller(self, code, *, ending="1234", on=ON):
        """A seller with an account, or with none where it has no ending."""
        row = self.sellers[code] = make.seller(code)
        if ending:
            make.account(row, ending=ending, at=noon(on))
        return row

    def sold(self, code, on, *, key="", price=100_000, **given):
        """A line that was paid and confirmed on a day."""
        number = key or f"{code}-{on}"
        given = {"unit_price": price, "category": "gold", **given}
        line = make.sold(self.sellers[code], number=number, paid_on=on, confirmed_on=on, **given)
        self.lines[number] = line
        return line

    def live(self, until: date) -> None:
        """Days and nights up to one, each found in order by its sentinels."""
        on = FIRST
        while on <= until:
            with tenancy.use(self.row.pk):
                self._trade(on)
                self._work(on)
            self._pay(on)
            nights.close_day(self.row.pk, on, at=small_hours(on))
            with tenancy.use(self.row.pk):
                assert (on, found(on)) == (on, {})
            on += DAY

    def _trade(self, on):
        """What sellers and buyers do on a day."""
        at, number = noon(on), (on - FIRST).days
        self.sold("A", on, quantity=1 + number % 3)
        if number % 3 == 0:
            self.sold("B", on, price=30_000 + number)
        if number in (1, 20):
            self.sold("slow", on)
        if number == 24:
            self.sold("fails", on)
        if number == 0:  # delivered, and confirmed by itself eight days later
            shop.accepted(self._order("auto", at), at=at)
            for kind in ("paid", "shipped", "delivered"):
                shop.told(shop.event(kind, order="auto", occurred_at=at), at=at)
        if number == 2:  # bought and cancelled
            shop.accepted(self._order("never", at), at=at)
            for kind in ("paid", "cancelled"):
                shop.told(shop.event(kind, order="never", occurred_at=at), at=at)
        self._claim(number, at)
        if number in (3, 7, 12):
            version = {3: 1, 7: 2, 12: 3}[number]
            self.report(FIRST + 3 * DAY, 100_000 + version, version, version > 1, at)
        if number == 4:
            self._reconcile(on)

    def _claim(self, number, at):
        """A return of one of two units, and an exchange; each answered in time."""
        by = {"by": self.asker, "at": at}
        if number == 2:
            self.sold("B", FIRST + 2 * DAY, key="back", quantity=2)
            self.sold("B", FIRST + 2 * DAY, key="anew")
        elif number == 6:
            for key, kind in (("back", "return"), ("anew", "exchange")):
                asked = {"type": kind, "quantity": 1, "fault": "buyer"}
                self.claims[key] = claims.request(self.lines[key], **asked, **by)
        elif number == 8:
            for key in ("back", "anew"):
                self.claims[key] = claims.approve(self.claims[key], **by)
        elif number == 10:
            claims.complete(self.claims["back"], **by)
            self.claims["anew"] = exchanging.collect(self.claims["anew"], **by)
        elif number == 13:
            self.claims["anew"] = exchanging.resend(self.claims["anew"], **PARCEL, **by)
        elif number == 15:
            claims.complete(self.claims["anew"], **by)

    def _order(self, number, at):
        line = shop.line(seller_code="B", unit_price=50_000, category_code="gold")
        return shop.order(number, [line], placed_at=at)

    def report(self, on, amount, version, is_final, at):
        """What advertising brought, as it is reported; returns the report."""
        said = NewReport(
            seller_code="ads",
            stream="ads",
            on=on,
            amount=amount,
            version=version,
            is_final=is_final,
        )
        [verdict] = revenue_reporting.accept_many([said], source="api", at=at)
        assert verdict.result == "accepted", verdict
        return RevenueReport.objects.get(public_id=verdict.public_id)

    def _reconcile(self, on):
        """The provider's file of a payment that we know of as well."""
        line = make.placed(self.sellers["A"], number="P1", unit_price=10_000, paid_on=on)
        Payment.objects.create(
            order=line.order,
            sequence=1,
            kind="card",
            amount=10_000,
            provider_id="P1",
            approved_at=noon(on),
        )
        row = f"P1,payment,{on},{on},10000,300,30,9670\n"
        file = {"name": "정산.csv", "format": FORMAT, "by": self.asker, "at": noon(on)}
        reconciling.import_file((HEADER + row).encode(), **file)

    def _work(self, on):
        """What operators do on a day."""
        at, number = noon(on), (on - FIRST).days
        by = {"by": self.asker, "at": at}
        if number == 5:
            self._hold("security", Terms(reason="reserve", note="담보", release_on=on + 10 * DAY))
        if number == 11:
            self._hold("dispute", Terms(reason="legal", note="분쟁", condition="판결"))
        if number == 12:
            terms = Terms(reason="document", note="서류", condition="서류 제출")
            self.holds["documents"] = holding.hold_payment(self.sellers["B"], terms, **by)
        if number == 16:
            holding.release(self.holds["documents"], reason="제출", **by)
        if number == 9:
            penalty = {"tax_kind": "outside_scope", "reason_code": "penalty", "reason": "지연"}
            adjusting.request(self.sellers["A"], amount=-5_000, basis_on=on, **penalty, **by)
            self._approve("approve_adjustment", at)
        if on == date(2026, 9, 7):
            periods.close(date(2026, 8, 1), **by)
        if number >= 5:
            day = DayClose.objects.get(day=on - 5 * DAY)
            day_closing.sign_first(day, remark="확인", **by)
            self._approve("sign_day", at)

    def _approve(self, kind, at):
        asked = Approval.objects.get(kind=kind, state="asked")
        approvals.approve(asked, by=self.decider, at=at)

    def _hold(self, key, terms):
        on = FIRST + 5 * DAY
        self.holds[key] = holding.hold_amount(
            self.sellers["A"], 30_000, terms, by=self.asker, at=noon(on)
        )

    def _pay(self, on):
        """The batches of the night before are approved by a second person, and sent."""
        at = noon(on)
        with tenancy.use(self.row.pk):
            unanswered = list(Payout.objects.unanswered().values_list("pk", flat=True))
            ids = []
            for batch in PayoutBatch.objects.to_approve():
                asked = payouts.ask_for_approval(batch, by=self.asker, at=at, reason="정기 지급")
                approvals.approve(asked, by=self.decider, at=at)
                batch.refresh_from_db()
                payouts.execute(batch, by=self.decider, at=at)
                ids += batch.rows.values_list("pk", flat=True)
        for payout_id in unanswered:
            payout_sending.ask(self.row.pk, payout_id, now=lambda: at)
        for payout_id in ids:
            payout_sending.serve(self.row.pk, payout_id, now=lambda: at)


def found(on: date) -> dict[str, int]:
    """What the night of a day counted that is wrong."""
    counts = JobRun.objects.get(kind="night.check", key=on.isoformat()).counts
    assert set(counts) == set(sentinels.names(on))
    return {name: count for name, count in counts.items() if count}


def edit(statement: str, *parameters) -> None:
    """What only the owner of the tables could do, once what we are writing can be seen by him."""

    def as_owner():
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, parameters)
            assert cursor.rowcount, statement

    transaction.on_commit(as_owner)


def statement_of(market, code, **filters):
    return Statement.objects.get(seller=market.sellers[code], **filters)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and who finds it. `make` returns the keys of the rows that are found.

    Where it is `midway`, it goes wrong after the statements of the night were closed and put into
    payouts, and before its sentinels look.
    """

    sentinel: str
    make: Callable[[Market], list[int]]
    midway: bool = False


def sale_without_a_rate(market):
    market.seller("early")
    line = market.sold("early", ON, key="early")
    edit("UPDATE orders_outcome SET rate_on = %s WHERE line_id = %s", LONG_AGO, line.pk)
    return list(OutcomeToSettle.objects.filter(outcome__line=line).values_list("pk", flat=True))


def commission_that_nobody_counts(market):
    outcome = Outcome.objects.get(line=market.lines["claimed"])
    waiting = {"outcome": outcome, "basis_on": outcome.basis_on}
    return [OutcomeToCredit.objects.create(seller=market.sellers["A"], **waiting).pk]


def sale_that_left_the_queue(market):
    market.seller("lost")
    line = market.sold("lost", ON, key="lost")
    edit("DELETE FROM orders_outcometosettle WHERE seller_id = %s", line.seller_id)
    return [line.pk]


def line_that_vanished(market):
    line = market.lines["vanished"]
    edit("DELETE FROM settlement_line WHERE order_line_id = %s", line.pk)
    return [line.pk]


def line_on_no_statement(market):
    line = market.lines["orphan"]
    edit("UPDATE settlement_line SET statement_id = 0 WHERE order_line_id = %s", line.pk)
    return [line.pk]


def adjustment_without_a_rate(market):
    row = adjusting.request(
        market.seller("fined"),
        amount=-1_000,
        basis_on=ON,
        tax_kind="outside_scope",
        reason_code="penalty",
        reason="지연",
        by=market.asker,
        at=noon(ON),
    )
    market._approve("approve_adjustment", noon(ON))
    Adjustment.objects.filter(pk=row.pk).update(basis_on=LONG_AGO)
    return [row.pk]


def report_without_a_rate(market):
    row = market.report(ON, 70_000, 1, True, noon(ON))
    RevenueReport.objects.filter(pk=row.pk).update(basis_on=LONG_AGO)
    return [row.pk]


def report_that_stays_provisional(market):
    row = market.report(LAST, 70_000, 1, False, noon(ON))
    RevenueReport.objects.filter(pk=row.pk).update(on=ON - 46 * DAY)
    return [row.pk]


def statement_without_terms(market):
    return [Statement.objects.create(seller=market.seller("stuck"), due_on=LONG_AGO).pk]


def statement_with_a_line_too_many(market):
    row = statement_of(market, "lines")
    Statement.objects.filter(pk=row.pk).update(lines=2)
    return [row.pk]


def payout_that_the_ledger_does_not_show(market):
    row = statement_of(market, "ledger")
    edit(
        "UPDATE settlements_statement SET payout = payout - 7, carry_out = 7 WHERE id = %s", row.pk
    )
    return [row.pk]


def hold_that_kept_more(market):
    row = statement_of(market, "holds")
    edit("UPDATE settlements_holdmovement SET taken = taken + 1 WHERE statement_id = %s", row.pk)
    return [row.pk]


def seal_of_something_else(market):
    row = statement_of(market, "chain")
    edit(
        "UPDATE settlements_statementseal SET head = repeat('a', 64) WHERE statement_id = %s",
        row.pk,
    )
    return [row.pk]


def statement_out_of_its_payout(market):
    row = statement_of(market, "payable")
    edit("UPDATE settlements_payoutitem SET is_live = false WHERE statement_id = %s", row.pk)
    edit("UPDATE settlements_statement SET state = 'payable' WHERE id = %s", row.pk)
    return [row.pk]


def statement_that_nobody_can_pay(market):
    row = statement_of(market, "poor")
    Statement.objects.filter(pk=row.pk).update(due_on=ON - 31 * DAY)
    return [row.pk]


def statement_in_no_payout(market):
    row = statement_of(market, "gone")
    edit("UPDATE settlements_payoutitem SET is_live = false WHERE statement_id = %s", row.pk)
    return [row.pk]


def batch_that_nobody_approves(market):
    row = PayoutBatch.objects.get(on=LAST)
    PayoutBatch.objects.filter(pk=row.pk).update(on=ON - 4 * DAY)
    return [row.pk]


def payout_that_nobody_answers(market):
    row = Payout.objects.get(seller=market.sellers["silent"])
    sent = {"state": "sent", "sent_at": noon(LAST), "result_due_on": ON}
    Payout.objects.filter(pk=row.pk).update(**sent)
    return [row.pk]


def hold_that_lost_its_condition(market):
    row = market.holds["dispute"]
    Hold.objects.filter(pk=row.pk).update(condition="")
    return [row.pk]


def hold_that_nobody_looks_at(market):
    terms = Terms(reason="legal", note="분쟁", condition="판결")
    at = noon(ON - 91 * DAY)
    return [holding.hold_amount(market.seller("unseen"), 1_000, terms, by=None, at=at).pk]


def hold_past_its_day(market):
    """The night would let it go; it comes back to life after that."""
    row = market.holds["security"]
    edit("UPDATE settlements_hold SET state = 'placed', released_at = NULL WHERE id = %s", row.pk)
    return [row.pk]


def money_that_nobody_knows(market):
    draft = ledger.Draft("x", "x", ON)
    draft.debit(chart.BANK, 700)
    draft.credit(chart.SUSPENSE, 700)
    ledger.post([draft])
    return [700]


def money_that_no_provider_paid_out(market):
    """Nothing has to be done for it: no file tells of the first orders, settled long ago."""
    closed = Statement.objects.filter(closed_on__lt=ON - 31 * DAY)
    lines = SettlementLine.objects.filter(statement_id__in=closed.values("pk"))
    orders = OrderLine.objects.filter(pk__in=lines.values("order_line_id"))
    found = ClearingItem.objects.now().filter(order__in=orders.values("order"))
    assert found
    return list(found.values_list("pk", flat=True))


def journal_that_nothing_explains(market):
    draft = ledger.Draft("y", "y", ON)
    draft.debit(chart.CLEARING, 9)
    draft.credit(chart.BANK, 9)
    ledger.post([draft])
    return [9]


def prepayment_that_nobody_paid_in(market):
    AdPrepayment.objects.create(seller=market.seller("ahead"), balance=5)
    return [-5]


def file_that_never_came(market):
    said = {"day": LAST, "payments": 1, "amount": 10_000, "found_on": ON}
    return [MissingFile.objects.create(provider="P", **said).pk]


def day_without_signatures(market):
    row = DayClose.objects.get(day=ON - 12 * DAY)
    DayClose.objects.filter(pk=row.pk).update(state="open")
    return [row.pk]


def month_left_open(market):
    row = Period.objects.get(month=date(2026, 8, 1))
    Period.objects.filter(pk=row.pk).update(state="open")
    return [row.pk]


def discrepancy_left_open(market):
    row = Discrepancy.objects.create(
        kind="missing_here",
        side="payment",
        provider_id="P9",
        expected=0,
        found=1,
        difference=1,
        found_on=ON - 15 * DAY,
    )
    return [row.pk]


def transaction_left_open(market):
    return [make.bank_row(1, on=ON - 15 * DAY).pk]


def answer_left_unread(market):
    row = PayoutException.objects.create(kind="unknown_id", raised_at=noon(ON - 15 * DAY))
    return [row.pk]


def ledger_difference_left_open(market):
    row = LedgerDifference.objects.create(
        statement=statement_of(market, "poor"),
        account=chart.SELLER_PAYABLE,
        expected=0,
        found=1,
        difference=1,
        found_on=ON - 15 * DAY,
    )
    return [row.pk]


def invoices_not_issued(market):
    """Those of August; until now it was a test marketplace, which owes none."""
    Marketplace.objects.filter(pk=market.row.pk).update(state="live")
    keys = list(TaxInvoice.objects.filter(month=date(2026, 8, 1)).values_list("pk", flat=True))
    assert len(keys) >= 2
    return keys


def line_that_is_never_confirmed(market):
    line = make.placed(
        market.seller("unpaid"),
        number="unpaid",
        status="delivered",
        paid_on=None,
        delivered_on=ON - 9 * DAY,
        confirm_due_on=ON - DAY,
    )
    return [line.pk]


def line_that_is_never_delivered(market):
    seller = market.seller("late")
    return [make.placed(seller, number="late", paid_on=ON - 61 * DAY).pk]


def claim_that_nobody_answers(market):
    """Of 16 September, a Wednesday: the answer was due on the 21st."""
    asked = {"type": "return", "quantity": 1, "fault": "buyer", "by": None}
    return [claims.request(market.lines["claimed"], at=noon(ON - 6 * DAY), **asked).pk]


def arbitration_that_nobody_decides(market):
    asked = {"type": "return", "quantity": 1, "fault": "buyer", "by": None}
    claim = claims.request(market.lines["disputed"], at=noon(ON - 20 * DAY), **asked)
    told = {"side": "seller", "reason": "분쟁", "by": None, "at": noon(ON - 15 * DAY)}
    arbitrating.begin(claim, **told)
    return [claim.pk]


def request_that_nobody_decides(market):
    terms = {"reason": "legal", "note": "분쟁", "by": market.asker, "at": noon(ON - 8 * DAY)}
    holding.ask_to_exclude(statement_of(market, "poor"), **terms)
    return [Approval.objects.get(kind="exclude_statement").pk]


def statement_near_the_deadline(market):
    row = statement_of(market, "near")
    Statement.objects.filter(pk=row.pk).update(first_basis_on=ON - 37 * DAY)
    return [row.pk]


def statement_past_the_deadline(market):
    row = statement_of(market, "past")
    Statement.objects.filter(pk=row.pk).update(first_basis_on=ON - 41 * DAY)
    return [row.pk]


def hold_past_the_deadline(market):
    line = market.lines["held"]
    OrderLine.objects.filter(pk=line.pk).update(confirmed_on=ON - 41 * DAY)
    return [market.holds["held"].pk]


FAULTS = [
    Fault(sentinels.WAITING, sale_without_a_rate),
    Fault(sentinels.UNCREDITED, commission_that_nobody_counts, midway=True),
    Fault(sentinels.UNSETTLED, sale_that_left_the_queue),
    Fault(sentinels.UNSETTLED, line_that_vanished),
    Fault(sentinels.WITHOUT_STATEMENT, line_on_no_statement),
    Fault(sentinels.WAITING_ADJUSTMENTS, adjustment_without_a_rate),
    Fault(sentinels.WAITING_REPORTS, report_without_a_rate),
    Fault(sentinels.PROVISIONAL, report_that_stays_provisional),
    Fault(sentinels.OVERDUE, statement_without_terms),
    Fault(sentinels.LINES_DIFFER, statement_with_a_line_too_many),
    Fault(sentinels.LEDGER_DIFFERS, payout_that_the_ledger_does_not_show, midway=True),
    Fault(sentinels.HOLDS_DIFFER, hold_that_kept_more, midway=True),
    Fault(sentinels.CHAIN_BROKEN, seal_of_something_else, midway=True),
    Fault(sentinels.UNPAID, statement_out_of_its_payout, midway=True),
    Fault(sentinels.UNPAID_LONG, statement_that_nobody_can_pay),
    Fault(sentinels.WITHOUT_PAYOUT, statement_in_no_payout),
    Fault(sentinels.BATCHES, batch_that_nobody_approves),
    Fault(sentinels.UNANSWERED, payout_that_nobody_answers),
    Fault(sentinels.HOLDS_STUCK, hold_that_lost_its_condition),
    Fault(sentinels.HOLDS_STUCK, hold_past_its_day, midway=True),
    Fault(sentinels.HOLDS_UNSEEN, hold_that_nobody_looks_at),
    Fault(sentinels.SUSPENSE, money_that_nobody_knows),
    Fault(sentinels.CLEARING_OLD, money_that_no_provider_paid_out, midway=True),
    Fault(sentinels.CLEARING_DIFFERS, journal_that_nothing_explains),
    Fault(sentinels.PREPAID_DIFFERS, prepayment_that_nobody_paid_in),
    Fault(sentinels.FILES_MISSING, file_that_never_came, midway=True),
    Fault(sentinels.UNSIGNED, day_without_signatures),
    Fault(sentinels.UNCLOSED, month_left_open),
    Fault(sentinels.UNEXPLAINED, discrepancy_left_open, midway=True),
    Fault(sentinels.BANK_UNEXPLAINED, answer_left_unread),
    Fault(sentinels.LEDGER_UNEXPLAINED, ledger_difference_left_open, midway=True),
    Fault(sentinels.BANK_ROWS_UNEXPLAINED, transaction_left_open),
    Fault(sentinels.TAX_LATE, invoices_not_issued),
    Fault(sentinels.UNCONFIRMED, line_that_is_never_confirmed),
    Fault(sentinels.UNDELIVERED, line_that_is_never_delivered),
    Fault(sentinels.CLAIMS, claim_that_nobody_answers),
    Fault(sentinels.ARBITRATIONS, arbitration_that_nobody_decides),
    Fault(sentinels.APPROVALS, request_that_nobody_decides),
    Fault(sentinels.DEADLINE, statement_near_the_deadline),
    Fault(sentinels.PAST_DEADLINE, statement_past_the_deadline),
    Fault(sentinels.HELD_PAST_DEADLINE, hold_past_the_deadline),
]


@pytest.fixture
def market():
    """A market without a fault, with what the faults will happen to."""
    market = Market()
    trade = market._trade

    def with_ingredients(on):
        trade(on)
        _add_ingredients(market, on)

    market._trade = with_ingredients
    market.live(LAST)
    return market


def _add_ingredients(market, on):
    """Sales that fall due in the last night or in the coming one, and later."""
    condition = Terms(reason="legal", note="분쟁", condition="판결")
    by = {"by": market.asker, "at": noon(on)}
    sales = {
        date(2026, 9, 14): ("held",),  # due on the 17th
        date(2026, 9, 16): ("gone", "silent", "poor", "past"),  # on the 21st
        date(2026, 9, 17): ("lines", "ledger", "holds", "chain", "payable"),  # on the 22nd
        LAST: ("vanished", "orphan", "claimed", "disputed", "near"),  # later
    }
    for code in sales.get(on, ()):
        market.seller(code, ending="" if code in ("poor", "past") else "1234", on=on)
        line = market.sold(code, on, key=code)
        if code == "held":
            market.holds["held"] = holding.hold_line(line, condition, **by)
        if code == "holds":
            holding.hold_amount(line.seller, 10_000, condition, **by)


def rows_of(on: date) -> dict[str, list[int]]:
    """The keys of what each sentinel is about; of money on suspense, how much it is."""
    found = sentinels.rows(on, lost_lines.find(on), at=small_hours(on))
    told = {name: list(rows.values_list("pk", flat=True)) for name, rows in found.items()}
    told |= sentinels.differing(on)
    told[sentinels.UNPAID] = sentinels.unpaid(on, at=small_hours(on))
    told[sentinels.SUSPENSE] = [sentinels.suspended(on)]
    told[sentinels.CLEARING_DIFFERS] = [clearing.unexplained(on)]
    told[sentinels.PREPAID_DIFFERS] = [prepaying.unexplained()]
    return {name: sorted(keys) for name, keys in told.items()}


class TestNight:
    def test_finds_every_fault_and_nothing_else(self, market, monkeypatch):
        with tenancy.use(market.row.pk):
            assert [str(found) for found in verification.verify(on=LAST)] == []
        expected: dict[str, list[int]] = {}

        def go_wrong(midway):
            for fault in FAULTS:
                if fault.midway == midway:
                    expected.setdefault(fault.sentinel, []).extend(fault.make(market))

        with tenancy.use(market.row.pk):
            go_wrong(midway=False)
        draw = tax_drawing.draw_night

        def draw_in_disorder(on, *, at):
            go_wrong(midway=True)
            return draw(on, at=at)

        monkeypatch.setattr(tax_drawing, "draw_night", draw_in_disorder)
        nights.close_day(market.row.pk, ON, at=small_hours(ON))
        with tenancy.use(market.row.pk):
            counts = found(ON)
            rows = {name: keys for name, keys in rows_of(ON).items() if any(keys)}
            assert rows == {name: sorted(keys) for name, keys in expected.items()}
            amounts = {
                sentinels.SUSPENSE: 700,
                sentinels.LEDGER_DIFFERS: 7,
                sentinels.CLEARING_DIFFERS: 9,
                sentinels.PREPAID_DIFFERS: 5,
            }
            assert counts == {name: len(keys) for name, keys in expected.items()} | amounts
            assert set(counts) == set(sentinels.names(ON))  # there is a fault for every sentinel
            told = sentinel_words.told(ON, {}, at=small_hours(ON))
            assert [each.title for each in told if each.is_quiet] == []
            assert all(row.address for each in told for row in each.rows)
