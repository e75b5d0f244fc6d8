"""Requests of many items, each of which stands for itself."""

from django.utils.translation import gettext

from marketplace.api import problems


def items_of(data, name: str, most: int) -> list:
    """The items of `{name: […]}`, not yet read. Refuses other shapes, and too many or none."""
    if not isinstance(data, dict) or data.keys() != {name} or not isinstance(data[name], list):
        detail = gettext("Send an object with one list, “%s”.") % name
        raise problems.Problem(
            400, "invalid", detail, errors=[problems.item(f"/{name}", "invalid", detail)]
        )
    if not 1 <= len(data[name]) <= most:
        detail = gettext("Send from 1 to %s items at once.") % most
        raise problems.Problem(
            400, "invalid", detail, errors=[problems.item(f"/{name}", "items", detail)]
        )
    return data[name]
