import pytest
from django.db import connection

from marketplace import identifiers, tenancy
from marketplace.models import AuditEntry, Change, User
from marketplace.tests.make import another_connection
from sellers import applying, deciding
from sellers.models import Seller, SellerMember, SellerProfile
from sellers.tests import make

AT = make.AT


@pytest.fixture
def market(db):
    market = make.marketplace("own")
    with tenancy.use(market.pk):
        yield market


@pytest.fixture
def florist(db):
    return User.objects.create_user("flowers@example.org")


def apply(by, at=AT, **fields):
    return applying.apply(make.application(**fields), by=by, at=at)


class TestApply:
    def test_writes_down_who_wants_to_sell(self, market, florist):
        seller = apply(florist)
        seller.refresh_from_db()
        assert (seller.state, seller.business_number) == (Seller.State.ONBOARDING, "2208162517")
        assert seller.joined_on.isoformat() == "2026-03-02"
        profile = SellerProfile.objects.get(seller=seller)
        assert (profile.company, profile.representative) == ("꽃집상사", "김꽃님")
        [member] = SellerMember.objects.all()
        assert (member.user, member.seller, member.role) == (florist, seller, "owner")

    def test_is_announced_and_recorded_without_personal_data(self, market, florist):
        seller = apply(florist)
        [change] = Change.objects.all()
        assert (change.type, change.object_id, change.seller_id, change.data) == (
            "seller.applied",
            seller.public_id,
            seller.pk,
            {},
        )
        [entry] = AuditEntry.objects.all()
        assert (entry.action, entry.actor, entry.object_key) == (
            "seller.applied",
            florist,
            str(seller.pk),
        )
        assert entry.data == {"seller_type": "sole_proprietor"}

    def test_needs_no_number_of_an_individual_and_keeps_none(self, market, florist):
        assert apply(florist, seller_type="individual").business_number == ""

    @pytest.mark.parametrize("number", ["", "  "])
    def test_refuses_a_business_without_its_number(self, market, florist, number):
        with pytest.raises(applying.NumberMissing):
            apply(florist, business_number=number)

    def test_refuses_what_is_no_number(self, market, florist):
        with pytest.raises(identifiers.NotABusinessNumber):
            apply(florist, business_number="12-34")
        assert not Seller.objects.exists()

    @pytest.mark.parametrize("known", ["2208162517", "220-81-62517"])
    def test_refuses_a_number_that_a_shop_here_has(self, market, florist, known):
        make.seller("apple", business_number=known)
        with pytest.raises(applying.NumberTaken) as refusal:
            apply(florist, business_number="220 81 62517")
        assert "220-81-62517" in str(refusal.value)
        assert Seller.objects.count() == 1

    def test_knows_nothing_of_numbers_elsewhere(self, db, florist):
        other = make.marketplace("other")
        with tenancy.use(other.pk):
            make.seller("apple", business_number="2208162517")
        with tenancy.use(make.marketplace("own").pk):
            assert apply(florist).pk

    def test_refuses_a_second_application_while_one_waits(self, market, florist):
        apply(florist)
        with pytest.raises(applying.AlreadyWaiting):
            apply(florist, business_number="101-81-55559")

    def test_may_be_tried_again_after_a_rejection(self, market, florist):
        first = apply(florist)
        deciding.reject(first, by=None, at=AT, reason="The certificate is missing.")
        second = apply(florist)
        assert applying.latest_of(florist) == second
        assert Seller.objects.get(pk=first.pk).state == Seller.State.TERMINATED
        assert list(florist.seller_memberships.values_list("seller_id", flat=True)) == [second.pk]

    def test_is_closed_in_an_archived_marketplace(self, db, florist):
        archived = make.marketplace("old", state="archived")
        with tenancy.use(archived.pk), pytest.raises(applying.ClosedToApplications):
            apply(florist)


class TestRejection:
    def test_is_the_reason_that_was_given(self, market, florist):
        seller = apply(florist)
        assert applying.rejection(seller) is None
        deciding.reject(seller, by=None, at=AT, reason="The certificate is missing.")
        seller.refresh_from_db()
        assert applying.rejection(seller) == "The certificate is missing."

    def test_is_not_how_a_shop_ends_that_was_open(self, market, florist):
        seller = apply(florist)
        deciding.approve(seller, by=None, at=AT)
        deciding.begin_termination(seller, by=None, at=AT, reason="It asked to leave.")
        deciding.finish_termination(seller, by=None, at=AT, reason="It asked to leave.")
        seller.refresh_from_db()
        assert applying.rejection(seller) is None


@pytest.mark.django_db(transaction=True)
def test_two_applications_at_once_take_a_number_once():
    market = make.marketplace("own")
    users = [User.objects.create_user(f"{name}@example.org") for name in ("one", "two")]
    refusals = []

    def second():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20s'")
        try:
            with tenancy.use(market.pk):
                apply(users[1])
        except applying.NumberTaken as refused:
            refusals.append(refused)

    thread = another_connection(second)
    with tenancy.use(market.pk):
        apply(users[0])
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for the first to end
    thread.join(10)
    assert thread.failure is None
    assert len(refusals) == 1
