"""From the first words to being on sale."""

from datetime import UTC, datetime, timedelta

import pytest

from listings import reviewing, selling
from listings.models import Finding, Listing, PolicyPack, Revision
from listings.tests import make
from marketplace import documents, reasons, states, tenancy, versions
from marketplace.models import AuditEntry, Change
from sellers.models import Seller

pytestmark = pytest.mark.django_db
BY_AT = {"by": None, "at": make.AT}
LATER = make.AT + timedelta(minutes=1)


@pytest.fixture
def own():
    marketplace = make.marketplace()
    with tenancy.use(marketplace.pk):
        yield marketplace


class TestCreate:
    def test_makes_a_listing_that_nobody_sees_yet(self, own):
        revision = make.draft()
        assert (revision.number, revision.state) == (1, "draft")
        assert revision.listing.state == "unpublished"
        assert not Listing.objects.visible().exists()

    def test_refuses_a_code_of_the_same_seller_twice(self, own):
        make.draft(owner=make.seller())
        with pytest.raises(reviewing.CodeTaken):
            make.draft(owner=make.seller())
        make.draft(owner=make.seller("pear"))


class TestCheck:
    def test_writes_findings_and_blocks(self, own):
        pack = make.pack()
        revision = make.draft("담 배 1보루", description="전자담배 포함")
        findings = reviewing.check(revision, **BY_AT)
        assert [(f.rule, f.field, f.start, f.end, f.evidence) for f in findings] == [
            ("tobacco", "title", 0, 3, "담 배"),
            ("tobacco", "description", 0, 4, "전자담배"),
        ]
        assert {f.pack_id for f in Finding.objects.all()} == {pack.pk}
        revision.refresh_from_db()
        assert revision.state == "blocked"

    def test_replaces_earlier_findings_and_lets_a_mended_draft_go(self, own):
        make.pack()
        revision = make.draft("담배")
        reviewing.check(revision, **BY_AT)
        revision = reviewing.edit(revision, title="금연 패치", **BY_AT)
        assert (revision.state, revision.findings.count()) == ("draft", 0)
        assert reviewing.check(revision, **BY_AT) == []

    def test_knows_the_exceptions_of_a_category(self, own):
        make.pack()
        categories = make.categories()
        assert (
            reviewing.check(make.draft("소주", code="a", category=categories["liquor"]), **BY_AT)
            == []
        )
        assert (
            len(reviewing.check(make.draft("소주", code="b", category=categories["food"]), **BY_AT))
            == 1
        )

    def test_finds_nothing_without_a_pack(self, own):
        assert reviewing.check(make.draft("담배"), **BY_AT) == []

    def test_takes_the_pack_in_force_on_the_day_in_the_marketplaces_zone(self, own):
        make.pack()
        make.pack({"rules": []}, valid_from=datetime(2026, 3, 3, tzinfo=UTC).date())
        revision = make.draft("담배")
        late = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # the third of March in Seoul
        assert reviewing.check(revision, by=None, at=late) == []


class TestPublish:
    def test_puts_a_clean_listing_on_sale(self, own):
        make.pack()
        revision = make.draft()
        reviewing.publish(revision, **BY_AT)
        [listing] = Listing.objects.visible()
        assert listing.live_revision == revision
        assert Revision.objects.get().state == "approved"
        change = Change.objects.get()
        assert (change.type, change.object_id) == ("listing.published", listing.public_id)
        assert (change.seller_id, change.data) == (listing.seller_id, {})
        actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
        assert list(actions)[-3:] == ["listing.created", "revision.approved", "listing.on_sale"]

    def test_refuses_a_blocked_one_and_keeps_its_findings(self, own):
        make.pack()
        revision = make.draft("담배")
        with pytest.raises(reviewing.BlockedByPolicy) as refused:
            reviewing.publish(revision, **BY_AT)
        assert str(refused.value) == "The listing cannot be published: 1 findings block it."
        assert Finding.objects.count() == 1
        assert Listing.objects.get().state == "unpublished"

    def test_lets_a_warning_pass(self, own):
        make.pack()
        food = make.categories()["food"]
        reviewing.publish(make.draft("면역력 주스", category=food), **BY_AT)
        assert Finding.objects.get().severity == "warn"
        assert Listing.objects.get().state == "on_sale"

    def test_keeps_the_live_revision_until_the_next_is_published(self, own):
        make.pack()
        first = reviewing.publish(make.draft(), **BY_AT)
        second = reviewing.revise(first.listing, title="담배", **BY_AT)
        with pytest.raises(reviewing.BlockedByPolicy):
            reviewing.publish(second, **BY_AT)
        assert Listing.objects.get().live_revision == first
        second = reviewing.edit(second, title="무선 이어폰 2", **BY_AT)
        reviewing.publish(second, **BY_AT)
        assert Listing.objects.get().live_revision == second

    def test_lifts_no_suspension(self, own):
        first = reviewing.publish(make.draft(), **BY_AT)
        listing = Listing.objects.get()
        states.move(listing, Listing.State.SUSPENDED_BY_PLATFORM, **BY_AT)
        reviewing.publish(reviewing.revise(first.listing, unit_price=9_900, **BY_AT), **BY_AT)
        assert Listing.objects.get().state == "suspended_by_platform"

    def test_refuses_what_is_published_already(self, own):
        revision = reviewing.publish(make.draft(), **BY_AT)
        with pytest.raises(reviewing.NotADraft):
            reviewing.publish(revision, **BY_AT)
        with pytest.raises(reviewing.NotADraft):
            reviewing.edit(revision, title="x", **BY_AT)

    def test_finds_nothing_of_another_marketplace(self):
        with tenancy.use(make.marketplace("shop").pk):
            revision = make.draft()
        with (
            tenancy.use(make.marketplace("stranger").pk),
            pytest.raises(Listing.DoesNotExist),
        ):
            reviewing.publish(revision, **BY_AT)


class TestSubmit:
    def test_puts_a_clean_draft_into_the_queue(self, own):
        make.pack()
        first, second = make.draft(code="A-1"), make.draft(code="A-2")
        reviewing.submit(second, **BY_AT)
        reviewing.submit(first, by=None, at=LATER)
        assert list(Revision.objects.all().awaiting_review()) == [second, first]
        assert Listing.objects.get(code="A-2").state == "unpublished"
        [change] = Change.objects.filter(object_id=first.listing.public_id)
        assert change.type == "listing.submitted"
        assert change.seller_id == first.listing.seller_id

    def test_refuses_a_blocked_one_and_keeps_its_findings(self, own):
        make.pack()
        revision = make.draft("담배")
        with pytest.raises(reviewing.BlockedByPolicy):
            reviewing.submit(revision, **BY_AT)
        assert Finding.objects.count() == 1
        assert Revision.objects.get().state == "blocked"
        assert not Change.objects.exists()

    def test_is_refused_twice_and_for_what_is_decided(self, own):
        revision = reviewing.submit(make.draft(), **BY_AT)
        with pytest.raises(reviewing.AlreadySubmitted):
            reviewing.submit(revision, **BY_AT)
        reviewing.publish(revision, **BY_AT)
        with pytest.raises(reviewing.NotADraft):
            reviewing.submit(revision, **BY_AT)

    def test_is_taken_back_by_an_edit(self, own):
        revision = reviewing.submit(make.draft(), **BY_AT)
        assert reviewing.edit(revision, title="이어폰", **BY_AT).state == "draft"
        assert not Revision.objects.all().awaiting_review().exists()


class TestSendBack:
    def test_tells_the_seller_what_to_change(self, own):
        revision = reviewing.submit(make.draft(), **BY_AT)
        reviewing.send_back(revision, reason=" 사진이 없습니다. ", **BY_AT)
        revision.refresh_from_db()
        assert (revision.state, revision.sent_back_for) == ("draft", "사진이 없습니다.")
        assert Change.objects.filter(type="listing.sent_back").count() == 1
        entry = AuditEntry.objects.get(action="revision.draft")
        assert entry.reason == "사진이 없습니다."

    def test_is_answered_by_handing_in_again(self, own):
        revision = reviewing.submit(make.draft(), **BY_AT)
        reviewing.send_back(revision, reason="사진", **BY_AT)
        reviewing.submit(revision, **BY_AT)
        revision.refresh_from_db()
        assert (revision.state, revision.sent_back_for) == ("submitted", "")

    def test_needs_a_reason_and_something_handed_in(self, own):
        revision = make.draft()
        with pytest.raises(reviewing.NotSubmitted):
            reviewing.send_back(revision, reason="사진", **BY_AT)
        reviewing.submit(revision, **BY_AT)
        with pytest.raises(reasons.ReasonMissing):
            reviewing.send_back(revision, reason=" ", **BY_AT)
        assert Revision.objects.get().state == "submitted"


class TestTakeDown:
    @pytest.mark.parametrize("paused", [False, True])
    def test_takes_a_listing_from_view_and_says_why(self, own, paused):
        listing = reviewing.publish(make.draft(), **BY_AT).listing
        if paused:
            selling.pause(listing, **BY_AT)
        reviewing.take_down(listing, reason="위조 신고", **BY_AT)
        listing.refresh_from_db()
        assert (listing.state, listing.taken_down_for) == ("suspended_by_platform", "위조 신고")
        assert not Listing.objects.visible().exists()
        assert Change.objects.filter(type="listing.taken_down").count() == 1

    def test_refuses_what_was_never_on_sale_and_no_reason(self, own):
        listing = make.draft().listing
        with pytest.raises(states.IllegalMove):
            reviewing.take_down(listing, reason="x", **BY_AT)
        with pytest.raises(reasons.ReasonMissing):
            reviewing.take_down(listing, reason="", **BY_AT)
        with pytest.raises(reasons.ReasonTooLong):
            reviewing.take_down(listing, reason="x" * 501, **BY_AT)

    def test_is_undone_by_restoring(self, own):
        listing = reviewing.publish(make.draft(), **BY_AT).listing
        with pytest.raises(reviewing.NotTakenDown):
            reviewing.restore(listing, **BY_AT)
        reviewing.take_down(listing, reason="위조 신고", **BY_AT)
        reviewing.restore(listing, **BY_AT)
        listing.refresh_from_db()
        assert (listing.state, listing.taken_down_for) == ("on_sale", "")
        assert Change.objects.filter(type="listing.restored").count() == 1


class TestTryOut:
    def test_tells_what_a_draft_of_a_pack_would_object_to(self, own):
        draft = versions.draft(PolicyPack, valid_from=make.JOINED, by=None, body=make.PACK)
        food = make.categories()["food"]
        texts = {"title": "면역력 주스", "description": "금연 중에 담배 대신"}
        found = reviewing.try_out(draft, texts, food)
        assert [(f.rule, f.field, f.evidence) for f in found] == [
            ("function_claim", "title", "면역력"),
            ("tobacco", "description", "담배"),
        ]
        assert [f.rule for f in reviewing.try_out(draft, texts)] == ["tobacco"]
        assert not Finding.objects.exists()


class TestHandIn:
    def handed_in(self, review, title="무선 이어폰", **words):
        make.pack(make.PACK | ({"review": review} if review else {}))
        revision = make.draft(title, **words)
        Seller.objects.update(state=Seller.State.ACTIVE)
        revision.listing.seller.refresh_from_db()
        return reviewing.hand_in(revision, **BY_AT).state

    @pytest.mark.parametrize(
        ("review", "clean", "warned"),
        [
            (None, "submitted", "submitted"),
            ("always", "submitted", "submitted"),
            ("when_warned", "approved", "submitted"),
            ("never", "approved", "approved"),
        ],
    )
    def test_asks_an_operator_where_the_policy_says_so(self, own, review, clean, warned):
        assert self.handed_in(review) == clean
        food = make.categories()["food"]
        seller = Seller.objects.get()
        revision = make.draft("면역력 주스", owner=seller, code="A-2", category=food)
        assert reviewing.hand_in(revision, **BY_AT).state == warned

    def test_asks_an_operator_where_there_is_no_policy(self, own):
        revision = make.draft()
        Seller.objects.update(state=Seller.State.ACTIVE)
        revision.listing.seller.refresh_from_db()
        assert reviewing.hand_in(revision, **BY_AT).state == "submitted"

    @pytest.mark.parametrize("review", ["always", "never"])
    def test_never_lets_through_what_policy_blocks(self, own, review):
        with pytest.raises(reviewing.BlockedByPolicy):
            self.handed_in(review, "담배")
        assert Revision.objects.get().state == "blocked"

    @pytest.mark.parametrize("state", sorted(set(Seller.State) - {Seller.State.ACTIVE}))
    def test_is_for_active_shops_only(self, own, state):
        revision = make.draft()
        Seller.objects.update(state=state)
        revision.listing.seller.refresh_from_db()
        with pytest.raises(reviewing.ShopNotOpen):
            reviewing.hand_in(revision, **BY_AT)
        revision.refresh_from_db()
        assert revision.state == "draft"


class TestRevise:
    def test_refuses_a_second_draft(self, own):
        revision = make.draft()
        with pytest.raises(reviewing.DraftExists):
            reviewing.revise(revision.listing, title="x", **BY_AT)

    def test_refuses_a_closed_listing(self, own):
        listing = reviewing.publish(make.draft(), **BY_AT).listing
        states.move(Listing.objects.get(), Listing.State.CLOSED, **BY_AT)
        with pytest.raises(reviewing.ListingClosed):
            reviewing.revise(listing, title="x", **BY_AT)


class TestPublishPack:
    def test_refuses_what_could_not_be_read_by_its_field(self, own):
        draft = versions.draft(PolicyPack, valid_from=make.JOINED, by=None, body={"rules": [{}]})
        with pytest.raises(documents.BadDocument, match=r"^v1 \(2026-01-01\): "):
            reviewing.publish_pack(draft, by=None, at=make.AT)
        draft.refresh_from_db()
        assert draft.state == "draft"
