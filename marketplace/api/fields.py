"""What goes in and out as JSON, strictly: a number is no text, and nothing unknown is let by.

Each serializer of the API is a `Document`: it names every field, and a field that it does not
name is an error of the request, never ignored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self

from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

LARGEST = 10**15
# 12900.0 is refused as 12900.5 is: whoever computes with fractions of money sends that one next.
FRACTION = _("Write a whole number without a fraction: 12900, not 12900.0.")
_kept: dict[tuple[type, str | None], "Document"] = {}
_MOMENT = {"type": "string", "format": "date-time"}


class Document(serializers.Serializer):
    """A JSON object whose fields are all named. `context["request"].auth` is the key."""

    default_error_messages = {"unknown_field": _("There is no such field.")}

    @classmethod
    @contextmanager
    def reading(cls, context: dict) -> Iterator[Self]:
        """A document whose run_validation() reads in a context.

        It is kept for the next request: making all its fields takes longer than reading an order.
        Its messages stay in the language that they were first put in, so there is one for each.
        """
        key = (cls, get_language())
        document = _kept.pop(key, None) or cls()  # another thread makes its own
        document._context = context
        try:
            yield document
        finally:
            document._context = {}
            _kept[key] = document

    def to_internal_value(self, data):
        if isinstance(data, dict) and (unknown := data.keys() - self._writable_names):
            error = self.error_messages["unknown_field"]
            raise serializers.ValidationError(
                {
                    str(name)[:100]: [serializers.ErrorDetail(error, "unknown_field")]
                    for name in sorted(unknown, key=str)[:20]
                }
            )
        return super().to_internal_value(data)

    @property
    def _writable_names(self) -> set[str]:
        if not hasattr(self, "_known_names"):
            self._known_names = {field.field_name for field in self._writable_fields}
        return self._known_names


class Text(serializers.CharField):
    """A JSON string that PostgreSQL can store."""

    def __init__(self, **kwargs):
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    def __init__(self, **kwargs):
        kwargs.setdefault("min_value", 0)
        kwargs.setdefault("max_value", LARGEST)
        super().__init__(**kwargs)

    default_error_messages = {"fraction": FRACTION}

    def to_internal_value(self, data):
        if type(data) is not int:
            self.fail("fraction" if isinstance(data, float) else "invalid")
        return data


class Flag(serializers.BooleanField):
    """true or false, nothing like them."""

    def to_internal_value(self, data):
        if type(data) is not bool:
            self.fail("invalid", input=str(data)[:40])
        return data


@extend_schema_field(_MOMENT)
class Moment(serializers.Field):
    """A moment as RFC 3339 writes it: read with any offset, shown in UTC."""

    default_error_messages = {
        "invalid": _("Write a moment with its offset, such as 2026-03-02T12:00:00+09:00.")
    }

    def to_internal_value(self, data):
        moment = moment_of(data) if isinstance(data, str) else None
        if moment is None:
            self.fail("invalid")
        return moment

    def to_representation(self, value: datetime) -> str:
        return shown(value)


@extend_schema_field(
    {
        "type": "object",
        "required": ["amount", "currency"],
        "additionalProperties": False,
        "properties": {
            "amount": {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        },
        "examples": [{"amount": 12_900, "currency": "KRW"}],
    }
)
class Money(serializers.Field):
    """An amount in minor units of the marketplace's currency, which it names."""

    default_error_messages = {
        "invalid": _("Write money as an amount in minor units and a currency."),
        "currency": _("This marketplace trades in %(currency)s."),
        "fraction": FRACTION,
        "negative": _("An amount is not below zero."),
        "large": _("The amount is too large."),
    }

    def to_internal_value(self, data):
        if not isinstance(data, dict) or data.keys() != {"amount", "currency"}:
            self.fail("invalid")
        amount, currency = data["amount"], self.context["request"].auth.marketplace.currency
        if isinstance(amount, float):
            raise serializers.ValidationError(
                {"amount": serializers.ErrorDetail(self.error_messages["fraction"], "fraction")}
            )
        if type(amount) is not int:
            self.fail("invalid")
        if data["currency"] != currency:
            message = self.error_messages["currency"] % {"currency": currency}
            raise serializers.ValidationError(message, code="currency")
        if amount < 0:
            self.fail("negative")
        if amount > LARGEST:
            self.fail("large")
        return amount

    def to_representation(self, value: int) -> dict:
        return {"amount": value, "currency": self.context["request"].auth.marketplace.currency}


def is_day(field: str) -> bool:
    """Whether a field is a business day, by its name: "on" or "…_on"; others are moments."""
    return field == "on" or field.endswith("_on")


def moment_of(text: str) -> datetime | None:
    """The moment that a text of RFC 3339 names, in UTC; None where it names none."""
    try:
        moment = parse_datetime(text) if len(text) < 40 else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def shown(moment: datetime) -> str:
    """A moment in UTC, to the microsecond that is stored."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
