"""Requests that the schema allows and requests that it forbids, over all of it, with valid keys.

No request ends in a server error, every answer is one that the schema describes, and every error
is a problem. Objects in addresses are real ones as often as not.
"""

import contextlib
import os

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api_market import ApiMarket
from tests.test_openapi import check_openapi

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("API_EXAMPLES", "4"))  # a kind of key, an operation, and a mode
NAMES = {
    "ad-prepayment-movements": "ad_prepayment_movement",
    "adjustments": "adjustment",
    "balances": "seller",
    "claims": "claim",
    "debt-movements": "debt_movement",
    "grades": "seller",
    "holds": "hold",
    "listings": "listing",
    "orders": "order",
    "revenue-reports": "report",
    "sellers": "seller",
    "settlement-lines": "line",
    "statements": "statement",
    "webhook-endpoints": "endpoint",
}
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
_OF_A_REQUEST = {"method", "url", "headers", "params", "data", "json", "cookies"}
QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("holder", ["shop", "seller"])
def test_keeps_to_its_schema(db, holder, settings):
    settings.API_REQUESTS_A_MINUTE = settings.API_MARKETPLACE_REQUESTS_A_MINUTE = 10**9
    market = ApiMarket("ours")
    client = market.shop if holder == "shop" else market.sellers["own"]
    described = yaml.safe_load(check_openapi.FILE.read_text())
    schema = schemathesis.openapi.from_dict(described)
    statuses = set()
    for found in schema.get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _exercise(found.ok(), mode, market.names, client, statuses)
    assert {200, 400, 404} <= statuses


def _exercise(operation, mode, names, client, statuses):
    name = names.get(NAMES.get(operation.path.split("/")[3], ""))

    @seed(20)
    @QUIET
    @given(case=operation.as_strategy(generation_mode=mode), is_real=st.booleans())
    def one(case, is_real):
        if is_real and name and case.path_parameters:
            case.path_parameters = dict.fromkeys(case.path_parameters, name)
        response = _answer(case, client)
        statuses.add(response.status_code)
        assert response.status_code < 500, response.content
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"]
        case.validate_response(response, checks=CHECKS)

    with contextlib.suppress(Unsatisfiable):  # an operation that nothing can be wrong about
        one()


def _answer(case, client):
    """Send a case by Django's own client: in this transaction, and this thread."""
    headers = {"Authorization": f"Bearer {client.secret}"}
    kwargs = case.as_transport_kwargs(base_url="http://localhost", headers=headers)
    kwargs.pop("timeout", None)
    request = requests.Request(**{k: v for k, v in kwargs.items() if k in _OF_A_REQUEST}).prepare()
    body = request.body or b""
    answer = client.generic(
        request.method,
        request.path_url,
        body.encode() if isinstance(body, str) else body,
        content_type=request.headers.get("Content-Type", ""),
        headers=dict(request.headers),
    )
    return schemathesis.Response(
        answer.status_code,
        headers={name.lower(): [value] for name, value in answer.items()},
        content=answer.content,
        request=request,
        elapsed=0.01,
        verify=False,
    )
