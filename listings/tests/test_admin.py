"""The operators' pages of listings, revisions and policy packs."""

import pytest
from django.urls import reverse

from listings import reviewing
from listings.models import Finding, Listing, PolicyPack, Revision
from listings.tests import make
from marketplace import tenancy, versions
from marketplace.tests import desks

pytestmark = pytest.mark.django_db
QUEUE = reverse("admin:listings_revision_changelist")
BY_AT = {"by": None, "at": make.AT}


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
def revision(market):
    """Handed in, with a warning that marks its place."""
    with tenancy.use(market.pk):
        make.pack()
        words = {"category": make.categories()["food"], "description": desks.HOSTILE}
        return reviewing.submit(make.draft("면역력 주스", **words), **BY_AT)


def page(row) -> str:
    return reverse(f"admin:listings_{row._meta.model_name}_change", args=[row.pk])


def decide(row, decision) -> str:
    return reverse(f"admin:listings_{row._meta.model_name}_decide", args=[row.pk, decision])


def stored(row, market):
    with tenancy.use(market.pk):
        return type(row).objects.get(pk=row.pk)


class TestQueue:
    def test_shows_what_waits_with_its_findings(self, owner, revision, market):
        with tenancy.use(market.pk):
            make.draft(code="A-2", owner=revision.listing.seller)
        [row] = owner.get(QUEUE).context["cl"].result_list
        assert (row, row.findings_count) == (revision, 1)
        assert len(owner.get(QUEUE, {"queue": "all"}).context["cl"].result_list) == 2

    def test_asks_the_same_for_many(self, owner, revision, market, django_assert_max_num_queries):
        with tenancy.use(market.pk):
            for number in range(55):
                draft = make.draft(code=f"B-{number}", owner=revision.listing.seller)
                reviewing.submit(draft, **BY_AT)
        with django_assert_max_num_queries(17):
            assert len(owner.get(QUEUE).context["cl"].result_list) == 50


class TestRevision:
    def test_marks_the_place_and_tells_the_remedy(self, owner, revision):
        content = desks.text(owner.get(page(revision)))
        assert '<mark class="story-warn" title="function_claim">면역력</mark>' in content
        assert "기능성 오인" in content
        assert "may stay, but the reviewer will look at it" in content

    def test_renders_hostile_text_inert(self, owner, revision):
        assert desks.is_inert(owner.get(page(revision)))

    def test_is_published(self, owner, revision, market):
        assert owner.post(decide(revision, "publish")).url == page(revision)
        assert stored(revision, market).state == "approved"
        assert stored(revision.listing, market).state == "on_sale"

    def test_is_sent_back_with_a_reason(self, owner, revision, market):
        assert owner.post(decide(revision, "send-back"), {"reason": " "}).status_code == 422
        assert stored(revision, market).state == "submitted"
        owner.post(decide(revision, "send-back"), {"reason": "사진이 없습니다."})
        after = stored(revision, market)
        assert (after.state, after.sent_back_for) == ("draft", "사진이 없습니다.")

    def test_says_why_it_cannot_be_published(self, owner, revision, market):
        with tenancy.use(market.pk):
            Revision.objects.filter(pk=revision.pk).update(title="담배")
        answer = owner.post(decide(revision, "publish"))
        assert "1 findings block it" in desks.text(answer)
        assert stored(revision, market).state == "blocked"
        with tenancy.use(market.pk):
            assert Finding.objects.get().rule == "tobacco"

    @pytest.mark.parametrize("decision", ["publish", "send-back"])
    def test_is_nothing_to_a_stranger(self, stranger, revision, market, decision):
        assert stranger.get(page(revision)).status_code == 404
        assert stranger.get(decide(revision, decision)).status_code == 404
        assert stranger.post(decide(revision, decision), {"reason": "x"}).status_code == 404
        assert "주스" not in desks.text(stranger.get(QUEUE, {"queue": "all"}))
        assert stored(revision, market).state == "submitted"

    @pytest.mark.parametrize(
        ("role", "status"),
        [("reviewer", 302), ("finance", 403), ("support", 403), ("viewer", 403)],
    )
    def test_follows_the_role(self, market, revision, role, status):
        client, _ = desks.operator(market, role)
        assert client.get(page(revision)).status_code == 200
        assert client.post(decide(revision, "publish")).status_code == status


class TestListing:
    @pytest.fixture
    def listing(self, revision, market) -> Listing:
        with tenancy.use(market.pk):
            return reviewing.publish(revision, **BY_AT).listing

    def test_tells_its_revisions(self, owner, listing):
        answer = owner.get(page(listing))
        assert "면역력 주스" in desks.text(answer)
        assert desks.is_inert(answer)

    def test_is_taken_down_and_restored(self, owner, listing, market):
        owner.post(decide(listing, "take-down"), {"reason": "위조 신고"})
        after = stored(listing, market)
        assert (after.state, after.taken_down_for) == ("suspended_by_platform", "위조 신고")
        assert "위조 신고" in desks.text(owner.get(page(listing)))
        owner.post(decide(listing, "restore"), {})
        assert stored(listing, market).state == "on_sale"

    @pytest.mark.parametrize("decision", ["take-down", "restore"])
    def test_is_nothing_to_a_stranger(self, stranger, listing, market, decision):
        assert stranger.get(page(listing)).status_code == 404
        assert stranger.post(decide(listing, decision), {"reason": "x"}).status_code == 404
        assert stored(listing, market).state == "on_sale"

    def test_is_not_taken_down_by_whoever_only_looks(self, market, listing):
        client, _ = desks.operator(market, "viewer")
        assert client.post(decide(listing, "take-down"), {"reason": "x"}).status_code == 403
        assert stored(listing, market).state == "on_sale"


class TestPolicyPack:
    @pytest.fixture
    def draft(self, market) -> PolicyPack:
        with tenancy.use(market.pk):
            return versions.draft(PolicyPack, valid_from=make.JOINED, by=None, body=make.PACK)

    def _read(self, pack) -> str:
        return reverse("admin:listings_policypack_read", args=[pack.pk])

    def test_is_read_rule_by_rule(self, owner, draft):
        content = desks.text(owner.get(self._read(draft)))
        for told in (
            "담배",
            "전자담배",
            "담배꽁초, 금연",
            "Everywhere except in liquor",
            "Only in food",
        ):
            assert told in content

    def test_is_tried_out_and_nothing_is_kept(self, owner, draft, market):
        said = {"title": "담배 " + desks.HOSTILE, "description": "", "category": ""}
        answer = owner.post(self._read(draft), said)
        assert '<mark class="story-block" title="tobacco">담배</mark>' in desks.text(answer)
        assert desks.is_inert(answer)
        with tenancy.use(market.pk):
            assert not Finding.objects.exists()

    def test_says_what_cannot_be_read(self, owner, market):
        with tenancy.use(market.pk):
            broken = versions.draft(
                PolicyPack, valid_from=make.JOINED, by=None, body={"rules": [{}]}
            )
        answer = owner.post(self._read(broken), {"title": "담배"})
        assert answer.status_code == 200
        assert "rules[0]" in desks.text(answer)

    def test_is_nothing_to_a_stranger(self, stranger, draft):
        assert stranger.get(self._read(draft)).status_code == 404
        assert stranger.post(self._read(draft), {"title": "x"}).status_code == 404
