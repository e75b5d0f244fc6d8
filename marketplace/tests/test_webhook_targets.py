"""What a webhook may reach, and how a request to it ends."""

import socket
import ssl
import time

import httpcore
import pytest

from marketplace.tests import certificates
from marketplace.tests.receiving import receiving
from marketplace.webhooks import sending, targets

HOSTILE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://localhost/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://[fd00::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[ff02::1]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://intranet/",
    "https://example.com:8443/",
    "https://example.com:22/",
    "https://example.com:99999/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "https://",
    "https:///hook",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com/#fragment",
    "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/",
    "https://example.com/\r\nX-Evil: 1",
    "https://ⓔxample.com/",
    "https://[",
    "",
]


@pytest.mark.parametrize("url", HOSTILE)
class TestCheck:
    def test_refuses(self, url):
        with pytest.raises(targets.NotATarget):
            targets.check(url)

    def test_is_asked_again_before_sending(self, url):
        assert sending.post(url, b"{}", {}).outcome == "target_refused"


class TestNames:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ],
    )
    def test_are_refused_when_they_lead_inside(self, monkeypatch, address):
        self._resolve(monkeypatch, address)
        connected = []
        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *a: connected.append(a))
        assert sending.post("https://public.example/", b"{}", {}).outcome == "target_refused"
        assert connected == []

    def test_are_refused_when_one_address_of_several_leads_inside(self, monkeypatch):
        self._resolve(monkeypatch, "93.184.216.34", "127.0.0.1")
        assert sending.post("https://public.example/", b"{}", {}).outcome == "target_refused"

    def test_are_resolved_once_and_reached_at_the_address_that_was_judged(self, monkeypatch):
        asked = self._resolve(monkeypatch, "93.184.216.34")
        connected = []

        def connect(self, host, port, *words):
            connected.append((host, port))
            raise httpcore.ConnectError

        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
        assert sending.post("https://public.example/", b"{}", {}).outcome == "unreachable"
        assert connected == [("93.184.216.34", 443)]
        assert asked == ["public.example"]

    def test_that_nobody_has_are_unreachable(self, monkeypatch):
        def fail(*words, **more):
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        assert sending.post("https://nobody.example/", b"{}", {}).outcome == "unreachable"

    def _resolve(self, monkeypatch, *addresses):
        asked = []

        def answer(host, port, **words):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (at, port)) for at in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        return asked


class TestIsPublic:
    @pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
    def test_knows_the_internet(self, address):
        assert targets.is_public(address)

    def test_unwraps_what_is_mapped(self):
        assert targets.is_public("::ffff:8.8.8.8")
        assert not targets.is_public("::ffff:192.168.1.1")


@pytest.fixture
def loopback(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True


@pytest.mark.usefixtures("loopback")
class TestPost:
    def test_sends_body_and_headers(self):
        with receiving() as receiver:
            receiver.answers = [(200, {}, b"thanks")]
            answer = sending.post(receiver.url, b'{"a":1}', {"webhook-id": "evt_1"})
        assert (answer.outcome, answer.text, answer.is_success) == ("200", "thanks", True)
        [(headers, body)] = receiver.requests
        assert body == b'{"a":1}'
        assert (headers["webhook-id"], headers["content-type"]) == ("evt_1", "application/json")

    def test_follows_no_redirect(self):
        with receiving() as receiver:
            receiver.answers = [(302, {"Location": "http://127.0.0.1:9/"}, b"")]
            answer = sending.post(receiver.url, b"{}", {})
        assert (answer.outcome, answer.is_success) == ("302", False)
        assert len(receiver.requests) == 1

    def test_asks_no_proxy(self, monkeypatch):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        with receiving() as receiver:
            assert sending.post(receiver.url, b"{}", {}).is_success

    def test_keeps_little_of_a_long_answer_and_nothing_personal(self):
        with receiving() as receiver:
            receiver.answers = [(500, {}, b"kim@example.org 010-1234-5678 \0" + b"x" * 100_000)]
            answer = sending.post(receiver.url, b"{}", {})
        assert answer.text.startswith("… … x")
        assert len(answer.text) < sending.KEPT

    def test_gives_up_on_a_receiver_that_drips(self, monkeypatch):
        monkeypatch.setattr(sending, "SECONDS", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/"
            began = time.monotonic()
            assert sending.post(url, b"{}", {}).outcome == "timeout"
        assert time.monotonic() - began < 5

    def test_says_that_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert sending.post(f"http://127.0.0.1:{port}/", b"{}", {}).outcome == "unreachable"


@pytest.fixture(scope="module")
def authority():
    return certificates.for_localhost()


@pytest.mark.usefixtures("loopback")
class TestTls:
    @pytest.fixture
    def context(self, authority, tmp_path):
        (tmp_path / "server.pem").write_bytes(authority[1])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        return context

    def test_reaches_a_receiver_whose_certificate_is_trusted(self, authority, context):
        trust = ssl.create_default_context(cadata=authority[0])
        with receiving(context=context) as receiver:
            answer = sending.post(receiver.url, b"{}", {}, trust=trust)
        assert (answer.outcome, len(receiver.requests)) == ("204", 1)

    def test_sends_nothing_to_one_whose_certificate_is_not(self, context):
        with receiving(context=context) as receiver:
            answer = sending.post(receiver.url, b"{}", {})
        assert (answer.outcome, receiver.requests) == ("tls_failed", [])
