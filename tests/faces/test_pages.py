"""Every page that people use, on a wide and a narrow screen, in Korean and in English."""

import pytest
from django.apps import apps

from marketplace.models import ApiKey
from tests.faces import routes, words
from tests.faces.tables import (
    ADMIN_KEYS,
    ADMIN_LISTS,
    ADMIN_OTHERS,
    ADMIN_PAGES,
    ADMIN_ROW_PAGES,
    ADMIN_ROWS,
    GIVEN,
    NOT_PAGES,
    SELLER_PAGES,
)

pytestmark = pytest.mark.django_db

SCREENS = [("ko", 1280, False), ("en", 390, True)]
HEAVIEST = 150_000  # bytes of a seller page, compressed, without fonts


def addresses(pages, world, prefix):
    for route in routes.resolved():
        if route.name in pages and route.name not in NOT_PAGES and route.pattern.startswith(prefix):
            fill = pages[route.name]
            values = fill(world) if fill else {}
            yield route.address(GIVEN | values)


def admin_addresses(world):
    yield from addresses(ADMIN_PAGES, world, "/admin/")
    for label in ADMIN_LISTS:
        yield f"/admin/{label.lower().replace('.', '/')}/"
    for label in ADMIN_ROWS:
        row = world.first(apps.get_model(label))
        key = ADMIN_KEYS.get(label, lambda row: row.pk)(row)
        yield f"/admin/{label.lower().replace('.', '/')}/{key}/change/"
    for label, page in ADMIN_ROW_PAGES:
        row = world.first(apps.get_model(label))
        yield f"/admin/{label.lower().replace('.', '/')}/{row.pk}/{page}/"
    yield from ADMIN_OTHERS


def look(visitor, address, random=frozenset()):
    """What is wrong with a page, each with its address. What is `random` may look like words."""
    visitor.complaints.clear()
    status = visitor.open(address)
    if status != 200:
        return [f"{address}: {status}"]
    found = []
    if (pixels := visitor.overflow()) > 0:
        found.append(f"{pixels} pixels wider than the screen")
    found += visitor.unreadable()
    if visitor.language == "ko":
        found += [
            f"English: {word}" for word in words.english(visitor.text()) if word not in random
        ]
    return [f"{address}: {complaint}" for complaint in [*visitor.complaints, *found]]


@pytest.mark.parametrize(("language", "width", "dark"), SCREENS)
class TestPages:
    def test_of_sellers_are_readable(self, visit, world, language, width, dark):
        visitor = visit(world.owner, language=language, width=width, dark=dark)
        complaints = []
        for address in addresses(SELLER_PAGES, world, "/s/"):
            complaints += look(visitor, address)
            if (weight := visitor.weight()) > HEAVIEST:
                complaints.append(f"{address}: {weight} bytes")
        assert not complaints, "\n".join(complaints)

    def test_of_operators_are_readable(self, visit, world, language, width, dark):
        visitor = visit(world.operator, language=language, width=width, dark=dark)
        visitor.choose(world.alpha)
        complaints = []
        ends_of_keys = set(ApiKey.objects.values_list("last_four", flat=True))
        for address in admin_addresses(world):
            complaints += look(visitor, address, ends_of_keys)
        assert not complaints, "\n".join(complaints)
