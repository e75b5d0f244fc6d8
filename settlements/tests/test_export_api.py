"""Exports over the API: who may ask, who may fetch, and for how long."""

import copy
import csv
import io
from datetime import date

import openpyxl
import pytest
from django.core import signing
from django.utils.module_loading import import_string

from marketplace import handlers, tenancy
from marketplace.models import JobRun, OutboxMessage
from marketplace.tests.make import ApiClient, api_key
from settlements import export_jobs, nights
from settlements.api import exports
from settlements.tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(scope="module")
def settled(rows_of_module):
    market = make.market("jangteo", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        for number, code in enumerate(("=A", "B"), 1):
            make.sold(make.seller(code), line=number, unit_price=50_000)
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


@pytest.fixture
def client(market):
    return ApiClient(api_key(market))


def seller(market, code):
    with tenancy.use(market.pk):
        return make.Seller.objects.get(code=code)


def of_seller(market, code):
    return ApiClient(api_key(market, seller=seller(market, code).public_id))


def asked(client, **words):
    """The address of the job, below /api/v1/."""
    response = client.send("exports/", {"kind": "statements", **words})
    assert response.status_code == 202, response.content
    assert response.json()["state"] == "queued"
    return response["Location"].partition("/api/v1/")[2]


def written(market, client, path):
    """What the outbox has a worker do, and the job afterwards."""
    with tenancy.use(market.pk):
        told = list(OutboxMessage.objects.filter(topic="export.asked"))
    [handler] = handlers.TOPICS["export.asked"]
    for message in told:  # what is written already stays
        import_string(handler)(market, at=make.AT, **message.payload)
    return client.read(path).json()


def fetched(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


class TestExport:
    def test_is_asked_for_written_and_fetched_without_a_key(self, market, client):
        path = asked(client)
        assert client.read(path).json()["result"] is None
        job = written(market, client, path)
        assert (job["state"], job["result"]["rows"]) == ("done", 2)
        response = ApiClient().get(job["result"]["url"])
        assert response["Content-Disposition"] == 'attachment; filename="statements.csv"'
        assert [row["seller"] for row in fetched(response)] == ["'=A", "B"]

    def test_is_written_as_xlsx_where_that_is_asked_for(self, market, client):
        path = asked(client, file_type="xlsx")
        job = written(market, client, path)
        assert (job["file_type"], job["result"]["rows"]) == ("xlsx", 2)
        response = ApiClient().get(job["result"]["url"])
        assert response["Content-Disposition"] == 'attachment; filename="statements.xlsx"'
        book = openpyxl.load_workbook(io.BytesIO(b"".join(response.streaming_content)))
        assert [row[0] for row in book.active.values] == ["seller", "'=A", "B"]
        refused = client.send("exports/", {"kind": "journal", "file_type": "pdf"})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == "/file_type"

    def test_of_a_seller_holds_its_own_rows_alone(self, market, client):
        own = of_seller(market, "B")
        for path, asker in (
            (asked(own), own),
            (asked(client, seller=seller(market, "B").public_id), client),
        ):
            job = written(market, asker, path)
            rows = fetched(ApiClient().get(job["result"]["url"]))
            assert [row["seller"] for row in rows] == ["B"]

    def test_of_the_journal_or_of_others_is_not_for_sellers(self, market):
        own = of_seller(market, "B")
        words = [{"kind": "journal"}, {"seller": seller(market, "=A").public_id}]
        for refused in words:
            assert own.send("exports/", {"kind": "statements", **refused}).status_code == 404
        with tenancy.use(market.pk):
            assert not export_jobs.rows().exists()

    def test_is_nobody_elses(self, market, client):
        own, other = of_seller(market, "B"), of_seller(market, "=A")
        path = asked(own)
        etag = own.read(path)["ETag"]
        stranger = ApiClient(api_key(make.market("elsewhere")))
        for somebody in (other, stranger):
            assert somebody.read(path).status_code == 404
            assert somebody.call("delete", path, if_match=etag).status_code == 404
            assert somebody.read("jobs/").json()["data"] == []
        assert client.read(path).status_code == 200

    def test_is_cancelled_before_a_worker_begins(self, market, client):
        path = asked(client)
        assert client.call("delete", path).status_code == 428
        etag = client.read(path)["ETag"]
        assert client.call("delete", path, if_match=etag).status_code == 204
        job = written(market, client, path)
        assert (job["state"], job["error"], job["result"]) == ("cancelled", "", None)
        again = client.call("delete", path, if_match=client.read(path)["ETag"])
        assert again.json()["code"] == "export_not_cancellable"

    def test_is_begun_once_under_one_key(self, market, client):
        first = client.send("exports/", {"kind": "journal"}, key="k")
        assert client.send("exports/", {"kind": "journal"}, key="k").json() == first.json()
        with tenancy.use(market.pk):
            assert JobRun.objects.filter(kind="export.journal").count() == 1


class TestFile:
    def test_is_not_given_for_an_address_that_is_old_or_made_up(self, market, client, monkeypatch):
        url = written(market, client, asked(client))["result"]["url"]
        assert ApiClient().get(url[:-3] + "x/").status_code == 404
        forged = signing.dumps([market.pk, 1], salt="another")
        assert ApiClient().get(f"/api/v1/exports/files/{forged}/").status_code == 404
        monkeypatch.setattr(exports, "GOOD_FOR", -1)
        assert ApiClient().get(url).status_code == 404

    def test_is_not_given_to_another_marketplaces_key(self, market, client):
        url = written(market, client, asked(client))["result"]["url"]
        stranger = ApiClient(api_key(make.market("elsewhere")))
        path = url.partition("/api/v1/")[2]
        assert stranger.read(path).status_code == 404
        assert fetched(client.read(path))
