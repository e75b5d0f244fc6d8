"""Every page that people use, on a wide and a narrow screen, in Korean and in English."""

import pytest

from tests.faces import routes, words
from tests.faces.tables import ADMIN_PAGES, GIVEN, SELLER_PAGES

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("faces")]

SCREENS = [("ko", 1280, False), ("en", 390, True)]
HEAVIEST = 150_000  # bytes of a seller page, compressed, without fonts


def addresses(pages, world, prefix):
    for route in routes.resolved():
        if route.name in pages and route.pattern.startswith(prefix):
            fill = pages[route.name]
            values = fill(world) if fill else {}
            yield route.address(GIVEN | values)


def look(visitor, address):
    """What is wrong with a page, each with its address."""
    visitor.complaints.clear()
    status = visitor.open(address)
    found = list(visitor.complaints)
    if status != 200:
        return [f"{address}: {status}"]
    if (pixels := visitor.overflow()) > 0:
        found.append(f"{pixels} pixels wider than the screen")
    found += visitor.unreadable()
    if visitor.language == "ko":
        found += [f"English: {word}" for word in words.english(visitor.text())]
    return [f"{address}: {complaint}" for complaint in found]


@pytest.mark.parametrize(("language", "width", "dark"), SCREENS)
class TestPages:
    def test_of_sellers_are_readable(self, visit, world, language, width, dark):
        visitor = visit(world.owner, language=language, width=width, dark=dark)
        complaints = []
        for address in addresses(SELLER_PAGES, world, "/s/"):
            complaints += look(visitor, address)
            if visitor.weight > HEAVIEST:
                complaints.append(f"{address}: {visitor.weight} bytes")
        assert not complaints, "\n".join(complaints)

    def test_of_operators_are_readable(self, visit, world, language, width, dark):
        visitor = visit(world.operator, language=language, width=width, dark=dark)
        visitor.choose(world.alpha)
        complaints = []
        for address in addresses(ADMIN_PAGES, world, "/admin/"):
            complaints += look(visitor, address)
        assert not complaints, "\n".join(complaints)
