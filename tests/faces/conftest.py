"""A world for all tests of this folder, and a server and a real Chromium to look at it.

The world is made once and committed, as a server needs it; it is emptied when the tests are done.
What a test itself writes is undone at its end.
"""

import pytest
from django.conf import settings
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from marketplace.models import User
from tests import browser, remembered
from tests.faces.visiting import Visitor, session_of
from tests.faces.world import make_world


@pytest.fixture(scope="package")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        yield make_world()
        call_command("flush", database="owner", interactive=False, verbosity=0)
        remembered.forget()  # the next rows have the same numbers


@pytest.fixture(scope="package")
def sessions(world, django_db_blocker):
    """A session of every user, committed like the world."""
    with django_db_blocker.unblock():
        return {user.pk: session_of(user) for user in User.objects.all()}


@pytest.fixture(scope="package")
def server(world):
    server = LiveServer("localhost")  # a host that is served everywhere
    yield server
    server.stop()


@pytest.fixture(scope="package")
def chromium():
    with browser.chromium() as launched:
        yield launched


@pytest.fixture
def visit(chromium, server, sessions):
    """Makes visitors: somebody with a language and a screen, logged in or not."""
    visitors = []

    def visit(user=None, *, language="ko", width=1280, dark=False) -> Visitor:
        visitor = Visitor(chromium, server.url, language=language, width=width, dark=dark)
        visitors.append(visitor)
        if user is not None:
            visitor.add_cookie(settings.SESSION_COOKIE_NAME, sessions[user.pk])
        return visitor

    yield visit
    for visitor in visitors:
        visitor.leave()
