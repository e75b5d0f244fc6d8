"""All addresses and admin actions, walked by people who have no business there.

An answer to a stranger has to be the one for something that does not exist: the same status and
the same place to go, no word of what is there, and nothing changed. A new address fails here
until the tables below say how it is filled in.
"""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.cache import cache
from django.test import Client

from marketplace.models import TenantModel
from tests.faces import routes
from tests.faces.tables import (
    ADMIN_GLOBAL,
    ADMIN_KEYS,
    ADMIN_PAGES,
    DECISIONS,
    GIVEN,
    NOWHERE,
    OPEN,
    OPEN_PREFIXES,
    SELLER_PAGES,
)

METHODS = ("get", "post", "put", "patch", "delete")
UNSAFE = METHODS[1:]
REFUSED = {301, 302, 400, 401, 403, 404, 405, 415}

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(world):
    cache.clear()
    return world


def routes_below(prefix):
    return [route for route in routes.resolved() if route.pattern.startswith(prefix)]


def answers(browser, address, **extra):
    """What each method is answered at an address: status, and where it leads."""
    found = {}
    for method in METHODS:
        answer = getattr(browser, method)(address, **extra)
        found[method] = (answer.status_code, answer.headers.get("Location", ""), answer)
    return found


def plain(text, *words):
    """A place to go, without what the address itself said."""
    for word in words:
        text = text.replace(str(word), "·")
    return text


def compare(browser, route, there, nowhere, **extra):
    """Complaints about answers that tell something that exists from something that does not."""
    first, second = route.address(there), route.address(nowhere)
    complaints = []
    for (method, (status, place, _)), (other, other_place, _) in zip(
        answers(browser, first, **extra).items(),
        answers(browser, second, **extra).values(),
        strict=True,
    ):
        place, other_place = plain(place, *there.values()), plain(other_place, *nowhere.values())
        if status not in REFUSED:
            complaints.append(f"{method} {first}: {status}")
        elif status == 405 and other in {404, 405}:
            pass  # a method that the address has for nobody
        elif (status, place) != (other, other_place):
            complaints.append(f"{method} {first}: {status} {place}, nowhere {other} {other_place}")
    return complaints


def signed_in(user, marketplace=None):
    browser = Client(raise_request_exception=True)
    browser.force_login(user)
    if marketplace is not None:
        browser.post("/admin/choose-marketplace/", {"marketplace": marketplace.slug})
    return browser


class TestTables:
    def test_know_every_address(self):
        known = OPEN | ADMIN_PAGES.keys() | SELLER_PAGES.keys()
        models = tuple(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_"
            for model in admin.site._registry
        )
        unknown = {
            f"{route.name} {route.pattern}"
            for route in routes.resolved()
            if route.name not in known
            and not route.name.startswith((*models, *OPEN_PREFIXES))
            and not route.pattern.startswith("/api/")  # walked with keys, see marketplace/tests
            and route.name != "admin:"  # the old address of a row, and whatever else is below
        }
        assert not unknown, "\n".join(sorted(unknown))
        assert not known - {route.name for route in routes.resolved()}


class TestAdmin:
    def test_is_shut_to_strangers(self, people):
        browser = signed_in(people.foreign_operator, people.beta)
        before, complaints = people.rows(), []
        for model in admin.site._registry:
            if model._meta.label in ADMIN_GLOBAL:
                continue
            key = ADMIN_KEYS.get(model._meta.label, lambda row: row.pk)
            row = people.first(model)
            if row is None:
                complaints.append(f"nothing of {model._meta.label} to walk to")
                continue
            prefix = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
            for route in routes_below("/admin/"):
                if route.name.startswith(prefix) and route.parameters:
                    given = {"decision": DECISIONS.get(model._meta.label)}
                    there = dict.fromkeys(route.parameters, key(row)) | given
                    if "seller" in there:  # another row's number may be a stranger's own
                        there["seller"] = row.seller_id
                    nowhere = dict.fromkeys(route.parameters, NOWHERE) | given
                    complaints += compare(browser, route, there, nowhere)
        for name, fill in ADMIN_PAGES.items():
            for route in (r for r in routes_below("/admin/") if r.name == name):
                answered = answers(browser, route.address(fill(people)))
                complaints += [
                    f"{method} {route.pattern}: {status}"
                    for method, (status, _, answer) in answered.items()
                    if status >= 500 or _told(answer, people.victim)
                ]
        assert not complaints, "\n".join(complaints)
        assert people.rows() == before

    def test_takes_no_action_on_rows_of_others(self, people):
        browser = signed_in(people.foreign_operator, people.beta)
        before = people.rows()
        for model, model_admin in admin.site._registry.items():
            if not issubclass(model, TenantModel) or not (row := people.first(model)):
                continue
            address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            for action in _actions(model_admin):
                answer = browser.post(
                    address,
                    {"action": action, ACTION_CHECKBOX_NAME: [row.pk], "index": 0, "post": "yes"},
                )
                assert answer.status_code in {200, 302, 403}, (address, action)
                assert str(row) not in answer.content.decode(), (address, action)
        assert people.rows() == before

    def test_is_shut_to_sellers_and_to_nobody(self, people):
        for browser in (Client(), signed_in(people.owner)):
            before = people.rows()
            for route in routes_below("/admin/"):
                if route.name in OPEN:
                    continue
                address = route.address(dict.fromkeys(route.parameters, 1))
                for method, (status, place, _) in answers(browser, address).items():
                    assert (status, bool(place)) in {(302, True), (403, False), (405, False)}, (
                        method,
                        address,
                        status,
                    )
            assert people.rows() == before


class TestSellerCentre:
    def test_is_shut_to_whoever_has_no_shop_there(self, people):
        strangers = [people.foreign_operator, people.foreign_owner, people.operator]
        before, complaints = people.rows(), []
        for user in strangers:
            browser = signed_in(user)
            for name, fill in SELLER_PAGES.items():
                if fill is None:  # open to whoever wants to become a seller
                    continue
                for route in (r for r in routes_below("/s/") if r.name == name):
                    there = GIVEN | fill(people)
                    complaints += compare(browser, route, there, there | {"marketplace": "nowhere"})
        assert not complaints, "\n".join(complaints)
        assert people.rows() == before

    def test_keeps_sellers_of_one_marketplace_apart(self, people):
        browser = signed_in(people.neighbour_owner)
        before, complaints = people.rows(of_victim=True), []
        for name, fill in SELLER_PAGES.items():
            values = fill(people) if fill else {}
            for route in (r for r in routes_below("/s/") if r.name == name):
                there = GIVEN | values
                if values:
                    nowhere = there | dict.fromkeys(values, NOWHERE)
                    complaints += compare(browser, route, there, nowhere)
                    continue
                for method, (status, _, answer) in answers(browser, route.address(there)).items():
                    if status >= 500 or _told(answer, people.victim):
                        complaints.append(f"{method} {route.pattern}: {status}")
        assert not complaints, "\n".join(complaints)
        assert people.rows(of_victim=True) == before

    def test_asks_everybody_to_log_in(self, people):
        browser = Client()
        for name, fill in SELLER_PAGES.items():
            for route in (r for r in routes_below("/s/") if r.name == name and fill is not None):
                there = GIVEN | fill(people)
                for method, (status, place, _) in answers(browser, route.address(there)).items():
                    assert status in {302, 404, 405}, (method, route.pattern)
                    assert status != 302 or place.startswith("/accounts/login/"), route.pattern


def _actions(model_admin) -> list[str]:
    return [getattr(action, "__name__", action) for action in model_admin.actions or ()]


def _told(answer, seller) -> bool:
    """Whether an answer says anything of a seller."""
    if answer.streaming or "text" not in answer.headers.get("Content-Type", "text"):
        return False
    return bool(
        re.search(rf"{seller.public_id}|{seller.code}|\[{seller.name}\]", answer.content.decode())
    )
