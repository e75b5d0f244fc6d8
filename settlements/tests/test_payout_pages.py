"""Payouts on pages and over HTTP: who sees what, who may decide, and with which proof."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from marketplace import approvals, states, tenancy, versions
from marketplace.models import Approval, OutboxMessage, User
from marketplace.tests import make as people
from sellers import letters
from sellers.models import SellerMember
from settlements import payout_sending, payouts
from settlements.gateways import sandbox
from settlements.models import Payout, PayoutBatch, PayoutException, PayoutPolicy, Statement
from settlements.tests import make
from settlements.tests.test_transfer_files import as_bank

pytestmark = pytest.mark.django_db

AT = make.AT
FIRST = make.FIRST_OPEN_ON
BATCHES = "/admin/settlements/payoutbatch/"
PAYOUTS = "/admin/settlements/payout/"
EXCEPTIONS = "/admin/settlements/payoutexception/"


@pytest.fixture
def market():
    return make.market("ours")


@pytest.fixture
def sellers(market):
    """A, who can be paid; F, whose account fails; N, without an account."""
    with tenancy.use(market.pk):
        found = {code: make.seller(code) for code in "AFN"}
        make.account(found["A"])
        make.account(found["F"], ending=sandbox.FAILS)
        for number, seller in enumerate(found.values(), 1):
            make.payable(seller, number * 1_000)
        make.payable(found["A"], 500, due_on=FIRST - timedelta(days=1))
    return found


@pytest.fixture
def batch(market, sellers):
    with tenancy.use(market.pk):
        [batch] = payouts.prepare(on=FIRST, at=AT)
    return batch


def operator(market, name="finance", role="finance", *, is_fresh=True):
    """Somebody at work in a marketplace; whose log-in is of just now, unless it is not."""
    user = User.objects.filter(email=f"{name}@example.org").first()
    if user is None:
        user = people.user(f"{name}@example.org")
        people.membership(market, user, role)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
    if is_fresh:
        session = client.session
        record_authentication(SimpleNamespace(session=session), user, method="password")
        session.save()
    return client


def shopkeeper(seller, email):
    user = User.objects.create_user(email)
    with tenancy.use(seller.marketplace_id):
        SellerMember.objects.create(user=user, marketplace_id=seller.marketplace_id, seller=seller)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def stored(market, row):
    with tenancy.use(market.pk):
        return type(row).objects.get(pk=row.pk)


def decide(client, row, decision, **data):
    kind = row._meta.model_name
    return client.post(f"/admin/settlements/{kind}/{row.pk}/decide/{decision}/", data, follow=True)


def executed(market, batch):
    """Approve and execute a batch, and let workers serve it."""
    with tenancy.use(market.pk):
        row = PayoutBatch.objects.get(pk=batch.pk)
        states.move(row, PayoutBatch.State.APPROVED, by=None, at=AT)
        payouts.execute(row, by=None, at=AT)
        ids = list(row.rows.values_list("pk", flat=True))
    for payout_id in ids:
        payout_sending.serve(market.pk, payout_id, now=lambda: AT)


class TestBatch:
    def test_shows_what_can_be_paid_and_why_not_the_rest(self, market, sellers):
        page = operator(market).get(f"{BATCHES}waiting/").content.decode()
        assert "2 payouts can be prepared" in page
        assert "No bank account" in page

    def test_is_prepared_by_hand(self, market, sellers):
        client = operator(market)
        page = client.post(f"{BATCHES}waiting/", follow=True).content.decode()
        assert "1 prepared." in page
        with tenancy.use(market.pk):
            assert PayoutBatch.objects.get().prepared_by.email == "finance@example.org"
        again = client.post(f"{BATCHES}waiting/", follow=True).content.decode()
        assert "No statement can be paid now" in again

    def test_goes_out_by_two_people_who_prove_who_they_are(self, market, batch):
        asker, decider = operator(market), operator(market, "second")
        decide(asker, batch, "ask-approval", reason="정기 지급")
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
        page = f"/admin/marketplace/approval/{approval.pk}/change/"
        decider.post(page, {"decision": "approve", "reason": ""})
        assert stored(market, batch).state == PayoutBatch.State.APPROVED
        decide(asker, batch, "execute", reason="")
        assert stored(market, batch).state == PayoutBatch.State.EXECUTING

    def test_asks_a_stale_log_in_who_it_is(self, market, batch):
        stale = operator(market, is_fresh=False)
        answer = stale.post(f"{BATCHES}{batch.pk}/decide/ask-approval/", {"reason": "정기 지급"})
        assert answer.status_code == 302
        assert answer.url.startswith("/accounts/reauthenticate/?next=")
        with tenancy.use(market.pk):
            user = User.objects.get(email="finance@example.org")
            approval = payouts.ask_for_approval(batch, by=user, at=AT, reason="x")
        other = operator(market, "second", is_fresh=False)
        page = f"/admin/marketplace/approval/{approval.pk}/change/"
        assert other.post(page, {"decision": "approve"}).url.startswith("/accounts/reauth")
        assert stored(market, batch).state == PayoutBatch.State.PREPARED

    def test_is_only_looked_at_by_a_viewer(self, market, batch):
        viewer = operator(market, "viewer", "viewer")
        page = viewer.get(f"{BATCHES}{batch.pk}/change/")
        assert page.status_code == 200
        assert "decide/cancel" not in page.content.decode()
        assert decide(viewer, batch, "cancel", reason="x").status_code == 403
        assert viewer.post(f"{BATCHES}waiting/").status_code == 403
        assert viewer.get(f"{BATCHES}{batch.pk}/file/").status_code == 403

    def test_does_not_exist_for_a_stranger(self, market, batch):
        stranger = operator(make.market("theirs"), "stranger", "owner")
        for below in ("change/", "decide/cancel/", "file/"):
            assert stranger.get(f"{BATCHES}{batch.pk}/{below}").status_code == 404

    def test_is_decided_on_by_sending_the_form_and_not_by_opening_it(self, market, batch):
        with tenancy.use(market.pk):
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
        page = operator(market).get(f"{BATCHES}{batch.pk}/decide/execute/")
        assert page.status_code == 200
        assert not page.context["form"].is_bound
        assert stored(market, batch).state == PayoutBatch.State.APPROVED

    def test_is_scheduled_stopped_and_cancelled(self, market, batch):
        client = operator(market)
        with tenancy.use(market.pk):
            states.move(
                PayoutBatch.objects.get(pk=batch.pk), PayoutBatch.State.APPROVED, by=None, at=AT
            )
        past = decide(client, batch, "schedule", scheduled_at="2026-01-01T09:00")
        assert "still to come" in past.content.decode()
        later = timezone.localtime() + timedelta(days=2)
        decide(client, batch, "schedule", scheduled_at=later.strftime("%Y-%m-%dT%H:%M"))
        assert stored(market, batch).state == PayoutBatch.State.SCHEDULED
        decide(client, batch, "unschedule")
        decide(client, batch, "execute")
        decide(client, batch, "stop", reason="금액 확인")
        decide(client, batch, "cancel", reason="금액 확인")
        assert stored(market, batch).state == PayoutBatch.State.CANCELLED
        with tenancy.use(market.pk):
            assert Statement.objects.filter(state=Statement.State.PAYABLE).count() == 4

    def test_gives_its_file_and_takes_the_results(self, market, sellers):
        with tenancy.use(market.pk):
            on = FIRST + timedelta(days=1)
            draft = versions.draft(PayoutPolicy, valid_from=on, by=None, gateway="bank_csv")
            versions.publish(draft, by=None, at=AT)
            [batch] = payouts.prepare(on=on, at=AT)
        client = operator(market)
        page = client.get(f"{BATCHES}{batch.pk}/file/", follow=True)
        assert "The file is there once" in page.content.decode()
        executed(market, batch)
        answer = client.get(f"{BATCHES}{batch.pk}/file/")
        assert answer["Content-Disposition"] == f'attachment; filename="{batch.public_id}.csv"'
        content = as_bank("bank_csv", answer.content, 0)
        for said in ("The file was taken", "This file was taken before"):
            file = SimpleUploadedFile("결과.csv", content)
            page = decide(client, batch, "results", file=file).content.decode()
            assert said in page
        assert stored(market, batch).state == PayoutBatch.State.COMPLETED


class TestPayout:
    def test_tells_its_story(self, market, batch):
        executed(market, batch)
        with tenancy.use(market.pk):
            failed = Payout.objects.get(state="failed")
        page = operator(market).get(f"{PAYOUTS}{failed.pk}/change/").content.decode()
        assert "There is no such account" in page
        assert "Payout failed" in page
        assert "1101234" not in page

    def test_takes_the_banks_word_from_two_people(self, market, batch):
        with tenancy.use(market.pk):
            payout = Payout.objects.order_by("pk").first()
            Payout.objects.filter(pk=payout.pk).update(state="unknown", sent_at=AT)
        decide(operator(market), payout, "result", outcome="failed", reason="은행 확인")
        assert stored(market, payout).state == "unknown"
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
            approvals.refuse(approval, by=people.user("x@example.org"), at=AT, reason="아님")
        assert stored(market, payout).state == "unknown"

    def test_releases_an_account(self, market, batch):
        executed(market, batch)
        with tenancy.use(market.pk):
            failed = Payout.objects.get(state="failed")
        decide(operator(market), failed, "release-account", reason="은행 장애")
        assert stored(market, failed).released_at is not None


class TestException:
    def test_is_resolved_with_what_was_found_out(self, market, batch):
        with tenancy.use(market.pk):
            row = PayoutException.objects.create(kind="unknown_id", raised_at=AT, reference="x")
        client = operator(market)
        assert client.get(f"{EXCEPTIONS}{row.pk}/change/").status_code == 200
        decide(client, row, "resolve", reason="다른 회사 이체")
        found = stored(market, row)
        assert (found.state, found.resolution) == ("resolved", "다른 회사 이체")


class TestShop:
    def test_shows_payouts_and_what_each_contains(self, market, sellers, batch):
        executed(market, batch)
        client = shopkeeper(sellers["A"], "a@example.org")
        page = client.get("/s/ours/payouts/").content.decode()
        assert "₩1,500" in page
        with tenancy.use(market.pk):
            own = Payout.objects.get(seller=sellers["A"])
        page = client.get(f"/s/ours/payouts/{own.public_id}/").content.decode()
        assert ("₩1,000" in page, "₩500" in page) == (True, True)
        neighbour = shopkeeper(sellers["N"], "n@example.org")
        assert neighbour.get(f"/s/ours/payouts/{own.public_id}/").status_code == 404

    def test_tells_what_keeps_the_money_and_what_to_do(self, market, sellers, batch):
        executed(market, batch)
        page = shopkeeper(sellers["N"], "n@example.org").get("/s/ours/payouts/").content.decode()
        assert "Register the account to be paid to" in page
        client = shopkeeper(sellers["F"], "f@example.org")
        page = client.get("/s/ours/payouts/").content.decode()
        assert "A payout to this account failed" in page
        with tenancy.use(market.pk):
            payout = Payout.objects.get(seller=sellers["F"])
            statement = Statement.objects.get(seller=sellers["F"])
        page = client.get(f"/s/ours/payouts/{payout.public_id}/").content.decode()
        assert "There is no such account" in page
        page = client.get(f"/s/ours/statements/{statement.public_id}/").content.decode()
        assert "A payout to this account failed" in page

    def test_is_told_by_mail_what_did_not_arrive(self, market, sellers, batch, mailoutbox):
        executed(market, batch)
        shopkeeper(sellers["F"], "f@example.org")
        with tenancy.use(market.pk):
            message = OutboxMessage.objects.get(topic="payout.failed")
            market.state = market.State.LIVE
            letters.payout_failed(market, at=AT, **message.payload)
        [letter] = mailoutbox
        assert letter.to == ["f@example.org"]
        assert message.payload["payout"] in letter.body
        assert "다시 등록" in letter.body

    def test_costs_the_same_for_any_number(self, market, sellers, django_assert_num_queries):
        client = shopkeeper(sellers["N"], "n@example.org")
        client.get("/s/ours/payouts/")
        with tenancy.use(market.pk):
            for day in range(2, 12):
                make.payable(sellers["N"], 10, due_on=FIRST - timedelta(days=day))
        with django_assert_num_queries(22):
            client.get("/s/ours/payouts/")


class TestApi:
    def test_lists_ones_own_with_their_statements(self, market, sellers, batch):
        executed(market, batch)
        own = people.ApiClient(people.api_key(market, seller=sellers["A"].public_id))
        [found] = own.read("payouts/").json()["data"]
        assert (found["state"], found["amount"]) == ("paid", {"amount": 1_500, "currency": "KRW"})
        assert [row["amount"]["amount"] for row in found["statements"]] == [500, 1_000]
        assert "number" not in found
        shop = people.ApiClient(people.api_key(market))
        assert len(shop.read("payouts/").json()["data"]) == 2
        [failed] = shop.read("payouts/?state=failed").json()["data"]
        assert failed["reason"] == "no_such_account"
        other = people.ApiClient(people.api_key(market, seller=sellers["N"].public_id))
        assert other.read("payouts/").json()["data"] == []
        assert other.read(f"payouts/{found['id']}/").status_code == 404
        assert own.read(f"payouts/{found['id']}/").json() == found
