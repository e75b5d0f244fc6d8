"""Journals by hand: two people, balanced, on free accounts; undone by a counter-entry."""

from datetime import date

import pytest
from django.db import transaction

from marketplace import approvals, tenancy
from marketplace.models import Approval, Marketplace
from marketplace.tests import make as people
from settlements import chart, ledger, manual_journals
from settlements.models import Account, Journal, LedgerEntry, ManualJournal
from settlements.tests import make

ON = date(2026, 9, 8)
LEGS = [("provider_fee", 300, 0), ("input_vat", 30, 0), ("bank", 0, 330)]


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


@pytest.fixture
def two(market):
    return people.user("one@example.com"), people.user("other@example.com")


def enter(by, legs=LEGS, on=ON):
    return manual_journals.enter(
        on=on, legs=legs, reason="PG 수수료", document="품의 12", by=by, at=make.AT
    )


def approve(by):
    return approvals.approve(Approval.objects.waiting().get(), by=by, at=make.AT)


def entries(journal):
    rows = LedgerEntry.objects.filter(journal_id=journal.pk).order_by("pk")
    codes = dict(Account.objects.values_list("pk", "code"))
    return [(codes[row.account_id], row.debit, row.credit) for row in rows]


class TestEnter:
    def test_posts_nothing_before_a_second_person_approves(self, two):
        one, other = two
        manual = enter(one)
        assert manual.state == "entered"
        assert not Journal.objects.exists()
        with pytest.raises(approvals.SamePerson):
            approve(one)
        approve(other)
        manual.refresh_from_db()
        assert manual.state == "posted"
        journal = manual_journals.journal_of(manual)
        assert (journal.template, journal.basis_on) == ("manual", ON)
        assert entries(journal) == LEGS

    @pytest.mark.parametrize(
        ("legs", "refusal"),
        [
            ([("bank", 1, 0)], manual_journals.TooFewLegs),
            ([("bank", 1, 0), ("suspense", 0, 2)], manual_journals.LegsDoNotBalance),
            ([("bank", 1, 1), ("suspense", 0, 0)], manual_journals.LegNotUsable),
            ([("bank", -1, 0), ("suspense", 0, -1)], manual_journals.LegNotUsable),
            ([("bank", 1, 0), ("nothing", 0, 1)], manual_journals.AccountUnknown),
            ([("bank", 1, 0), ("seller_payable", 0, 1)], manual_journals.AccountOfSellers),
        ],
    )
    def test_refuses_legs_that_are_no_journal(self, two, legs, refusal):
        with pytest.raises(refusal):
            enter(two[0], legs)
        assert not ManualJournal.objects.exists()

    def test_is_posted_at_once_where_one_person_is_enough(self, market, two):
        Marketplace.objects.filter(pk=market.pk).update(needs_second_person=False)
        assert enter(two[0]).state == "posted"
        assert Journal.objects.count() == 1

    def test_is_discarded_and_then_never_posted(self, two):
        one, other = two
        manual = enter(one)
        manual_journals.discard(manual, by=one, at=make.AT, reason="오기")
        with pytest.raises(manual_journals.states.IllegalMove), transaction.atomic():
            approve(other)
        assert not Journal.objects.exists()


class TestEnterReversal:
    def test_takes_a_journal_back_by_its_counter_entry(self, two):
        one, other = two
        manual = enter(one)
        approve(other)
        journal = manual_journals.journal_of(manual)
        back = manual_journals.enter_reversal(
            journal, on=date(2026, 9, 9), reason="오류", document="품의 13", by=one, at=make.AT
        )
        approve(other)
        counter = Journal.objects.get(reverses=journal)
        assert (counter.template, counter.basis_on) == (ledger.REVERSAL, date(2026, 9, 9))
        assert entries(counter) == [(code, credit, debit) for code, debit, credit in LEGS]
        assert entries(journal) == LEGS
        assert manual_journals.journal_of(back) == counter
        with pytest.raises(ledger.AlreadyReversed):
            manual_journals.enter_reversal(
                journal, on=ON, reason="x", document="x", by=one, at=make.AT
            )
        with pytest.raises(ledger.CannotReverse):
            ledger.reverse(counter, on=ON)

    def test_is_not_for_journals_that_follow_from_something(self, two):
        ledger.open_month(ON)
        draft = ledger.Draft("statement", "stm_1", ON)
        draft.debit(chart.CLEARING, 1)
        draft.credit(chart.VAT_PAYABLE, 1)
        [journal] = ledger.post([draft])
        with pytest.raises(manual_journals.NotByHand, match="stm_1"):
            manual_journals.enter_reversal(
                journal, on=ON, reason="x", document="x", by=two[0], at=make.AT
            )

    def test_keeps_the_sellers_of_the_legs(self, market):
        seller = make.seller()
        ledger.open_month(ON)
        draft = ledger.Draft("statement", "stm_1", ON, seller.pk)
        draft.debit(chart.CLEARING, 1)
        draft.credit(chart.SELLER_PAYABLE, 1)
        [journal] = ledger.post([draft])
        counter = ledger.reverse(journal, on=ON)
        rows = LedgerEntry.objects.filter(journal_id=counter.pk).order_by("pk")
        assert [(row.seller_id, row.debit, row.credit) for row in rows] == [
            (None, 0, 1),
            (seller.pk, 1, 0),
        ]
