"""The seller centre's pages about listings: written, checked, marked, handed in."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from listings import reviewing
from listings.models import Finding, Listing, Revision
from listings.tests import make
from marketplace import tenancy
from sellers.models import Seller, SellerMember
from sellers.tests.make import member

pytestmark = pytest.mark.django_db
BY_AT = {"by": None, "at": make.AT}
WORDS = {"code": "A-1", "title": "무선 이어폰", "unit_price": "12,900", "category": "fashion"}


@pytest.fixture
def market(client):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    market = make.marketplace("own")
    with tenancy.use(market.pk):
        make.pack({**make.PACK, "review": "when_warned"})
        make.categories()
        apple, pear = (make.seller(code) for code in ("apple", "pear"))
        Seller.objects.update(state=Seller.State.ACTIVE)
        market.apple, market.pear = apple, pear
        market.owner = member(apple, "owner@example.org")
        market.staff = member(apple, "staff@example.org", SellerMember.Role.STAFF)
        market.neighbour = member(pear, "neighbour@example.org")
    other = make.marketplace("other")
    with tenancy.use(other.pk):
        market.stranger = member(make.seller("plum"), "stranger@example.org")
        Seller.objects.update(state=Seller.State.ACTIVE)
    return market


@pytest.fixture
def owner(client, market):
    client.force_login(market.owner)
    return client


def drafted(market, title="무선 이어폰", **words) -> str:
    with tenancy.use(market.pk):
        words.setdefault("owner", market.apple)
        revision = make.draft(title, **words)
        reviewing.check(revision, **BY_AT)
        return revision.listing.public_id


def stored(market) -> Revision:
    with tenancy.use(market.pk):
        return Revision.objects.select_related("listing", "category").latest("pk")


def text(answer) -> str:
    return answer.content.decode()


class TestOthers:
    ADDRESSES = (
        ("get", ""),
        ("get", "edit/"),
        ("post", "edit/"),
        ("post", "check/"),
        ("post", "hand-in/"),
    )

    @pytest.mark.parametrize("who", ["stranger", "neighbour"])
    def test_find_and_change_nothing(self, client, market, who):
        key = drafted(market)
        client.force_login(getattr(market, who))
        slugs = ("own", "other") if who == "stranger" else ("own",)
        for slug in slugs:
            for method, rest in self.ADDRESSES:
                answer = getattr(client, method)(f"/s/{slug}/listings/{key}/{rest}", WORDS)
                assert answer.status_code == 404, (slug, rest)
        listed = client.get("/s/own/listings/")
        assert listed.status_code == (404 if who == "stranger" else 200)
        assert key not in text(listed)
        for deed in ("pause", "resume", "close"):
            told = {"listing": key, "deed": deed, "sure": "1"}
            answer = client.post("/s/own/listings/sale/", told)
            # A shop of one's own is told what it is told without any tick.
            assert answer.status_code == (404 if who == "stranger" else 302)
        assert (stored(market).state, stored(market).title) == ("draft", "무선 이어폰")
        assert stored(market).listing.state == "unpublished"

    @pytest.mark.parametrize("rest", ["listings/", "listings/new/", "listings/categories/"])
    def test_a_stranger_has_no_page_here(self, client, market, rest):
        client.force_login(market.stranger)
        assert client.get(f"/s/own/{rest}").status_code == 404
        assert client.post(f"/s/own/{rest}", WORDS).status_code in (404, 405)
        with tenancy.use(market.pk):
            assert not Listing.objects.exists()

    def test_staff_write_as_owners_do(self, client, market):
        client.force_login(market.staff)
        assert client.post("/s/own/listings/new/", WORDS).status_code == 302
        assert stored(market).title == "무선 이어폰"

    def test_a_suspended_shop_keeps_its_draft_and_puts_nothing_on_sale(self, owner, market):
        key = drafted(market)
        with tenancy.use(market.pk):
            Seller.objects.filter(code="apple").update(state=Seller.State.SUSPENDED)
        page = owner.post(f"/s/own/listings/{key}/hand-in/", follow=True)
        assert "Nothing can be put on sale" in text(page)
        assert stored(market).state == "draft"


class TestNew:
    def test_saves_a_draft_and_checks_it(self, owner, market):
        answer = owner.post("/s/own/listings/new/", {**WORDS, "title": "전자 담배 거치대"})
        revision = stored(market)
        assert answer.url == f"/s/own/listings/{revision.listing.public_id}/"
        assert (revision.unit_price, revision.category.code) == (12_900, "fashion")
        assert revision.state == "blocked"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"title": ""}, "This field is required."),
            ({"title": "x" * 301}, "at most 300 characters"),
            ({"unit_price": "many"}, "Enter the price in digits, such as 12,900."),
            ({"unit_price": "-1"}, "A price is not negative."),
            ({"unit_price": "1000000000001"}, "No price is that high."),
            ({"unit_price": "1.5"}, "has more decimals than the currency"),
            ({"category": "gold"}, "Choose a category."),
            ({"category": ""}, "Choose a category."),
            ({"code": ""}, "This field is required."),
        ],
    )
    def test_names_the_field_and_loses_nothing(self, owner, market, given, said):
        words = {**WORDS, "description": "두 줄\n<b>설명</b>", **given}
        answer = owner.post("/s/own/listings/new/", words)
        page = text(answer)
        assert answer.status_code == 422
        assert said in page
        assert "두 줄\n&lt;b&gt;설명&lt;/b&gt;</textarea>" in page
        for name in ("title", "unit_price", "code"):
            assert f'value="{words[name]}"' in page or not words[name]
        with tenancy.use(market.pk):
            assert not Listing.objects.exists()

    @pytest.mark.parametrize("typed", ["12900", " 12,900원", "₩12,900", "１２，９００", "￦12900"])
    def test_reads_a_price_as_people_type_it(self, owner, market, typed):
        owner.post("/s/own/listings/new/", {**WORDS, "unit_price": typed})
        assert stored(market).unit_price == 12_900

    def test_names_a_code_that_is_taken(self, owner, market):
        drafted(market)
        answer = owner.post("/s/own/listings/new/", WORDS)
        assert answer.status_code == 422
        assert "already has a listing with the code “A-1”" in text(answer)

    def test_searching_for_a_category_without_scripts_saves_and_loses_nothing(self, owner, market):
        words = {**WORDS, "title": "", "find": "1", "search": "전통"}
        answer = owner.post("/s/own/listings/new/", words)
        page = text(answer)
        assert answer.status_code == 200
        assert "식품 › 전통주" in page
        assert 'value="12,900"' in page
        assert "This field is required." not in page

    def test_takes_no_other_field(self, owner, market):
        extra = {"state": "approved", "seller": market.pear.pk, "kind": "mini_app", "number": 7}
        owner.post("/s/own/listings/new/", {**WORDS, **extra})
        revision = stored(market)
        assert (revision.state, revision.number) == ("draft", 1)
        assert (revision.listing.kind, revision.listing.seller_id) == ("goods", market.apple.pk)


class TestListing:
    def test_marks_each_place_and_says_the_remedy(self, owner, market):
        key = drafted(market, "새 담배 <script>alert(1)</script>", description="전자담배 케이스")
        page = text(owner.get(f"/s/own/listings/{key}/"))
        assert '새 <mark class="found-block" title="tobacco">담배</mark> &lt;script&gt;' in page
        assert '<mark class="found-block" title="tobacco">전자담배</mark> 케이스' in page
        assert "Take “전자담배” out or say it differently" in page
        assert "<script>alert" not in page
        assert "/hand-in/" not in page

    def test_shows_why_it_was_sent_back_and_taken_down(self, owner, market):
        key = drafted(market)
        with tenancy.use(market.pk):
            revision = reviewing.submit(Revision.objects.get(), **BY_AT)
            reviewing.send_back(revision, reason="Show <b>the label</b>", **BY_AT)
        page = text(owner.get(f"/s/own/listings/{key}/"))
        assert "Show &lt;b&gt;the label&lt;/b&gt;" in page
        assert key in text(owner.get("/s/own/listings/?tab=to_mend"))
        with tenancy.use(market.pk):
            listing = reviewing.publish(Revision.objects.get(), **BY_AT).listing
            reviewing.take_down(listing, reason="Forged <i>brand</i>", **BY_AT)
        page = text(owner.get(f"/s/own/listings/{key}/"))
        assert "Forged &lt;i&gt;brand&lt;/i&gt;" in page


class TestEdit:
    def test_changes_the_draft(self, owner, market):
        key = drafted(market, "담배")
        form = text(owner.get(f"/s/own/listings/{key}/edit/"))
        assert 'value="12900"' in form
        owner.post(f"/s/own/listings/{key}/edit/", {**WORDS, "title": "이어폰"})
        revision = stored(market)
        assert (revision.number, revision.title, revision.state) == (1, "이어폰", "draft")

    def test_drafts_the_next_revision_of_what_is_on_sale(self, owner, market):
        key = drafted(market)
        owner.post(f"/s/own/listings/{key}/hand-in/")
        owner.post(f"/s/own/listings/{key}/edit/", {**WORDS, "unit_price": "9900", "code": "B-2"})
        revision = stored(market)
        assert (revision.number, revision.unit_price, revision.state) == (2, 9_900, "draft")
        assert (revision.listing.code, revision.listing.state) == ("A-1", "on_sale")

    def test_takes_back_what_was_handed_in(self, owner, market):
        key = drafted(market)
        with tenancy.use(market.pk):
            reviewing.submit(Revision.objects.get(), **BY_AT)
        assert "takes it back to you" in text(owner.get(f"/s/own/listings/{key}/edit/"))
        owner.post(f"/s/own/listings/{key}/edit/", {**WORDS, "title": "이어폰"})
        assert stored(market).state == "draft"


class TestHandIn:
    def test_publishes_what_nothing_was_found_in(self, owner, market):
        key = drafted(market)
        page = owner.post(f"/s/own/listings/{key}/hand-in/", follow=True)
        assert "Published." in text(page)
        assert (stored(market).state, stored(market).listing.state) == ("approved", "on_sale")

    def test_hands_a_warned_one_to_the_operator(self, owner, market):
        with tenancy.use(market.pk):
            food = make.categories()["food"]
        key = drafted(market, "면역력 주스", category=food)
        page = owner.post(f"/s/own/listings/{key}/hand-in/", follow=True)
        assert "An operator looks at it next." in text(page)
        assert (stored(market).state, stored(market).listing.state) == ("submitted", "unpublished")
        assert key in text(owner.get("/s/own/listings/?tab=in_review"))

    def test_keeps_what_policy_blocks_and_marks_it(self, owner, market):
        key = drafted(market)
        with tenancy.use(market.pk):
            Revision.objects.update(title="담배")
        page = owner.post(f"/s/own/listings/{key}/hand-in/", follow=True)
        assert "1 findings block it." in text(page)
        assert "<mark" in text(page)
        assert stored(market).state == "blocked"
        with tenancy.use(market.pk):
            assert Finding.objects.count() == 1

    def test_a_second_press_changes_nothing(self, owner, market):
        key = drafted(market)
        owner.post(f"/s/own/listings/{key}/hand-in/")
        assert owner.post(f"/s/own/listings/{key}/hand-in/").status_code == 404


class TestSale:
    @pytest.fixture
    def key(self, market):
        """A listing that is on sale."""
        key = drafted(market)
        with tenancy.use(market.pk):
            reviewing.publish(Revision.objects.get(), **BY_AT)
        return key

    def press(self, owner, deed, *keys, **more):
        told = {"deed": deed, "listing": keys, **more}
        return owner.post("/s/own/listings/sale/", told, follow=True)

    def test_is_paused_and_resumed_on_the_page(self, owner, market, key):
        assert "Pause the sale" in text(owner.get(f"/s/own/listings/{key}/"))
        page = text(self.press(owner, "pause", key, sure="1", detail="1"))
        assert "1 listing is paused." in page
        assert "Resume the sale" in page
        assert stored(market).listing.state == "paused_by_seller"
        assert key in text(owner.get("/s/own/listings/?tab=stopped"))
        page = text(self.press(owner, "resume", key, sure="1", detail="1"))
        assert "1 listing is on sale again." in page
        assert stored(market).listing.state == "on_sale"

    def test_is_closed_for_good(self, owner, market, key):
        page = text(self.press(owner, "close", key, sure="1", detail="1"))
        assert "Closed for good." in page
        assert "/edit/" not in page
        assert "Close for good" not in page
        assert stored(market).listing.state == "closed"

    def test_several_are_looked_over_first(self, owner, market, key):
        with tenancy.use(market.pk):
            waiting = make.draft("의자", owner=market.apple, code="B-2").listing.public_id
        page = text(self.press(owner, "close", key, waiting))
        assert "Close 2 listings for good" in page
        assert "무선 이어폰" in page
        with tenancy.use(market.pk):
            assert not Listing.objects.filter(state="closed").exists()
        page = text(self.press(owner, "pause", key, waiting, sure="1"))
        assert "1 listing is paused." in page
        assert "B-2: Only a listing that is on sale can be paused." in page
        page = text(self.press(owner, "close", key, waiting, sure="1"))
        assert "2 listings are closed." in page

    def test_of_what_the_marketplace_took_down_stays_so(self, owner, market, key):
        with tenancy.use(market.pk):
            reviewing.take_down(Listing.objects.get(), reason="위조", **BY_AT)
        assert "Resume the sale" not in text(owner.get(f"/s/own/listings/{key}/"))
        page = text(self.press(owner, "resume", key, sure="1", detail="1"))
        assert "only it lifts that." in page
        assert stored(market).listing.state == "suspended_by_platform"

    def test_needs_a_tick_and_a_known_deed(self, owner, market, key):
        assert "No listing was chosen." in text(self.press(owner, "pause"))
        assert self.press(owner, "delete", key, sure="1").status_code == 404
        assert stored(market).listing.state == "on_sale"


class TestListings:
    @pytest.mark.parametrize("count", [2, 20])
    def test_costs_the_same_however_many_there_are(self, owner, market, count):
        for number in range(count):
            drafted(market, "담배", code=f"B-{number}")
        owner.get("/s/own/listings/")
        with CaptureQueriesContext(connection) as queries:
            page = owner.get("/s/own/listings/?tab=to_mend")
        assert text(page).count("Blocked by policy") == count
        assert len(queries) <= 15

    def test_says_what_comes_next_when_there_is_none(self, owner, market):
        assert "Write the first one" in text(owner.get("/s/own/listings/"))
        assert "Nothing to mend" in text(owner.get("/s/own/listings/?tab=to_mend"))


class TestCategories:
    def test_finds_by_any_name_on_the_way(self, owner, market):
        page = text(owner.get("/s/own/listings/categories/?search=식품&category=fashion"))
        assert "식품 › 전통주" in page
        assert 'value="fashion" checked' in page
        assert "<html" not in page
        page = text(owner.get("/s/own/listings/categories/?search=%3Cb%3E"))
        assert "No category is called that." in page
