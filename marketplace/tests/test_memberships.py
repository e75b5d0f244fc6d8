import pytest
from django.core import mail

from marketplace import memberships, tenancy
from marketplace.memberships import AlreadyOperator, LastOwnerOfMarketplace, NoSuchMembership
from marketplace.models import AuditEntry, Membership, User
from marketplace.tests import make

pytestmark = pytest.mark.django_db

PAGE = "/admin/marketplace/membership/"
AT = make.NOON


@pytest.fixture
def ours(db):
    return make.marketplace("ours")


@pytest.fixture
def owner(ours):
    user = make.user("owner@example.org")
    make.membership(ours, user)
    return user


@pytest.fixture
def stranger(db):
    user = make.user("stranger@example.org")
    make.membership(make.marketplace("theirs"), user)
    return user


@pytest.fixture
def at_work(client, owner):
    client.force_login(owner)
    client.post("/admin/choose-marketplace/", {"marketplace": "ours"})
    return client


def roles(market):
    rows = Membership.objects.filter(marketplace=market)
    return dict(rows.values_list("user__email", "role"))


class TestInvite:
    def test_makes_a_user_of_an_unknown_address(self, ours, owner):
        with tenancy.use(ours.pk):
            made = memberships.invite(" New@Example.org", "finance", by=owner, at=AT)
            entry = AuditEntry.objects.get()
        user = User.objects.get(email="new@example.org")
        assert (user.is_staff, user.has_usable_password()) == (True, False)
        assert roles(ours)["new@example.org"] == "finance"
        assert (entry.action, entry.actor, entry.data) == (
            "membership.invited",
            owner,
            {"user": user.pk, "role": "finance"},
        )
        assert made.marketplace_id == ours.pk

    def test_takes_in_a_user_of_elsewhere(self, ours, owner, stranger):
        with tenancy.use(ours.pk):
            memberships.invite("stranger@example.org", "viewer", by=owner, at=AT)
        assert roles(ours)["stranger@example.org"] == "viewer"
        assert Membership.objects.filter(user=stranger).count() == 2

    def test_refuses_who_is_there_already(self, ours, owner):
        with tenancy.use(ours.pk), pytest.raises(AlreadyOperator):
            memberships.invite("OWNER@example.org", "viewer", by=owner, at=AT)


class TestChangeRole:
    def test_is_recorded_with_the_role_before(self, ours, owner):
        other = make.membership(ours, make.user("b@example.org"), "viewer")
        with tenancy.use(ours.pk):
            memberships.change_role(other, "support", by=owner, at=AT)
            entry = AuditEntry.objects.get()
        assert roles(ours)["b@example.org"] == "support"
        assert (entry.data["before"], entry.data["role"]) == ("viewer", "support")

    def test_keeps_the_last_owner(self, ours, owner):
        with tenancy.use(ours.pk), pytest.raises(LastOwnerOfMarketplace):
            memberships.change_role(owner.memberships.get(), "viewer", by=owner, at=AT)
        assert roles(ours) == {"owner@example.org": "owner"}

    def test_reaches_nobody_elsewhere(self, ours, owner, stranger):
        with tenancy.use(ours.pk), pytest.raises(NoSuchMembership):
            memberships.change_role(stranger.memberships.get(), "viewer", by=owner, at=AT)
        assert stranger.memberships.get().role == "owner"


class TestRemove:
    def test_closes_the_admin_to_who_works_nowhere_else(self, ours, owner):
        other = make.membership(ours, make.user("b@example.org"), "viewer")
        with tenancy.use(ours.pk):
            memberships.remove(other, by=owner, at=AT)
        assert not User.objects.get(email="b@example.org").is_staff
        assert "b@example.org" not in roles(ours)

    def test_leaves_the_other_marketplace_to_who_works_there(self, ours, owner, stranger):
        here = make.membership(ours, stranger, "viewer")
        with tenancy.use(ours.pk):
            memberships.remove(here, by=owner, at=AT)
        stranger.refresh_from_db()
        assert stranger.is_staff
        assert stranger.memberships.count() == 1

    def test_keeps_the_last_owner(self, ours, owner):
        with tenancy.use(ours.pk), pytest.raises(LastOwnerOfMarketplace):
            memberships.remove(owner.memberships.get(), by=owner, at=AT)


class TestPages:
    def test_list_the_people_of_one_marketplace(self, at_work, stranger):
        content = at_work.get(PAGE).content.decode()
        assert "owner@example.org" in content
        assert "stranger@example.org" not in content

    def test_invite_and_write_a_letter(self, at_work, ours, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            answer = at_work.post(f"{PAGE}add/", {"email": "new@example.org", "role": "finance"})
        assert (answer.status_code, answer.url) == (302, PAGE)
        assert roles(ours)["new@example.org"] == "finance"
        [letter] = mail.outbox
        assert letter.to == ["new@example.org"]
        assert "http://testserver/admin/" in letter.body

    def test_change_and_remove(self, at_work, ours):
        other = make.membership(ours, make.user("b@example.org"), "viewer")
        at_work.post(f"{PAGE}{other.pk}/change/", {"role": "reviewer"})
        assert roles(ours)["b@example.org"] == "reviewer"
        at_work.post(f"{PAGE}{other.pk}/delete/", {"post": "yes"})
        assert "b@example.org" not in roles(ours)

    @pytest.mark.parametrize("deed", ["change", "delete"])
    def test_say_why_the_last_owner_stays(self, at_work, ours, owner, deed):
        own = owner.memberships.get()
        data = {"role": "viewer", "post": "yes"}
        answer = at_work.post(f"{PAGE}{own.pk}/{deed}/", data, follow=True)
        [message] = answer.context["messages"]
        assert message.level_tag == "error"
        assert roles(ours) == {"owner@example.org": "owner"}

    @pytest.mark.parametrize("deed", ["change", "delete"])
    def test_do_not_know_a_membership_of_another_marketplace(self, at_work, stranger, deed):
        theirs = stranger.memberships.get()
        data = {"role": "viewer", "post": "yes"}
        answer = at_work.post(f"{PAGE}{theirs.pk}/{deed}/", data, follow=True)
        assert answer.redirect_chain[-1] == ("/admin/", 302)
        assert stranger.memberships.get().role == "owner"

    @pytest.mark.parametrize("address", ["", "no address", f"{'x' * 300}@example.org"])
    def test_name_the_address_that_cannot_be_written_to(self, at_work, ours, address):
        answer = at_work.post(f"{PAGE}add/", {"email": address, "role": "viewer"})
        assert answer.status_code == 422
        assert list(answer.context["adminform"].form.errors) == ["email"]
        assert roles(ours) == {"owner@example.org": "owner"}

    @pytest.mark.parametrize("role", ["finance", "reviewer", "support", "viewer"])
    def test_are_read_only_but_for_owners(self, client, ours, owner, role):
        user = make.user("b@example.org")
        make.membership(ours, user, role)
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": "ours"})
        assert client.get(PAGE).status_code == 200
        page = f"{PAGE}{owner.memberships.get().pk}"
        assert client.post(f"{PAGE}add/", {"email": "x@y.zz", "role": "owner"}).status_code == 403
        assert client.post(f"{page}/change/", {"role": "viewer"}).status_code == 403
        assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
        assert roles(ours) == {"owner@example.org": "owner", "b@example.org": role}
