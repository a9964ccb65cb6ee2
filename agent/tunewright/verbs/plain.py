"""Answers as data that any JSON parser reads: no NaN, no infinity, no key, and a note where something was left out."""

import math
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import cache
from typing import Any

from tunewright.redact import redact

NOTES = "notes"


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """The data with every number finite: what is not is null, and `notes` says where."""
    odd: list[str] = []
    made: dict[str, Any] = _plain(data, "", odd, cache(redact))  # a curve says the same names at each of its points
    if odd:
        made[NOTES] = [*made.get(NOTES, []), *odd]
    return made


def _plain(value: Any, path: str, odd: list[str], hide: Callable[[str], str]) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return hide(value)
        case int():
            return int(value)
        case float():
            if math.isfinite(value):
                return float(value)
            odd.append(f"{path} is not a finite number ({value}); it is given as null")
            return None
        case dict():
            return {hide(str(k)): _plain(v, f"{path}.{k}".lstrip("."), odd, hide) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v, f"{path}[{i}]", odd, hide) for i, v in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value), path, odd, hide)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a scalar of numpy or torch
        return _plain(value.item(), path, odd, hide)
    raise TypeError(f"an answer cannot hold {type(value).__name__} at {path or 'its top'}")
