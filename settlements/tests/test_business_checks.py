"""Businesses are asked about before their money goes; who closed waits, and an outage does too."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from marketplace import approvals, tenancy
from marketplace.models import Approval, Change, Marketplace
from marketplace.tests import make as people
from sellers import bank_accounts, business_status
from sellers.gateways import sandbox
from sellers.gateways.interface import NoAnswer, Said
from sellers.models import BankAccount, BusinessStatus, Seller
from settlements import (
    business_checks,
    holding,
    payout_candidates,
    payout_checks,
    payout_sending,
    payouts,
    sentinels,
    tasks,
)
from settlements.models import Hold, Payout, PayoutBatch, PayoutPolicy, Statement
from settlements.tests import make
from settlements.tests.test_payout_pages import operator
from settlements.tests.test_payout_sending import again, seen, serve

pytestmark = pytest.mark.django_db

FIRST, AT = make.FIRST_OPEN_ON, make.AT
OPEN, IDLE, SHUT = "120-81-00011", "120-81-00021", "120-81-00031"
UNKNOWN, SILENT = "120-81-00041", "120-81-00091"


def _market(slug="jangteo", **policy):
    market = make.market(slug, first_open_on=FIRST - timedelta(days=1))
    with tenancy.use(market.pk):
        _policy(**policy)
    return market


def _policy(number=2, **said):
    said.setdefault("business_service", "sandbox")
    PayoutPolicy.objects.create(
        number=number, valid_from=FIRST, state="published", published_at=AT, **said
    )


@pytest.fixture
def market():
    return _market()


@pytest.fixture
def asked(monkeypatch):
    """The numbers of each call of the service."""
    calls = []
    ask = sandbox.Sandbox.ask

    def listening(self, numbers):
        calls.append(sorted(numbers))
        return ask(self, numbers)

    monkeypatch.setattr(sandbox.Sandbox, "ask", listening)
    return calls


def _launched(market, *numbers):
    """Payouts of a batch that is being executed, of a seller for each business number."""
    with tenancy.use(market.pk):
        for at, number in enumerate(numbers):
            row = make.seller(f"S{at}", business_number=number)
            make.account(row)
            make.payable(row)
    return again(market)


def _says(monkeypatch, said):
    monkeypatch.setattr(sandbox.Sandbox, "ask", lambda self, numbers: dict.fromkeys(numbers, said))


def _holds():
    return list(Hold.objects.order_by("pk").values_list("reason", "kind", "state"))


class TestBeforeSending:
    def test_pays_who_operates(self, market, asked):
        [payout] = _launched(market, OPEN)
        serve(market, payout)
        assert seen(market, payout) == ("paid", "paid", "completed")
        assert asked == [["1208100011"]]
        with tenancy.use(market.pk):
            known = BusinessStatus.objects.get()
            assert (known.number, known.status) == ("1208100011", "operating")
            assert (known.answered_at, known.since, known.failed_at) == (AT, AT, None)
            assert not Hold.objects.exists()

    @pytest.mark.parametrize("number", [IDLE, SHUT, UNKNOWN])
    def test_holds_the_money_of_who_does_not(self, market, number):
        [payout] = _launched(market, number)
        serve(market, payout)
        assert seen(market, payout) == ("stopped", "payable", "completed")
        with tenancy.use(market.pk):
            assert Payout.objects.get().reason == "business_closed"
            assert _holds() == [("business_closed", "payment", "placed")]
            assert Change.objects.filter(type="hold.placed").count() == 1
            policy = payout_candidates.policy_on(FIRST)
            found = payout_candidates.find(on=FIRST, at=AT, policy=policy)
            assert [each.reason for each in found.waiting] == ["business_closed"]
            assert payouts.prepare(on=FIRST, at=AT) == []

    def test_says_since_when_a_business_is_closed(self, market):
        [payout] = _launched(market, SHUT)
        serve(market, payout)
        with tenancy.use(market.pk):
            note = Hold.objects.get().note
            assert "1208100031" in note
            assert "2026-01-31" in note

    def test_asks_about_a_batch_at_once_and_uses_what_was_answered(self, market, asked):
        made = _launched(market, OPEN, SHUT, "120-81-00012", "", "not a number")
        for payout in made:
            serve(market, payout)
        assert asked == [["1208100011", "1208100012", "1208100031"]]
        states = [seen(market, payout)[0] for payout in made]
        assert states == ["paid", "stopped", "paid", "paid", "paid"]

    def test_asks_about_at_most_a_hundred_at_once(self, market, asked):
        made = _launched(market, *(f"12081{at:04}1" for at in range(1000, 1103)))
        serve(market, made[0])
        assert [len(call) for call in asked] == [100]
        assert asked[0][0] == "1208110001"

    @pytest.mark.parametrize(("days", "calls"), [(1, 1), (0, 2)])
    def test_uses_an_answer_for_the_days_of_the_policy(self, asked, days, calls):
        market = _market(business_days=days)
        [payout] = _launched(market, OPEN)
        serve(market, payout)
        with tenancy.use(market.pk):
            make.payable(Seller.objects.get(), 1_000, due_on=FIRST - timedelta(days=1))
        [payout] = again(market, at=AT + timedelta(hours=1))
        serve(market, payout, at=AT + timedelta(hours=1))
        assert seen(market, payout)[0] == "paid"
        assert len(asked) == calls

    def test_asks_nothing_for_a_batch_that_was_stopped(self, market, asked):
        [payout] = _launched(market, OPEN)
        with tenancy.use(market.pk):
            payouts.stop(PayoutBatch.objects.get(), by=None, at=AT, reason="확인")
        serve(market, payout)
        assert asked == []
        assert seen(market, payout)[0] == "prepared"

    def test_asks_nobody_where_the_policy_says_so(self, asked):
        market = _market(business_service="none")
        [payout] = _launched(market, SHUT)
        serve(market, payout)
        assert seen(market, payout)[0] == "paid"
        assert asked == []
        with tenancy.use(market.pk):
            assert not BusinessStatus.objects.exists()


class TestOutage:
    def test_lets_payouts_wait_and_go_on_once_it_is_over(self, market, asked, monkeypatch):
        [payout] = _launched(market, SILENT)
        serve(market, payout)
        assert seen(market, payout) == ("prepared", "in_payout", "executing")
        serve(market, payout, at=AT + timedelta(minutes=4))  # it is not asked again so soon
        assert len(asked) == 1
        with tenancy.use(market.pk):
            assert payout_sending.left_behind(at=AT) == [payout]
            known = BusinessStatus.objects.get()
            assert (known.status, known.failed_at) == ("", AT)
            assert [row.code for row in business_checks.unchecked(FIRST, at=AT)] == ["S0"]
            assert sentinels.watch(FIRST, at=AT)[sentinels.UNCHECKED] == 1
            checks = payout_checks.of(PayoutBatch.objects.select_related("policy").get(), at=AT)
            assert (checks.unanswered.payouts, checks.unanswered.amount) == (1, 96_700)
            assert checks.waits
        _says(monkeypatch, Said("operating"))
        serve(market, payout, at=AT + timedelta(minutes=5))
        assert seen(market, payout) == ("paid", "paid", "completed")
        with tenancy.use(market.pk):
            assert sentinels.watch(FIRST, at=AT + timedelta(minutes=5))[sentinels.UNCHECKED] == 0

    def test_is_no_reason_to_wait_where_the_policy_says_so(self):
        market = _market(pays_unanswered=True)
        [payout] = _launched(market, SILENT)
        serve(market, payout)
        assert seen(market, payout)[0] == "paid"

    def test_never_pays_who_was_known_to_be_closed(self, monkeypatch):
        market = _market(pays_unanswered=True)
        [payout] = _launched(market, SHUT)
        serve(market, payout)

        def silent(self, numbers):
            raise NoAnswer("outage")

        monkeypatch.setattr(sandbox.Sandbox, "ask", silent)
        later = AT + timedelta(days=9)
        business_checks.recheck(market.pk, now=lambda: later)
        with tenancy.use(market.pk):
            known = BusinessStatus.objects.get()
            assert (known.status, known.answered_at, known.failed_at) == ("closed", AT, later)
            assert payouts.prepare(on=FIRST, at=later) == []

    def test_counts_a_number_that_the_service_leaves_out_as_not_answered(self, market, monkeypatch):
        monkeypatch.setattr(sandbox.Sandbox, "ask", lambda self, numbers: {})
        [payout] = _launched(market, OPEN)
        serve(market, payout)
        assert seen(market, payout)[0] == "prepared"


class TestTwoAtOnce:
    @pytest.mark.django_db(transaction=True)
    def test_write_one_answer_and_place_one_hold(self, monkeypatch):
        market = _market()
        made = _launched(market, SHUT, "120-81-00032")
        both_asked = threading.Barrier(2, timeout=30)
        ask = sandbox.Sandbox.ask

        def together(self, numbers):
            both_asked.wait()
            return ask(self, numbers)

        monkeypatch.setattr(sandbox.Sandbox, "ask", together)
        done = []

        def sent(payout):
            try:
                serve(market, payout)
                done.append(payout)
            finally:
                connection.close()

        threads = [threading.Thread(target=sent, args=[payout]) for payout in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(done) == made
        with tenancy.use(market.pk):
            assert BusinessStatus.objects.count() == 2
            assert Hold.objects.count() == 2
            assert set(Payout.objects.values_list("state", "reason")) == {
                ("stopped", "business_closed")
            }


class TestRecheck:
    def test_asks_about_whoever_has_money_coming(self, market, asked):
        with tenancy.use(market.pk):
            make.payable(make.seller("A", business_number=OPEN))
            make.payable(make.seller("B", business_number=SHUT))
            make.seller("C", business_number=IDLE)  # without a statement
            make.payable(make.seller("D"))  # without a number
        assert business_checks.recheck(market.pk, now=lambda: AT) == 2
        assert business_checks.recheck(market.pk, now=lambda: AT) == 0
        assert asked == [["1208100011", "1208100031"]]
        with tenancy.use(market.pk):
            assert [hold.seller.code for hold in Hold.objects.all()] == ["B"]

    def test_lets_go_what_it_held_once_the_business_operates_again(self, market, monkeypatch):
        with tenancy.use(market.pk):
            make.payable(make.seller("A", business_number=SHUT))
        business_checks.recheck(market.pk, now=lambda: AT)
        later = AT + timedelta(days=2)
        _says(monkeypatch, Said("operating"))
        business_checks.recheck(market.pk, now=lambda: later)
        with tenancy.use(market.pk):
            assert _holds() == [("business_closed", "payment", "released")]
            assert BusinessStatus.objects.get().since == later

    def test_leaves_the_holds_of_people_alone(self, market):
        with tenancy.use(market.pk):
            seller = make.seller("A", business_number=OPEN)
            make.payable(seller)
            terms = holding.Terms(reason="business_closed", note="폐업 신고", condition="정산 합의")
            by = people.user("a@example.org")
            holding.hold_payment(seller, terms, by=by, at=AT)
        business_checks.recheck(market.pk, now=lambda: AT)
        with tenancy.use(market.pk):
            assert _holds() == [("business_closed", "payment", "placed")]

    def test_does_not_hold_again_what_people_let_go(self, market, monkeypatch):
        with tenancy.use(market.pk):
            make.payable(make.seller("A", business_number=SHUT))
        business_checks.recheck(market.pk, now=lambda: AT)
        with tenancy.use(market.pk):
            by = people.user("a@example.org")
            holding.release(Hold.objects.get(), reason="최종 정산 합의", by=by, at=AT)
        business_checks.recheck(market.pk, now=lambda: AT + timedelta(days=2))
        with tenancy.use(market.pk):
            assert _holds() == [("business_closed", "payment", "released")]
        for day, said in ((4, Said("operating")), (6, Said("suspended"))):
            _says(monkeypatch, said)
            business_checks.recheck(market.pk, now=lambda day=day: AT + timedelta(days=day))
        with tenancy.use(market.pk):
            assert [state for *_, state in _holds()] == ["released", "placed"]

    def test_forgets_what_was_said_of_another_number(self, market):
        with tenancy.use(market.pk):
            make.payable(make.seller("A", business_number=SHUT))
        business_checks.recheck(market.pk, now=lambda: AT)
        with tenancy.use(market.pk):
            Seller.objects.update(business_number=OPEN)
            assert business_status.of_seller(Seller.objects.get()) is None
        business_checks.recheck(market.pk, now=lambda: AT)
        with tenancy.use(market.pk):
            assert business_status.of_seller(Seller.objects.get()).status == "operating"
            assert _holds() == [("business_closed", "payment", "released")]

    def test_stops_at_an_outage_and_comes_to_the_others_later(self, market):
        with tenancy.use(market.pk):
            make.payable(make.seller("A", business_number=SILENT))
            make.payable(make.seller("B", business_number=SHUT))
        assert business_checks.recheck(market.pk, now=lambda: AT) == 0
        with tenancy.use(market.pk):
            assert not Hold.objects.exists()
            assert not business_checks.unchecked(FIRST - timedelta(days=1), at=AT).exists()
            assert business_checks.unchecked(FIRST, at=AT).count() == 2

    def test_asks_about_nobody_elses_sellers(self, asked):
        ours, theirs = _market("ours"), _market("theirs")
        for market, number in ((ours, OPEN), (theirs, SHUT)):
            with tenancy.use(market.pk):
                make.payable(make.seller("A", business_number=number))
        tasks.check_businesses(marketplace_id=ours.pk)
        assert asked == [["1208100011"]]
        with tenancy.use(theirs.pk):
            assert not BusinessStatus.objects.exists()


class TestAskAnew:
    def test_asks_however_fresh_the_answer_is(self, market, monkeypatch):
        with tenancy.use(market.pk):
            seller = make.seller("A", business_number=SHUT)
            make.payable(seller)
        business_checks.recheck(market.pk, now=lambda: AT)
        _says(monkeypatch, Said("operating"))
        tasks.check_business(marketplace_id=market.pk, seller_id=seller.pk)
        with tenancy.use(market.pk):
            assert _holds() == [("business_closed", "payment", "released")]

    def test_is_refused_without_a_number(self, market):
        with tenancy.use(market.pk), pytest.raises(business_status.NoNumber):
            business_status.ask_anew(make.seller("A"), by=None, at=AT)


class TestExecute:
    def test_trusts_no_sandbox_in_a_live_marketplace(self):
        market = _market(gateway="bank_csv")
        with tenancy.use(market.pk):
            Marketplace.objects.filter(pk=market.pk).update(state="live")
            row = make.seller("A", business_number=OPEN)
            make.account(row)
            make.payable(row)
        with pytest.raises(payouts.SandboxCheckOnly):
            again(market)

    def test_asks_the_sandbox_about_no_real_seller(self, asked):
        market = _market()
        with tenancy.use(market.pk):
            Marketplace.objects.filter(pk=market.pk).update(state="live")
            seller = make.seller("A", business_number=SHUT)
            make.payable(seller)
        assert business_checks.recheck(market.pk, now=lambda: AT) == 0
        business_checks.ask_about(market.pk, seller.pk, now=lambda: AT)
        assert asked == []
        with tenancy.use(market.pk):
            assert not Hold.objects.exists()


class TestHolder:
    def test_is_verified_by_two_people_and_told_on_the_batch(self, market):
        first, second = people.user("a@example.org"), people.user("b@example.org")
        with tenancy.use(market.pk):
            seller = make.seller("A", business_number=OPEN)
            make.account(seller)
            make.payable(seller)
            [batch] = payouts.prepare(on=FIRST, at=AT)
            checks = payout_checks.of(batch, at=AT)
            assert (checks.unverified.payouts, checks.unverified.amount) == (1, 96_700)
            assert not checks.bank_compares
            bank_accounts.ask_to_verify_holder(seller, evidence="통장 사본", by=first, at=AT)
            request = Approval.objects.get()
            with pytest.raises(approvals.SamePerson):
                approvals.approve(request, by=first, at=AT)
            assert BankAccount.objects.get().holder_verified_at is None
            approvals.approve(request, by=second, at=AT)
            account = BankAccount.objects.get()
            assert (account.holder_verified_at, account.holder_verified_by) == (AT, second)
            assert account.holder_evidence == "통장 사본"
            assert not payout_checks.of(batch, at=AT).unverified
            with pytest.raises(bank_accounts.HolderKnown):
                bank_accounts.ask_to_verify_holder(seller, evidence="7", by=first, at=AT)

    def test_is_unknown_again_once_the_account_changes(self, market):
        first, second = people.user("a@example.org"), people.user("b@example.org")
        with tenancy.use(market.pk):
            seller = make.seller("A")
            with pytest.raises(bank_accounts.NoAccount):
                bank_accounts.ask_to_verify_holder(seller, evidence="7", by=first, at=AT)
            make.account(seller)
            with pytest.raises(bank_accounts.EvidenceMissing):
                bank_accounts.ask_to_verify_holder(seller, evidence=" ", by=first, at=AT)
            bank_accounts.ask_to_verify_holder(seller, evidence="7", by=first, at=AT)
            make.account(seller, ending="7777")
            with pytest.raises(bank_accounts.AccountReplaced):
                approvals.approve(Approval.objects.get(), by=second, at=AT)
            assert BankAccount.objects.current().get().holder_verified_at is None


class TestPages:
    def test_tell_what_was_not_checked_before_somebody_approves(self, market):
        with tenancy.use(market.pk):
            for code, number in (("A", SILENT), ("B", "")):
                row = make.seller(code, business_number=number)
                make.account(row)
                make.payable(row)
            [batch] = payouts.prepare(on=FIRST, at=AT)
        business_checks.recheck(market.pk, now=lambda: AT)
        browser = operator(market)
        page = browser.get(f"/admin/settlements/payoutbatch/{batch.pk}/change/").content.decode()
        assert "holder nobody has verified: 2, ₩193,400" in page
        assert "about which it has not answered: 1, ₩96,700" in page
        assert "of whom nothing can be asked: 1, ₩96,700" in page

    def test_say_when_nobody_is_asked(self):
        market = _market(business_service="none")
        with tenancy.use(market.pk):
            row = make.seller("A", business_number=SHUT)
            make.account(row)
            make.payable(row)
            [batch] = payouts.prepare(on=FIRST, at=AT)
        page = operator(market).get(f"/admin/settlements/payoutbatch/{batch.pk}/change/")
        assert "Not checked: the payout policy asks nobody" in page.content.decode()

    def test_show_a_seller_with_the_word_of_the_tax_office(self, market):
        with tenancy.use(market.pk):
            row = make.seller("A", business_number=SHUT)
            make.account(row)
            make.payable(row)
        business_checks.recheck(market.pk, now=lambda: AT)
        page = operator(market).get(f"/admin/sellers/seller/{row.pk}/change/").content.decode()
        assert "2026-01-31" in page
        assert "holder not verified" in page
        with tenancy.use(market.pk):
            assert Statement.objects.get().state == "payable"
