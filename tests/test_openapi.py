"""The committed description of the API, and the judge of its changes."""

import copy
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

import check_openapi
import list_problems


@pytest.fixture(scope="module")
def described():
    return yaml.safe_load(check_openapi.FILE.read_text())


def test_is_what_the_code_says():
    assert check_openapi.FILE.read_text() == check_openapi.described()


def test_every_code_of_a_problem_is_written_down():
    written = list_problems.codes_of(list_problems.FILE.read_text())
    said = list_problems.codes_of(list_problems.listed())
    assert {"tenders_do_not_match", "if_match_stale", "blocked_by_policy", "malformed"} <= said
    assert said - written == set(), "scripts/list_problems.py --write"


def test_promises_only_documented_scopes(described):
    from marketplace import api_keys

    scopes = {
        operation["x-scope"]
        for operations in described["paths"].values()
        for operation in operations.values()
        if "x-scope" in operation
    }
    assert scopes <= api_keys.SCOPES.keys()


def test_publishes_no_words_of_a_base_class(described):
    from marketplace.api.fields import Document

    schemas = described["components"]["schemas"]
    words = [schema.get("description", "") for schema in schemas.values()]
    assert [each for each in words if each == Document.__doc__] == []
    assert schemas["GrantedDocument"]["description"].startswith("What was granted on a line")


class TestBreaks:
    def test_finds_nothing_in_what_is_the_same_or_more(self, described):
        more = copy.deepcopy(described)
        more["paths"]["/api/v1/new/"] = {"get": {"responses": {}}}
        more["components"]["schemas"]["OrderDocument"]["properties"]["new"] = {"type": "string"}
        more["components"]["schemas"]["EventKind"]["enum"].append("lost")
        assert check_openapi.breaks(described, described) == []
        assert check_openapi.breaks(described, more) == []

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda d: d["paths"].pop("/api/v1/orders/"), "GET /api/v1/orders/: is gone"),
            (
                lambda d: d["paths"]["/api/v1/orders/"]["get"].update(parameters=[]),
                "GET /api/v1/orders/: parameter number is gone",
            ),
            (
                lambda d: d["components"]["schemas"]["OrderDocument"]["properties"].pop("number"),
                "OrderDocument.number: is gone",
            ),
            (
                lambda d: d["components"]["schemas"]["EventKind"]["enum"].remove("paid"),
                "EventKind: the value 'paid' is gone",
            ),
            (
                lambda d: d["components"]["schemas"]["NewOrderDocument"]["required"].append(
                    "channel"
                ),
                "NewOrderDocument.channel: has become required",
            ),
            (
                lambda d: d["components"]["schemas"]["OrderDocument"]["required"].remove("number"),
                "OrderDocument.number: is no longer certain",
            ),
            (
                lambda d: d["paths"]["/api/v1/orders/"]["post"]["responses"].pop("201"),
                "POST /api/v1/orders/: no longer answers 201",
            ),
            (
                lambda d: d["paths"]["/api/v1/orders/"]["get"]["parameters"][0].update(
                    required=True
                ),
                "GET /api/v1/orders/: parameter limit has become required",
            ),
        ],
    )
    def test_finds(self, described, change, said):
        changed = copy.deepcopy(described)
        change(changed)
        assert said in check_openapi.breaks(described, changed)
