"""Which answers are packed: pages of people, and none that shows a secret."""

import gzip
import re

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from marketplace.middleware import Compression
from marketplace.tests import make

PAGE = b"<p>" + b"A thing worth selling. " * 500


def answer(path, *, method="GET", accepts="gzip, br", **headers):
    request = RequestFactory().generic(method, path, headers={"Accept-Encoding": accepts})
    kinds = {"Content-Type": "text/html; charset=utf-8"} | headers
    return Compression(lambda request: HttpResponse(PAGE, headers=kinds))(request)


class TestCompression:
    @pytest.mark.parametrize("path", ["/s/own/orders/", "/admin/orders/order/"])
    def test_packs_pages(self, path):
        packed = answer(path)
        assert packed["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed["Vary"]
        assert gzip.decompress(packed.content) == PAGE
        assert len(packed.content) < len(PAGE) / 10

    def test_hides_the_exact_length(self):
        assert len({len(answer("/s/own/").content) for _ in range(20)}) > 1

    def test_leaves_alone_what_a_browser_cannot_unpack(self):
        plain = answer("/s/own/", accepts="identity")
        assert not plain.has_header("Content-Encoding")
        assert plain.content == PAGE

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/accounts/2fa/recovery-codes/", {}),
            ("/api/v1/docs/", {}),
            ("/api/v1/orders/", {"Content-Type": "application/json"}),
            ("/s/own/downloads/statements-2026.csv", {"Content-Type": "text/csv"}),
        ],
    )
    def test_packs_nothing_else(self, path, headers):
        assert not answer(path, **headers).has_header("Content-Encoding")

    @pytest.mark.parametrize("path", ["/s/own/api-keys/", "/admin/marketplace/apikey/add/"])
    def test_packs_no_answer_to_a_form(self, path):
        assert not answer(path, method="POST").has_header("Content-Encoding")


@pytest.mark.django_db
def test_a_token_is_another_one_in_each_answer(client):
    market, user = make.marketplace("own"), make.user()
    make.membership(market, user)
    client.force_login(user)
    client.post("/admin/choose-marketplace/", {"marketplace": "own"})
    token = re.compile(rb'name="csrfmiddlewaretoken" value="(\w{64})"')
    pages = [client.get("/admin/", headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
    assert all(page["Content-Encoding"] == "gzip" for page in pages)
    first, second = (token.search(gzip.decompress(page.content))[1] for page in pages)
    assert first != second
