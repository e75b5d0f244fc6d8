"""The API's core, over views that only these tests serve."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from marketplace import api_keys, tenancy
from marketplace.api import limits
from marketplace.models import ApiKey, AuditEntry, IdempotencyKey, JobRun
from marketplace.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.urls("marketplace.tests.api_pages")]


@pytest.fixture
def market():
    return make.marketplace()


@pytest.fixture
def client(market):
    return make.ApiClient(make.api_key(market))


def kinds(market):
    with tenancy.use(market.pk):
        return list(JobRun.objects.order_by("pk").values_list("kind", flat=True))


def problem(response, status, code):
    """Assert the form of a problem; return its errors by pointer."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:jangteo:problem:{code}"
    assert body["instance"] == f"urn:uuid:{response['Request-Id']}"
    assert body["title"]
    assert body["detail"]
    return {error["pointer"]: error["code"] for error in body["errors"]}


class TestKeys:
    def test_lets_in_whoever_holds_the_secret(self, client, market):
        response = client.read("echo/")
        assert response.json() == {"marketplace": "jangteo"}

    def test_asks_for_a_key(self, db):
        response = make.ApiClient().read("echo/")
        problem(response, 401, "key_missing")
        assert response["WWW-Authenticate"] == 'Bearer realm="jangteo"'

    @pytest.mark.parametrize("secret", ["x", "mpk_test_abcdefgh_" + "0" * 43, "mpk_té"])
    def test_knows_no_other_secret(self, secret):
        client = make.ApiClient()
        client.secret = secret
        problem(client.read("echo/"), 401, "key_invalid")

    def test_compares_the_whole_secret(self, market):
        client = make.ApiClient(make.api_key(market))
        client.secret = client.secret[:-1] + ("a" if client.secret[-1] != "a" else "b")
        problem(client.read("echo/"), 401, "key_invalid")

    def test_refuses_a_revoked_key_at_once(self, market):
        made = make.api_key(market)
        client = make.ApiClient(made)
        with tenancy.use(market.pk):
            api_keys.revoke(made.key, by=None, at=timezone.now())
        problem(client.read("echo/"), 401, "key_revoked")

    def test_refuses_an_expired_key(self, market):
        long_ago = timezone.now() - timedelta(days=31)
        client = make.ApiClient(make.api_key(market, at=long_ago))
        problem(client.read("echo/"), 401, "key_expired")

    def test_lets_the_old_key_go_on_for_the_overlap_alone(self, market):
        old, now = make.api_key(market), timezone.now()
        until = {"expires_at": now + timedelta(days=90), "by": None, "at": now}
        with tenancy.use(market.pk):
            new = api_keys.rotate(old.key, overlap=timedelta(days=1), **until)
        for made in (old, new):
            assert make.ApiClient(made).read("echo/").status_code == 200
        end = now + timedelta(days=1)
        last = {"address": "127.0.0.1", "at": end - timedelta(microseconds=1)}
        assert api_keys.recognise(old.secret, **last) == old.key
        with pytest.raises(api_keys.Expired):
            api_keys.recognise(old.secret, address="127.0.0.1", at=end)
        assert api_keys.recognise(new.secret, address="127.0.0.1", at=end) == new.key

    def test_ends_the_old_key_at_once_without_an_overlap(self, market):
        old, now = make.api_key(market), timezone.now()
        until = {"expires_at": now + timedelta(days=90), "by": None, "at": now}
        with tenancy.use(market.pk):
            new = api_keys.rotate(old.key, overlap=timedelta(0), **until)
        problem(make.ApiClient(old).read("echo/"), 401, "key_expired")
        assert make.ApiClient(new).read("echo/").status_code == 200

    def test_refuses_a_test_key_once_the_marketplace_is_live(self, market):
        client = make.ApiClient(make.api_key(market))
        with tenancy.use(market.pk):
            market.state = market.State.LIVE
            market.save()
        problem(client.read("echo/"), 401, "key_for_other_mode")

    def test_refuses_other_addresses_than_those_listed(self, market):
        client = make.ApiClient(make.api_key(market, networks=["10.1.0.0/16", "2001:db8::/32"]))
        for address, status in [
            ("10.1.9.9", 200),
            ("::ffff:10.1.9.9", 200),
            ("2001:db8::7", 200),
            ("10.2.0.1", 403),
            ("nonsense", 403),
        ]:
            client.defaults["REMOTE_ADDR"] = address
            assert client.read("echo/").status_code == status, address

    def test_believes_the_proxy_alone_about_addresses(self, market, settings):
        client = make.ApiClient(make.api_key(market, networks=["10.1.0.1"]))
        assert client.read("echo/", x_forwarded_for="10.1.0.1").status_code == 403
        settings.BEHIND_PROXY = True
        assert client.read("echo/", x_forwarded_for="10.1.0.1, 10.9.9.9").status_code == 403
        assert client.read("echo/", x_forwarded_for="6.6.6.6, 10.1.0.1").status_code == 200

    def test_notes_its_use_once_a_minute(self, client):
        def used():
            return ApiKey.objects.get().last_used_at

        assert used() is None
        client.read("echo/")
        first = used()
        client.read("echo/")
        assert used() == first
        ApiKey.objects.update(last_used_at=first - timedelta(seconds=61))
        client.read("echo/")
        assert used() > first

    def test_asks_for_the_scope_of_the_method(self, market):
        reader = make.ApiClient(make.api_key(market, "orders:read"))
        assert reader.read("jobs/").status_code == 200
        problem(reader.send("jobs/", {"kind": "a"}), 403, "scope_missing")
        other = make.ApiClient(make.api_key(market, "claims:read"))
        problem(other.read("jobs/"), 403, "scope_missing")
        assert kinds(market) == []

    def test_only_lets_an_archived_marketplace_be_read(self, client, market):
        with tenancy.use(market.pk):
            market.state = market.State.ARCHIVED
            market.save()
        assert client.read("jobs/").status_code == 200
        problem(client.send("jobs/", {"kind": "a"}), 403, "marketplace_archived")

    def test_writes_down_which_key_acted(self, client, market):
        with tenancy.use(market.pk):
            created = AuditEntry.objects.get(action="apikey.created")
        assert created.object_key == str(ApiKey.objects.get().pk)
        assert "digest" not in json.dumps(created.data)


class TestProblems:
    def test_says_so_where_there_is_nothing(self, client):
        problem(client.read("nowhere/"), 404, "not_found")
        problem(client.read("jobs/99999999/"), 404, "not_found")

    def test_redirects_nobody_to_a_slash(self, client):
        problem(client.send("jobs", {"kind": "a"}), 404, "not_found")

    def test_names_each_place_that_is_wrong(self, client, market):
        data = {
            "kind": 5,
            "price": {"amount": 1, "currency": "USD"},
            "count": "7",
            "at": "2026-03-02T12:00:00",
            "sure": 1,
        }
        assert problem(client.send("jobs/", data), 400, "invalid") == {
            "/kind": "invalid",
            "/price": "currency",
            "/count": "invalid",
            "/at": "invalid",
            "/sure": "invalid",
        }

    @pytest.mark.parametrize(
        "price",
        [
            5,
            "5",
            [],
            {},
            {"amount": 1},
            {"amount": True, "currency": "KRW"},
            {"amount": -1, "currency": "KRW"},
            {"amount": 10**400, "currency": "KRW"},
            {"amount": 1, "currency": "KRW", "more": 1},
            {"amount": 1, "currency": ["KRW"]},
        ],
    )
    def test_takes_no_other_money(self, client, price):
        response = client.send("jobs/", {"kind": "a", "price": price})
        assert list(problem(response, 400, "invalid")) == ["/price"]

    @pytest.mark.parametrize("amount", [12_900.0, 12_900.5, 0.0])
    def test_takes_no_amount_with_a_fraction(self, client, amount):
        data = {"kind": "a", "count": amount, "price": {"amount": amount, "currency": "KRW"}}
        answer = client.send("jobs/", data)
        told = problem(answer, 400, "invalid")
        assert told == {"/price/amount": "fraction", "/count": "fraction"}
        assert "12900, not 12900.0" in answer.json()["errors"][0]["detail"]

    def test_refuses_fields_that_nobody_named(self, client, market):
        data = {"kind": "a", "key": "mine", "id": 7, "marketplace_id": 1, "\u0000": 1}
        assert problem(client.send("jobs/", data), 400, "invalid") == {
            "/key": "unknown_field",
            "/id": "unknown_field",
            "/marketplace_id": "unknown_field",
            "/\u0000": "unknown_field",
        }
        assert kinds(market) == []

    @pytest.mark.parametrize(
        "body",
        [
            "{",
            '{"kind": NaN}',
            '{"kind": 1e999}',
            '{"kind": Infinity}',
            '{"kind": "a", "kind": "b"}',
            '{"kind": "a", "price": {"amount": 1, "amount": 2, "currency": "KRW"}}',
            b"\xef\xbb\xbf{}",
            b'{"kind": "caf\xe9"}',
            '{"kind": "a"} {}',
            "[" * 100_000,
            '{"a":' * 50_000,
            b"\xff\xfe",
            '{"kind": "\\ud800"}',
            '{"kind": ' + "9" * 5_000 + "}",
        ],
    )
    def test_refuses_what_is_no_json(self, client, body):
        problem(client.send("jobs/", body), 400, "malformed")

    @pytest.mark.parametrize("data", [[], "text", 7, None, True])
    def test_refuses_what_is_no_object(self, client, data):
        problem(client.send("jobs/", json.dumps(data)), 400, "invalid")

    def test_refuses_huge_bodies(self, client):
        problem(client.send("jobs/", {"kind": "x" * 3_000_000}), 413, "request_too_large")

    def test_refuses_other_types_methods_and_forms(self, client):
        problem(client.call("delete", "jobs/"), 405, "method_not_allowed")
        problem(client.read("jobs/", accept="text/html"), 406, "not_acceptable")
        response = client.post(
            "/api/v1/jobs/",
            {"kind": "a"},
            headers={"authorization": f"Bearer {client.secret}", "idempotency-key": "1"},
        )
        problem(response, 415, "unsupported_media_type")

    def test_says_nothing_about_a_bug_and_keeps_nothing_of_it(self, client, market):
        response = client.send("jobs/", {"kind": "break"})
        assert problem(response, 500, "server_error") == {}
        assert b"ZeroDivision" not in response.content
        assert kinds(market) == []

    def test_answers_refusals_and_keeps_nothing_of_them(self, client, market):
        assert problem(client.send("jobs/", {"kind": "refuse"}), 409, "turned_down") == {}
        found = problem(client.send("jobs/", {"kind": "field"}), 422, "turned_down")
        assert found == {"/lines/2/quantity": "turned_down"}
        assert kinds(market) == []

    def test_speaks_the_readers_language(self, client):
        titles = {
            client.read("nowhere/", accept_language=language).json()["title"]
            for language in ("ko", "en")
        }
        assert len(titles) == 2
        assert "Not found." in titles


class TestIdempotency:
    def test_is_asked_for(self, client, market):
        response = client.call("post", "jobs/", {"kind": "a"}, key=" ")
        problem(response, 400, "idempotency_key_missing")
        response = client.send("jobs/", {"kind": "a"}, key="k" * 201)
        problem(response, 400, "idempotency_key_not_usable")
        assert kinds(market) == []

    def test_acts_once_and_answers_twice(self, client, market):
        first = client.send("jobs/", {"kind": "a"}, key="one")
        again = client.send("jobs/", {"kind": "a"}, key='"one"')
        assert first.status_code == again.status_code == 201
        assert first.content == again.content
        assert "Idempotency-Replayed" not in first
        assert again["Idempotency-Replayed"] == "true"
        assert again["Location"] == "/x/"
        assert kinds(market) == ["a"]

    def test_refuses_another_request_under_the_same_key(self, client, market):
        client.send("jobs/", {"kind": "a"}, key="one")
        problem(client.send("jobs/", {"kind": "b"}, key="one"), 422, "idempotency_key_reused")
        assert kinds(market) == ["a"]

    def test_lets_a_refused_request_be_mended(self, client, market):
        problem(client.send("jobs/", {"kind": "refuse"}, key="one"), 409, "turned_down")
        assert client.send("jobs/", {"kind": "a"}, key="one").status_code == 201
        assert kinds(market) == ["a"]

    def test_keeps_marketplaces_apart(self, client, market):
        other = make.marketplace("other")
        stranger = make.ApiClient(make.api_key(other))
        client.send("jobs/", {"kind": "a"}, key="one")
        response = stranger.send("jobs/", {"kind": "b"}, key="one")
        assert response.status_code == 201
        assert "Idempotency-Replayed" not in response
        assert kinds(other) == ["b"]

    def test_outlives_the_rotation_of_the_key(self, market):
        made = make.api_key(market)
        client = make.ApiClient(made)
        client.send("jobs/", {"kind": "a"}, key="one")
        now = timezone.now()
        with tenancy.use(market.pk):
            new = api_keys.rotate(
                made.key,
                overlap=timedelta(days=1),
                expires_at=now + timedelta(days=90),
                by=None,
                at=now,
            )
        again = make.ApiClient(new).send("jobs/", {"kind": "a"}, key="one")
        assert again["Idempotency-Replayed"] == "true"
        assert kinds(market) == ["a"]


class TestVersions:
    def test_are_named_and_asked_for(self, client, market):
        client.send("jobs/", {"kind": "a"})
        with tenancy.use(market.pk):
            path = f"jobs/{JobRun.objects.get().pk}/"
        etag = client.read(path)["ETag"]
        unchanged = client.read(path, if_none_match=etag)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        problem(client.call("put", path, {"kind": "b"}), 428, "if_match_missing")
        problem(client.call("put", path, {"kind": "b"}, if_match='"x"'), 412, "if_match_stale")
        assert client.call("put", path, {"kind": "b"}, if_match=etag).status_code == 200
        problem(client.call("put", path, {"kind": "c"}, if_match=etag), 412, "if_match_stale")
        assert client.read(path, if_none_match=etag).json()["kind"] == "b"


class TestPages:
    @pytest.fixture
    def seven(self, market):
        with tenancy.use(market.pk):
            JobRun.objects.bulk_create(JobRun(kind="a", key=str(n)) for n in range(7))

    def pages(self, client, link, rel):
        while link:
            page = client.get(link, headers={"authorization": f"Bearer {client.secret}"}).json()
            yield [row["key"] for row in page["data"]]
            link = page[rel]

    def test_show_everything_once_both_ways(self, client, seven):
        pages = list(self.pages(client, "/api/v1/jobs/?limit=3", "next"))
        assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
        middle = client.read("jobs/?limit=3").json()["next"]
        last = client.get(middle, headers={"authorization": f"Bearer {client.secret}"})
        link = last.json()["next"]
        assert f'<{link}>; rel="next"' in last["Link"]
        assert list(self.pages(client, link, "prev")) == [["0"], ["3", "2", "1"], ["6", "5", "4"]]

    def test_are_not_shifted_by_what_is_added(self, client, market, seven):
        first = client.read("jobs/?limit=3").json()
        with tenancy.use(market.pk):
            JobRun.objects.create(kind="a", key="new")
        rest = list(self.pages(client, first["next"], "next"))
        assert rest == [["3", "2", "1"], ["0"]]

    def test_go_with_their_list_and_holder(self, client, market, seven):
        link = client.read("jobs/?limit=3").json()["next"]
        cursor = link.partition("cursor=")[2]
        assert client.read(f"jobs/?limit=5&cursor={cursor}").status_code == 200
        for path in (f"jobs/?kind=a&cursor={cursor}", "jobs/?cursor=x", "jobs/?cursor="):
            found = problem(client.read(path), 400, "cursor_not_usable")
            assert found == {"?cursor": "cursor_not_usable"}
        stranger = make.ApiClient(make.api_key(make.marketplace("other")))
        problem(stranger.read(f"jobs/?cursor={cursor}"), 400, "cursor_not_usable")

    @pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "１", "9" * 5000])
    def test_have_a_bearable_size(self, client, limit):
        problem(client.read(f"jobs/?limit={limit}"), 400, "limit_not_usable")

    def test_take_known_parameters_alone(self, client):
        found = problem(client.read("jobs/?page=2&kind=a"), 400, "unknown_parameter")
        assert found == {"?page": "unknown_parameter"}
        problem(client.read("jobs/?kind=a&kind=b"), 400, "unknown_parameter")


class TestLimits:
    def test_count_by_key_and_by_marketplace(self, market, settings):
        settings.API_REQUESTS_A_MINUTE, settings.API_MARKETPLACE_REQUESTS_A_MINUTE = 3, 5
        one, two = (make.ApiClient(make.api_key(market)) for _ in range(2))
        answers = [one.read("echo/") for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert answers[0]["RateLimit"] == '"key";r=2;t=0'
        assert answers[0]["RateLimit-Policy"] == '"key";q=3;w=60'
        problem(answers[3], 429, "too_many_requests")
        assert 1 <= int(answers[3]["Retry-After"]) <= 20
        assert [two.read("echo/").status_code for _ in range(3)] == [200, 200, 429]
        other = make.ApiClient(make.api_key(make.marketplace("other")))
        assert other.read("echo/").status_code == 200

    def test_count_together_in_a_shared_cache(self, settings):
        backend = "marketplace.embedded_cache.EmbeddedCache"
        settings.CACHES = {"default": {"BACKEND": backend, "TIMEOUT": 1}}
        settings.API_REQUESTS_A_MINUTE, settings.API_MARKETPLACE_REQUESTS_A_MINUTE = 60, 3
        names = {"key_id": -timezone.now().microsecond, "marketplace_id": -id(settings)}
        taken = [limits.take(**names) for _ in range(4)]
        assert [t.is_allowed for t in taken] == [True, True, True, False]
        assert {t.policy for t in taken} == {"marketplace"}
        assert [t.left for t in taken] == [2, 1, 0, 0]
        assert 18 <= taken[3].wait <= 20

    def test_let_everything_through_when_nobody_can_count(self, client, settings):
        backend = "django.core.cache.backends.redis.RedisCache"
        settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "unix:///nowhere.sock"}}
        response = client.read("echo/")
        assert response.status_code == 200
        assert "RateLimit" not in response


class TestForget:
    def test_deletes_what_is_older_than_promised(self, client, market):
        from marketplace.api import idempotency

        client.send("jobs/", {"kind": "a"}, key="old")
        client.send("jobs/", {"kind": "b"}, key="new")
        now = timezone.now()
        with tenancy.use(market.pk):
            old = IdempotencyKey.objects.filter(key="old")
            old.update(created_at=now - idempotency.KEPT - timedelta(seconds=1))
            assert idempotency.forget(at=now) == 1
            assert IdempotencyKey.objects.get().key == "new"


def test_a_request_costs_few_queries(client, django_assert_max_num_queries):
    client.read("echo/")
    with django_assert_max_num_queries(8, connection=connection):
        assert client.read("echo/").status_code == 200
