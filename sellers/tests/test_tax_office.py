"""The status inquiry of the tax office, against a service on this machine."""

import json
import threading
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from sellers.gateways import sandbox
from sellers.gateways.interface import NoAnswer, Said
from sellers.gateways.tax_office import TaxOffice

OPEN, IDLE, SHUT, NONE = "1208800767", "2208162517", "1018100001", "9999999999"
ROWS = [
    {"b_no": OPEN, "b_stt": "계속사업자", "b_stt_cd": "01", "end_dt": ""},
    {"b_no": IDLE, "b_stt": "휴업자", "b_stt_cd": "02", "end_dt": ""},
    {"b_no": SHUT, "b_stt": "폐업자", "b_stt_cd": "03", "end_dt": "20260831"},
    {"b_no": NONE, "b_stt": "", "b_stt_cd": "", "end_dt": ""},
]


@contextmanager
def answering(status, body):
    """(address, questions that came) of a service that gives one answer to all."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            came.append((urlsplit(self.path).path, parse_qs(urlsplit(self.path).query), sent))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def to_this_machine(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True


class TestAsk:
    def test_reads_what_is_said_of_each_number(self):
        body = json.dumps({"status_code": "OK", "data": ROWS}).encode()
        with answering(200, body) as (url, came):
            said = TaxOffice(url, "k+e/y=").ask([OPEN, IDLE, SHUT, NONE])
        assert said == {
            OPEN: Said("operating"),
            IDLE: Said("suspended"),
            SHUT: Said("closed", date(2026, 8, 31)),
            NONE: Said("unregistered"),
        }
        [(path, query, sent)] = came
        assert (path, query["serviceKey"]) == ("/v1/status", ["k+e/y="])
        assert sent == {"b_no": sorted([OPEN, IDLE, SHUT, NONE])}

    def test_takes_no_word_that_it_does_not_know_and_no_number_that_was_not_asked(self):
        rows = [{"b_no": OPEN, "b_stt_cd": "07"}, {"b_no": SHUT, "b_stt_cd": "01"}, 7]
        body = json.dumps({"status_code": "OK", "data": rows}).encode()
        with answering(200, body) as (url, _came):
            assert TaxOffice(url, "key").ask([OPEN]) == {}

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (500, b"{}"),
            (200, b"<html>"),
            (200, b"[]"),
            (200, b'{"status_code": "TOO_LARGE_REQUEST"}'),
            (200, b'{"status_code": "OK", "data": null}'),
        ],
    )
    def test_takes_nothing_else_for_an_answer(self, status, body):
        with answering(status, body) as (url, _came), pytest.raises(NoAnswer):
            TaxOffice(url, "key").ask([OPEN])

    def test_is_not_answered_without_a_key_or_a_server(self):
        with pytest.raises(NoAnswer):
            TaxOffice("http://127.0.0.1:9/v1", "").ask([OPEN])
        with pytest.raises(NoAnswer):
            TaxOffice("http://127.0.0.1:9/v1", "key").ask([OPEN])

    def test_names_the_key_nowhere(self):
        assert "secret" not in repr(TaxOffice("https://api.example.com", "secret"))


class TestSandbox:
    def test_says_what_a_number_asks_for(self):
        numbers = ["1208100021", "1208100031", "1208100041", "1208800767"]
        said = sandbox.Sandbox().ask(numbers)
        assert [said[number].status for number in numbers] == [
            "suspended",
            "closed",
            "unregistered",
            "operating",
        ]

    def test_is_silent_when_it_was_told_so(self):
        with pytest.raises(NoAnswer):
            sandbox.Sandbox().ask(["1208800767", "1208100091"])
