from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress

from marketplace import states, tenancy
from marketplace.models import AuditEntry, User
from sellers import members, standing
from sellers.models import Invitation, Seller, SellerMember
from sellers.tests import make

AT = make.AT
Role = SellerMember.Role


@pytest.fixture
def shop(db):
    with tenancy.use(make.marketplace("own").pk):
        yield make.seller()


@pytest.fixture
def owner(shop):
    return make.member(shop)


def person(email="new@example.org", *, verified=True):
    user = User.objects.create_user(email)
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    return user


def place(user):
    return SellerMember.objects.select_related("seller").get(user=user)


class TestInvite:
    def test_makes_an_invitation_for_one_address(self, shop, owner):
        row = members.invite(shop, "New@Example.org", Role.STAFF, by=owner, at=AT)
        assert (row.email, row.role, row.state) == ("new@example.org", "staff", "waiting")
        assert row.expires_at == AT + timedelta(days=7)
        [entry] = AuditEntry.objects.filter(action="sellermember.invited")
        assert entry.data == {"invitation": row.public_id, "role": "staff"}

    def test_refuses_a_member(self, shop, owner):
        with pytest.raises(members.AlreadyMember):
            members.invite(shop, owner.email, Role.STAFF, by=owner, at=AT)

    def test_refuses_a_second_one_while_the_first_is_valid(self, shop, owner):
        first = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        with pytest.raises(members.AlreadyInvited):
            members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        later = AT + members.VALID
        second = members.invite(shop, "new@example.org", Role.OWNER, by=owner, at=later)
        assert list(Invitation.objects.waiting()) == [second]
        first.refresh_from_db()
        assert first.state == Invitation.State.WITHDRAWN

    def test_is_refused_once_the_contract_is_over(self, shop, owner):
        Seller.objects.update(state=Seller.State.TERMINATED)
        with pytest.raises(standing.ShopOver):
            members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)


class TestRead:
    def test_finds_the_invitation_of_a_link(self, shop, owner):
        row = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        assert members.read(members.token(row), at=AT) == row

    def test_refuses_what_nobody_signed(self, shop, owner):
        row = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        for link in (row.public_id, members.token(row)[:-1], ""):
            with pytest.raises(members.InvitationOver):
                members.read(link, at=AT)

    def test_refuses_an_old_and_a_withdrawn_one(self, shop, owner):
        row = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        with pytest.raises(members.InvitationOver):
            members.read(members.token(row), at=row.expires_at)
        members.withdraw(row, by=owner, at=AT)
        with pytest.raises(members.InvitationOver):
            members.read(members.token(row), at=AT)

    def test_reads_no_link_of_another_marketplace(self, db):
        with tenancy.use(make.marketplace("own").pk):
            shop = make.seller()
            row = members.invite(shop, "a@b.example", Role.STAFF, by=make.member(shop), at=AT)
        with tenancy.use(make.marketplace("other").pk), pytest.raises(members.InvitationOver):
            members.read(members.token(row), at=AT)


class TestAccept:
    def test_makes_a_member_once(self, shop, owner):
        row = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        user = person()
        members.accept(row, by=user, at=AT)
        assert (place(user).seller, place(user).role) == (shop, "staff")
        with pytest.raises(members.InvitationOver):
            members.read(members.token(row), at=AT)
        with pytest.raises(members.AlreadyMember):
            members.accept(row, by=user, at=AT)

    def test_is_for_the_invited_address_alone(self, shop, owner):
        row = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        for user in (person("other@example.org"), person("new@example.org", verified=False)):
            with pytest.raises(members.NotInvited):
                members.accept(row, by=user, at=AT)
        assert SellerMember.objects.count() == 1

    def test_loses_against_a_withdrawal(self, shop, owner):
        row = members.invite(shop, "new@example.org", Role.STAFF, by=owner, at=AT)
        members.withdraw(Invitation.objects.get(pk=row.pk), by=owner, at=AT)
        with pytest.raises(states.IllegalMove):
            members.accept(row, by=person(), at=AT)
        assert SellerMember.objects.count() == 1


class TestChangeRole:
    def test_makes_staff_an_owner_and_back(self, shop, owner):
        user = make.member(shop, "staff@example.org", Role.STAFF)
        members.change_role(place(user), Role.OWNER, by=owner, at=AT)
        assert place(user).role == "owner"
        members.change_role(place(owner), Role.STAFF, by=owner, at=AT)
        assert place(owner).role == "staff"
        assert AuditEntry.objects.filter(action="sellermember.role_changed").count() == 2

    def test_never_takes_the_last_owner(self, shop, owner):
        make.member(shop, "staff@example.org", Role.STAFF)
        with pytest.raises(members.LastOwner):
            members.change_role(place(owner), Role.STAFF, by=owner, at=AT)
        assert place(owner).role == "owner"

    def test_records_nothing_when_nothing_changes(self, shop, owner):
        members.change_role(place(owner), Role.OWNER, by=owner, at=AT)
        assert not AuditEntry.objects.filter(action="sellermember.role_changed").exists()


class TestRemove:
    def test_lets_a_member_go(self, shop, owner):
        user = make.member(shop, "staff@example.org", Role.STAFF)
        members.remove(place(user), by=owner, at=AT)
        assert list(SellerMember.objects.values_list("user", flat=True)) == [owner.pk]
        entry = AuditEntry.objects.get(action="sellermember.removed")
        assert entry.data == {"user": user.pk, "role": "staff"}

    def test_never_takes_the_last_owner(self, shop, owner):
        make.member(shop, "staff@example.org", Role.STAFF)
        with pytest.raises(members.LastOwner):
            members.remove(place(owner), by=owner, at=AT)
        assert place(owner)
