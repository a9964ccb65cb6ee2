"""Names and values of another library beside ours: names become identifiers, values of any kind stand under labels."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.errors import SpaceError
from tunewright.parameters import Choice, Parameter

_LONGEST = 60


@dataclass(frozen=True)
class Foreign:
    """A parameter of another library and ours that stands for it."""

    name: str
    """Its name there."""
    parameter: Parameter
    values: tuple[Any, ...] = ()
    """Its values there, of a choice, in the order of ours."""

    def theirs(self, value: Any) -> Any:
        """Their value for one of ours."""
        if not self.values:
            return value
        assert isinstance(self.parameter, Choice)
        index = self.parameter.index(value)
        assert index is not None
        return self.values[index]


def choice(name: str, foreign: str, values: Sequence[Any], **more: Any) -> Foreign:
    """An unordered choice; values that are no plain text or number stand under their shortened `repr`.

    Raises:
        SpaceError: fewer than two values, or two that are the same.
    """
    values = tuple(native(v) for v in values)
    try:
        return Foreign(foreign, Choice(name, values, **more), values)
    except SpaceError:
        if len(values) < 2:
            raise
    labels = [v if isinstance(v, str) else " ".join(repr(v).split()) for v in values]
    labels = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..." for text in labels]
    doubled = {text for text in labels if labels.count(text) > 1}
    labels = [f"{text} ({i})" if text in doubled else text for i, text in enumerate(labels)]
    return Foreign(foreign, Choice(name, labels, **more), values)


def native(value: Any) -> Any:
    """A scalar of numpy as Python's own; anything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """An identifier for each name, itself where it is one; no two are equal or among `taken`."""
    names = list(names)
    used = {*taken, *(name for name in names if name.isidentifier())}
    found: dict[str, str] = {}
    for name in names:
        plain = name
        if not name.isidentifier() or name in taken:
            plain = re.sub(r"\W", "_", name)
            plain = plain if plain.isidentifier() else f"p_{plain}"
            stem, count = plain, 1
            while plain in used:
                count += 1
                plain = f"{stem}_{count}"
        used.add(plain)
        found[name] = plain
    return found


def grid(low: float, high: float, step: float) -> tuple[float, float]:
    """The first and last multiple of the step within the bounds.

    Raises:
        SpaceError: fewer than two multiples are.
    """
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if first >= last:
        raise SpaceError(f"{low!r} to {high!r} holds fewer than two multiples of {step!r}", "choose a smaller step")
    return first * step, last * step
