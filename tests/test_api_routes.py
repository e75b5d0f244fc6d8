"""Every route of the API, as the stranger: another marketplace's key, another seller's key.

Each operation of the schema has a row here; one that is added without a row fails. A row that
names an object answers 404 to strangers; a list shows them nothing; what creates changes nothing
of what it names.
"""

import pytest
import yaml
from django.apps import apps
from django.db import connections

from marketplace import tenancy
from settlements.tests import make
from tests.api_market import ApiMarket
from tests.test_openapi import check_openapi

pytestmark = pytest.mark.django_db

WON = {"amount": 1_000, "currency": "KRW"}
PARCEL = {"carrier": "cj", "tracking_number": "640123456785"}
ENDPOINT = "/api/v1/webhook-endpoints/{public_id}/"
SPAN = {"since": "2026-09-01T00:00:00Z", "until": "2026-09-02T00:00:00Z"}

# (method, path in the schema): the object in the path, and a body that its owner could send.
OBJECTS = {
    ("get", "/api/v1/balances/{public_id}/"): ("seller", None),
    ("get", "/api/v1/claims/{public_id}/"): ("claim", None),
    ("post", "/api/v1/claims/{public_id}/decision/"): ("claim", {"decision": "approve"}),
    ("get", "/api/v1/grades/{public_id}/"): ("seller", None),
    ("get", "/api/v1/jobs/{public_id}/"): ("job", None),
    ("delete", "/api/v1/jobs/{public_id}/"): ("job", None),
    ("get", "/api/v1/listings/{public_id}/"): ("listing", None),
    ("patch", "/api/v1/listings/{public_id}/"): ("listing", {"title": "홍차"}),
    ("post", "/api/v1/listings/{public_id}/submission/"): ("listing", {}),
    ("get", "/api/v1/orders/{public_id}/"): ("order", None),
    ("post", "/api/v1/orders/{public_id}/acknowledgement/"): ("order", {}),
    ("post", "/api/v1/orders/{public_id}/shipments/"): ("order", PARCEL),
    ("get", "/api/v1/sellers/{public_id}/"): ("seller", None),
    ("get", "/api/v1/settlement-lines/{line}/"): ("line", None),
    ("get", "/api/v1/statements/{public_id}/"): ("statement", None),
    ("get", "/api/v1/statements/{public_id}/lines/"): ("statement", None),
    ("get", ENDPOINT): ("endpoint", None),
    ("patch", ENDPOINT): ("endpoint", {"description": "mine now"}),
    ("get", f"{ENDPOINT}deliveries/"): ("endpoint", None),
    ("post", f"{ENDPOINT}replays/"): ("endpoint", SPAN),
    ("get", f"{ENDPOINT}secret/"): ("endpoint", None),
    ("post", f"{ENDPOINT}secret-rotations/"): ("endpoint", {}),
    ("post", f"{ENDPOINT}tests/"): ("endpoint", {}),
    ("delete", ENDPOINT): ("endpoint", None),
}
LISTS = {
    ("get", f"/api/v1/{name}/")
    for name in (
        "balances",
        "claims",
        "events",
        "grades",
        "jobs",
        "listings",
        "order-events",
        "orders",
        "sellers",
        "statements",
        "webhook-endpoints",
    )
}
# What creates, with a body that names objects of the marketplace (None: it can name none).
_LINE = {"number": 1, "seller_code": "stranger's", "unit_price": WON, "quantity": 1}
CREATING = {
    ("post", "/api/v1/claims/"): lambda names: {
        "order": names["order"],
        "line_number": 1,
        "type": "return",
        "fault": "buyer",
        "quantity": 1,
    },
    ("post", "/api/v1/exports/"): lambda names: {"kind": "statements", "seller": names["seller"]},
    ("post", "/api/v1/fees/estimate/"): lambda names: {
        "seller_code": "only-here",
        "items": [{"unit_price": WON}],
    },
    ("post", "/api/v1/listings/"): lambda names: {
        "seller_code": "only-here",
        "code": "x",
        "title": "x",
        "unit_price": WON,
    },
    ("post", "/api/v1/listings/check/"): None,
    ("post", "/api/v1/order-events/"): None,
    ("post", "/api/v1/order-events/batch/"): None,
    ("post", "/api/v1/orders/"): lambda names: {
        "number": "X-1",
        "placed_at": "2026-09-01T00:00:00Z",
        "lines": [{**_LINE, "seller_code": "only-here"}],
        "payments": [{"sequence": 1, "kind": "card", "amount": WON}],
    },
    ("post", "/api/v1/orders/batch/"): None,
    ("post", "/api/v1/webhook-endpoints/"): None,
}


@pytest.fixture
def markets(db):
    ours, theirs = ApiMarket("ours"), ApiMarket("theirs")
    with tenancy.use(ours.market.pk):
        make.seller("only-here")
    return ours, theirs


@pytest.fixture(scope="module")
def operations():
    described = yaml.safe_load(check_openapi.described())
    return {(method, path) for path, methods in described["paths"].items() for method in methods}


def rows_of(market):
    """How many rows of each table the marketplace has, its keys and audit trail included."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT set_config('app.marketplace', %s, true)", [str(market.market.pk)])
        counts = {}
        for model in apps.get_models():
            if any(field.name == "marketplace" for field in model._meta.fields):
                cursor.execute(
                    f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
                    f"FROM {model._meta.db_table} t WHERE marketplace_id = %s",
                    [market.market.pk],
                )
                counts[model._meta.label] = cursor.fetchone()
        cursor.execute("SELECT set_config('app.marketplace', '', true)")
    counts.pop("marketplace.ApiKey")  # a key's use is noted
    return counts


def call(client, operation, name, body):
    method, path = operation
    path = path.removeprefix("/api/v1/").replace("{public_id}", name).replace("{line}", name)
    headers = {"if_match": '"0"'} if method in ("patch", "put", "delete") else {}
    return client.call(method, path, body, **headers)


def test_every_route_has_a_row(operations):
    assert operations == set(OBJECTS) | LISTS | set(CREATING)


def test_objects_are_not_found_by_strangers(markets):
    ours, theirs = markets
    before = rows_of(ours)
    for operation, (thing, body) in OBJECTS.items():
        for stranger in (theirs.shop, theirs.sellers["own"], ours.sellers["other"]):
            response = call(stranger, operation, ours.names[thing], body)
            answer = (response.status_code, response.json()["code"])
            expected = {(404, "not_found"), (403, "for_sellers")}
            assert answer in expected, (operation, response.content)
            made_up = call(stranger, operation, _like(ours.names[thing]), body)
            assert _hint(made_up) == _hint(response), operation
    assert rows_of(ours) == before


def test_rows_name_what_their_owner_finds(markets):
    ours, _ = markets
    for operation, (thing, body) in OBJECTS.items():
        response = call(ours.sellers["own"], operation, ours.names[thing], body)
        assert response.status_code not in (403, 404), (operation, response.content)


def test_lists_show_strangers_nothing(markets):
    ours, theirs = markets
    own = set(ours.names.values())
    for _, path in sorted(LISTS):
        path = path.removeprefix("/api/v1/")
        for stranger in (theirs.shop, theirs.sellers["own"], ours.sellers["other"]):
            response = stranger.read(path)
            if response.status_code == 403:
                assert response.json()["code"] == "not_for_sellers"
                continue
            assert response.status_code == 200
            assert not any(name in response.content.decode() for name in own), path
        if path not in ("events/", "order-events/"):
            seen = ours.sellers["own"].read(path).content.decode()
            assert any(name in seen for name in own), path


def test_creating_reaches_nothing_of_others(markets):
    ours, theirs = markets
    before, mine = rows_of(ours), rows_of(theirs)
    for operation, body in CREATING.items():
        if body is None:
            continue
        for stranger in (theirs.shop, theirs.sellers["own"], ours.sellers["other"]):
            response = call(stranger, operation, "", body(ours.names))
            assert response.status_code in (403, 404, 422), (operation, response.content)
    assert rows_of(ours) == before
    assert rows_of(theirs) == mine


def _like(name: str) -> str:
    """A name of the same form that nothing has."""
    return name[:10] + ("0" if name[10] != "0" else "1") + name[11:]


def _hint(response):
    body = response.json()
    return response.status_code, body["code"], body["detail"], body["errors"]
