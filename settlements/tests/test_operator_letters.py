"""Operators are told by one mail what a night found, and nothing after a good one."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail.backends import locmem
from django.db import connection

from marketplace import tasks, tenancy
from marketplace.models import JobRun, Marketplace, OutboxMessage
from marketplace.tests import make as floor
from settlements import nights, operator_letters
from settlements.tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(settings):
    settings.SITE_ADDRESS = "https://sellers.example.com"


def market_named(slug):
    """A marketplace that writes in English."""
    market = make.market(slug)
    with tenancy.use(market.pk):
        Marketplace.objects.filter(pk=market.pk).update(locale="en", name="Jangteo")
    return Marketplace.objects.get(pk=market.pk)


class TestMorning:
    DAY = date(2026, 9, 1)
    AT = datetime(2026, 9, 1, 18, tzinfo=UTC)  # three in the morning of the day after, in Seoul

    @pytest.fixture
    def night(self):
        market = market_named("jangteo")
        for role in ("owner", "finance", "support", "viewer"):
            floor.membership(market, floor.user(f"{role}@example.org"), role)
        stranger = market_named("other")
        floor.membership(stranger, floor.user("stranger@example.org"), "owner")
        nights.close_day(market.pk, self.DAY, at=self.AT)
        return market

    def found(self, market, **counts):
        with tenancy.use(market.pk):
            job = JobRun.objects.get(kind="night.check")
            JobRun.objects.filter(pk=job.pk).update(counts=job.counts | counts)

    def tell(self, market, at=AT):
        return operator_letters.tell(market.pk, self.DAY, now=lambda: at)

    def test_is_silent_after_a_good_night(self, night):
        self.tell(night)
        assert not mail.outbox

    def test_names_what_was_found_with_its_pages(self, night):
        self.found(night, holds_stuck=2, money_on_suspense=12_000)
        self.tell(night)
        [letter] = mail.outbox
        assert letter.to == ["finance@example.org", "owner@example.org"]
        assert letter.subject == "[Jangteo] The night of 2026-09-01: 2 to look at"
        desk = "https://sellers.example.com/admin/settlements"
        assert letter.body == (
            "The night of 2026-09-01 of Jangteo found something that a person should look at.\n"
            f"\n■ Holds without a way out: 2\n{desk}/statement/nights/\n"
            f"\n■ Money on suspense: ₩12,000\n{desk}/discrepancy/?state__exact=open\n"
            "\nWhat each of them means, and the rows that it is about:\n"
            f"{desk}/statement/nights/\n"
        )

    def test_is_told_in_the_language_of_the_marketplace(self, night):
        with tenancy.use(night.pk):
            Marketplace.objects.filter(pk=night.pk).update(locale="ko")
        night.refresh_from_db()
        self.found(night, holds_stuck=2)
        self.tell(night)
        assert mail.outbox[0].subject == "[Jangteo] 2026-09-01 야간 마감: 확인할 항목 1건"

    def test_says_nothing_of_a_night_that_is_caught_up_with(self, night):
        self.found(night, holds_stuck=2)
        self.tell(night, at=self.AT + timedelta(days=1))
        assert not mail.outbox

    def test_is_told_once_whatever_asks_for_it(self, night):
        self.found(night, holds_stuck=2)
        assert self.tell(night)
        assert not self.tell(night)
        assert len(mail.outbox) == 1

    def test_is_told_once_the_mail_server_is_there_again(self, night, monkeypatch):
        self.found(night, holds_stuck=2)

        def gone(_):
            raise ConnectionRefusedError

        with monkeypatch.context() as patch:
            patch.setattr(locmem.EmailBackend, "open", gone)
            with pytest.raises(ConnectionRefusedError):
                self.tell(night)
        assert self.tell(night)
        assert len(mail.outbox) == 1

    def test_is_not_sent_without_an_address_of_its_pages(self, night, settings):
        self.found(night, holds_stuck=2)
        settings.SITE_ADDRESS = ""
        assert not self.tell(night)
        assert not mail.outbox

    @pytest.mark.django_db(transaction=True)
    def test_is_sent_outside_any_transaction(self, night, monkeypatch):
        inside = []
        send = locmem.EmailBackend.send_messages

        def watched(backend, messages):
            inside.append(connection.in_atomic_block)
            return send(backend, messages)

        monkeypatch.setattr(locmem.EmailBackend, "send_messages", watched)
        self.found(night, holds_stuck=2)
        assert self.tell(night)
        assert inside == [False]

    @pytest.mark.django_db(transaction=True)
    def test_is_sent_once(self, night, monkeypatch):
        monkeypatch.setattr(tasks.timezone, "now", lambda: self.AT)
        self.found(night, holds_stuck=2)
        with tenancy.use(night.pk):
            message = OutboxMessage.objects.get(topic="night.closed")
        for _ in range(2):
            tasks.deliver(
                marketplace_id=night.pk,
                message_id=str(message.pk),
                topic=message.topic,
                payload=message.payload,
            )
        assert len(mail.outbox) == 1
