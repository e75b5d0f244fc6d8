"""The cast of the listings' tests: plain functions that make real rows."""

from listings import catalogue, reviewing
from listings.catalogue import CategoryRow
from listings.models import PolicyPack, Revision
from marketplace import versions
from sellers.tests.make import AT, JOINED, marketplace, seller

__all__ = ["AT", "JOINED", "categories", "draft", "marketplace", "pack", "seller"]

PACK = {
    "rules": [
        {
            "code": "tobacco",
            "name": "담배",
            "severity": "block",
            "terms": ["담배", "전자담배"],
            "unless": ["담배꽁초", "금연"],
        },
        {
            "code": "liquor",
            "name": "주류",
            "severity": "block",
            "terms": ["소주", "맥주"],
            "whole_words": True,
            "except_categories": ["liquor"],
        },
        {
            "code": "function_claim",
            "name": "기능성 오인",
            "severity": "warn",
            "terms": ["면역력", "면역력 강화"],
            "categories": ["food"],
        },
    ]
}


def pack(body=None, *, valid_from=JOINED) -> PolicyPack:
    row = versions.draft(PolicyPack, valid_from=valid_from, by=None, body=body or PACK)
    return versions.publish(row, by=None, at=AT)


def categories():
    return catalogue.ensure_categories(
        [
            CategoryRow("food", "식품"),
            CategoryRow("liquor", "전통주", "food"),
            CategoryRow("fashion", "패션"),
        ]
    )


def draft(title="무선 이어폰", *, owner=None, code="A-1", **words) -> Revision:
    words.setdefault("unit_price", 12_900)
    return reviewing.create(owner or seller(), code, title=title, by=None, at=AT, **words)
