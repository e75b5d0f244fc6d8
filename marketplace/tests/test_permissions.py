import pytest
from django.apps import apps
from django.contrib.auth.models import Permission

from marketplace import permissions, tenancy
from marketplace.models import Membership
from marketplace.tests import make

Role = Membership.Role


class TestOf:
    @pytest.mark.parametrize("role", Role)
    def test_gives_everybody_a_view_of_their_marketplace(self, role):
        assert {"orders.view_order", "sellers.view_seller", "marketplace.view_jobrun"} <= (
            permissions.of(role)
        )

    @pytest.mark.parametrize(
        ("role", "granted"),
        [
            (Role.OWNER, {"settlements", "sellers", "listings", "orders", "marketplace"}),
            (Role.FINANCE, {"settlements"}),
            (Role.REVIEWER, {"sellers", "listings"}),
            (Role.SUPPORT, {"orders"}),
            (Role.VIEWER, set()),
        ],
    )
    def test_gives_changes_by_role(self, role, granted):
        changes = {p for p in permissions.of(role) if ".view_" not in p}
        assert {p.partition(".")[0] for p in changes} == granted

    @pytest.mark.parametrize("role", Role)
    def test_gives_nothing_that_is_shared_by_the_installation(self, role):
        owned = {permission.partition(".")[0] for permission in permissions.of(role)}
        assert owned == {"marketplace", "sellers", "listings", "orders", "settlements"}
        assert not {p for p in permissions.of(role) if p.endswith("_user")}

    def test_gives_nothing_to_an_unknown_role(self):
        assert permissions.of("janitor") == frozenset()


@pytest.mark.django_db
class TestRoleBackend:
    def test_counts_in_the_marketplace_in_use_only(self):
        ours, theirs = make.marketplace("ours"), make.marketplace("theirs")
        user = make.user()
        make.membership(ours, user, Role.FINANCE)
        make.membership(theirs, user, Role.VIEWER)
        permission = "settlements.change_statement"
        assert not user.has_perm(permission)
        with tenancy.use(ours.pk):
            assert user.has_perm(permission)
            assert user.has_module_perms("settlements")
            assert not user.has_perm("sellers.change_seller")
        with tenancy.use(theirs.pk):
            assert not user.has_perm(permission)
            assert user.has_perm("settlements.view_statement")

    def test_adds_up_roles(self):
        market, user = make.marketplace(), make.user()
        make.membership(market, user, Role.FINANCE)
        make.membership(market, user, Role.SUPPORT)
        with tenancy.use(market.pk):
            assert user.has_perm("settlements.change_statement")
            assert user.has_perm("orders.change_claim")

    def test_counts_no_permission_given_directly(self):
        market, user = make.marketplace(), make.user()
        user.user_permissions.add(Permission.objects.get(codename="change_statement"))
        with tenancy.use(market.pk):
            assert not user.has_perm("settlements.change_statement")

    def test_logs_in_by_e_mail(self, client):
        make.user(password=make.PASSWORD)
        assert client.login(email="operator@example.org", password=make.PASSWORD)
        client.logout()
        assert not client.login(email="operator@example.org", password="wrong")

    def test_gives_nothing_to_strangers_and_to_the_dismissed(self):
        market, dismissed = make.marketplace(), make.user(is_active=False)
        make.membership(market, dismissed)
        with tenancy.use(market.pk):
            assert not dismissed.has_perm("orders.view_order")
            assert not make.user("stranger@example.org").has_perm("orders.view_order")


def test_every_pattern_gives_something():
    for role, patterns in permissions.GIVEN.items():
        for pattern in patterns:
            app_label = pattern.partition(".")[0]
            assert app_label == "*" or apps.is_installed(app_label), (role, pattern)
