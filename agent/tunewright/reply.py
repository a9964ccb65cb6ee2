"""What a model's reply proposes: configurations, a stated prior. A model's words are data; nothing here trusts them."""

import math
from dataclasses import dataclass, field
from typing import Any

from tunewright.space import Space

_LONGEST_TEXT = 300
_MOST = 64
_MOST_NAMES = 200

Prior = dict[str, dict[str, float]]
"""Parameter -> {guess, low, high}; low to high holds the best value with a chance of 80%."""


@dataclass(frozen=True)
class Parsed:
    """The usable shape of a reply, values not yet checked."""

    configs: tuple[tuple[dict[str, Any], str], ...] = ()
    """(configuration, rationale) in the model's order."""
    prior: Prior = field(default_factory=dict)


def parse(data: Any, space: Space) -> Parsed:
    """Configurations and prior of a structured reply.

    Two shapes are read: `{"proposals": [{"config": {...}, "rationale": "..."}], "prior": {...}}`, which the prompt asks
    for, and `{"configs": [{...}], "prior": {...}, "rationale": "..."}`, of replies recorded elsewhere.
    """
    if not isinstance(data, dict):
        return Parsed()
    configs: list[tuple[dict[str, Any], str]] = []
    proposals = data.get("proposals")
    if isinstance(proposals, list):
        for item in proposals[:_MOST]:
            if isinstance(item, dict) and isinstance(item.get("config"), dict):
                configs.append((_plain(item["config"]), _text(item.get("rationale"))))
    elif isinstance(data.get("configs"), list):
        shared = _text(data.get("rationale"))
        configs = [(_plain(item), shared) for item in data["configs"][:_MOST] if isinstance(item, dict)]
    return Parsed(tuple(configs), _prior(data.get("prior"), space))


def _text(value: Any) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _plain(config: dict[Any, Any]) -> dict[str, Any]:
    """Values as they were sent, except that null means absent and what JSON cannot hold becomes its text."""
    out: dict[str, Any] = {}
    for key, value in list(config.items())[:_MOST_NAMES]:
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
