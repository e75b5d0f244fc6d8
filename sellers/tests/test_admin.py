"""The operators' pages of sellers and their members."""

import pytest
from django.urls import reverse

from marketplace import approvals, tenancy
from marketplace.models import Approval, AuditEntry
from marketplace.tests import desks
from marketplace.tests import make as floor
from sellers.models import Seller, SellerMember
from sellers.tests import make

pytestmark = pytest.mark.django_db
LIST = reverse("admin:sellers_seller_changelist")
DECISIONS = ("approve", "reject", "reinstate", "restrict", "suspend", "terminate", "finish")


def page(seller) -> str:
    return reverse("admin:sellers_seller_change", args=[seller.pk])


def decide(seller, decision) -> str:
    return reverse("admin:sellers_seller_decide", args=[seller.pk, decision])


@pytest.fixture
def market():
    return make.marketplace("ours")


@pytest.fixture
def owner(market):
    return desks.operator(market)[0]


@pytest.fixture
def stranger():
    return desks.operator(make.marketplace("theirs"))[0]


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        make.policy()
        seller = make.seller("apple")
        make.day(seller, make.AT.date(), orders_paid=3, sales_confirmed=12_900)
        return seller


def state_of(seller, market):
    with tenancy.use(market.pk):
        return Seller.objects.get(pk=seller.pk).state


class TestList:
    def test_shows_grade_and_last_activity(self, owner, seller):
        content = desks.text(owner.get(LIST))
        assert "씨앗" in content
        assert "March 2, 2026" in content

    @pytest.mark.parametrize(
        ("term", "found"), [("apple", 1), ("appl", 1), ("pple", 0), ("", 2), ("pear-", 0)]
    )
    def test_is_searched_by_code_and_by_how_a_name_begins(self, owner, seller, market, term, found):
        with tenancy.use(market.pk):
            make.seller("pear")
        answer = owner.get(LIST, {"q": term})
        assert len(answer.context["cl"].result_list) == found

    def test_asks_the_same_for_many_sellers(
        self, owner, seller, market, django_assert_max_num_queries
    ):
        with tenancy.use(market.pk):
            for number in range(60):
                make.seller(f"s{number}")
        with django_assert_max_num_queries(22):
            answer = owner.get(LIST)
        assert len(answer.context["cl"].result_list) == 50


class TestPage:
    def test_tells_how_the_seller_stands(self, owner, seller):
        content = desks.text(owner.get(page(seller)))
        for told in ("apple", seller.public_id, "씨앗", "₩12,900", "Restrict", "Suspend"):
            assert told in content
        assert "Finish termination" not in content

    def test_asks_a_fixed_number_of_queries(
        self, owner, seller, market, django_assert_max_num_queries
    ):
        owner.get(page(seller))
        with tenancy.use(market.pk):
            for number in range(12):
                member = floor.user(f"m{number}@example.org", is_staff=False)
                SellerMember.objects.create(user=member, marketplace=market, seller=seller)
        with django_assert_max_num_queries(36):
            assert owner.get(page(seller)).status_code == 200

    def test_renders_hostile_text_inert(self, owner, market):
        with tenancy.use(market.pk):
            seller = make.seller("x")
            Seller.objects.filter(pk=seller.pk).update(
                name=desks.HOSTILE, business_number="<script>"
            )
        assert desks.is_inert(owner.get(page(seller)))
        assert desks.is_inert(owner.get(LIST))
        assert desks.is_inert(owner.get(decide(seller, "restrict")))

    def test_is_only_read(self, owner, seller, market):
        assert owner.post(page(seller), {"state": "terminated"}).status_code == 405
        assert state_of(seller, market) == "active"


class TestDecisions:
    def test_are_made_with_a_reason(self, owner, seller, market):
        answer = owner.post(decide(seller, "restrict"), {"reason": "complaints"}, follow=True)
        assert answer.redirect_chain == [(page(seller), 302)]
        assert state_of(seller, market) == "restricted"
        with tenancy.use(market.pk):
            assert AuditEntry.objects.get(action="seller.restricted").reason == "complaints"

    def test_need_one_that_harms_nobody_unsaid(self, owner, seller, market):
        answer = owner.post(decide(seller, "restrict"), {"reason": "  "})
        assert answer.status_code == 422
        assert "This field is required." in desks.text(answer)
        assert state_of(seller, market) == "active"

    def test_show_why_they_are_refused(self, owner, seller, market):
        answer = owner.post(decide(seller, "finish"), {"reason": "x"})
        assert "cannot go from" in desks.text(answer)
        assert state_of(seller, market) == "active"

    def test_to_suspend_wait_for_a_second_person(self, owner, seller, market):
        owner.post(decide(seller, "suspend"), {"reason": "forged goods"})
        assert state_of(seller, market) == "active"
        second = floor.user("second@example.org")
        with tenancy.use(market.pk):
            approvals.approve(Approval.objects.get(), by=second, at=make.AT)
        assert state_of(seller, market) == "suspended"

    def test_to_let_sell_again_wait_for_a_second_person(self, owner, seller, market):
        owner.post(decide(seller, "restrict"), {"reason": "complaints"})
        assert owner.post(decide(seller, "reinstate"), {"reason": ""}).status_code == 422
        owner.post(decide(seller, "reinstate"), {"reason": "mended"})
        assert state_of(seller, market) == "restricted"
        second = floor.user("second@example.org")
        with tenancy.use(market.pk):
            approvals.approve(Approval.objects.get(), by=second, at=make.AT)
        assert state_of(seller, market) == "active"

    def test_that_do_not_exist_are_not_found(self, owner, seller):
        assert owner.get(decide(seller, "praise")).status_code == 404

    @pytest.mark.parametrize("decision", DECISIONS)
    def test_are_nothing_to_a_stranger(self, stranger, seller, market, decision):
        assert stranger.get(page(seller)).status_code == 404
        assert stranger.get(decide(seller, decision)).status_code == 404
        assert stranger.post(decide(seller, decision), {"reason": "x"}).status_code == 404
        assert state_of(seller, market) == "active"

    @pytest.mark.parametrize(
        ("role", "may"),
        [
            ("owner", True),
            ("reviewer", True),
            ("finance", False),
            ("support", False),
            ("viewer", False),
        ],
    )
    def test_follow_the_role(self, market, seller, role, may):
        client, _ = desks.operator(market, role)
        assert client.get(page(seller)).status_code == 200
        assert ("Restrict" in desks.text(client.get(page(seller)))) is may
        answer = client.post(decide(seller, "restrict"), {"reason": "x"})
        assert answer.status_code == (302 if may else 403)
        assert state_of(seller, market) == ("restricted" if may else "active")

    def test_of_a_person_without_the_admin_lead_to_the_login(self, client, seller, market):
        client.force_login(floor.user("shopper@example.org", is_staff=False))
        assert client.post(decide(seller, "restrict"), {"reason": "x"}).status_code == 302
        assert state_of(seller, market) == "active"


class TestMembers:
    @pytest.fixture
    def member(self, seller, market):
        with tenancy.use(market.pk):
            return SellerMember.objects.create(
                user=floor.user("staff@example.org", is_staff=False, name=desks.HOSTILE),
                marketplace=market,
                seller=seller,
            )

    def _remove(self, member) -> str:
        return reverse("admin:sellers_sellermember_decide", args=[member.pk, "remove"])

    def test_are_removed_with_a_reason(self, owner, member, market):
        address = reverse("admin:sellers_sellermember_change", args=[member.pk])
        assert desks.is_inert(owner.get(address))
        answer = owner.post(self._remove(member), {"reason": "left the company"})
        assert answer.url == reverse("admin:sellers_sellermember_changelist")
        assert not SellerMember.objects.exists()
        with tenancy.use(market.pk):
            entry = AuditEntry.objects.get(action="sellermember.taken_out")
        assert entry.reason == "left the company"
        assert entry.object_key == str(member.seller_id)
        assert entry.data == {"user": member.user_id, "role": "owner"}

    def test_are_nothing_to_a_stranger(self, stranger, member):
        address = reverse("admin:sellers_sellermember_change", args=[member.pk])
        assert stranger.get(address).status_code == 404
        assert stranger.post(self._remove(member), {"reason": "x"}).status_code == 404
        listed = stranger.get(reverse("admin:sellers_sellermember_changelist"))
        assert "staff@example.org" not in desks.text(listed)
        assert SellerMember.objects.count() == 1

    def test_are_not_removed_by_whoever_only_looks(self, market, member):
        client, _ = desks.operator(market, "viewer")
        assert client.post(self._remove(member), {"reason": "x"}).status_code == 403
        assert SellerMember.objects.count() == 1
