"""Stop a run that would have to gain more than runs gain from where it is, by the curves of all runs so far.

Like Baker et al. 2017, "Accelerating Neural Architecture Search using Performance Prediction" (arXiv 1705.10823,
section 3.3), it stops a run when its probability of beating the best falls under a threshold. Theirs comes from
regressors, which want many full runs; ours from how much runs gained from the same place on (`gains.py`), which can be
said from the first full run on.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunewright.pruning.base import Run
from tunewright.pruning.gains import Curve, chance, common_axis
from tunewright_tools.base import Point

THRESHOLD = 0.1
FEWEST = 1
"""Full runs needed before any is stopped."""
FEWEST_AT_FIRST = 3
"""Full runs needed to judge a run by one point, which shows no pace of its own."""
CHECKS = 40
"""Looks at a run, evenly spread over its length; a run that reports often is not judged at each point."""


@dataclass(frozen=True)
class Judgement:
    """What a run would have to gain, and what is known of gains from its place on, in the metric's own unit."""

    needed: float
    """To equal the best feasible value, from its own best one."""
    most: float
    """The largest gain."""
    known: int
    """How many gains: of full runs, of stopped ones that came as far, and its own at its pace."""
    p_best: float
    """Chance of gaining more than what is needed."""


@dataclass(frozen=True)
class _Full:
    curve: Curve
    final: float
    feasible: bool


class CurvePruner:
    """Stops runs that have little chance to beat the best.

    Args:
        metric: the metric of the curve.
        sign: 1 where smaller is better, -1 where larger is.
        threshold: chance of beating the best below which a run is stopped, in (0, 1).
        fewest: full runs needed before any is stopped, 1 or more.

    Raises:
        ValueError: an option outside of that.
    """

    def __init__(self, metric: str, sign: int, threshold: float = THRESHOLD, fewest: int = FEWEST) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold is {threshold!r}, not a chance between 0 and 1")
        if type(fewest) is not int or fewest < 1:
            raise ValueError(f"fewest is {fewest!r}, not a whole number from 1 on")
        self._metric = metric
        self._sign = sign
        self._threshold = threshold
        self._fewest = fewest
        self._lock = threading.Lock()
        self._full: list[_Full] = []
        self._stopped: list[Curve] = []
        self._live: dict[int, list[Point]] = {}
        self._checked: dict[int, int] = {}

    def tell(self, run: Run) -> None:
        """Take note of a run that has ended."""
        with self._lock:
            self._live.pop(run.number, None)
            self._checked.pop(run.number, None)
            points = self._finite(run.curve)
            if not points:
                return
            if run.final is None:
                self._stopped.append(self._curve(points))
            elif len(points) >= 2:
                self._full.append(_Full(self._curve(points), self._sign * run.final, run.feasible))

    def stop(self, number: int, point: Point) -> str | None:
        """Why the run should stop now; None to let it go on."""
        with self._lock:
            if not self._finite([point]):
                return None
            live = self._live.setdefault(number, [])
            live.append(point)
            if not self._due(number, live):
                return None
            found = self._judge(live)
        if found is None or found.p_best >= self._threshold:
            return None
        return (
            f"curve: {self._metric} needs to gain {found.needed:.4g} to equal the best, and of {found.known} gains "
            f"from there on the largest is {found.most:.4g}: chance of beating the best {found.p_best:.3f}"
        )

    def judge(self, curve: Sequence[Point]) -> Judgement | None:
        """What a run with this curve so far needs; None while too few full runs are known, or none is feasible."""
        with self._lock:
            points = self._finite(curve)
            return self._judge(points) if points else None

    def _finite(self, curve: Sequence[Point]) -> list[Point]:
        return [p for p in curve if self._metric in p.metrics and math.isfinite(p.metrics[self._metric])]

    def _curve(self, points: Sequence[Point]) -> Curve:
        return Curve(points, [self._sign * p.metrics[self._metric] for p in points])

    def _due(self, number: int, live: Sequence[Point]) -> bool:
        if len(self._full) < self._fewest:
            return False
        axis, length = self._scale()
        way = len(live) if axis == "points" else getattr(live[-1], axis)
        share = int(CHECKS * way / length * (1 + 1e-9)) if length > 0 else 0
        if share <= self._checked.get(number, 0) or share >= CHECKS:
            return False
        self._checked[number] = share
        return True

    def _scale(self) -> tuple[str, float]:
        """The axis of the curves, and where a full run ends on it."""
        curves = [run.curve for run in self._full]
        axis = common_axis(curves)
        return axis, float(np.median([curve.end(axis) for curve in curves]))

    def _judge(self, points: Sequence[Point]) -> Judgement | None:
        finals = [run.final for run in self._full if run.feasible]
        fewest = self._fewest if len(points) > 1 else max(self._fewest, FEWEST_AT_FIRST)
        if not finals or len(self._full) < fewest:
            return None
        axis, length = self._scale()
        mine = self._curve(points)
        a = mine.end(axis)
        gains = [run.curve.gain_to(run.final, axis, a) for run in self._full]
        gains += [curve.gain_beyond(axis, a, length) for curve in self._stopped if curve.end(axis) >= a]
        if len(points) > 1:
            gains.append(mine.gain_at_pace(axis, length))
        needed = float(mine.best[-1]) - min(finals)
        return Judgement(needed, max([0.0, *gains]), len(gains), chance(needed, gains))
