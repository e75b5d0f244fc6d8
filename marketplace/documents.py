"""Reading structured documents (presets, policies, mappings) with errors that name the place.

A document is what JSON gives. A `Part` is a piece of it that knows where it came from, so that
whatever is wrong is told as "file: field[3].rate_ppm should be …". Fields that nobody asked for
are refused as well: a misspelt optional field would otherwise be left out silently.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from marketplace.refusals import Refused, gettext_noop

_REQUIRED: Final = object()

_EXPECTED: Final = {
    "object": gettext_noop("a group of named fields"),
    "list": gettext_noop("a list"),
    "text": gettext_noop("a text"),
    "integer": gettext_noop("a whole number"),
    "flag": gettext_noop("true or false"),
    "day": gettext_noop("a day such as 2026-01-31"),
}


class BadDocument(Refused):
    """A document says something that cannot be used. `where` names the file and the field."""

    code = "bad_document"
    message = gettext_noop("%(where)s cannot be used.")


class FieldMissing(BadDocument):
    code = "field_missing"
    message = gettext_noop("%(where)s is missing.")


class FieldUnknown(BadDocument):
    code = "field_unknown"
    message = gettext_noop("%(where)s is not a field that is known here.")


class FieldMistyped(BadDocument):
    code = "field_mistyped"
    message = gettext_noop("%(where)s should be %(expected)s, not %(found)s.")

    def text(self, translate: Callable[[str], str]) -> str:
        expected = translate(str(self.params["expected"]))
        return translate(self.message) % {**self.params, "expected": expected}


class FieldOutOfRange(BadDocument):
    code = "field_out_of_range"
    message = gettext_noop("%(where)s should lie between %(low)s and %(high)s, not be %(found)s.")


class FieldNotListed(BadDocument):
    code = "field_not_listed"
    message = gettext_noop("%(where)s should be one of %(choices)s, not %(found)s.")


class FieldRepeated(BadDocument):
    code = "field_repeated"
    message = gettext_noop("%(where)s repeats %(found)s, which stands there before.")


class NotJson(BadDocument):
    code = "not_json"
    message = gettext_noop("%(where)s is not a JSON document: %(why)s.")


class Part:
    """A group of named fields in a document. Each method reads one field or refuses."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _mistyped(where, "object", value)
        self.where = where
        self._value: dict[str, Any] = value
        self._read: set[str] = set()

    def at(self, name: str) -> str:
        """Return the place of a field, for a refusal of the caller's own."""
        return f"{self.where}.{name}" if not self.where.endswith(":") else f"{self.where} {name}"

    def has(self, name: str) -> bool:
        return name in self._value

    def text(self, name: str, default: Any = _REQUIRED, *, longest: int = 300) -> str:
        value = self._take(name, default)
        if name in self._value and (
            not isinstance(value, str) or not value.strip() or len(value) > longest
        ):
            raise _mistyped(self.at(name), "text", value)
        return value  # type: ignore[no-any-return]

    def integer(
        self, name: str, default: Any = _REQUIRED, *, low: int = 0, high: int = 10**15
    ) -> int:
        value = self._take(name, default)
        if name in self._value:
            if not isinstance(value, int) or isinstance(value, bool):
                raise _mistyped(self.at(name), "integer", value)
            if not low <= value <= high:
                raise FieldOutOfRange(where=self.at(name), low=low, high=high, found=value)
        return value  # type: ignore[no-any-return]

    def flag(self, name: str, default: Any = _REQUIRED) -> bool:
        value = self._take(name, default)
        if name in self._value and not isinstance(value, bool):
            raise _mistyped(self.at(name), "flag", value)
        return value  # type: ignore[no-any-return]

    def day(self, name: str, default: Any = _REQUIRED) -> date:
        value = self._take(name, default)
        if name not in self._value:
            return value  # type: ignore[no-any-return]
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise _mistyped(self.at(name), "day", value) from None

    def choice(self, name: str, choices: Collection[str], default: Any = _REQUIRED) -> str:
        value = self._take(name, default)
        if name in self._value and (not isinstance(value, str) or value not in choices):
            raise FieldNotListed(
                where=self.at(name), choices=", ".join(choices), found=_shown(value)
            )
        return value  # type: ignore[no-any-return]

    def texts(self, name: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        """Read a list of texts, each given once."""
        values = self._list(name, default)
        seen: set[str] = set()
        for number, value in enumerate(values):
            where = f"{self.at(name)}[{number}]"
            if not isinstance(value, str) or not value.strip():
                raise _mistyped(where, "text", value)
            if value in seen:
                raise FieldRepeated(where=where, found=_shown(value))
            seen.add(value)
        return tuple(values)

    def part(self, name: str) -> "Part":
        return Part(self._take(name, _REQUIRED), self.at(name))

    def parts(self, name: str, default: Any = _REQUIRED) -> "list[Part]":
        values = self._list(name, default)
        return [Part(value, f"{self.at(name)}[{n}]") for n, value in enumerate(values)]

    def named_parts(self, name: str) -> "dict[str, Part]":
        """Read a group whose field names are themselves data, such as the codes of metrics."""
        value = self._take(name, _REQUIRED)
        if not isinstance(value, dict):
            raise _mistyped(self.at(name), "object", value)
        return {key: Part(inner, f"{self.at(name)}.{key}") for key, inner in value.items()}

    def raw(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return a field as it stands, for a reader who knows it better."""
        return self._take(name, default)

    def done(self) -> None:
        """Refuse the first field that was never asked for."""
        for name in self._value:
            if name not in self._read:
                raise FieldUnknown(where=self.at(name))

    def _take(self, name: str, default: Any) -> Any:
        self._read.add(name)
        if name in self._value:
            return self._value[name]
        if default is _REQUIRED:
            raise FieldMissing(where=self.at(name))
        return default

    def _list(self, name: str, default: Any) -> "list[Any]":
        value = self._take(name, default)
        if name in self._value and not isinstance(value, list):
            raise _mistyped(self.at(name), "list", value)
        return list(value)


def parse(text: str | bytes, name: str) -> Part:
    """Read a JSON document; `name` is what refusals call it, such as its file name."""
    try:
        return Part(json.loads(text), f"{name}:")
    except ValueError as error:
        raise NotJson(where=name, why=str(error)) from None


@contextmanager
def reading(value: Any, where: str) -> Iterator[Part]:
    """Read a group to its end: what was not asked for by then is refused."""
    part = value if isinstance(value, Part) else Part(value, where)
    yield part
    part.done()


def _mistyped(where: str, expected: str, found: Any) -> FieldMistyped:
    return FieldMistyped(where=where, expected=_EXPECTED[expected], found=_shown(found))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"
