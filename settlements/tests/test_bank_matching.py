"""Bank transactions explained: by the ledger, by a deposit on a debt, by hand and on suspense."""

from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace import approvals, states, tenancy
from marketplace.models import Approval, AuditEntry
from marketplace.tests import make as people
from settlements import (
    bank_balance,
    bank_matching,
    chart,
    deposits,
    ledger,
    ledger_balances,
    manual_journals,
)
from settlements.models import (
    Account,
    AdPrepaymentMovement,
    BankMatch,
    BankRow,
    DebtMovement,
    Journal,
    Payout,
    PayoutBatch,
    PayoutPolicy,
    SellerBalance,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

ON = date(2026, 9, 8)  # a Tuesday
AT = datetime(2026, 9, 10, 3, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


@pytest.fixture
def one(market):
    return people.user("one@example.com")


@pytest.fixture
def other(market):
    return people.user("other@example.com")


def moved(amount, *, on=ON, template="provider_deposit", reference=None):
    """A journal on the bank account, and its key."""
    draft = ledger.Draft(template, reference or f"r{amount}", on)
    draft.debit(chart.BANK, amount)
    draft.credit(chart.CLEARING, amount)
    return ledger.post_on_open_day(draft).pk


def owing(code="A12", amount=1_000):
    return SellerBalance.objects.create(seller=make.seller(code), receivable=amount)


def paid(*amounts):
    """A batch whose payouts have been paid."""
    batch = PayoutBatch.objects.create(
        on=ON, policy=PayoutPolicy.objects.get(), state="awaiting", prepared_at=AT
    )
    seller = make.seller("P")
    account = make.account(seller)
    for amount in amounts:
        payout = Payout.objects.create(
            batch=batch, seller=seller, amount=amount, account=account, bank="088", number=b"",
            state="paid", sent_at=AT, ended_at=AT,
        )  # fmt: skip
        moved(-amount, template="payout_paid", reference=payout.public_id)
    return batch


def codes(row):
    return [each.code for each in bank_matching.proposals([row])[row.pk]]


def matched(row):
    return sorted(BankMatch.objects.filter(row=row).values_list("journal_id", flat=True))


def state(row):
    return BankRow.objects.get(pk=row.pk).state


def balance(code, on=date(2026, 12, 31)):
    account = Account.objects.filter(code=code).first()
    return ledger_balances.of(account.pk, on).balance if account else 0


def approve(by):
    return approvals.approve(Approval.objects.waiting().get(), by=by, at=AT)


class TestProposals:
    def test_name_what_the_ledger_moved_and_nothing_has_explained(self, market, one):
        moved(1_000)
        row, later = make.bank_row(1_000, on=ON), make.bank_row(1_000, on=ON)
        assert codes(row) == ["movement:provider_deposit:r1000"]
        bank_matching.confirm(row, proposal=codes(row)[0], by=one, at=AT)
        assert codes(later) == []

    def test_leave_out_what_was_reversed(self, market):
        journal = Journal.objects.get(pk=moved(1_000))
        ledger.reverse(journal, on=ON)
        assert codes(make.bank_row(1_000, on=ON)) == []
        assert codes(make.bank_row(-1_000, on=ON)) == []

    def test_name_a_batch_by_what_was_paid_of_it(self, market, one):
        batch = paid(300, 700)
        row = make.bank_row(-1_000, on=ON)
        assert codes(row) == [f"batch:{batch.public_id}"]
        bank_matching.confirm(row, proposal=codes(row)[0], by=one, at=AT)
        assert len(matched(row)) == 2

    def test_name_a_debtor(self, market):
        owing()
        assert codes(make.bank_row(600, on=ON, text="A12 입금")) == ["debt:A12"]
        assert codes(make.bank_row(1_001, on=ON, text="A12 입금")) == []

    def test_cost_the_same_for_many(self, market, django_assert_num_queries):
        owing()
        rows = [make.bank_row(500 + n, on=ON) for n in range(5)]
        with django_assert_num_queries(8):
            bank_matching.proposals(rows[:1])
        with django_assert_num_queries(8):
            bank_matching.proposals(rows)


class TestConfirm:
    def test_posts_nothing_where_the_ledger_has_it(self, market, one):
        journal = moved(1_000)
        row = make.bank_row(1_000, on=ON)
        bank_matching.confirm(row, proposal=codes(row)[0], by=one, at=AT)
        row.refresh_from_db()
        assert (row.state, row.explained_by, row.explained_at) == ("explained", one, AT)
        assert matched(row) == [journal]
        assert Journal.objects.count() == 1
        entry = AuditEntry.objects.get(action="bankrow.explained")
        assert (entry.actor, entry.reason) == (one, "movement:provider_deposit:r1000")

    def test_records_a_deposit_on_a_debt_once(self, market, one):
        debt = owing(amount=1_200)
        row = make.bank_row(600, on=ON, text="A12")
        bank_matching.confirm(row, proposal="debt:A12", by=one, at=AT)
        debt.refresh_from_db()
        movement = DebtMovement.objects.get()
        assert (debt.receivable, movement.amount, movement.on) == (600, 600, ON)
        assert (movement.evidence, movement.by) == (row.entry, one)
        [journal] = Journal.objects.filter(template="debt")
        assert matched(row) == [journal.pk]
        assert (balance(chart.BANK), balance(chart.SELLER_RECEIVABLE)) == (600, -600)
        bank_matching.undo(row, reason="다른 판매자", by=one, at=AT)
        row.refresh_from_db()
        assert row.state == "open"
        assert codes(row) == [f"movement:debt:{movement.public_id}", "debt:A12"]
        with pytest.raises(deposits.EvidenceUsed):
            bank_matching.confirm(row, proposal="debt:A12", by=one, at=AT)

    def test_records_what_is_paid_for_advertising_in_advance(self, market, one):
        seller = make.seller("A12")
        row = make.bank_row(600, on=ON)
        bank_matching.prepay(row, seller=seller, by=one, at=AT)
        movement = AdPrepaymentMovement.objects.get()
        assert (movement.seller, movement.amount, movement.on) == (seller, 600, ON)
        assert (movement.evidence, movement.by) == (row.entry, one)
        [journal] = Journal.objects.filter(template="ad_prepayment")
        assert matched(row) == [journal.pk]
        assert (balance(chart.BANK), balance(chart.AD_PREPAYMENT)) == (600, -600)
        with pytest.raises(states.IllegalMove):
            bank_matching.prepay(row, seller=seller, by=one, at=AT)
        with pytest.raises(bank_matching.NothingPaidIn):
            bank_matching.prepay(make.bank_row(-600, on=ON), seller=seller, by=one, at=AT)
        assert AdPrepaymentMovement.objects.count() == 1

    def test_refuses_what_is_proposed_no_more(self, market, one):
        moved(1_000)
        row, same = make.bank_row(1_000, on=ON), make.bank_row(1_000, on=ON)
        [code] = codes(row)
        bank_matching.confirm(row, proposal=code, by=one, at=AT)
        with pytest.raises(bank_matching.ProposalGone) as refused:
            bank_matching.confirm(same, proposal=code, by=one, at=AT)
        assert refused.value.params["field"] == "proposal"
        with pytest.raises(states.IllegalMove):
            bank_matching.confirm(row, proposal=code, by=one, at=AT)

    def test_leaves_payouts_to_their_results(self, market):
        paid(500)
        Payout.objects.update(state="unknown")
        BankMatch.objects.all().delete()
        out = make.bank_row(-500, on=ON)
        assert [each.amount for each in bank_matching.awaited(out)] == [500]
        Payout.objects.update(state="paid")
        back = make.bank_row(500, on=AT.date())
        assert [each.amount for each in bank_matching.awaited(back)] == [500]
        assert bank_matching.awaited(make.bank_row(501, on=AT.date())) == []


class TestConfirmExact:
    def test_explains_what_is_exact_and_nothing_else(self, market, one):
        moved(1_000)
        moved(2_000)
        moved(2_000, reference="again")
        debt = owing(amount=700)
        exact, unsure = make.bank_row(1_000, on=ON), make.bank_row(2_000, on=ON)
        whole = make.bank_row(700, on=ON, text="A12")
        unknown = make.bank_row(55, on=ON)
        assert bank_matching.confirm_exact(by=one, at=AT) == 2
        assert [state(row) for row in (exact, whole, unsure, unknown)] == [
            "explained",
            "explained",
            "open",
            "open",
        ]
        debt.refresh_from_db()
        assert debt.receivable == 0
        assert bank_matching.confirm_exact(by=one, at=AT) == 0

    def test_leaves_open_what_is_refused(self, market, one):
        owing(amount=700)
        early = make.bank_row(700, on=make.FIRST_OPEN_ON - DAY, text="A12")
        assert bank_matching.confirm_exact(by=one, at=AT) == 0
        assert (state(early), DebtMovement.objects.count()) == ("open", 0)


class TestMatch:
    def test_takes_journals_that_come_to_the_amount(self, market, one):
        parts = [moved(400, on=ON - 20 * DAY), moved(600, on=ON - 20 * DAY)]
        row = make.bank_row(1_000, on=ON)
        assert [key for key, *_rest in bank_matching.movements_near(row)] == parts
        with pytest.raises(bank_matching.MovementsDiffer) as refused:
            bank_matching.match(row, journals=parts[:1], by=one, at=AT, reason="합산")
        assert str(refused.value) == (
            "What was chosen comes to 400, but the transaction to 1000. Choose what comes to the "
            "same."
        )
        bank_matching.match(row, journals=parts, by=one, at=AT, reason="합산 입금")
        assert (state(row), matched(row)) == ("explained", parts)

    def test_refuses_journals_that_are_not_free(self, market, one):
        journal = moved(1_000)
        row, same = make.bank_row(1_000, on=ON), make.bank_row(1_000, on=ON)
        bank_matching.match(row, journals=[journal], by=one, at=AT, reason="확인")
        for chosen in ([journal], [], [999_999]):
            with pytest.raises(bank_matching.NoMovement):
                bank_matching.match(same, journals=chosen, by=one, at=AT, reason="확인")


class TestBook:
    def test_puts_on_suspense_by_two_people_and_takes_back_by_two(self, market, one, other):
        row = make.bank_row(1_000, on=ON)
        manual = bank_matching.book(row, account=chart.SUSPENSE, reason="미상", by=one, at=AT)
        assert (manual.document, manual.on) == (row.entry, ON)
        assert (state(row), balance(chart.BANK)) == ("open", 0)
        with pytest.raises(bank_matching.BookingWaits):
            bank_matching.book(row, account=chart.SUSPENSE, reason="미상", by=one, at=AT)
        with pytest.raises(approvals.SamePerson):
            approve(one)
        approve(other)
        assert state(row) == "suspended"
        assert (balance(chart.BANK), balance(chart.SUSPENSE)) == (1_000, -1_000)
        assert matched(row) == [manual_journals.journal_of(manual).pk]
        with pytest.raises(bank_matching.MatchedByHandJournal):
            bank_matching.undo(row, reason="확인", by=one, at=AT)
        bank_matching.take_back(row, reason="판매자 입금", by=one, at=AT)
        approve(other)
        assert (state(row), balance(chart.BANK), balance(chart.SUSPENSE)) == ("open", 0, 0)
        assert matched(row) == []
        owing()
        with pytest.raises(bank_matching.NoMovement):
            bank_matching.take_back(row, reason="다시", by=one, at=AT)

    def test_books_what_was_paid_out_on_its_account(self, market, one, other):
        row = make.bank_row(-330, on=ON)
        bank_matching.book(row, account=chart.PROVIDER_FEE, reason="이체 수수료", by=one, at=AT)
        approve(other)
        assert state(row) == "explained"
        assert (balance(chart.BANK), balance(chart.PROVIDER_FEE)) == (-330, 330)

    def test_waits_with_everything_else_until_it_is_discarded(self, market, one, other):
        moved(1_000)
        row = make.bank_row(1_000, on=ON)
        manual = bank_matching.book(row, account=chart.SUSPENSE, reason="미상", by=one, at=AT)
        assert bank_matching.confirm_exact(by=one, at=AT) == 0
        with pytest.raises(bank_matching.BookingWaits) as refused:
            bank_matching.confirm(row, proposal=codes(row)[0], by=one, at=AT)
        assert refused.value.params["journal"] == manual.public_id
        manual_journals.discard(manual, by=one, at=AT, reason="PG 입금")
        bank_matching.confirm(row, proposal=codes(row)[0], by=one, at=AT)
        assert state(row) == "explained"

    def test_refuses_the_bank_itself_and_accounts_of_sellers(self, market, one):
        row = make.bank_row(1_000, on=ON)
        moved(5)
        moved(5, template="debt", reference="d")
        Account.objects.get_or_create(
            code=chart.SELLER_PAYABLE, defaults={"name": "x", "is_per_seller": True}
        )
        with pytest.raises(bank_matching.NotForBooking):
            bank_matching.book(row, account=chart.BANK, reason="x", by=one, at=AT)
        with pytest.raises(manual_journals.AccountOfSellers):
            bank_matching.book(row, account=chart.SELLER_PAYABLE, reason="x", by=one, at=AT)
        gone = make.bank_row(5, on=ON, state="explained")
        with pytest.raises(states.IllegalMove):
            bank_matching.book(gone, account=chart.SUSPENSE, reason="x", by=one, at=AT)


class TestAtEndOf:
    def test_names_all_of_the_difference(self, market, one):
        moved(300, on=ON - 3 * DAY, reference="before")
        first = moved(1_000, on=ON)
        moved(-70, on=ON)  # the bank does not show it
        late = moved(40, on=ON + DAY)
        rows = [make.bank_row(amount, on=ON) for amount in (1_000, 55, 40)]
        for row, journal in ((rows[0], first), (rows[2], late)):
            bank_matching.match(row, journals=[journal], by=one, at=AT, reason="확인")
        found = bank_balance.at_end_of(ON)
        assert (found.bank, found.ledger, found.difference) == (1_095, 1_230, -135)
        assert (found.rows, found.waiting) == (1, 55)
        assert (found.journals, found.unseen) == (1, 70)
        assert (found.across, found.before) == (40, -300)
        assert found.waiting + found.unseen + found.across + found.before == found.difference
        found = bank_balance.at_end_of(ON + DAY)
        assert (found.difference, found.across, found.before) == (-175, 0, -300)

    def test_adds_up_several_accounts(self, market):
        make.bank_row(100, on=ON)
        make.bank_row(20, on=ON + DAY)
        make.bank_row(7, on=ON, account="은행 2")
        assert bank_balance.at_end_of(ON).bank == 107
        assert bank_balance.at_end_of(ON + DAY).bank == 127
        assert bank_balance.last_day() == ON + DAY

    def test_says_nothing_before_the_first_transaction(self, market):
        make.bank_row(100, on=ON)
        assert bank_balance.at_end_of(ON - DAY) is None
