"""How money is let go, held and worked out, from the first page to the end, in a real browser.

What these journeys change is of a shop of their own.
"""

from dataclasses import dataclass
from datetime import date

import pytest
from django.conf import settings

from marketplace import tenancy
from marketplace.models import Approval
from marketplace.tests import make as floor
from orders.tests import make
from sellers.models import Seller
from sellers.tests.make import member
from settlements.models import Hold, Payout, PayoutBatch, Statement
from settlements.tests import make as settled
from tests.faces.visiting import session_of
from tests.faces.world import AT

pytestmark = pytest.mark.django_db

SHOP = "여정책방"
PAYABLE = 123_400


@dataclass
class People:
    """A shop with something to be paid, its owner, and two operators who have just logged in."""

    seller: Seller
    owner: str
    asker: str
    decider: str


@pytest.fixture(scope="module")
def people(world, django_db_blocker) -> People:
    with django_db_blocker.unblock():
        with tenancy.use(world.alpha.pk):
            seller = make.seller("J2", name=SHOP, business_number="1208147539")
            owner = member(seller, "journey-money@alpha.example")
            settled.account(seller, at=AT)
            settled.payable(seller, PAYABLE, due_on=date(2026, 3, 20))
        decider = floor.user("second@alpha.example")
        floor.membership(world.alpha, decider, "finance")
        return People(
            seller,
            session_of(owner),
            session_of(world.operator, is_fresh=True),
            session_of(decider, is_fresh=True),
        )


@pytest.fixture
def at_desk(visit, world):
    """Makes operators of alpha at a desk, each with a session of their own."""
    visitors = []

    def at_desk(session):
        visitor = visit()
        visitor.add_cookie(settings.SESSION_COOKIE_NAME, session)
        visitor.choose(world.alpha)
        visitors.append(visitor)
        return visitor

    yield at_desk
    for visitor in visitors:
        assert [each for each in visitor.complaints if "422" not in each] == []


@pytest.fixture
def phone(visit, people):
    """The shop's owner, Korean, with a phone in the hand."""
    visitor = visit(width=390)
    visitor.add_cookie(settings.SESSION_COOKIE_NAME, people.owner)
    yield visitor
    assert visitor.complaints == []


@pytest.fixture
def alpha(world):
    with tenancy.use(world.alpha.pk):
        yield world.alpha


class TestPayoutApproval:
    def test_takes_a_second_person(self, at_desk, people, phone, alpha):
        asker, decider = at_desk(people.asker), at_desk(people.decider)
        page = asker.page
        asker.open("/admin/settlements/payoutbatch/waiting/")
        page.get_by_role("button", name="일괄지급 준비").click()
        page.get_by_role("link", name="승인 요청").click()
        page.get_by_label("사유").fill("3월 정기 지급")
        page.get_by_role("button", name="승인 요청").click()
        page.wait_for_load_state()
        payout = Payout.objects.select_related("batch").get(seller=people.seller)
        assert (payout.amount, payout.state, payout.batch.state) == (
            PAYABLE,
            "prepared",
            "prepared",
        )
        asked = Approval.objects.waiting().about(payout.batch).get()
        address = f"/admin/marketplace/approval/{asked.pk}/change/"
        asker.open(address)
        assert page.get_by_role("button", name="승인", exact=True).count() == 0

        decider.open(address)
        decider.page.get_by_role("button", name="승인", exact=True).click()
        decider.page.wait_for_load_state()
        batch = PayoutBatch.objects.get(pk=payout.batch_id)
        assert batch.state == PayoutBatch.State.APPROVED
        asked.refresh_from_db()
        assert asked.decided_by.email == "second@alpha.example"
        assert Statement.objects.get(seller=people.seller).state == Statement.State.IN_PAYOUT
        phone.open("/s/alpha/payouts/")
        assert f"{PAYABLE:,}원" in phone.page.locator("main").inner_text()
        assert phone.overflow() <= 0
        assert phone.unreadable() == []


class TestHold:
    def test_is_placed_read_by_the_seller_and_released(self, at_desk, people, phone, alpha):
        desk = at_desk(people.asker)
        page = desk.page
        desk.open("/admin/settlements/hold/place/")
        page.locator("[name=kind]").select_option("line")
        page.locator("[name=seller]").fill("J2")
        page.locator("[name=amount]").fill("20,000")
        page.locator("[name=reason]").select_option("document")
        page.locator("[name=note]").fill("사업자등록증 사본을 기다립니다")
        page.get_by_role("button", name="보류 등록").click()
        page.wait_for_load_state()
        assert not Hold.objects.filter(seller=people.seller).exists()  # nothing would end it
        page.locator("[name=condition]").fill("사본을 확인하면")
        page.get_by_role("button", name="보류 등록").click()
        page.wait_for_load_state()
        hold = Hold.objects.get(seller=people.seller)
        assert (hold.state, hold.amount) == ("placed", 20_000)

        phone.open("/s/alpha/holds/")
        told = phone.page.locator("main").inner_text()
        assert "사업자등록증 사본을 기다립니다" in told
        assert "20,000원" in told
        assert "사본을 확인하면" in told
        assert phone.overflow() <= 0
        assert phone.unreadable() == []

        page.get_by_role("link", name="보류 해제").click()
        page.get_by_label("사유").fill("사본을 받았습니다")
        page.get_by_role("button", name="보류 해제").click()
        page.wait_for_load_state()
        hold.refresh_from_db()
        assert (hold.state, hold.release_note) == ("released", "사본을 받았습니다")
        phone.open("/s/alpha/holds/")
        assert "해제된 보류" in phone.page.locator("main").inner_text()


class TestSimulator:
    def test_says_what_is_kept_and_what_price_keeps_it(self, phone, people, alpha):
        page = phone.page
        phone.open("/s/alpha/simulator/")
        page.locator("[name=unit_price]").fill("100,000")
        page.get_by_role("button", name="계산하기").click()
        page.wait_for_load_state()
        kept = page.locator("table.sum tr.result .number").first.inner_text()
        amount = int(kept.removesuffix("원").replace(",", ""))
        lines = page.locator("table.sum tr .number").all_inner_texts()
        parts = [int(text.removesuffix("원").replace(",", "")) for text in lines]
        assert parts[0] == 100_000
        assert parts[0] - sum(parts[1:-1]) == parts[-1] == amount
        assert 0 < amount < 100_000

        phone.open("/s/alpha/simulator/")
        page.locator("[name=wanted]").fill(str(amount))
        page.get_by_role("button", name="계산하기").click()
        page.wait_for_load_state()
        again = page.locator("table.sum tr.result .number").first.inner_text()
        assert int(again.removesuffix("원").replace(",", "")) >= amount
