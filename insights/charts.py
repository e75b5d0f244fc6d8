"""Bars of a chart, measured for a drawing of a fixed size. No clock, no query, no words."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 720
HEIGHT = 160
_GAP = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle in the drawing's own units; its top is at the value, its foot at zero."""

    x: int
    y: int
    width: int
    height: int


def bars(values: Sequence[int]) -> list[Bar]:
    """One bar a value, the highest as high as the drawing. What is below zero hangs from zero.

    A value that is not zero is at least one unit high, so that it does not look like nothing.
    """
    if not values:
        return []
    top, bottom = max(*values, 0), min(*values, 0)
    span = top - bottom or 1
    zero = HEIGHT * top // span
    step = WIDTH // len(values)
    return [_bar(number * step, value, step, span, zero) for number, value in enumerate(values)]


def _bar(x: int, value: int, step: int, span: int, zero: int) -> Bar:
    height = max(HEIGHT * abs(value) // span, 1 if value else 0)
    return Bar(x, zero - height if value > 0 else zero, max(step - _GAP, 1), height)
