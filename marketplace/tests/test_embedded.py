"""The servers of a checkout of their own, started for this test and removed after it."""

import subprocess
import sys

import pytest
from django.conf import settings

PREAMBLE = """
import pathlib, sys
import psycopg
from marketplace import embedded
embedded.VAR = pathlib.Path(sys.argv[1])

def ask(statement):
    embedded.start_database()
    place = {"host": embedded.database_host(), "port": embedded.PORT, "dbname": "jangteo"}
    with psycopg.connect(user="jangteo_owner", autocommit=True, **place) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None
"""


@pytest.fixture
def start(tmp_path):
    """Start a program in a process of its own, with var/ in a place of its own."""

    def start(program):
        command = [sys.executable, "-c", PREAMBLE + program, str(tmp_path / "var")]
        return subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    (tmp_path / "var").mkdir()
    yield start
    removal = start("embedded.delete_data()")
    assert (removal.communicate()[0], removal.returncode) == ("", 0)


def output(process):
    return process.communicate(timeout=120)[0]


class TestStartDatabase:
    def test_serves_two_first_starts_at_once_and_keeps_data_over_a_stop(self, start):
        both = [start("print(ask('SELECT current_user'))") for _ in range(2)]
        assert [output(process) for process in both] == ["('jangteo_owner',)\n"] * 2
        assert output(start("ask('CREATE TABLE kept AS SELECT 1'); print('made')")) == "made\n"
        assert output(start("print(embedded.stop())")) == "['PostgreSQL']\n"
        assert output(start("print(embedded.stop())")) == "[]\n"
        assert output(start("print(ask('SELECT count(*) FROM kept'))")) == "(1,)\n"

    def test_recovers_from_a_crash(self, start):
        output(start("ask('CREATE TABLE kept AS SELECT 1')"))
        output(start("import os, signal; os.kill(embedded.database_pid(), signal.SIGKILL)"))
        assert output(start("print(ask('SELECT count(*) FROM kept'))")) == "(1,)\n"


class TestStartBroker:
    def test_answers_on_a_private_socket(self, start):
        program = (
            "embedded.start_broker(); print(embedded._broker_says(b'PING'));"
            "print(oct(embedded._sockets().stat().st_mode & 0o777), embedded.stop())"
        )
        assert output(start(program)) == "b'+PONG\\r\\n'\n0o700 ['Valkey']\n"
