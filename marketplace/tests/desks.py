"""Operators at work, for the tests of admin pages: a browser in a marketplace, in some role."""

from django.conf import settings
from django.test import Client

from marketplace.middleware import SESSION_KEY
from marketplace.models import Marketplace, User
from marketplace.tests import make

HOSTILE = "<script>alert(1)</script>\"'><b>x"


def operator(market: Marketplace, role="owner", *, email=None) -> tuple[Client, User]:
    """Somebody with a role in a marketplace, who has entered it."""
    user = make.user(email or f"{role}@{market.slug}.example")
    make.membership(market, user, role)
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    client.force_login(user)
    session = client.session
    session[SESSION_KEY] = market.pk
    session.save()
    return client, user


def text(answer) -> str:
    return answer.content.decode()


def is_inert(answer) -> bool:
    """Whether a hostile text is on the page, and nowhere as anything but text."""
    page = text(answer)
    return "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert(1)" not in page
