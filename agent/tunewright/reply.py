"""What a model's reply proposes: configurations, a stated prior, derived quantities.

A model's words are data; nothing here trusts them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tunewright.card import TaskCard
from tunewright.derived import check_derived
from tunewright.errors import CardError
from tunewright.space import Space

_LONGEST_TEXT = 300
_MOST = 64
_MOST_UNKNOWN = 200
"""Names of a configuration beyond those of the space."""
_MOST_DERIVED = 8
_LONGEST_NAME = 64
_LARGEST_POWER = 10.0

Prior = dict[str, dict[str, float]]
"""Parameter -> {guess, low, high}; low to high holds the best value with a chance of 80%."""
Derived = dict[str, dict[str, float]]
"""Name -> {parameter: power}: the product of the powers, as under `derived` on a card."""


@dataclass(frozen=True)
class Parsed:
    """The usable shape of a reply, values not yet checked."""

    configs: tuple[tuple[dict[str, Any], str], ...] = ()
    """(configuration, rationale) in the model's order."""
    prior: Prior = field(default_factory=dict)
    derived: dict[str, Any] = field(default_factory=dict)
    """Name -> what was stated; `sound_derived` tells which of it makes sense."""


def parse(data: Any, space: Space) -> Parsed:
    """Configurations and prior of a structured reply.

    Two shapes are read: `{"proposals": [{"config": {...}, "rationale": "..."}], "prior": {...}}`, which the prompt asks
    for, and `{"configs": [{...}], "prior": {...}, "rationale": "..."}`, of replies recorded elsewhere.
    """
    if not isinstance(data, dict):
        return Parsed()
    most = len(space) + _MOST_UNKNOWN
    configs: list[tuple[dict[str, Any], str]] = []
    proposals = data.get("proposals")
    if isinstance(proposals, list):
        for item in proposals[:_MOST]:
            if isinstance(item, dict) and isinstance(item.get("config"), dict):
                configs.append((_plain(item["config"], most), _text(item.get("rationale"))))
    elif isinstance(data.get("configs"), list):
        shared = _text(data.get("rationale"))
        configs = [(_plain(item, most), shared) for item in data["configs"][:_MOST] if isinstance(item, dict)]
    stated = data.get("derived")
    derived = list(stated.items())[:_MOST_DERIVED] if isinstance(stated, dict) else []
    named = {
        str(name)[:_LONGEST_NAME]: _plain(v, most) if isinstance(v, dict) else _text(str(v)) for name, v in derived
    }
    return Parsed(tuple(configs), _prior(data.get("prior"), space), named)


def sound_derived(stated: Mapping[str, Any], card: TaskCard) -> tuple[Derived, dict[str, str]]:
    """Of the derived quantities of a reply: those that the card itself could hold, and of the others the reason."""
    sound: Derived = {}
    refused: dict[str, str] = {}
    taken = {*card.derived, *(metric.name for metric in card.metrics)}
    for name, powers in stated.items():
        try:
            read = _powers(name, powers)
            check_derived({name: read}, card.space, taken)
            sound[name] = read
        except CardError as e:
            refused[name] = e.message
    return sound, refused


def _powers(name: str, powers: Any) -> dict[str, float]:
    if not isinstance(powers, dict):
        raise CardError(f"derived quantity {name!r} is {powers!r}", "write {batch: 1, depth: 2}")
    for parameter, power in powers.items():
        if isinstance(power, bool) or not isinstance(power, int | float) or not abs(power) <= _LARGEST_POWER:
            raise CardError(f"derived quantity {name!r}: the power of {parameter!r} is {power!r}", "at most 10")
    return {parameter: float(power) for parameter, power in powers.items()}


def _text(value: Any) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _plain(config: dict[Any, Any], most: int) -> dict[str, Any]:
    """The first `most` values as they were sent, null left out as absent; what JSON cannot hold becomes its text."""
    out: dict[str, Any] = {}
    for key, value in list(config.items())[:most]:
        if value is None:
            continue
        keep = isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
        if isinstance(value, int) and abs(value) > 2**62:
            keep = False  # an integer that no database column or float holds
        out[str(key)[:_LONGEST_TEXT]] = value if keep else str(value)[:_LONGEST_TEXT]
    return out


def _prior(stated: Any, space: Space) -> Prior:
    """The parts of a stated prior that make sense: known numeric parameters, low <= guess <= high, guess in range."""
    prior: Prior = {}
    for name, view in stated.items() if isinstance(stated, dict) else ():
        if name not in space or not isinstance(view, dict) or not hasattr(space[name], "low"):
            continue
        numbers = [view.get(key) for key in ("guess", "low", "high")]
        if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in numbers):
            continue
        guess, low, high = (float(v) for v in numbers)  # type: ignore[arg-type]
        if low <= guess <= high and space[name].fault(guess) is None:
            prior[name] = {"guess": guess, "low": low, "high": high}
    return prior
