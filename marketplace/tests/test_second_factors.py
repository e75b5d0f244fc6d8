"""Second factors are taken away with a reason, and never unrecorded."""

from datetime import UTC, datetime

import pytest
from allauth.mfa.models import Authenticator

from marketplace import reasons, second_factors, tenancy
from marketplace.models import AuditEntry
from marketplace.tests import make

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 3, tzinfo=UTC)
USERS = "/admin/marketplace/user/"


@pytest.fixture
def market():
    return make.marketplace("ours")


@pytest.fixture
def person(market):
    person = make.user("lost@example.org")
    for kind in ("totp", "recovery_codes"):
        Authenticator.objects.create(user=person, type=kind, data={})
    return person


@pytest.fixture
def root(client, market):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(make.user("root@example.org", is_superuser=True))
    client.post("/admin/choose-marketplace/", {"marketplace": "ours"})
    return client


def ask(client, *people, **given):
    asked = {"action": "take_second_factors", "_selected_action": [p.pk for p in people], **given}
    return client.post(USERS, asked, follow=True)


class TestTakeAway:
    def test_takes_all_of_one_person_and_says_why(self, market, person):
        root, other = make.user("root@example.org"), make.user("other@example.org")
        Authenticator.objects.create(user=other, type="totp", data={})
        with tenancy.use(market.pk):
            told = {"by": root, "at": AT, "reason": " New telephone "}
            assert second_factors.take_away(person, **told) == 2
            entry = AuditEntry.objects.get(action="user.second_factors_taken")
        assert [row.user for row in Authenticator.objects.all()] == [other]
        assert (entry.actor, entry.object_key) == (root, str(person.pk))
        assert (entry.reason, entry.data) == (
            "New telephone",
            {"kinds": ["recovery_codes", "totp"]},
        )

    def test_needs_a_reason_and_something_to_take(self, market, person):
        told = {"by": person, "at": AT}
        with tenancy.use(market.pk):
            with pytest.raises(reasons.ReasonMissing):
                second_factors.take_away(person, reason=" ", **told)
            assert Authenticator.objects.count() == 2
            second_factors.take_away(person, reason="x", **told)
            with pytest.raises(second_factors.NoSecondFactor):
                second_factors.take_away(person, reason="x", **told)
            assert AuditEntry.objects.filter(action="user.second_factors_taken").count() == 1


class TestPage:
    def test_asks_first_and_for_a_reason(self, root, person):
        page = ask(root, person).content.decode()
        assert "lost@example.org" in page
        assert "Make sure that it is them who asked." in page
        assert ask(root, person, reason=" ").status_code == 422
        assert Authenticator.objects.count() == 2
        page = ask(root, person, reason="New telephone").content.decode()
        assert "logs in by password alone now" in page
        assert not Authenticator.objects.exists()

    def test_needs_a_marketplace_for_its_audit_trail(self, client, market, person):
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(make.user("root@example.org", is_superuser=True))
        make.marketplace("second")
        assert "Enter a marketplace first" in ask(client, person, reason="x").content.decode()
        assert Authenticator.objects.count() == 2

    def test_is_nothing_to_operators(self, client, market, person):
        operator = make.user("operator@example.org")
        make.membership(market, operator)
        client.force_login(operator)
        client.post("/admin/choose-marketplace/", {"marketplace": "ours"})
        ask(client, person, reason="x")
        assert Authenticator.objects.count() == 2
