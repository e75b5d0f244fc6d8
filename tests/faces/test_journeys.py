"""What people come for, from its first page to its end, in a real browser.

What these journeys change is of a shop and of an applicant of their own.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.conf import settings

from listings.models import Finding, Listing, Revision
from marketplace import tenancy
from marketplace.models import User
from orders import claims
from orders.models import Claim, OrderLine, Shipment
from orders.tests import make
from sellers import applying
from sellers.models import Seller
from sellers.tests.make import application, member
from settlements.models import SettlementLine, Statement
from tests.faces.visiting import session_of

pytestmark = pytest.mark.django_db

TEA = "보리차 선물세트"
POT = "옹기 주전자"
CUP = "손잡이 찻잔"
APPLICANT = "여정꽃집"
# 225,900 × 8 % = 18,072 → 18,072(버림); 부가세 별도 1,807.2 → 1,807(반올림)
_BY_HAND = re.compile(
    r"([\d,]+) × ([\d.]+) % = [\d,.]+ → ([\d,]+)\(버림\); 부가세 별도 [\d,.]+ → ([\d,]+)\(반올림\)"
)


@dataclass
class Shop:
    seller: Seller
    owner: User
    session: str


@pytest.fixture(scope="module")
def shop(world, django_db_blocker) -> Shop:
    """A shop of alpha with an order to ship, a return to answer, and an exchange agreed to."""
    with django_db_blocker.unblock():
        with tenancy.use(world.alpha.pk):
            seller = make.seller("J1", name="여정찻집", business_number="1208147521")
            owner = member(seller, "journey@alpha.example")
            make.accepted(make.order("JOURNEY-1", [make.line(1, "J1", 12_000, 2, title=TEA)]))
            make.told(make.event("paid", 0, order="JOURNEY-1"))
            [pot] = make.delivered(make.line(1, "J1", 45_000, title=POT), number="JOURNEY-2")
            words = {"fault": "seller", "reason": "주둥이가 깨져 있어요"}
            told = {"by": None, "at": make.day(3)}
            claims.request(pot, type="return", quantity=1, **words, **told)
            [cup] = make.delivered(make.line(1, "J1", 18_000, title=CUP), number="JOURNEY-3")
            words = {"fault": "seller", "reason": "손잡이에 금이 가 있어요"}
            exchange = claims.request(cup, type="exchange", quantity=1, **words, **told)
            claims.approve(exchange, **told)
        return Shop(seller, owner, session_of(owner))


@pytest.fixture(scope="module")
def applicant(world, django_db_blocker) -> Seller:
    with django_db_blocker.unblock(), tenancy.use(world.alpha.pk):
        user = User.objects.create_user("applicant@alpha.example")
        told = application(shop_name=APPLICANT, business_number="214-88-12345")
        return applying.apply(told, by=user, at=make.MONDAY)


@pytest.fixture
def phone(visit, shop):
    """The shop's owner, Korean, with a phone in the hand."""
    visitor = visit(width=390)
    visitor.add_cookie(settings.SESSION_COOKIE_NAME, shop.session)
    yield visitor
    assert _unexpected(visitor) == []


@pytest.fixture
def desk(visit, world):
    """The operator of alpha at a desk."""
    visitor = visit(world.operator)
    visitor.choose(world.alpha)
    yield visitor
    assert _unexpected(visitor) == []


@pytest.fixture
def alpha(world):
    with tenancy.use(world.alpha.pk):
        yield world.alpha


def _unexpected(visitor) -> list[str]:
    """What went wrong besides a form that came back."""
    return [complaint for complaint in visitor.complaints if "422" not in complaint]


class TestSeller:
    def test_ships_an_order(self, phone, shop, alpha):
        page = phone.page
        phone.open("/s/alpha/")
        page.get_by_role("link", name="확인할 신규 주문 1건").click()
        page.get_by_role("link", name="JOURNEY-1").click()
        assert page.get_by_role("spinbutton", name=f"“{TEA}” 수량").input_value() == "2"

        page.get_by_label("택배사").select_option(label="CJ대한통운")
        page.get_by_label("송장번호").fill("12345")
        page.get_by_role("button", name="발송 처리").click()
        assert "송장번호가 아닙니다" in page.locator(".invalid-feedback").inner_text()
        assert not Shipment.objects.filter(seller=shop.seller).exists()

        page.get_by_label("송장번호").fill("6891-2345-6784")
        page.get_by_role("button", name="발송 처리").click()
        assert page.locator("#messages").inner_text().startswith("발송 처리했습니다.")
        assert page.locator("main .state").first.inner_text() == "발송완료"
        parcel = Shipment.objects.get(seller=shop.seller)
        assert (parcel.carrier, parcel.tracking_number) == ("cj", "689123456784")
        assert parcel.shipped_by == shop.owner
        assert list(parcel.lines.values_list("line__title", "quantity")) == [(TEA, 2)]

    def test_answers_a_claim(self, phone, shop, alpha):
        page = phone.page
        phone.open("/s/alpha/")
        page.get_by_role("link", name="답변할 클레임 1건").click()
        page.get_by_role("link", name="JOURNEY-2").click()
        assert "주둥이가 깨져 있어요" in page.locator("main").inner_text()

        page.get_by_role("button", name="거부").click()
        assert page.locator(".invalid-feedback").count() == 1
        claim = Claim.objects.get(seller=shop.seller, type="return")
        assert claim.state == Claim.State.REQUESTED

        page.get_by_role("button", name="반품 승인").click()
        page.get_by_role("button", name="상품을 받았습니다").click()
        assert page.locator("main .state").first.inner_text() == "완료"
        claim.refresh_from_db()
        assert claim.state == Claim.State.COMPLETED
        assert (claim.line.status, claim.line.units_left) == ("returned", 0)

    def test_exchanges_goods(self, phone, shop, alpha):
        page = phone.page
        phone.open("/s/alpha/claims/")
        page.get_by_role("link", name="JOURNEY-3").click()
        page.get_by_role("button", name="수거 완료").click()
        page.get_by_label("택배사").first.select_option("cj")
        page.get_by_label("송장번호").first.fill("6891-2345-6799")
        page.get_by_role("button", name="발송 처리").click()
        assert page.locator("main .state").first.inner_text() == "재배송중"
        assert "689123456799" in page.locator("main").inner_text()
        assert phone.overflow() == 0
        page.get_by_role("button", name="교환 상품 도착").click()
        assert page.locator("main .state").first.inner_text() == "완료"
        claim = Claim.objects.get(seller=shop.seller, type="exchange")
        assert (claim.state, claim.resent_carrier) == ("completed", "cj")
        assert (claim.line.status, claim.line.units_left) == ("delivered", 1)

    def test_lists_something_and_mends_a_forbidden_word(self, phone, shop, alpha):
        page = phone.page
        phone.open("/s/alpha/listings/")
        page.get_by_role("link", name="상품 등록").first.click()
        page.get_by_label("재고 코드").fill("HOLDER-1")
        page.get_by_label("상품명").fill("전자담배 거치대")
        page.get_by_label("판매 금액").fill("12,900")
        page.get_by_label("생활·주방", exact=True).check()
        page.get_by_role("button", name="저장하고 검사").click()

        assert set(page.locator("mark").all_inner_texts()) == {"전자담배"}
        assert page.get_by_role("button", name="제출").count() == 0
        listing = Listing.objects.get(seller=shop.seller)
        assert list(
            Finding.objects.values_list("rule", "start", "end").filter(revision__listing=listing)
        ) == [("tobacco", 0, 4)]

        page.locator("main").get_by_role("link", name="초안 수정").click()
        page.get_by_label("상품명").fill("휴대폰 거치대")
        page.get_by_role("button", name="저장하고 검사").click()
        assert page.locator("mark").count() == 0
        page.get_by_role("button", name="제출").click()
        assert page.locator("main .state").first.inner_text() == "승인"
        listing.refresh_from_db()
        assert listing.state == Listing.State.ON_SALE
        live = Revision.objects.get(pk=listing.live_revision_id)
        assert (live.title, live.unit_price) == ("휴대폰 거치대", 12_900)


class TestOperator:
    def test_approves_an_application(self, desk, applicant, alpha):
        page = desk.page
        desk.open("/admin/")
        page.get_by_role("link", name="심사할 입점 신청").first.click()
        page.get_by_role("link", name=APPLICANT).first.click()
        page.get_by_role("link", name="승인", exact=True).click()
        assert "지금부터 판매할 수 있습니다" in page.locator("main, #main").inner_text()
        page.get_by_role("button", name="승인", exact=True).click()
        page.wait_for_load_state()
        applicant.refresh_from_db()
        assert applicant.state == Seller.State.ACTIVE

    def test_learns_why_a_line_is_what_it_is(self, desk, world, alpha):
        page = desk.page
        statement = world.first(Statement, lines__gt=0)
        desk.open("/admin/settlements/statement/")
        page.get_by_role("link", name=statement.public_id).click()
        lines = SettlementLine.objects.of_statement(statement)
        line = lines.filter(kind=SettlementLine.Kind.SALE).order_by("-net").first()
        sold = OrderLine.objects.select_related("order").get(pk=line.order_line_id)
        row = page.get_by_role("row").filter(has_text=f"{sold.order.number}/{sold.number}")
        assert row.locator("td").last.inner_text() == f"{line.net:,}원"
        row.get_by_role("link").click()
        page.wait_for_load_state()
        told = page.get_by_role("table", name="항목별 계산 과정").inner_text()
        charged = 0
        for base, percent, fee, vat in _BY_HAND.findall(told):
            by_hand = int(base.replace(",", "")) * Decimal(percent) / 100
            assert int(fee.replace(",", "")) == int(by_hand)
            assert int(vat.replace(",", "")) == (int(by_hand) + 5) // 10
            charged += int(by_hand) + (int(by_hand) + 5) // 10
        assert charged > 0
        assert line.net == line.list_amount - line.seller_discount - charged
