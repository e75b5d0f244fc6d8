import pytest
from django.db import OperationalError, connection

from marketplace import health


def refuse(*_):
    raise OperationalError("the connection is closed")


class TestLive:
    def test_needs_no_database(self, rf):
        assert health.live(rf.get("/")).status_code == 200


@pytest.mark.django_db
class TestReady:
    def test_says_so(self, rf):
        assert health.ready(rf.get("/")).status_code == 200

    def test_asks_to_come_back_without_a_database(self, rf):
        with connection.execute_wrapper(refuse):
            response = health.ready(rf.get("/"))
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"

    def test_refuses_to_be_written_to(self, rf):
        assert health.ready(rf.post("/")).status_code == 405
