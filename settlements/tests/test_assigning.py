"""Assigned claims: who is paid instead of a seller, from when on, and that two people said so."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from marketplace import approvals, sealing, states, tenancy
from marketplace.models import Approval, Change, OutboxMessage
from marketplace.tests import make as people
from sellers import letters
from sellers.bank_accounts import Account, NotAnAccountNumber
from settlements import (
    assigning,
    payout_candidates,
    payout_journals,
    payout_rules,
    payout_sending,
    payouts,
)
from settlements.gateways import sandbox
from settlements.models import Assignment, Payout, PayoutBatch
from settlements.tests import make
from settlements.tests.test_payout_pages import decide, operator, shopkeeper

pytestmark = pytest.mark.django_db

AT = make.AT
FIRST = make.FIRST_OPEN_ON
SECOND = FIRST + timedelta(days=1)
LATER = AT + timedelta(days=1)
ADDRESS = "/admin/settlements/assignment/"


@pytest.fixture
def market():
    return make.market("ours")


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        row = make.seller()
        make.account(row)
        make.payable(row, 1_000, due_on=FIRST)
        make.payable(row, 2_000, due_on=SECOND)
    return row


def terms(from_on=SECOND, *, ending="7777", until_on=None, **changed):
    account = Account(bank="004", holder="주식회사 양수", number=f"22012345{ending}")
    given = {"assignee": "주식회사 양수", "account": account, "evidence": "통지 2026-17"}
    return assigning.Terms(**{**given, "from_on": from_on, "until_on": until_on, **changed})


def entered(seller, given=None, *, by=None):
    return assigning.enter(
        seller, given or terms(), by=by or somebody("asks"), at=AT, reason="채권양도 통지"
    )


def in_force(seller, given=None):
    row = entered(seller, given)
    approve(row)
    return row


def approve(row):
    approvals.approve(Approval.objects.waiting().about(row).get(), by=somebody("agrees"), at=AT)
    row.refresh_from_db()


def somebody(name):
    return people.user(f"{name}-{people.User.objects.count()}@example.org")


def prepared(at=LATER, on=SECOND):
    """Payee, account and amount of each payout that can be made."""
    payouts.prepare(on=on, at=at)
    rows = Payout.objects.order_by("payee")
    return [(row.payee, row.bank, row.ending, row.amount) for row in rows]


def executed(market):
    with tenancy.use(market.pk):
        [batch] = payouts.prepare(on=SECOND, at=LATER)
        states.move(batch, PayoutBatch.State.APPROVED, by=None, at=LATER)
        payouts.execute(batch, by=None, at=LATER)
        return {row.payee: row.pk for row in batch.rows.all()}


class TestPutInForce:
    def test_pays_what_falls_due_from_its_day_to_the_assignee(self, market, seller):
        with tenancy.use(market.pk):
            in_force(seller)
            assert prepared() == [
                ("", "088", "1234", 1_000),
                ("주식회사 양수", "004", "7777", 2_000),
            ]
            row = Payout.objects.get(amount=2_000)
            assert sealing.reveal(row, "number") == "220123457777"
            assert (row.account_id, row.holder) == (None, "주식회사 양수")

    def test_is_for_a_second_person(self, market, seller):
        with tenancy.use(market.pk):
            asker = somebody("asks")
            row = entered(seller, by=asker)
            with pytest.raises(approvals.SamePerson):
                approvals.approve(Approval.objects.waiting().about(row).get(), by=asker, at=AT)
            assert prepared() == [("", "088", "1234", 3_000)]

    def test_is_told_to_the_seller(self, market, seller):
        with tenancy.use(market.pk):
            row = in_force(seller)
            change = Change.objects.get(type="assignment.in_force")
            assert (change.object_id, change.seller_id) == (row.public_id, seller.pk)

    def test_pays_a_seller_without_an_account(self, market):
        with tenancy.use(market.pk):
            row = make.seller("B")
            make.payable(row, 500, due_on=SECOND)
            in_force(row)
            assert prepared() == [("주식회사 양수", "004", "7777", 500)]

    def test_ends_before_its_last_day(self, market, seller):
        with tenancy.use(market.pk):
            in_force(seller, terms(FIRST, until_on=SECOND))
            assert prepared() == [
                ("", "088", "1234", 2_000),
                ("주식회사 양수", "004", "7777", 1_000),
            ]

    def test_lets_no_two_cover_a_day(self, market, seller):
        with tenancy.use(market.pk):
            third = SECOND + timedelta(days=1)
            waiting = entered(seller, terms(SECOND))
            in_force(seller, terms(FIRST, until_on=SECOND))
            in_force(seller, terms(third, until_on=third + timedelta(days=5)))
            with pytest.raises(assigning.AssignedAlready):
                approve(waiting)
            with pytest.raises(assigning.AssignedAlready):
                entered(seller, terms(FIRST, until_on=third))
            in_force(seller, terms(SECOND, until_on=third))

    def test_keeps_a_payout_of_the_other_payee_from_being_sent(self, market, seller):
        [(_, payout)] = executed(market).items()
        with tenancy.use(market.pk):
            in_force(seller)
        payout_sending.serve(market.pk, payout, now=lambda: LATER)
        with tenancy.use(market.pk):
            row = Payout.objects.get()
            assert (row.state, row.reason) == ("stopped", payout_rules.ACCOUNT_CHANGED)
            payouts.prepare(on=SECOND, at=LATER)
            live = Payout.objects.filter(state="prepared").order_by("amount")
            assert [(row.payee, row.amount) for row in live] == [
                ("", 1_000),
                ("주식회사 양수", 2_000),
            ]

    def test_sends_each_payee_their_own(self, market, seller):
        with tenancy.use(market.pk):
            in_force(seller)
        for payout in executed(market).values():
            payout_sending.serve(market.pk, payout, now=lambda: LATER)
        with tenancy.use(market.pk):
            assert set(Payout.objects.values_list("state", flat=True)) == {"paid"}
            assert make.balances() == {"clearing": -3_000, "bank": 3_000}

    def test_tells_the_seller_whom_to_ask_after_a_failure(self, market, seller, mailoutbox):
        with tenancy.use(market.pk):
            in_force(seller, terms(ending=sandbox.FAILS))
        shopkeeper(seller, "owner@example.org")
        ids = executed(market)
        payout_sending.serve(market.pk, ids["주식회사 양수"], now=lambda: LATER)
        with tenancy.use(market.pk):
            message = OutboxMessage.objects.get(topic="payout.failed")
            market.state = market.State.LIVE
            letters.payout_failed(market, at=LATER, **message.payload)
        [letter] = mailoutbox
        assert "양수인에게 보낸" in letter.body
        assert "양수인에게 다른 계좌를 확인하여" in letter.body
        assert "다시 등록" not in letter.body

    def test_waits_for_another_account_after_a_failure(self, market, seller):
        with tenancy.use(market.pk):
            in_force(seller, terms(ending=sandbox.FAILS))
        ids = executed(market)
        for payout in ids.values():
            payout_sending.serve(market.pk, payout, now=lambda: LATER)
        with tenancy.use(market.pk):
            policy = payout_candidates.policy_on(SECOND)
            [waiting] = payout_candidates.find(on=SECOND, at=LATER, policy=policy).waiting
            assert waiting.reason == payout_rules.ASSIGNEE_FAILED
            failed = Payout.objects.get(payee="주식회사 양수")
            payout_sending.release_account(failed, by=None, at=LATER, reason="은행 장애")
            assert payout_candidates.find(on=SECOND, at=LATER, policy=policy).waiting == []


class TestEnd:
    def test_pays_the_seller_again_from_a_day_on(self, market, seller):
        with tenancy.use(market.pk):
            row = in_force(seller, terms(FIRST))
            said = {"until_on": SECOND, "at": AT, "reason": "변제 완료"}
            assigning.ask_to_end(row, by=somebody("asks"), **said)
            assert [each[0] for each in prepared(on=FIRST)] == ["주식회사 양수"]
            Payout.objects.all()  # what is prepared stays as it is
            approve(row)
            assert row.until_on == SECOND
            assert [(each[0], each[3]) for each in prepared()] == [
                ("", 2_000),
                ("주식회사 양수", 1_000),
            ]
            assert Change.objects.filter(type="assignment.ended").count() == 1

    def test_refuses_a_day_that_has_passed(self, market, seller):
        with tenancy.use(market.pk):
            row = in_force(seller)
            for day, refusal in (
                (FIRST - timedelta(days=1), assigning.BeginsInThePast),
                (FIRST, assigning.EndsBeforeItBegins),
            ):
                with pytest.raises(refusal):
                    assigning.ask_to_end(row, until_on=day, by=None, at=AT, reason="x")

    def test_is_not_of_one_that_is_not_in_force(self, market, seller):
        with tenancy.use(market.pk):
            row = entered(seller)
            with pytest.raises(states.IllegalMove):
                assigning.ask_to_end(row, until_on=SECOND, by=None, at=AT, reason="x")
            assigning.discard(row, by=somebody("gives-up"), at=AT, reason="오기")
            assert not Approval.objects.waiting().about(row).exists()
            with pytest.raises(states.IllegalMove):
                assigning.discard(row, by=somebody("gives-up"), at=AT, reason="오기")


class TestEnter:
    @pytest.mark.parametrize(
        ("given", "refusal", "field"),
        [
            ({"assignee": " "}, assigning.AssigneeMissing, "assignee"),
            ({"evidence": ""}, assigning.EvidenceMissing, "evidence"),
            ({"from_on": FIRST - timedelta(days=1)}, assigning.BeginsInThePast, "from_on"),
            ({"until_on": SECOND}, assigning.EndsBeforeItBegins, "until_on"),
            ({"ending": "12"}, NotAnAccountNumber, "number"),
        ],
    )
    def test_says_what_is_missing(self, market, seller, given, refusal, field):
        if "ending" in given:
            given = {"account": Account(bank="004", holder="x", number="1234")}
        with tenancy.use(market.pk):
            with pytest.raises(refusal) as found:
                entered(seller, terms(**given))
            assert found.value.params["field"] == field
            assert not Assignment.objects.exists()

    def test_fixes_the_payee_of_a_payout_in_the_database(self, market, seller):
        with tenancy.use(market.pk):
            in_force(seller)
            prepared()
            with pytest.raises(IntegrityError), transaction.atomic():
                Payout.objects.filter(amount=2_000).update(payee="")


class TestPages:
    GIVEN = {
        "seller": "A",
        "assignee": "주식회사 양수",
        "bank": "004",
        "number": "220-12345-7777",
        "holder": "주식회사 양수",
        "evidence": "통지 2026-17",
        "reason": "채권양도 통지",
    }

    def given(self, market):
        with tenancy.use(market.pk):
            today = payout_journals.business_date(people.timezone.now())
        return self.GIVEN | {"from_on": today.isoformat()}

    def test_take_an_assignment_and_a_second_person_agrees(self, market, seller):
        first, second = operator(market), operator(market, "second")
        page = first.post(f"{ADDRESS}enter/", self.given(market), follow=True).content.decode()
        assert "A second person was asked." in page
        assert "220-12345" not in page
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
        address = f"/admin/marketplace/approval/{approval.pk}/change/"
        second.post(address, {"decision": "approve", "reason": ""}, follow=True)
        with tenancy.use(market.pk):
            row = Assignment.objects.get()
            assert row.state == "in_force"
        keeper = shopkeeper(seller, "shop@example.org")
        page = keeper.get("/s/ours/payouts/").content.decode()
        assert "is paid to 주식회사 양수" in page
        page = decide(
            first, row, "end", until_on=row.from_on.isoformat(), reason="변제"
        ).content.decode()
        assert "A second person was asked." in page

    def test_say_what_is_wrong(self, market, seller):
        client = operator(market)
        page = client.post(f"{ADDRESS}enter/", self.given(market) | {"seller": "Z"})
        assert "There is no seller with this code." in page.content.decode()
        page = client.post(f"{ADDRESS}enter/", self.given(market) | {"from_on": "2026-01-01"})
        assert "2026-01-01 has passed." in page.content.decode()

    def test_are_for_those_who_may(self, market, seller):
        viewer = operator(market, "viewer", role="viewer")
        assert viewer.post(f"{ADDRESS}enter/", self.given(market)).status_code == 403
        with tenancy.use(market.pk):
            row = entered(seller)
        stranger = operator(make.market("theirs"), "stranger")
        assert stranger.get(f"{ADDRESS}{row.pk}/change/").status_code in (302, 404)
        with tenancy.use(market.pk):
            other = make.seller("B")
        page = shopkeeper(other, "other@example.org").get("/s/ours/payouts/").content.decode()
        assert "주식회사 양수" not in page
