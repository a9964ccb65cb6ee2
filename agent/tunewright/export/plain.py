"""Points, space and a study's trials as JSON, for any program."""

import json
from collections.abc import Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.points import Point


def text(points: Sequence[Point], card: TaskCard) -> str:
    """JSON text of `record`."""
    return dumped(record(points, card))


def record(points: Sequence[Point], card: TaskCard) -> dict[str, Any]:
    """Goal, metrics, space (`Space.from_json` reads it) and points (config, source, rationale)."""
    return {
        "goal": card.goal,
        "metrics": [{"name": m.name, "direction": m.direction} for m in card.metrics],
        "space": card.space.to_json(),
        "points": [point.to_json() for point in points],
    }


def dumped(record: dict[str, Any]) -> str:
    """The record as JSON text that any parser reads."""
    return json.dumps(record, indent=2, allow_nan=False) + "\n"
