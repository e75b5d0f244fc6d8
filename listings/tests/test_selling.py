"""What a seller does with the sale of a listing, and what only the platform lifts."""

from datetime import timedelta

import pytest

from listings import reviewing, selling
from listings.models import Listing, Revision
from listings.tests import make
from marketplace import tenancy
from marketplace.models import AuditEntry, Change
from marketplace.tests.make import another_connection
from sellers.models import Seller

pytestmark = pytest.mark.django_db
BY_AT = {"by": None, "at": make.AT}


@pytest.fixture
def own():
    marketplace = make.marketplace()
    with tenancy.use(marketplace.pk):
        yield marketplace


@pytest.fixture
def listing(own):
    """On sale, of a seller in good standing."""
    listing = reviewing.publish(make.draft(), **BY_AT).listing
    Seller.objects.update(state=Seller.State.ACTIVE)
    return listing


def stored() -> Listing:
    return Listing.objects.get()


class TestPause:
    def test_takes_it_from_view_and_says_so(self, listing):
        selling.pause(listing, **BY_AT)
        assert (stored().state, stored().paused_at) == ("paused_by_seller", make.AT)
        assert not Listing.objects.visible().exists()
        change = Change.objects.latest("pk")
        assert (change.type, change.object_id) == ("listing.paused", listing.public_id)
        assert change.seller_id == listing.seller_id
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.object_key) == ("listing.paused_by_seller", str(listing.pk))

    def test_refuses_what_is_not_on_sale(self, own):
        draft = make.draft()
        with pytest.raises(selling.NotOnSale):
            selling.pause(draft.listing, **BY_AT)
        assert stored().state == "unpublished"


class TestResume:
    def test_puts_it_on_sale_again(self, listing):
        selling.pause(listing, **BY_AT)
        selling.resume(listing, **BY_AT)
        assert (stored().state, stored().paused_at) == ("on_sale", None)
        assert Listing.objects.visible().exists()
        assert Change.objects.latest("pk").type == "listing.resumed"

    def test_refuses_what_its_seller_did_not_pause(self, listing):
        with pytest.raises(selling.NotPaused):
            selling.resume(listing, **BY_AT)

    @pytest.mark.parametrize("state", ["restricted", "suspended", "terminating"])
    def test_refuses_while_the_shop_may_not_sell(self, listing, state):
        selling.pause(listing, **BY_AT)
        Seller.objects.update(state=state)
        with pytest.raises(reviewing.ShopNotOpen):
            selling.resume(listing, **BY_AT)
        assert stored().state == "paused_by_seller"


class TestPlatformStop:
    @pytest.mark.parametrize("deed", [selling.pause, selling.resume])
    def test_is_not_touched_by_the_seller(self, listing, deed):
        reviewing.take_down(listing, reason="위조 신고", **BY_AT)
        with pytest.raises(selling.TakenDown):
            deed(listing, **BY_AT)
        assert stored().state == "suspended_by_platform"

    def test_ends_in_the_pause_that_it_found(self, listing):
        selling.pause(listing, **BY_AT)
        reviewing.take_down(listing, reason="위조 신고", by=None, at=make.AT + timedelta(hours=1))
        reviewing.restore(listing, **BY_AT)
        assert (stored().state, stored().paused_at) == ("paused_by_seller", make.AT)
        selling.resume(listing, **BY_AT)
        assert stored().state == "on_sale"

    def test_ends_on_sale_where_nothing_was_paused(self, listing):
        reviewing.take_down(listing, reason="위조 신고", **BY_AT)
        reviewing.restore(listing, **BY_AT)
        assert stored().state == "on_sale"


class TestClose:
    @pytest.mark.parametrize("before", ["unpublished", "on_sale", "paused", "taken down"])
    def test_ends_it_for_good(self, own, before):
        revision = make.draft()
        if before != "unpublished":
            reviewing.publish(revision, **BY_AT)
        if before == "paused":
            selling.pause(revision.listing, **BY_AT)
        if before == "taken down":
            reviewing.take_down(revision.listing, reason="위조 신고", **BY_AT)
        selling.close(revision.listing, **BY_AT)
        assert stored().state == "closed"
        assert Change.objects.latest("pk").type == "listing.closed"
        for deed in selling.DEEDS.values():
            with pytest.raises(reviewing.ListingClosed):
                deed(revision.listing, **BY_AT)
        with pytest.raises(reviewing.NotTakenDown):
            reviewing.restore(revision.listing, **BY_AT)

    @pytest.mark.parametrize("state", ["submitted", "blocked", "sent back"])
    def test_puts_the_draft_aside(self, listing, state):
        make.pack()
        draft = reviewing.revise(listing, title="담배" if state == "blocked" else "의자", **BY_AT)
        if state == "blocked":
            reviewing.check(draft, **BY_AT)
        else:
            reviewing.submit(draft, **BY_AT)
        if state == "sent back":
            reviewing.send_back(draft, reason="사진", **BY_AT)
        selling.close(listing, **BY_AT)
        draft.refresh_from_db()
        assert (draft.state, draft.sent_back_for) == ("draft", "")
        assert not Revision.objects.to_mend().exists()
        assert not Revision.objects.all().awaiting_review().exists()
        for deed in (reviewing.check, reviewing.edit, reviewing.submit, reviewing.publish):
            with pytest.raises(reviewing.ListingClosed):
                deed(draft, **BY_AT)


class TestEach:
    def test_does_what_it_can_and_names_what_it_cannot(self, listing):
        other = make.draft("의자", code="B-2").listing
        told = selling.each([listing, other], "pause", **BY_AT)
        assert [done.code for done in told.done] == ["A-1"]
        [(refused, why)] = told.refused
        assert (refused.code, type(why)) == ("B-2", selling.NotOnSale)
        assert sorted(Listing.objects.values_list("code", "state")) == [
            ("A-1", "paused_by_seller"),
            ("B-2", "unpublished"),
        ]


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    def test_a_seller_does_not_resume_what_is_just_taken_down(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            listing = reviewing.publish(make.draft(), **BY_AT).listing
            Seller.objects.update(state=Seller.State.ACTIVE)
            selling.pause(listing, **BY_AT)
        seen = []

        def resume():
            with tenancy.use(market.pk):
                try:
                    selling.resume(listing, **BY_AT)
                except selling.TakenDown as refused:
                    seen.append(refused.code)

        other = another_connection(resume)
        with tenancy.use(market.pk):
            reviewing.take_down(listing, reason="위조 신고", **BY_AT)
            other.start()
            other.join(0.5)
            assert other.is_alive()  # waits for the operator
        other.join(10)
        assert seen == ["listing_taken_down"]
        with tenancy.use(market.pk):
            assert stored().state == "suspended_by_platform"
