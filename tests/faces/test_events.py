"""What the feed tells of a whole marketplace is thin: ids, codes, days and counts, no words."""

import re

from marketplace import tenancy
from marketplace.models import Change

DETAILS = {"lines", "on", "grade", "effective_from", "sentinel", "count"}
ID = re.compile(r"([a-z]{3}_[0-9a-z]{26}|\d{4}-\d\d-\d\d|)")
CODE = re.compile(r"[a-z0-9_-]{1,40}")


def test_events_hold_nothing_about_a_person(world):
    with tenancy.use(world.alpha.pk):
        rows = list(Change.objects.values_list("type", "object_id", "data"))
    types = {type_ for type_, *_ in rows}
    assert {"order.accepted", "order.lines_changed", "orders.confirmed", "night.closed"} <= types
    for type_, object_id, data in rows:
        assert ID.fullmatch(object_id), (type_, object_id)
        assert data.keys() <= DETAILS, (type_, data)
        for value in data.values():
            for each in value if isinstance(value, list) else [value]:
                assert isinstance(each, int) or CODE.fullmatch(each), (type_, data)
