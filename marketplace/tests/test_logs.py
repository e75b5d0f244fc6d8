import json
import logging
import sys

from marketplace.logs import JsonFormatter


def record(message="sold %s", *arguments, exc_info=None, **extra):
    made = logging.LogRecord("orders", logging.INFO, "x.py", 1, message, arguments, exc_info)
    made.created = 1_760_000_000.25
    vars(made).update(extra)
    return made


class TestJsonFormatter:
    def test_writes_one_object_on_one_line(self):
        line = JsonFormatter().format(record("sold %s\nto %s", "사과", "민지", marketplace=7))
        assert "\n" not in line
        assert json.loads(line) == {
            "at": "2025-10-09T08:53:20.250+00:00",
            "level": "INFO",
            "logger": "orders",
            "message": "sold 사과\nto 민지",
            "marketplace": 7,
        }

    def test_shows_where_it_failed_but_no_values(self):
        password = "hunter2"
        try:
            int(len(password) / 0)
        except ZeroDivisionError:
            line = JsonFormatter().format(record("failed", exc_info=sys.exc_info()))
        assert "ZeroDivisionError" in json.loads(line)["traceback"]
        assert password not in line
