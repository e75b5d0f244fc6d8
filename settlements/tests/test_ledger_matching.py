"""The ledger against statements: silent where they agree, a row for each account that differs."""

import copy
from datetime import date, timedelta

import pytest

from marketplace import states, tenancy
from marketplace.models import AuditEntry, JobRun
from marketplace.tests import make as people
from settlements import ledger_matching, ledger_reading, nights, payouts, reconciliation_report
from settlements.models import LedgerDifference, Payout, PayoutException, Statement
from settlements.reconciliation_report import Standing
from settlements.tests import make

pytestmark = pytest.mark.django_db

SALE_ON, DUE_ON = date(2026, 9, 8), date(2026, 9, 11)
NEXT = DUE_ON + timedelta(days=1)


@pytest.fixture(scope="module")
def closed(rows_of_module):
    """Sales of two sellers with discounts of all funders, a part back, and a hold; all closed."""
    market = make.market(first_open_on=SALE_ON)
    with tenancy.use(market.pk):
        line = make.sold(
            make.seller(),
            unit_price=50_000,
            quantity=2,
            category="gold",
            seller_discount=1_000,
            platform_discount=700,
            partner_discount=300,
        )
        make.returned(line, left=1, on=date(2026, 9, 10))
        make.sold(make.seller("B"), number="O2", unit_price=9_990)
    nights.close_day(market.pk, DUE_ON, at=make.AT)
    return market


@pytest.fixture
def market(db, closed):
    with tenancy.use(closed.pk):
        yield copy.copy(closed)


def told():
    rows = LedgerDifference.objects.order_by("account")
    return [(row.account, row.expected, row.found, row.difference, row.state) for row in rows]


def look(on=DUE_ON):
    return ledger_matching.look(on=on, at=make.AT)


def tampered(**more):
    """A statement whose figures somebody has changed behind the ledger's back."""
    statement = Statement.objects.order_by("-payout").first()
    for name, amount in more.items():
        setattr(statement, name, getattr(statement, name) + amount)
    Statement.objects.filter(pk=statement.pk).update(
        **{name: getattr(statement, name) for name in more}
    )
    return statement


class TestLook:
    def test_is_silent_where_they_agree(self, market):
        assert Statement.objects.exclude(state="open").count() == 2
        assert (look(), told()) == (0, [])

    def test_names_each_account_that_differs(self, market):
        statement = tampered(payout=-100, carry_out=100)
        look()
        payout, owed = statement.payout, 0
        assert told() == [
            ("payout_payable", payout, payout + 100, 100, "open"),
            ("seller_payable", owed + 100, owed, -100, "open"),
        ]
        assert reconciliation_report.standing(NEXT)[3] == Standing("ledger", 2, 200, 1)

    def test_misses_a_journal_that_is_not_there(self, market):
        statement = tampered()
        Statement.objects.filter(pk=statement.pk).update(public_id="stm_other")
        look()
        rows, _ = ledger_reading.trial_balance(DUE_ON)
        assert {account for account, *_ in told()} <= {row.code for row in rows}
        assert ("payout_payable", statement.payout, 0, -statement.payout, "open") in told()

    def test_closes_by_itself_what_has_gone(self, market):
        tampered(payout=-100, carry_out=100)
        look()
        tampered(payout=100, carry_out=-100)
        assert look(NEXT) == 2
        assert [row[-2:] for row in told()] == [(100, "resolved"), (-100, "resolved")]
        assert look(NEXT + timedelta(days=1)) == 0
        tampered(payout=-100, carry_out=100)
        look()
        assert {row[-1] for row in told()} == {"open"}

    def test_keeps_on_looking_at_what_is_open(self, market):
        tampered(payout=-100, carry_out=100)
        look()
        look(NEXT)
        assert len(told()) == 2
        assert set(LedgerDifference.objects.values_list("found_on", flat=True)) == {DUE_ON}

    def test_opens_an_explained_one_again_only_if_it_changed(self, market):
        tampered(payout=-100, carry_out=100)
        look()
        LedgerDifference.objects.update(found_on=DUE_ON - timedelta(days=9))
        person = people.user()
        for row in LedgerDifference.objects.all():
            ledger_matching.explain(row, by=person, at=make.AT, reason="확인함")
        look()
        assert {row[-1] for row in told()} == {"resolved"}
        tampered(payout=-1, carry_out=1)
        look()
        assert {row[-1] for row in told()} == {"open"}
        rows = LedgerDifference.objects.values_list("found_on", "closed_by", "reason")
        assert set(rows) == {(DUE_ON, None, "")}


class TestExplain:
    def test_keeps_why_and_happens_once(self, market):
        tampered(vat=5)
        look()
        row, person = LedgerDifference.objects.get(), people.user()
        ledger_matching.explain(row, by=person, at=make.AT, reason="단수차")
        entry = AuditEntry.objects.get(action="ledgerdifference.resolved")
        assert (entry.actor, entry.reason) == (person, "단수차")
        with pytest.raises(states.IllegalMove):
            ledger_matching.explain(row, by=person, at=make.AT, reason="again")


class TestReport:
    def test_counts_a_bank_that_is_late_or_says_what_does_not_fit(self, market):
        seller = make.seller("C")
        make.account(seller)
        make.payable(seller)
        [batch] = payouts.prepare(on=DUE_ON, at=make.AT)
        [payout] = batch.rows.all()
        rows = Payout.objects.filter(pk=payout.pk)
        rows.update(state="sent", sent_at=make.AT, result_due_on=SALE_ON)
        PayoutException.objects.create(
            payout=payout, kind="amount_differs", expected=500, found=470, raised_at=make.AT
        )
        PayoutException.objects.create(kind="unknown_id", found=20, raised_at=make.AT)
        assert reconciliation_report.standing(DUE_ON)[2] == Standing(
            "bank", 3, 96_700 + 30 + 20, 10
        )

    def test_is_written_by_every_night_also_when_it_is_empty(self, market):
        report = JobRun.objects.get(kind="night.reconcile", key=DUE_ON.isoformat())
        names = ("open", "amount", "oldest_days")
        queues = ("", "files_", "bank_", "ledger_")
        assert report.counts == {
            "explained": 0,
            "suspended": 0,
            **{f"{start}{name}": 0 for start in queues for name in names},
        }
