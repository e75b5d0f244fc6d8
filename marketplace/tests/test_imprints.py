"""Who runs a marketplace, as its papers, pages and letters tell it."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import translation

from marketplace import imprints, tenancy, versions
from marketplace.models import LegalIdentity
from marketplace.tests import make

FULL = {
    "company": "장터 주식회사",
    "representative": "김대표",
    "business_number": "220-81-62517",
    "mail_order_report": "제2026-서울강남-00001호",
    "address": "서울 1",
    "phone": "02-555-0100",
    "contact_email": "help@example.org",
    "purchase_safety_service": "에스크로",
    "business_type": "서비스업",
    "business_item": "통신판매중개",
}


def identity(**fields):
    return LegalIdentity(**{**FULL, **fields})


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


class TestOf:
    def test_is_nobody_without_an_identity(self):
        assert imprints.of(None) is None

    def test_tells_what_the_law_wants_on_pages_in_one_line(self):
        assert imprints.of(identity()).line == (
            "장터 주식회사 · representative 김대표 · business registration number 220-81-62517 · "
            "mail-order sales report 제2026-서울강남-00001호 · address 서울 1 · "
            "phone 02-555-0100 · contact e-mail help@example.org · "
            "purchase safety service 에스크로"
        )

    def test_leaves_out_what_is_missing(self):
        only = dict.fromkeys(FULL, "") | {"company": "장터"}
        assert imprints.of(identity(**only)).line == "장터"

    def test_says_in_the_operators_words_that_it_is_no_party(self):
        assert imprints.of(identity()).notice.startswith("장터 주식회사 is an intermediary")
        own = identity(intermediary_notice="우리는 중개자입니다.")
        assert imprints.of(own).notice == "우리는 중개자입니다."

    def test_says_nothing_of_the_kind_where_the_marketplace_sells_itself(self):
        own = identity(is_intermediary=False, intermediary_notice="우리는 중개자입니다.")
        assert imprints.of(own).notice == ""


class TestMissing:
    def test_is_nothing_of_a_full_one(self):
        assert imprints.missing(identity()) == []

    def test_is_everything_but_the_name_without_one(self):
        assert len(imprints.missing(None)) == len(FULL) - 1

    @pytest.mark.parametrize("number", ["", "12345"])
    def test_is_a_number_that_nobody_takes(self, number):
        [missing] = imprints.missing(identity(business_number=number))
        assert missing.label == "business registration number"
        assert missing.used_for == "statements, tax invoices, the foot of pages and letters"


@pytest.mark.django_db
class TestIdentityOf:
    def test_is_the_one_in_force_on_the_day(self):
        with tenancy.use(make.marketplace().pk):
            for days, company in ((0, "먼저"), (10, "나중")):
                on = make.FIRST_OPEN_ON + timedelta(days=days)
                row = versions.draft(LegalIdentity, valid_from=on, by=None, company=company)
                versions.publish(row, by=None, at=make.NOON)
            found = [
                imprints.identity_of(make.FIRST_OPEN_ON + timedelta(days=days)) for days in (9, 10)
            ]
            assert [row.company for row in found] == ["먼저", "나중"]
            assert imprints.identity_of(date(2000, 1, 1)) is None


@pytest.mark.django_db
class TestSettingsPage:
    def test_says_what_is_missing_and_what_for(self):
        market = make.marketplace("ours")
        owner = make.user("owner@example.org")
        make.membership(market, owner, "owner")
        with tenancy.use(market.pk):
            row = versions.draft(
                LegalIdentity, valid_from=date(2020, 1, 1), by=None, **(FULL | {"phone": ""})
            )
        client = Client(headers={"accept-language": "en"})
        client.force_login(owner)
        client.post("/admin/choose-marketplace/", {"marketplace": "ours"})
        address = f"/admin/marketplace/marketplace/{market.pk}/change/"
        page = client.get(address).content.decode()
        assert "None is published: papers, pages and letters tell nobody." in page
        asking = client.get(f"/admin/marketplace/legalidentity/{row.pk}/ask/").content.decode()
        assert "phone is missing. It is wanted for: statements, the foot of pages" in asking
        with tenancy.use(market.pk):
            versions.publish(row, by=None, at=make.NOON)
        page = client.get(address).content.decode()
        assert "장터 주식회사 · representative 김대표" in page
        assert "<li>phone – statements, the foot of pages and letters</li>" in page
        assert "<li>representative" not in page
