"""The seller centre's own pages as people meet them, strangers and other sellers among them."""

import re
import time
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.core.cache import cache
from django.test import Client

from marketplace import tenancy
from marketplace.models import AuditEntry, User
from marketplace.tests.make import PASSWORD
from sellers import applying, bank_accounts, deciding, members
from sellers.models import BankAccount, Invitation, Seller, SellerMember, SellerProfile
from sellers.tests import make

pytestmark = pytest.mark.django_db
AT = make.AT
PAGES = ["profile", "members", "bank-account", "bank-account/change"]
DETAILS = {
    "shop_name": "꽃집",
    "seller_type": "sole_proprietor",
    "business_number": "220-81-62517",
    "company": "꽃집상사",
    "representative": "김꽃님",
    "mail_order_report": "",
    "address": "서울시 강남구 테헤란로 1",
    "phone": "02-1234-5678",
    "contact_email": "flowers@example.org",
}
ACCOUNT = {"bank": "088", "holder": "김꽃님", "number": "110-123-456789"}


@pytest.fixture(autouse=True)
def forgotten():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def market():
    return make.marketplace("own", name="장터")


def shop(market, code="apple", email="seller@example.org", role="owner"):
    with tenancy.use(market.pk):
        seller = Seller.objects.filter(code=code).first() or make.seller(code)
        return seller, make.member(seller, email, role)


def browser(user=None) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    if user:
        client.force_login(user)
    return client


def person(email="flowers@example.org"):
    user = User.objects.create_user(email, PASSWORD)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def logged_in(user) -> Client:
    """By the password, so that the log-in is fresh."""
    client = browser()
    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def of(market, manager, **conditions):
    with tenancy.use(market.pk):
        return list(manager.filter(**conditions))


class TestEveryPage:
    @pytest.mark.parametrize("page", PAGES)
    def test_does_not_exist_for_a_stranger(self, market, page):
        shop(market)
        stranger = shop(make.marketplace("other"), "pear", "stranger@example.org")[1]
        for client in (browser(stranger), browser(person())):
            assert client.get(f"/s/own/{page}/").status_code == 404
            assert client.post(f"/s/own/{page}/", DETAILS | ACCOUNT).status_code == 404
        assert of(market, BankAccount.objects) == of(market, SellerProfile.objects) == []

    @pytest.mark.parametrize("page", PAGES)
    def test_asks_for_a_log_in(self, market, page):
        answer = browser().post(f"/s/own/{page}/", DETAILS | ACCOUNT)
        assert (answer.status_code, answer.url) == (
            302,
            f"/accounts/login/?next=/s/own/{page}/",
        )

    @pytest.mark.parametrize("page", PAGES[1:])
    def test_of_owners_is_closed_to_staff(self, market, page):
        staff = shop(market, role="staff")[1]
        assert browser(staff).get(f"/s/own/{page}/").status_code == 403
        assert browser(staff).post(f"/s/own/{page}/", ACCOUNT).status_code == 403
        assert of(market, BankAccount.objects) == []

    def test_speaks_korean_unless_asked_otherwise(self, market):
        client = Client()
        client.force_login(shop(market)[1])
        assert '<html lang="ko"' in client.get("/s/own/profile/").content.decode()
        client.post("/i18n/setlang/", {"language": "en", "next": "/s/own/profile/"})
        assert "Shop profile" in client.get("/s/own/profile/").content.decode()

    def test_escapes_what_people_typed(self, market):
        seller, owner = shop(market)
        script = "<script>alert(1)</script>"
        with tenancy.use(market.pk):
            Seller.objects.update(name=script)
            SellerProfile.objects.create(seller=seller, company=script, address=script)
        User.objects.filter(pk=owner.pk).update(name=script)
        for page in ("profile", "members", "bank-account"):
            assert script not in browser(owner).get(f"/s/own/{page}/").content.decode()

    def test_asks_a_constant_number_of_queries(self, market, django_assert_max_num_queries):
        seller, owner = shop(market)
        for number in range(8):
            shop(market, email=f"staff{number}@example.org", role="staff")
        with tenancy.use(market.pk):
            for number in range(8):
                account = bank_accounts.Account(bank="088", holder="x", number=f"1234567{number}")
                bank_accounts.register(seller, account, by=owner, at=AT)
                members.invite(seller, f"new{number}@example.org", "staff", by=owner, at=AT)
        client = browser(owner)
        for page in ("profile", "members", "bank-account"):
            client.get(f"/s/own/{page}/")
            with django_assert_max_num_queries(14):
                client.get(f"/s/own/{page}/")


class TestApply:
    def test_tells_those_without_an_account_how_to_begin(self, market):
        page = browser().get("/s/own/apply/").content.decode()
        assert 'href="/accounts/signup/?next=%2Fs%2Fown%2Fapply%2F"' in page
        assert browser().post("/s/own/apply/", DETAILS).status_code == 200
        assert of(market, Seller.objects) == []

    def test_is_found_again_after_signing_up(self, market):
        client = browser()
        client.get("/s/own/apply/")
        client.force_login(person())
        assert client.get("/").url == "/s/own/apply/"
        assert client.get("/").status_code == 200

    def test_leads_to_a_page_that_says_it_waits(self, market):
        client = browser(person())
        answer = client.post("/s/own/apply/", DETAILS, follow=True)
        assert answer.redirect_chain == [("/s/own/apply/", 302)]
        assert "Waiting for a decision" in answer.content.decode()
        assert client.get("/s/own/").url == "/s/own/apply/"
        assert client.get("/s/own/bank-account/").status_code == 200

    def test_takes_nothing_but_what_it_asks_for(self, market):
        extra = {"state": "active", "code": "mine", "public_id": "slr_1", "joined_on": "2020-01-01",
                 "marketplace": "999", "role": "staff", "seller": "1", "id": "7"}  # fmt: skip
        browser(person()).post("/s/own/apply/", DETAILS | extra)
        [seller] = of(market, Seller.objects)
        assert (seller.state, seller.code) == ("onboarding", seller.public_id)
        assert seller.public_id != "slr_1"
        assert seller.marketplace_id == market.pk
        assert SellerMember.objects.get().role == "owner"

    def test_shows_the_field_that_is_wrong_and_keeps_the_rest(self, market):
        answer = browser(person()).post("/s/own/apply/", DETAILS | {"phone": "call me"})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "Use digits and hyphens" in page
        assert 'value="김꽃님"' in page

    def test_asks_again_for_a_number_with_a_wrong_check_digit(self, market):
        client = browser(person())
        odd = DETAILS | {"business_number": "220-81-62518"}
        answer = client.post("/s/own/apply/", odd)
        assert answer.status_code == 422
        assert "The check digit of this number is wrong." in answer.content.decode()
        assert of(market, Seller.objects) == []
        assert client.post("/s/own/apply/", odd | {"number_is_right": "on"}).status_code == 302
        assert of(market, Seller.objects)[0].business_number == "2208162518"

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"business_number": ""}, "Enter the number, or choose “Individual” as the type."),
            ({"business_number": "12"}, "is not a business registration number of ten digits"),
            ({"company": ""}, "Enter the name of the company."),
        ],
    )
    def test_asks_a_business_for_what_it_needs(self, market, fields, text):
        answer = browser(person()).post("/s/own/apply/", DETAILS | fields)
        assert answer.status_code == 422
        assert text in answer.content.decode()

    def test_takes_an_individual_without_number_and_company(self, market):
        told = {"seller_type": "individual", "business_number": "", "company": ""}
        assert browser(person()).post("/s/own/apply/", DETAILS | told).status_code == 302

    def test_says_that_a_number_is_taken(self, market):
        with tenancy.use(market.pk):
            make.seller("apple", business_number="2208162517")
        answer = browser(person()).post("/s/own/apply/", DETAILS)
        assert answer.status_code == 422
        assert "is already here, or has applied" in answer.content.decode()

    def test_shows_a_rejection_with_its_reason_and_the_way_on(self, market):
        user = person()
        with tenancy.use(market.pk):
            seller = applying.apply(make.application(), by=user, at=AT)
            deciding.reject(seller, by=None, at=AT, reason="The certificate <b>is</b> missing.")
        client = browser(user)
        assert client.get("/s/own/").url == "/s/own/apply/"
        page = client.get("/s/own/apply/").content.decode()
        assert "The certificate &lt;b&gt;is&lt;/b&gt; missing." in page
        assert client.post("/s/own/apply/?again=1", DETAILS).status_code == 302
        assert len(of(market, Seller.objects)) == 2

    def test_sends_a_seller_to_the_shop(self, market):
        assert browser(shop(market)[1]).get("/s/own/apply/").url == "/s/own/"


class TestMembers:
    def invite(self, market, email="new@example.org", commit=None):
        owner = shop(market)[1]
        with commit(execute=True):
            answer = browser(owner).post("/s/own/members/", {"email": email, "role": "staff"})
        assert answer.status_code == 302
        [letter] = mail.outbox
        return letter, re.search(r"http://testserver(/\S+)", letter.body)[1]

    def test_invite_somebody_new_who_signs_up_and_joins(
        self, market, django_capture_on_commit_callbacks
    ):
        letter, link = self.invite(market, commit=django_capture_on_commit_callbacks)
        assert letter.to == ["new@example.org"]
        assert "apple" in letter.subject
        client = browser()
        way = f'href="/accounts/signup/?{urlencode({"next": link})}"'
        assert way in client.get(link).content.decode()
        answer = client.post(
            f"/accounts/signup/?next={link}",
            {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD,
             "next": link},
        )  # fmt: skip
        assert answer.url == link
        assert client.post(link).url == "/s/own/"
        member = SellerMember.objects.get(user__email="new@example.org")
        assert member.role == "staff"
        assert client.get("/s/own/profile/").status_code == 200
        assert client.post(link).status_code == 409

    def test_let_nobody_else_use_the_link(self, market, django_capture_on_commit_callbacks):
        link = self.invite(market, commit=django_capture_on_commit_callbacks)[1]
        answer = browser(person("other@example.org")).post(link)
        assert answer.status_code == 409
        assert "for another e-mail address" in answer.content.decode()
        assert SellerMember.objects.count() == 1
        assert browser().get(link[:-3] + "/").status_code == 409
        assert browser().get(link.replace("/own/", "/nobodys/")).status_code == 404

    def test_change_role_and_remove(self, market):
        owner, staff = shop(market)[1], shop(market, email="s@example.org", role="staff")[1]
        client = browser(owner)
        client.post(f"/s/own/members/{staff.pk}/role/", {"role": "owner"})
        assert SellerMember.objects.get(user=staff).role == "owner"
        client.post(f"/s/own/members/{staff.pk}/role/", {"role": "emperor"})
        assert SellerMember.objects.get(user=staff).role == "owner"
        client.post(f"/s/own/members/{staff.pk}/remove/")
        assert not SellerMember.objects.filter(user=staff).exists()

    def test_tell_why_the_last_owner_stays(self, market):
        owner = shop(market)[1]
        client = browser(owner)
        came_from = {"Referer": "http://testserver/s/own/members/"}
        answer = client.post(f"/s/own/members/{owner.pk}/remove/", headers=came_from, follow=True)
        assert "A shop keeps at least one owner." in answer.content.decode()
        assert SellerMember.objects.get().user == owner

    def test_of_another_shop_cannot_be_touched(self, market):
        owner = shop(market)[1]
        seller, other = shop(market, "melon", "melon@example.org")
        with tenancy.use(market.pk):
            invitation = members.invite(seller, "new@example.org", "staff", by=other, at=AT)
        client = browser(owner)
        for action in (
            f"{other.pk}/role",
            f"{other.pk}/remove",
            f"invitations/{invitation.public_id}/withdraw",
        ):
            answer = client.post(f"/s/own/members/{action}/", {"role": "staff"})
            assert answer.status_code == 404
        assert SellerMember.objects.get(user=other).role == "owner"
        assert of(market, Invitation.objects, state="waiting") == [invitation]
        assert b"new@example.org" not in client.get("/s/own/members/").content

    def test_cannot_be_changed_by_staff(self, market):
        owner, staff = shop(market)[1], shop(market, email="s@example.org", role="staff")[1]
        client = browser(staff)
        for action, data in (("role", {"role": "owner"}), ("remove", {})):
            for user in (owner, staff):
                answer = client.post(f"/s/own/members/{user.pk}/{action}/", data)
                assert answer.status_code == 403
        assert SellerMember.objects.get(user=staff).role == "staff"
        assert SellerMember.objects.count() == 2

    def test_withdraw_an_invitation(self, market, django_capture_on_commit_callbacks):
        link = self.invite(market, commit=django_capture_on_commit_callbacks)[1]
        [invitation] = of(market, Invitation.objects, state="waiting")
        client = browser(User.objects.get(email="seller@example.org"))
        client.post(f"/s/own/members/invitations/{invitation.public_id}/withdraw/")
        assert of(market, Invitation.objects, state="waiting") == []
        assert browser().get(link).status_code == 409


class TestProfile:
    def test_changes_contact_data_and_nothing_else(self, market):
        seller, owner = shop(market)
        answer = browser(owner).post(
            "/s/own/profile/", DETAILS | {"name": "x", "state": "terminated", "seller": "9"}
        )
        assert answer.status_code == 302
        [profile] = of(market, SellerProfile.objects)
        assert (profile.phone, profile.contact_email) == ("02-1234-5678", "flowers@example.org")
        assert (profile.company, profile.representative) == ("", "")
        [stored] = of(market, Seller.objects)
        assert (stored.name, stored.state, stored.business_number) == ("apple", "active", "")
        assert profile.seller_id == seller.pk

    def test_names_an_address_longer_than_can_be_kept(self, market):
        owner = shop(market)[1]
        long = DETAILS | {
            "contact_email": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.org"
        }
        answer = browser(owner).post("/s/own/profile/", long)
        assert answer.status_code == 422
        assert "at most 254 characters" in answer.content.decode()
        assert 'value="서울시 강남구 테헤란로 1"' in answer.content.decode()
        assert of(market, SellerProfile.objects) == []

    def test_is_read_by_staff_and_not_written(self, market):
        staff = shop(market, role="staff")[1]
        client = browser(staff)
        page = client.get("/s/own/profile/").content.decode()
        assert "An owner of the shop can change this." in page
        assert client.post("/s/own/profile/", DETAILS).status_code == 403
        assert of(market, SellerProfile.objects) == []

    def test_is_kept_when_the_contract_is_over(self, market):
        owner = shop(market)[1]
        with tenancy.use(market.pk):
            Seller.objects.update(state="terminated")
        answer = browser(owner).post(
            "/s/own/profile/",
            DETAILS,
            follow=True,
            headers={"Referer": "http://testserver/s/own/profile/"},
        )
        assert "The contract with this marketplace has ended." in answer.content.decode()
        assert of(market, SellerProfile.objects) == []


class TestBankAccount:
    CHANGE = "/s/own/bank-account/change/"

    def owner(self, market):
        user = person("seller@example.org")
        seller = shop(market)[0]
        return seller, user

    def test_is_registered_after_a_fresh_log_in_and_shown_masked(self, market):
        client = logged_in(self.owner(market)[1])
        answer = client.post(self.CHANGE, ACCOUNT, follow=True)
        page = answer.content.decode()
        assert "***-***-6789" in page
        assert "123-456789" not in page
        assert "In use" in page
        with tenancy.use(market.pk):
            trail = "".join(str(entry.data) for entry in AuditEntry.objects.all())
        assert "6789" not in trail

    def test_is_kept_by_no_cache(self, market):
        client = logged_in(self.owner(market)[1])
        for page in ("/s/own/bank-account/", self.CHANGE):
            assert "no-store" in client.get(page)["Cache-Control"]

    def test_asks_for_the_password_when_the_log_in_is_old(self, market):
        client = browser(self.owner(market)[1])
        door = f"/accounts/reauthenticate/?next={self.CHANGE.replace('/', '%2F')}"
        assert client.get(self.CHANGE).url == door
        assert client.post(self.CHANGE, ACCOUNT).url == door
        assert of(market, BankAccount.objects) == []
        assert "110" not in str(dict(client.session))
        answer = client.post(door, {"password": PASSWORD, "next": self.CHANGE})
        assert answer.url == self.CHANGE
        assert client.get(self.CHANGE).status_code == 200

    def test_asks_again_after_some_minutes(self, market):
        client = logged_in(self.owner(market)[1])
        session = client.session
        for record in session["account_authentication_methods"]:
            record["at"] = time.time() - 301
        session.save()
        assert client.post(self.CHANGE, ACCOUNT).status_code == 302
        assert of(market, BankAccount.objects) == []

    def test_asks_for_the_second_factor_where_there_is_one(self, market):
        user = self.owner(market)[1]
        client = logged_in(user)
        secret = totp.generate_totp_secret()
        totp.TOTP.activate(user, secret)
        answer = client.post(self.CHANGE, ACCOUNT)
        assert answer.url.startswith("/accounts/2fa/reauthenticate/?next=")
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
        assert client.get(self.CHANGE).status_code == 302  # the password alone opens nothing
        code = totp.format_hotp_value(
            totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time()))
        )
        client.post(answer.url, {"code": code, "next": self.CHANGE})
        assert client.post(self.CHANGE, ACCOUNT).status_code == 302
        assert len(of(market, BankAccount.objects)) == 1

    def test_shows_only_those_of_the_own_shop(self, market):
        other, user = shop(market, "melon", "melon@example.org")
        with tenancy.use(market.pk):
            account = bank_accounts.Account(bank="004", holder="박멜론", number="999-888-777666")
            bank_accounts.register(other, account, by=user, at=AT)
        page = browser(shop(market)[1]).get("/s/own/bank-account/").content.decode()
        assert "박멜론" not in page
        assert "7666" not in page

    def test_says_until_when_a_changed_one_waits(self, market):
        client = logged_in(self.owner(market)[1])
        client.post(self.CHANGE, ACCOUNT)
        page = client.post(
            self.CHANGE, ACCOUNT | {"number": "110-999-888777"}, follow=True
        ).content.decode()
        assert "Paid to from" in page
        assert "Replaced" in page

    def test_is_refused_to_a_suspended_shop(self, market):
        seller, user = self.owner(market)
        with tenancy.use(market.pk):
            Seller.objects.filter(pk=seller.pk).update(state="suspended")
        client = logged_in(user)
        answer = client.post(self.CHANGE, ACCOUNT)
        assert answer.status_code == 422
        assert "The shop is suspended." in answer.content.decode()
        assert client.get("/s/own/bank-account/").status_code == 200
        assert of(market, BankAccount.objects) == []


def test_a_log_in_is_no_success_of_the_form_that_was_sent_before():
    """Pages forget a kept draft when a message of success follows; it is still needed here."""
    user = person("seller@example.org")
    shop(make.marketplace("own"))
    page = logged_in(user).get("/s/own/profile/").content.decode()
    assert "data-success" not in page
