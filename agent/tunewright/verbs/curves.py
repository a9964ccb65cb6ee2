"""A learning curve for people, in one line, and thinned out for a model."""

from collections.abc import Sequence
from typing import TypeVar

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60

T = TypeVar("T")


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def sparkline(values: Sequence[float]) -> str:
    """The values as bars, low to high; a value that is not finite is a gap."""
    shown = thinned(values, _WIDTH)
    finite = [v for v in shown if abs(v) < float("inf")]  # NaN is not below anything
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    size = high - low
    return "".join(
        " " if not abs(v) < float("inf") else _BARS[round((v - low) / size * (len(_BARS) - 1)) if size > 0 else 0]
        for v in shown
    )
