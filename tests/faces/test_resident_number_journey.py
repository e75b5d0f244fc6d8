"""A resident number from the seller's phone to the report, in a real browser."""

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings

from marketplace import tenancy
from orders.tests import make
from sellers.tests.make import member
from settlements.models import ResidentNumber
from settlements.tests import make as settled
from tests.faces.test_pages import look
from tests.faces.visiting import session_of
from tests.faces.world import AT

pytestmark = pytest.mark.django_db

SHOW = "/s/alpha/tax/resident-number/"
ENTER = f"{SHOW}enter/"
INVOICES = "/admin/settlements/residentnumber/invoices/?month=2026-02"


@pytest.fixture(scope="module")
def host(world, django_db_blocker):
    """Somebody who is paid for personal services and was sent a tax invoice, and the sessions."""
    with django_db_blocker.unblock():
        with tenancy.use(world.alpha.pk):
            seller = make.seller("N1", name="방송인", seller_type="individual")
            owner = member(seller, "journey-host@alpha.example")
            settled.contract(seller, valid_from=date(2026, 4, 1), income_kind="service", at=AT)
            settled.tax_invoice(seller, month=date(2026, 2, 1))
        return session_of(owner, is_fresh=True), session_of(world.operator, is_fresh=True)


@pytest.fixture
def desks(visit, world, host):
    """The owner with a phone in English, and an operator at a desk in Korean."""
    phone, desk = visit(language="en", width=390), visit(language="ko", width=1280)
    for visitor, session in zip((phone, desk), host, strict=True):
        visitor.add_cookie(settings.SESSION_COOKIE_NAME, session)
    desk.choose(world.alpha)
    return phone, desk


class TestResidentNumber:
    def test_goes_from_the_phone_into_the_report(self, desks, world):
        phone, desk = desks
        complaints = look(phone, SHOW) + look(phone, ENTER)
        page = phone.page
        page.get_by_label("Resident or foreigner registration number").fill("900101-1234568")
        page.get_by_role("button", name="Keep the number").click()
        page.get_by_text("900101-*******").wait_for()
        assert "1234568" not in page.content()
        complaints += look(phone, SHOW)

        complaints += look(desk, INVOICES)
        page = desk.page
        assert page.get_by_role("row", name="방송인").get_by_text("입력됨").is_visible()
        page.get_by_label("사유").fill("2월분 발급")
        with page.expect_download() as download:
            page.get_by_role("button", name="주민등록번호 포함 다운로드").click()
        content = Path(download.value.path()).read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            texts = [files.read(name).decode() for name in files.namelist()]
        assert sum("<ID>9001011234568</ID>" in text for text in texts) == 1
        with tenancy.use(world.alpha.pk):
            row = ResidentNumber.objects.get(seller__code="N1")
            complaints += look(desk, f"/admin/settlements/residentnumber/{row.pk}/change/")
        assert not complaints, "\n".join(complaints)
