"""The cast of the floor's tests: marketplaces, users and their places in them.

Rows are written as any process writes them, by the app role inside the marketplace.
"""

import threading
from datetime import UTC, date, datetime

from django.db import connection, connections

from marketplace import tenancy
from marketplace.models import Marketplace, Membership, User

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # noon in Seoul, on a Monday
FIRST_OPEN_ON = date(2026, 1, 1)
PASSWORD = "correct horse battery staple"


def marketplace(
    slug="jangteo",
    *,
    currency="KRW",
    exponent=0,
    zone="Asia/Seoul",
    first_open_on=FIRST_OPEN_ON,
    **fields,
) -> Marketplace:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('marketplace_marketplace_id_seq')")
        [key] = cursor.fetchone()
    with tenancy.use_new(key):
        return Marketplace.objects.create(
            pk=key,
            slug=slug,
            name=fields.pop("name", slug.title()),
            currency=currency,
            currency_exponent=exponent,
            zone=zone,
            first_open_on=first_open_on,
            **fields,
        )


def user(email="operator@example.org", password=None, **fields) -> User:
    """Without a password, whose hashing takes its time: tests log in with force_login()."""
    return User.objects.create_user(email, password, **{"is_staff": True, **fields})


def membership(marketplace, user, role=Membership.Role.OWNER) -> Membership:
    return Membership.objects.create(marketplace=marketplace, user=user, role=role)


class another_connection(threading.Thread):  # noqa: N801 (used as a block)
    """Work done over connections of its own, ended by the end of the block."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work = work
        self.failure = None

    def run(self):
        try:
            self.work()
        except BaseException as failure:  # noqa: BLE001 (raised again where it is seen)
            self.failure = failure
        finally:
            connections.close_all()

    def __enter__(self):
        self.start()

    def __exit__(self, *failure):
        self.join(10)
        assert not self.is_alive()
        if self.failure:
            raise self.failure
