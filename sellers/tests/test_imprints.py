"""Who runs the marketplace, at the foot of sellers' pages and letters."""

from datetime import UTC, datetime

import pytest
from django.core import mail
from django.test import Client

from marketplace import tenancy, versions
from marketplace.models import LegalIdentity, Marketplace
from marketplace.tests import make as floor
from sellers import letters, members
from sellers.tests import make

pytestmark = pytest.mark.django_db

AT = datetime(2026, 9, 9, 3, tzinfo=UTC)
LINE = "장터 주식회사 · representative 김대표"
NOTICE = "장터 주식회사 is an intermediary of mail-order sales and no party to them."


@pytest.fixture
def market():
    return floor.marketplace("ours", locale="en")


def publish(market, **fields):
    with tenancy.use(market.pk):
        row = versions.draft(
            LegalIdentity,
            valid_from=market.first_open_on,
            by=None,
            company="장터 주식회사",
            representative="김대표",
            **fields,
        )
        versions.publish(row, by=None, at=AT)


def page(address="/s/ours/apply/"):
    client = Client(headers={"accept-language": "en"})
    return client.get(address).content.decode()


class TestPages:
    def test_say_who_runs_the_marketplace_and_that_it_is_no_party(self, market):
        assert "<footer" not in page()
        publish(market)
        floor.marketplace("elsewhere")
        assert LINE in page()
        assert NOTICE in page()
        assert "<footer" not in page("/s/elsewhere/apply/")
        assert "<footer" not in page("/nowhere/")

    def test_say_no_such_thing_where_the_marketplace_sells_itself(self, market):
        publish(market, is_intermediary=False)
        assert LINE in page()
        assert NOTICE not in page()


class TestLetters:
    def test_end_with_who_runs_the_marketplace(self, market):
        publish(market, intermediary_notice="We only bring <you> together.")
        with tenancy.use(market.pk):
            seller = make.seller("A")
            row = members.invite(
                seller, email="new@example.org", role="staff", by=floor.user(), at=AT
            )
        letters.invitation(row, "https://example.org/i", at=AT)
        assert mail.outbox[0].body.endswith(f"--\n{LINE}\nWe only bring <you> together.\n")

    def test_end_as_before_without_an_identity(self, market):
        with tenancy.use(market.pk):
            seller = make.seller("A")
            row = members.invite(
                seller, email="new@example.org", role="staff", by=floor.user(), at=AT
            )
        letters.invitation(row, "https://example.org/i", at=AT)
        assert "--" not in mail.outbox[0].body
        assert Marketplace.objects.count() == 1
