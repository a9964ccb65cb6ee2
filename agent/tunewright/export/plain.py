"""Points and space as JSON, for any program."""

import json
from collections.abc import Sequence

from tunewright.card import TaskCard
from tunewright.points import Point


def text(points: Sequence[Point], card: TaskCard) -> str:
    """JSON text of goal, metrics, space (`Space.from_json` reads it) and points (config, source, rationale)."""
    record = {
        "goal": card.goal,
        "metrics": [{"name": m.name, "direction": m.direction} for m in card.metrics],
        "space": card.space.to_json(),
        "points": [point.to_json() for point in points],
    }
    return json.dumps(record, indent=2, allow_nan=False) + "\n"
