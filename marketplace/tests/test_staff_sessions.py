"""Staff in the admin: a second factor where one is asked for, and sessions that end."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse
from django.utils import timezone

from marketplace import staff_sessions
from marketplace.middleware import SESSION_KEY
from marketplace.tests import make

ADMIN = "/admin/"
HOUR = 60 * 60


@pytest.fixture
def operator(db, client):
    operator = make.user()
    marketplace = make.marketplace()
    make.membership(marketplace, operator)
    client.force_login(operator)
    session = client.session
    session[SESSION_KEY] = marketplace.pk
    session.save()
    return operator


def age(client, *, began=0, seen=0):
    """Make the session older, by seconds."""
    session = client.session
    moment = int(timezone.now().timestamp())
    session[staff_sessions.BEGAN] = moment - began
    session[staff_sessions.SEEN] = moment - seen
    session.save()


class TestSessionLength:
    def test_goes_on_while_it_is_in_use(self, client, operator):
        age(client, began=11 * HOUR, seen=29 * 60)
        assert client.get(ADMIN).status_code == 200
        age(client, began=11 * HOUR, seen=29 * 60)
        assert client.get(ADMIN).status_code == 200

    @pytest.mark.parametrize(
        "ages",
        [{"began": 31 * 60, "seen": 31 * 60}, {"began": 12 * HOUR + 60, "seen": 5}],
        ids=["rested", "lasted"],
    )
    def test_ends(self, client, operator, ages):
        age(client, **ages)
        answer = client.get("/admin/marketplace/jobrun/?state=failed")
        assert answer.status_code == 302
        assert answer.url == (
            reverse("account_login") + "?next=/admin/marketplace/jobrun/%3Fstate%3Dfailed"
        )
        assert "_auth_user_id" not in client.session

    def test_notes_use_once_a_minute(self, client, operator):
        client.get(ADMIN)
        age(client, began=300, seen=30)
        before = client.session[staff_sessions.SEEN]
        client.get(ADMIN)
        assert client.session[staff_sessions.SEEN] == before
        age(client, began=300, seen=90)
        client.get(ADMIN)
        assert client.session[staff_sessions.SEEN] > before - 60

    def test_is_no_matter_of_other_pages(self, client, operator):
        age(client, began=13 * HOUR, seen=13 * HOUR)
        client.get(reverse("account_email"))
        assert "_auth_user_id" in client.session


class TestSecondFactor:
    @pytest.fixture(autouse=True)
    def wanted(self, settings):
        settings.STAFF_SECOND_FACTOR = True

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_is_set_up_before_anything_else(self, client, operator, method):
        session = client.session
        del session[SESSION_KEY]
        session.save()
        answer = getattr(client, method)("/admin/choose-marketplace/", {"marketplace": "jangteo"})
        assert (answer.status_code, answer.url) == (302, reverse("mfa_index"))
        assert SESSION_KEY not in client.session

    def test_recovery_codes_alone_are_none(self, client, operator):
        codes = Authenticator.Type.RECOVERY_CODES
        Authenticator.objects.create(user=operator, type=codes, data={"seed": "x", "used_mask": 0})
        assert client.get(ADMIN).status_code == 302

    @pytest.mark.parametrize("kind", [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])
    def test_opens_the_admin(self, client, operator, kind):
        Authenticator.objects.create(user=operator, type=kind, data={})
        assert client.get(ADMIN).status_code == 200

    def test_is_asked_for_at_the_log_in(self, client, db):
        operator = make.user(password=make.PASSWORD)
        operator.emailaddress_set.create(email=operator.email, verified=True, primary=True)
        Authenticator.objects.create(user=operator, type=Authenticator.Type.TOTP, data={})
        words = {"login": operator.email, "password": make.PASSWORD}
        answer = client.post(reverse("account_login"), words)
        assert answer.url.startswith(reverse("mfa_authenticate"))
        assert "_auth_user_id" not in client.session

    def test_can_be_switched_off(self, client, operator, settings):
        settings.STAFF_SECOND_FACTOR = False
        assert client.get(ADMIN).status_code == 200


class TestLengths:
    def test_are_as_documented(self, settings):
        assert timedelta(minutes=30) == settings.STAFF_SESSION_IDLE
        assert timedelta(hours=12) == settings.STAFF_SESSION_LENGTH
