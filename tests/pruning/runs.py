"""Runs of a toy training: a loss that falls to a value which the configuration decides."""

import math
from typing import Any

from tunewright.pruning.base import Run
from tunewright.space import Float, Space
from tunewright_tools.base import Point

SPACE = Space(Float("lr", 1e-5, 1e-1, log=True, default=1e-3))
STEPS = 20


def final(config: dict[str, Any]) -> float:
    """0.5 at lr = 0.001, more away from it."""
    return 0.5 + (math.log10(config["lr"]) + 3) ** 2


def curve(config: dict[str, Any], steps: int = STEPS) -> list[Point]:
    rows = ((s, final(config) + 2.0 / s + 0.01 * math.sin(7 * s * config["lr"] ** 0.1)) for s in range(1, steps + 1))
    return [Point(float(s), {"loss": loss}, 10.0 * s) for s, loss in rows]


def run(number: int, lr: float, *, sign: int = 1) -> Run:
    points = [Point(p.step, {"loss": sign * p.metrics["loss"]}, p.seconds) for p in curve({"lr": lr})]
    return Run(number, points, points[-1].metrics["loss"])


RATES = [2e-3, 3e-3, 3e-4, 1e-2, 1e-4, 3e-2, 3e-5, 5e-4]
"""Around the best rate, which is not among them."""
