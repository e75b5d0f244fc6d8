"""Attached money: what was held for a creditor leaves by two people, and the books say so."""

import copy
from datetime import date

import pytest
from django.db import ProgrammingError, transaction

from marketplace import approvals, tenancy
from marketplace.models import Approval, Change
from marketplace.tests import make as people
from settlements import attaching, holding, nights, sentinels, verification
from settlements.models import AttachmentPayment, Hold, SellerBalance, Statement
from settlements.tests import make
from settlements.tests.test_payout_pages import decide, operator, shopkeeper

pytestmark = pytest.mark.django_db

AT = make.AT
DUE = date(2026, 9, 11)
NEXT = date(2026, 9, 14)  # the business day after it
NET = 96_700


@pytest.fixture(scope="module")
def settled(rows_of_module):
    """50,000 of a seller's 96,700 are attached, and kept back by the statement of the 11th."""
    terms = holding.Terms(
        reason="attachment",
        note="압류 및 추심명령",
        condition="추심 또는 공탁",
        creditor="주식회사 채권",
        evidence="2026타채17",
    )
    market = make.market("ours", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        seller = make.seller()
        make.sold(seller, unit_price=100_000, category="gold")
        hold = holding.hold_amount(seller, 50_000, terms, by=None, at=AT)
    nights.close_day(market.pk, DUE, at=AT)
    with tenancy.use(market.pk):
        hold.refresh_from_db()
        assert (hold.taken, Statement.objects.get().payout) == (50_000, 46_700)
    return market, hold


@pytest.fixture
def market(db, settled):
    return copy.copy(settled[0])


@pytest.fixture
def hold(market, settled):
    with tenancy.use(market.pk):
        return Hold.objects.get(pk=settled[1].pk)


def paid(hold, amount, kind="deposited"):
    """Asked for by one person and approved by another."""
    asker, decider = (people.user(f"{n}{people.User.objects.count()}@example.org") for n in "ab")
    said = {"payee": "서울중앙지방법원", "evidence": "2026금제7", "reason": "집행공탁"}
    attaching.ask_to_pay(hold, kind=kind, amount=amount, by=asker, at=AT, **said)
    approvals.approve(Approval.objects.waiting().about(hold).get(), by=decider, at=AT)
    hold.refresh_from_db()


def books():
    found = make.balances()
    return found.get("seller_held", 0), found.get("bank", 0)


def differences():
    return [str(each) for each in verification.verify(on=DUE)]


class TestPay:
    def test_takes_it_out_of_what_is_held(self, market, hold):
        with tenancy.use(market.pk):
            assert books() == (50_000, 0)
            paid(hold, 30_000)
            assert (hold.state, hold.taken, hold.amount) == ("placed", 20_000, 20_000)
            assert books() == (20_000, 30_000)
            assert SellerBalance.objects.get().held == 20_000
            row = AttachmentPayment.objects.get()
            assert (row.kind, row.payee, row.amount, row.on) == (
                "deposited",
                "서울중앙지방법원",
                30_000,
                make.FIRST_OPEN_ON,
            )
            assert Change.objects.get(type="hold.paid").object_id == hold.public_id
            assert differences() == []
            assert sentinels.watch(DUE, at=AT)[sentinels.HOLDS_DIFFER] == 0

    def test_ends_the_attachment_with_its_last_won(self, market, hold):
        with tenancy.use(market.pk):
            paid(hold, 30_000)
            paid(hold, 20_000, "collected")
            assert (hold.state, hold.taken) == ("released", 0)
            assert books() == (0, 50_000)
            make.sold(hold.seller, number="O2", unit_price=100_000, category="gold")
        nights.close_day(market.pk, NEXT, at=AT)
        with tenancy.use(market.pk):
            assert Statement.objects.latest("pk").payout == NET
            assert differences() == []

    def test_takes_no_more_than_is_left_from_later_statements(self, market, hold):
        with tenancy.use(market.pk):
            Hold.objects.filter(pk=hold.pk).update(amount=80_000)
            hold.refresh_from_db()
            paid(hold, 50_000)
            assert (hold.taken, hold.amount) == (0, 30_000)
            make.sold(hold.seller, number="O2", unit_price=100_000, category="gold")
        nights.close_day(market.pk, NEXT, at=AT)
        with tenancy.use(market.pk):
            hold.refresh_from_db()
            assert hold.taken == 30_000
            assert Statement.objects.latest("pk").payout == NET - 30_000
            assert differences() == []

    def test_is_for_a_second_person(self, market, hold):
        with tenancy.use(market.pk):
            asker = people.user("asks@example.org")
            said = {"payee": "법원", "evidence": "1", "reason": "공탁", "kind": "deposited"}
            attaching.ask_to_pay(hold, amount=1_000, by=asker, at=AT, **said)
            with pytest.raises(approvals.SamePerson):
                approvals.approve(Approval.objects.waiting().about(hold).get(), by=asker, at=AT)
            assert books() == (50_000, 0)

    def test_refuses_what_cannot_be(self, market, hold):
        said = {"payee": "법원", "evidence": "1", "reason": "공탁", "kind": "deposited"}
        with tenancy.use(market.pk):
            other = holding.hold_amount(
                hold.seller,
                1_000,
                holding.Terms(reason="manual", note="확인", condition="확인"),
                by=None,
                at=AT,
            )
            for row, changed, refusal in (
                (hold, {"amount": 50_001}, attaching.MoreThanHeld),
                (hold, {"amount": 1, "payee": " "}, attaching.PayeeMissing),
                (hold, {"amount": 1, "evidence": ""}, attaching.EvidenceMissing),
                (other, {"amount": 1}, attaching.NotAnAttachment),
            ):
                with pytest.raises(refusal):
                    attaching.ask_to_pay(row, by=None, at=AT, **{**said, **changed})
            assert books() == (50_000, 0)

    def test_stays_as_it_was_recorded(self, market, hold):
        with tenancy.use(market.pk):
            paid(hold, 30_000)
            with pytest.raises(ProgrammingError), transaction.atomic():
                AttachmentPayment.objects.update(amount=1)

    def test_is_missed_by_verify_when_it_is_not_booked(self, market, hold):
        with tenancy.use(market.pk):
            paid(hold, 30_000)
            Hold.objects.filter(pk=hold.pk).update(taken=50_000)
            assert len(differences()) == 1


class TestFaces:
    def test_ask_tell_and_hide(self, market, hold):
        client = operator(market)
        given = {
            "kind": "deposited",
            "payee": "서울중앙지방법원",
            "amount": "30,000",
            "evidence": "2026금제7",
            "reason": "집행공탁",
        }
        page = decide(client, hold, "pay-attachment", **given).content.decode()
        assert "A second person was asked." in page
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
            approvals.approve(approval, by=people.user("second@example.org"), at=AT)
            other = make.seller("B")
            seller = Hold.objects.select_related("seller").get(pk=hold.pk).seller
        page = client.get(f"/admin/settlements/hold/{hold.pk}/change/").content.decode()
        assert "서울중앙지방법원" in page
        page = shopkeeper(seller, "a@example.org").get("/s/ours/holds/").content.decode()
        assert "Deposited with the court" in page
        assert "2026금제7" in page
        page = shopkeeper(other, "b@example.org").get("/s/ours/holds/").content.decode()
        assert "서울중앙지방법원" not in page

    def test_are_for_those_who_may(self, market, hold):
        viewer = operator(market, "viewer", role="viewer")
        answer = viewer.get(f"/admin/settlements/hold/{hold.pk}/decide/pay-attachment/")
        assert answer.status_code == 403
