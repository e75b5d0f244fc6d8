"""Every address that the installation answers, as its URL configuration tells them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Route:
    pattern: str  # such as /s/<slug:marketplace>/orders/<order>/
    name: str  # with its namespace: admin:index

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.pattern)

    def address(self, values: dict[str, object]) -> str:
        return _PARAMETER.sub(lambda found: str(values[found[1]]), self.pattern)


def resolved() -> list[Route]:
    return list(_below(get_resolver().url_patterns, "", ()))


def _below(patterns: Iterable, prefix: str, names: tuple[str, ...]) -> Iterator[Route]:
    for pattern in patterns:
        text = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*names, pattern.namespace) if pattern.namespace else names
            yield from _below(pattern.url_patterns, text, inner)
        elif isinstance(pattern, URLPattern):
            yield Route(simplify_regex(text), ":".join([*names, pattern.name or ""]))
