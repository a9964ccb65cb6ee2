"""What a run may still gain: from how much others gained from the same place on, the chance that it gains enough.

| symbol | meaning |
| --- | --- |
| a | a place on the axis of the curves: a step, a number of points, or seconds |
| loss | the metric, smaller is better, in its own unit |
| m, n | the largest of the gains that are known from a place on, and how many are known |
| g | the gain that a run needs to equal the best |
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright_tools.base import Point
from tunewright_tools.contract import MAX_POINTS

Array = NDArray[np.float64]

AXES = ("step", "points", "seconds")
_SAME_LENGTH = 1.2


class Curve:
    """One run's losses and where they stand on each axis.

    Args:
        points: in the order in which they came, at least one.
        losses: one for each.
    """

    def __init__(self, points: Sequence[Point], losses: Sequence[float]) -> None:
        self.losses: Array = np.asarray(losses, dtype=float)
        self.best: Array = np.minimum.accumulate(self.losses)
        """(k,) the best loss up to each point."""
        self._worst_later: Array = np.maximum.accumulate(self.losses[::-1])[::-1]
        self._places = {
            "step": np.array([p.step for p in points], dtype=float),
            "points": np.arange(1.0, len(points) + 1),
            "seconds": np.array([p.seconds for p in points], dtype=float),
        }

    def end(self, axis: str) -> float:
        """Where its last point stands."""
        return float(self._places[axis][-1])

    def gain_to(self, final: float, axis: str, a: float) -> float:
        """What it gained in all from its worst point at `a` or later, as its level at `a` may be luck."""
        return float(self._worst_later[self._at(axis, a)]) - final

    def gain_beyond(self, axis: str, a: float, length: float) -> float:
        """What it gained from `a` to where it was stopped, and would have gained on at its pace; at least 0."""
        return float(self.best[self._at(axis, a)] - self.best[-1]) + self.gain_at_pace(axis, length)

    def gain_at_pace(self, axis: str, length: float) -> float:
        """What it gains up to `length` if each doubling of its way brings what the last one did; at least 0.

        Loss that falls evenly with the logarithm of the way: more than a power law with an asymptote would give.
        """
        way = self.end(axis)
        if way <= 0 or way >= length:
            return 0.0
        since = self._at(axis, way / 2)
        first = float(self._places[axis][since])
        if first >= way:
            return 0.0
        # a curve that begins late, as that of a run that goes on from a checkpoint, shows less than a doubling
        seen = math.log2(way / first) if first > way / 2 else 1.0
        return float(self.best[since] - self.best[-1]) / seen * math.log2(length / way)

    def _at(self, axis: str, a: float) -> int:
        """The last point at or before a place; the first one where all come later."""
        return max(int(np.searchsorted(self._places[axis], a * (1 + 1e-9), side="right")) - 1, 0)


def common_axis(full: Sequence[Curve]) -> str:
    """The axis on which full runs end at about the same place: steps, else numbers of points, else seconds.

    Runs that are measured at the same shares of their budget have the same number of points, whatever a step is.
    """
    for axis in AXES[:2]:
        ends = [curve.end(axis) for curve in full]
        # the record thins a long curve, so that its points can no longer be counted
        countable = axis == "step" or max(ends) < MAX_POINTS / 2
        if countable and min(ends) > 0 and max(ends) <= _SAME_LENGTH * min(ends):
            return axis
    return AXES[2]


def chance(needed: float, gains: Sequence[float]) -> float:
    """Chance that the next gain is above `needed`, where n gains up to m are known; 1 for no need, 0 where m is 0.

    Gains are taken as spread evenly up to an unknown limit, whose distribution given the gains is a Pareto (DeGroot
    1970, "Optimal Statistical Decisions": the conjugate family, here with the prior 1 / limit). Then the chance is
    1 - n / (n + 1) * g / m up to m, and (m / g)^n / (n + 1) beyond.
    """
    n, m = len(gains), max([0.0, *gains])
    if needed <= 0:
        return 1.0
    if needed > m:
        return (m / needed) ** n / (n + 1)
    return 1 - n / (n + 1) * needed / m
