"""The doors of the installation: throttled log-ins, forged requests, headers of every answer."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from marketplace.tests import make

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def forgotten():
    cache.clear()
    yield
    cache.clear()


def person(email="operator@example.org"):
    user = make.user(email, password=make.PASSWORD)
    user.emailaddress_set.create(email=email, verified=True, primary=True)
    return user


def log_in(client, email, password, **extra):
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


@pytest.mark.django_db
class TestLogIn:
    def test_lets_a_right_password_in(self, client):
        user = person()
        assert log_in(client, user.email, make.PASSWORD).status_code == 302
        assert client.session["_auth_user_id"] == str(user.pk)

    def test_is_throttled_by_account_from_wherever_it_is_tried(self, client):
        user = person()
        for host in range(5):
            log_in(client, user.email, f"wrong {host}", REMOTE_ADDR=f"198.51.100.{host}")
        answer = log_in(Client(), user.email, make.PASSWORD, REMOTE_ADDR="198.51.100.99")
        assert answer.status_code == 200
        [error] = answer.context["form"].errors.as_data()["__all__"]
        assert error.code == "too_many_login_attempts"
        assert "_auth_user_id" not in client.session

    def test_is_throttled_by_address_whoever_is_tried(self, client):
        answers = {log_in(client, f"no{n}@example.org", "x").status_code for n in range(40)}
        assert 429 in answers
        user = person()
        assert log_in(Client(), user.email, make.PASSWORD).status_code == 429
        elsewhere = log_in(Client(), user.email, make.PASSWORD, REMOTE_ADDR="203.0.113.5")
        assert elsewhere.status_code == 302

    def test_does_not_tell_who_has_an_account(self, client):
        person("known@example.org")
        known = log_in(client, "known@example.org", "wrong")
        unknown = log_in(client, "unknown@example.org", "wrong")
        assert known.status_code == unknown.status_code == 200
        assert known.context["form"].errors == unknown.context["form"].errors
        asked = [
            client.post(reverse("account_reset_password"), {"email": email})
            for email in ("known@example.org", "unknown@example.org")
        ]
        assert {(answer.status_code, answer.url) for answer in asked} == {
            (302, reverse("account_reset_password_done"))
        }

    def test_sends_nobody_to_another_host(self, client):
        user = person()
        words = {"login": user.email, "password": make.PASSWORD, "next": "https://evil.example/"}
        assert client.post(LOGIN, words).url == "/"

    def test_gives_the_session_a_new_key(self, client):
        user = person()
        client.get(LOGIN)
        session = client.session
        session["before"] = "x"
        session.save()
        before = session.session_key
        log_in(client, user.email, make.PASSWORD)
        assert client.session.session_key not in (None, before)


@pytest.mark.django_db
class TestForgedRequest:
    def test_is_refused_without_its_token(self):
        operator = person()
        make.membership(make.marketplace(), operator)
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(operator)
        for address in ("/admin/choose-marketplace/", LOGIN, reverse("account_logout")):
            assert browser.post(address, {"marketplace": "jangteo"}).status_code == 403, address
        assert browser.session["_auth_user_id"] == str(operator.pk)
        assert "marketplace_id" not in browser.session


@pytest.mark.django_db
class TestEveryAnswer:
    @pytest.mark.parametrize("address", [LOGIN, "/admin/", "/nowhere/", "/api/v1/nowhere/"])
    def test_is_framed_by_nobody_and_runs_no_foreign_script(self, client, address):
        answer = client.get(address)
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        policy = dict(
            part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'self'"
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert "unsafe-inline" not in answer["Content-Security-Policy"]
        assert ("unsafe-eval" in answer["Content-Security-Policy"]) == (address == "/admin/")
