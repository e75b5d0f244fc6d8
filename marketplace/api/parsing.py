"""Reads the body of a request: JSON that can be stored and answered with."""

import json
import math

from django.utils.translation import gettext
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """The body is read through Django, whose limit of size holds and which keeps it for a hash."""

    def parse(self, stream, media_type=None, parser_context=None):
        body = parser_context["request"]._request.body
        try:
            data = json.loads(
                body.decode(),
                parse_constant=_refuse,
                parse_float=_finite,
                object_pairs_hook=_named_once,
            )
            if b"\\u" in body:  # half a character pair can be written in JSON, but nowhere else
                json.dumps(data, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ParseError(gettext("The body is not usable JSON.")) from error
        return data


def _named_once(pairs: list[tuple]) -> dict:
    """An object that names a field twice says two things; readers differ in which they believe."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("named twice")
    return found


def _refuse(constant: str):
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
