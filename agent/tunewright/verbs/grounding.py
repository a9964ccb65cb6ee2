"""Whether a change that a model calls for is what the person said: the deed and every value must be in their words.

A model reads logs, scripts and names that strangers wrote. A change that such a text talked it into names things that
the person did not, so it is asked about first. This only spares questions; it never replaces one.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_DEEDS = {
    "pin": "pin keep fix hold lock set freeze leave",
    "unpin": "unpin release free vary unlock unfix let",
    "narrow": "narrow restrict limit only between most least above below max min no tighten",
    "widen": "widen wider extend allow raise lower expand",
    "add_constraint": "constraint must require below under above most least never constrain",
    "drop_constraint": "drop remove constraint without lift",
    "rename_study": "rename call name",
    "export": "export save write",
    "stop_run": "stop halt end cancel abort",
}
"""Verb -> words of a person that ask for it. Where a verb is not listed, or another language is spoken, it is asked."""
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+|\d+")


def grounded(words: str, verb: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a person's words name the deed of a verb and every value of its arguments.

    Args:
        words: what the person said in this turn.
        arguments: as given by the model, without those left at their default.
    """
    said = _words(words)
    if not said & set(_DEEDS.get(verb, "").split()):
        return False
    numbers = [float(n) for n in _NUMBER.findall(words)]
    return all(_said(value, said, numbers) for value in _leaves(arguments))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield value


def _said(value: Any, said: set[str], numbers: list[float]) -> bool:
    if isinstance(value, bool):
        return True  # a switch of the deed itself
    if isinstance(value, int | float):
        return any(math.isclose(value, n, rel_tol=1e-9) for n in numbers)
    text = str(value)
    stated = [float(n) for n in _NUMBER.findall(text)]
    return _words(_NUMBER.sub(" ", text)) <= said and all(
        any(math.isclose(a, b, rel_tol=1e-9) for b in numbers) for a in stated
    )
