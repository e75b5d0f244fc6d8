"""Listings over HTTP: drafted, reworded by who has read them, looked over and handed in."""

import pytest

from listings import reviewing
from listings.models import Finding, Listing, Revision
from listings.tests import make
from marketplace import tenancy
from marketplace.tests.make import ApiClient, api_key
from sellers.models import Seller

pytestmark = pytest.mark.django_db


def won(amount):
    return {"amount": amount, "currency": "KRW"}


def words(code="T-1", **fields):
    return {"code": code, "title": "녹차 50 g", "unit_price": won(12_900), **fields}


class Cast:
    """A marketplace, its checkout, and the systems of its two sellers."""

    def __init__(self, slug="jangteo"):
        self.market = make.marketplace(slug)
        with tenancy.use(self.market.pk):
            make.pack()
            make.categories()
            self.hanok, self.tteok = make.seller("hanok"), make.seller("tteok")
        self.shop = ApiClient(api_key(self.market))
        self.of_hanok = ApiClient(api_key(self.market, seller=self.hanok.public_id))
        self.of_tteok = ApiClient(api_key(self.market, seller=self.tteok.public_id))

    def count(self, model):
        with tenancy.use(self.market.pk):
            return model.objects.count()


@pytest.fixture
def cast(db):
    return Cast()


@pytest.fixture
def drafted(cast):
    """The answer to a draft of a seller."""
    made = cast.of_hanok.send("listings/", words(category_code="food"))
    assert made.status_code == 201, made.content
    return made


def refused(response, status, code):
    """Assert a refusal; return its errors by pointer."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


class TestCreate:
    def test_drafts_what_nobody_sees_yet(self, cast, drafted):
        body = drafted.json()
        listing = body.pop("id")
        assert drafted["Location"] == f"/api/v1/listings/{listing}/"
        assert body == {
            "seller": cast.hanok.public_id,
            "code": "T-1",
            "kind": "goods",
            "state": "unpublished",
            "paused_at": None,
            "taken_down_for": "",
            "live": None,
            "newest": {
                "number": 1,
                "title": "녹차 50 g",
                "description": "",
                "unit_price": won(12_900),
                "category_code": "food",
                "state": "draft",
                "submitted_at": None,
                "sent_back_for": "",
                "findings": [],
            },
        }

    def test_names_the_seller_with_the_marketplaces_key_alone(self, cast):
        made = cast.shop.send("listings/", words(seller_code="tteok"))
        assert made.json()["seller"] == cast.tteok.public_id
        nobody = cast.shop.send("listings/", words("T-2"))
        assert refused(nobody, 422, "unknown_seller") == {"/seller_code": "unknown_seller"}
        foreign = cast.of_hanok.send("listings/", words("T-3", seller_code="tteok"))
        assert refused(foreign, 422, "unknown_seller") == {"/seller_code": "unknown_seller"}
        assert cast.count(Listing) == 1

    def test_refuses_a_code_twice_and_a_category_that_is_not(self, cast, drafted):
        refused(cast.of_hanok.send("listings/", words()), 409, "listing_code_taken")
        wrong = cast.of_hanok.send("listings/", words("T-2", category_code="moon"))
        assert refused(wrong, 422, "unknown_category") == {"/category_code": "unknown_category"}
        assert cast.count(Listing) == 1


class TestRead:
    def test_gives_the_version_and_spares_who_has_it(self, cast, drafted):
        path = f"listings/{drafted.json()['id']}/"
        read = cast.of_hanok.read(path)
        assert read.json() == drafted.json()
        assert read["ETag"] == drafted["ETag"]
        again = cast.of_hanok.read(path, if_none_match=f'"other", {read["ETag"]}')
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", read["ETag"])
        assert cast.of_hanok.read(path, if_none_match='"other"').status_code == 200

    def test_filters_by_state_and_code(self, cast, drafted):
        cast.of_hanok.send("listings/", words("T-2"))

        def codes(query):
            return [row["code"] for row in cast.of_hanok.read(f"listings/?{query}").json()["data"]]

        assert codes("") == ["T-2", "T-1"]
        assert codes("code=T-1") == ["T-1"]
        assert codes("state=unpublished,on_sale") == ["T-2", "T-1"]
        assert codes("state=on_sale") == []
        wrong = cast.of_hanok.read("listings/?state=sold")
        assert refused(wrong, 400, "parameter_not_usable") == {"?state": "parameter_not_usable"}

    def test_costs_the_same_for_any_number(self, cast, django_assert_max_num_queries):
        for n in range(12):
            cast.of_hanok.send("listings/", words(f"T-{n}", category_code="food"))
        with django_assert_max_num_queries(9):
            assert len(cast.of_hanok.read("listings/").json()["data"]) == 12


class TestRevise:
    def test_asks_which_version_is_meant(self, cast, drafted):
        path = f"listings/{drafted.json()['id']}/"
        change = {"title": "세작 녹차 50 g"}
        refused(cast.of_hanok.call("patch", path, change), 428, "if_match_missing")
        first = cast.of_hanok.call("patch", path, change, if_match=drafted["ETag"])
        assert (first.status_code, first.json()["newest"]["title"]) == (200, "세작 녹차 50 g")
        assert first["ETag"] != drafted["ETag"]
        late = cast.of_hanok.call("patch", path, {"title": "우전"}, if_match=drafted["ETag"])
        refused(late, 412, "if_match_stale")
        newest = cast.of_hanok.read(path)
        assert newest["ETag"] == first["ETag"]
        assert newest.json()["newest"]["title"] == "세작 녹차 50 g"

    def test_leaves_what_is_not_named(self, cast, drafted):
        path = f"listings/{drafted.json()['id']}/"
        changed = cast.of_hanok.call(
            "patch", path, {"unit_price": won(9_900)}, if_match=drafted["ETag"]
        )
        expected = {**drafted.json()["newest"], "unit_price": won(9_900)}
        assert changed.json()["newest"] == expected
        cleared = cast.of_hanok.call(
            "patch", path, {"category_code": None}, if_match=changed["ETag"]
        )
        assert cleared.json()["newest"] == {**expected, "category_code": None}

    @pytest.mark.parametrize(
        "field",
        ["id", "seller", "seller_code", "code", "kind", "state", "live", "number", "marketplace"],
    )
    def test_takes_no_field_that_is_not_for_sellers(self, cast, drafted, field):
        path = f"listings/{drafted.json()['id']}/"
        change = {"title": "x", field: "published"}
        answer = cast.of_hanok.call("patch", path, change, if_match=drafted["ETag"])
        assert refused(answer, 400, "invalid") == {f"/{field}": "unknown_field"}
        assert cast.of_hanok.read(path).json() == drafted.json()


class TestSubmission:
    def test_hands_in_what_nothing_is_found_in(self, cast, drafted):
        path = f"listings/{drafted.json()['id']}/"
        handed = cast.of_hanok.send(f"{path}submission/", {})
        assert handed.status_code == 202
        newest = handed.json()["newest"]
        assert (newest["state"], newest["findings"]) == ("submitted", [])
        assert newest["submitted_at"].endswith("Z")
        assert handed.json()["state"] == "unpublished"

    def test_keeps_and_tells_what_blocks_it(self, cast):
        made = cast.of_hanok.send("listings/", words(title="담배 케이스", category_code="food"))
        path = f"listings/{made.json()['id']}/"
        blocked = cast.of_hanok.send(f"{path}submission/", {}, key="again")
        assert blocked["Content-Type"] == "application/problem+json"
        assert refused(blocked, 409, "blocked_by_policy") == {"/newest/title": "tobacco"}
        newest = cast.of_hanok.read(path).json()["newest"]
        assert newest["state"] == "blocked"
        finding = {
            "rule": "tobacco",
            "severity": "block",
            "field": "title",
            "start": 0,
            "end": 2,
            "evidence": "담배",
        }
        assert newest["findings"] == [finding]
        etag = cast.of_hanok.read(path)["ETag"]
        cast.of_hanok.call("patch", path, {"title": "금연 패치"}, if_match=etag)
        assert cast.of_hanok.send(f"{path}submission/", {}, key="again").status_code == 202


class TestSale:
    @pytest.fixture
    def on_sale(self, cast, drafted):
        """The address of a listing that is on sale."""
        with tenancy.use(cast.market.pk):
            reviewing.publish(Revision.objects.get(), by=None, at=make.AT)
        return f"listings/{drafted.json()['id']}/"

    def test_is_paused_resumed_and_closed(self, cast, on_sale):
        paused = cast.of_hanok.send(f"{on_sale}pause/", {})
        assert (paused.status_code, paused.json()["state"]) == (200, "paused_by_seller")
        assert paused.json()["paused_at"] is not None
        assert cast.of_hanok.read(on_sale)["ETag"] == paused["ETag"]
        again = cast.of_hanok.send(f"{on_sale}pause/", {}, key="again")
        refused(again, 409, "listing_not_on_sale")
        with tenancy.use(cast.market.pk):
            Seller.objects.update(state=Seller.State.ACTIVE)
        resumed = cast.of_hanok.send(f"{on_sale}resume/", {})
        assert (resumed.json()["state"], resumed.json()["paused_at"]) == ("on_sale", None)
        assert cast.shop.send(f"{on_sale}close/", {}).json()["state"] == "closed"
        refused(cast.of_hanok.send(f"{on_sale}resume/", {}, key="back"), 409, "listing_closed")

    def test_stays_stopped_where_the_platform_stopped_it(self, cast, on_sale):
        with tenancy.use(cast.market.pk):
            reviewing.take_down(Listing.objects.get(), reason="위조", by=None, at=make.AT)
        for deed in ("pause", "resume"):
            refused(cast.of_hanok.send(f"{on_sale}{deed}/", {}), 409, "listing_taken_down")
        assert cast.of_hanok.read(on_sale).json()["state"] == "suspended_by_platform"

    def test_is_of_its_seller_and_marketplace_alone(self, cast, on_sale):
        stranger = Cast("other")
        before = cast.of_hanok.read(on_sale).json()
        for client in (cast.of_tteok, stranger.shop, stranger.of_hanok):
            for deed in ("pause", "resume", "close"):
                assert client.send(f"{on_sale}{deed}/", {}).status_code == 404
        assert cast.of_hanok.read(on_sale).json() == before


class TestCheck:
    def test_finds_with_places_and_stores_nothing(self, cast):
        before = [cast.count(model) for model in (Listing, Revision, Finding)]
        text = {"title": "홍삼", "description": "면역력 강화", "category_code": "food"}
        found = cast.shop.send("listings/check/", text)
        assert found.status_code == 200
        [finding] = found.json()["findings"]
        assert finding == {
            "rule": "function_claim",
            "severity": "warn",
            "field": "description",
            "start": 0,
            "end": 6,
            "evidence": "면역력 강화",
        }
        elsewhere = cast.shop.send("listings/check/", {**text, "category_code": "fashion"})
        assert elsewhere.json() == {"findings": []}
        assert [cast.count(model) for model in (Listing, Revision, Finding)] == before


class TestStrangers:
    def test_find_nothing_and_change_nothing(self, cast, drafted):
        stranger = Cast("other")
        path = f"listings/{drafted.json()['id']}/"
        for client in (cast.of_tteok, stranger.shop, stranger.of_hanok):
            assert client.read(path).status_code == 404
            change = client.call("patch", path, {"title": "x"}, if_match=drafted["ETag"])
            assert change.status_code == 404
            assert client.send(f"{path}submission/", {}).status_code == 404
            assert client.read("listings/").json()["data"] == []
        assert cast.of_hanok.read(path).json() == drafted.json()
        assert stranger.count(Listing) == 0

    def test_have_codes_and_policies_of_their_own(self, cast, drafted):
        stranger = Cast("other")
        assert cast.of_tteok.send("listings/", words()).status_code == 201
        assert stranger.of_hanok.send("listings/", words()).status_code == 201
        with tenancy.use(stranger.market.pk):
            make.pack({"rules": []}, valid_from=make.AT.date())
        text = {"title": "담배"}
        assert stranger.shop.send("listings/check/", text).json() == {"findings": []}
        assert len(cast.shop.send("listings/check/", text).json()["findings"]) == 1
