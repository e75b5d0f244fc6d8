from datetime import timedelta

import pytest
from django.core import mail

from marketplace import sealing, tenancy
from marketplace.models import AuditEntry, OutboxMessage
from marketplace.tests import make as floor
from sellers import bank_accounts, letters, profiles, standing
from sellers.models import BankAccount, Seller, SellerMember
from sellers.tests import make

AT = make.AT
NUMBER = "110-123-456789"


@pytest.fixture
def market(db):
    market = make.marketplace("own", locale="ko")
    with tenancy.use(market.pk):
        yield market


@pytest.fixture
def shop(market):
    return make.seller()


@pytest.fixture
def owner(shop):
    return make.member(shop)


def register(shop, number=NUMBER, *, by=None, at=AT, bank="088"):
    account = bank_accounts.Account(bank=bank, holder="김꽃님", number=number)
    return bank_accounts.register(shop, account, by=by, at=at)


class TestRegister:
    def test_seals_the_number_and_shows_its_end(self, shop, owner):
        row = register(shop, by=owner)
        row.refresh_from_db()
        assert (row.bank, row.ending, row.masked) == ("088", "6789", "***-***-6789")
        assert b"110123456789" not in bytes(row.number)
        assert sealing.reveal(row, "number") == "110123456789"

    def test_pays_to_the_first_one_at_once(self, shop):
        row = register(shop)
        assert row.usable_from == AT
        assert list(BankAccount.objects.usable(AT)) == [row]

    def test_pays_to_a_changed_one_after_the_cooling_period(self, shop):
        first = register(shop)
        later = AT + timedelta(days=10)
        second = register(shop, "110-999-888777", at=later)
        first.refresh_from_db()
        assert first.replaced_at == later
        assert second.usable_from == later + timedelta(days=3)
        assert not BankAccount.objects.usable(second.usable_from - timedelta(seconds=1)).exists()
        assert list(BankAccount.objects.usable(second.usable_from)) == [second]
        assert list(BankAccount.objects.current()) == [second]

    @pytest.mark.parametrize(
        "number", ["1234567", "1" * 17, "110-12a-4567890", "", "１１０１２３４５"]
    )
    def test_refuses_what_is_no_number(self, shop, number):
        with pytest.raises(bank_accounts.NotAnAccountNumber):
            register(shop, number)
        assert not BankAccount.objects.exists()

    def test_refuses_the_account_that_it_has(self, shop):
        register(shop)
        with pytest.raises(bank_accounts.SameAccount):
            register(shop, "110 123 456789")
        assert register(shop, bank="004").bank == "004"  # the same digits at another bank

    @pytest.mark.parametrize(
        ("state", "refusal"),
        [("suspended", standing.ShopStopped), ("terminated", standing.ShopOver)],
    )
    def test_is_refused_to_a_shop_that_was_stopped(self, shop, state, refusal):
        Seller.objects.update(state=state)
        with pytest.raises(refusal):
            register(shop)
        assert not BankAccount.objects.exists()

    def test_tells_the_trail_which_bank_and_never_the_number(self, shop, owner):
        row = register(shop, by=owner)
        entry = AuditEntry.objects.get(action="bankaccount.registered")
        assert (entry.actor, entry.object_key) == (owner, str(row.pk))
        assert entry.data == {"bank": "088", "usable_from": AT.isoformat()}
        assert NUMBER not in repr(bank_accounts.Account(bank="088", holder="x", number=NUMBER))

    def test_announces_a_change_for_the_letters(self, shop):
        register(shop)
        assert not OutboxMessage.objects.exists()
        second = register(shop, "110-999-888777")
        message = OutboxMessage.objects.get(topic="seller.bank_account_changed")
        assert message.payload == {"seller_id": shop.pk, "bank_account": second.public_id}


class TestLetters:
    def changed(self, market, shop, at=AT):
        market.state = market.State.LIVE
        register(shop, at=at)
        row = register(shop, "110-999-888777", at=at)
        letters.bank_account_changed(market, at=at, seller_id=shop.pk, bank_account=row.public_id)
        return {message.to[0]: message for message in mail.outbox}

    def test_warn_owners_and_the_contact_without_the_number(self, market, shop, owner):
        make.member(shop, "staff@example.org", SellerMember.Role.STAFF)
        contact = profiles.Contact(address="a", phone="02-1234-5678", contact_email="c@d.example")
        profiles.change(shop, contact, by=owner, at=AT)
        sent = self.changed(market, shop)
        assert sorted(sent) == ["c@d.example", "seller@example.org"]
        letter = sent["c@d.example"]
        assert letter.subject == "“apple” 정산 계좌가 변경되었습니다"
        assert "신한은행 ***-***-8777" in letter.body
        assert "2026년 3월 5일 9:00 오전" in letter.body or "2026년 3월 5일 오전 9" in letter.body
        assert "999" not in letter.body

    def test_of_a_test_marketplace_reach_its_operators_alone(self, market, shop, owner):
        operator = floor.user("operator@example.org")
        floor.membership(market, operator, "viewer")
        make.member(shop, operator.email, SellerMember.Role.OWNER)
        register(shop)
        row = register(shop, "110-999-888777")
        letters.bank_account_changed(market, at=AT, seller_id=shop.pk, bank_account=row.public_id)
        assert [letter.to for letter in mail.outbox] == [["operator@example.org"]]

    def test_reach_the_contact_address_of_before_for_a_month(self, market, shop, owner):
        for email in ("old@example.org", "new@example.org"):
            contact = profiles.Contact(address="a", phone="02-1234-5678", contact_email=email)
            profiles.change(shop, contact, by=owner, at=AT)
        assert "old@example.org" in self.changed(market, shop, AT + timedelta(days=29))
        mail.outbox.clear()
        later = AT + timedelta(days=31)
        BankAccount.objects.all().update(replaced_at=later)
        assert "old@example.org" not in self.changed(market, shop, later)


class TestProfiles:
    def test_keep_what_changed_and_tell_the_address_of_before(self, market, shop, owner):
        for email in ("old@example.org", "new@example.org"):
            contact = profiles.Contact(address="길 1", phone="02-1234-5678", contact_email=email)
            row = profiles.change(shop, contact, by=owner, at=AT)
        assert (row.contact_email, row.former_contact_email) == (
            "new@example.org",
            "old@example.org",
        )
        first, second = AuditEntry.objects.filter(action="sellerprofile.changed").order_by("pk")
        assert first.data == {"fields": ["address", "contact_email", "phone"]}
        assert second.data == {"fields": ["contact_email"]}
        [message] = OutboxMessage.objects.filter(topic="seller.contact_changed")
        market.state = market.State.LIVE
        letters.contact_changed(market, at=AT, **message.payload)
        assert [letter.to for letter in mail.outbox] == [["old@example.org"]]

    def test_record_nothing_when_nothing_changed(self, shop, owner):
        contact = profiles.Contact(address="", phone="", contact_email="")
        profiles.change(shop, contact, by=owner, at=AT)
        assert not AuditEntry.objects.filter(action="sellerprofile.changed").exists()
