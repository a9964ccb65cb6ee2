"""What runs that were stopped early say of their configurations: a predicted final loss, never better than the best.

A stopped run has no value; only a model's fit takes it as one, in the place of a bound, as runs that were cut short are
treated in algorithm configuration (Hutter, Hoos & Leyton-Brown 2013, arXiv 1310.1947: what is known of them is a bound,
and the model is fitted with an expected value in its place). Here the expected value comes from the curve.

| symbol | shape | meaning |
| --- | --- | --- |
| x | (n,) | standardised loss of each full run where the stopped one ended, on the axis of the curves |
| y | (n,) | standardised final loss of the same runs |
| b | | slope of y on x, ridge regression with one run's worth of "no relation" |
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.card import TaskCard
from tunewright.targets import scale
from tunewright.trial import Trial
from tunewright_tools.base import Point

Array = NDArray[np.float64]

FEWEST = 3
"""Full runs with a curve before one is extrapolated; with fewer a stopped run counts as a middling one."""
_SAME_LENGTH = 1.2
_RIDGE = 1.0


def stopped_losses(card: TaskCard, trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """Each trial that was stopped early and the final loss to expect of it; none for a card with several metrics."""
    full = [t for t in trials if t.done and t.outcome is not None]
    cut = [t for t in trials if t.status == "pruned"]
    if len(card.metrics) > 1 or not full or not cut:
        return []
    metric = card.primary
    finals = np.array([metric.loss(t.outcome.metrics[metric.name]) for t in full if t.outcome])
    holds = np.array([card.feasible(t.outcome.metrics) for t in full if t.outcome])
    best = float(finals[holds].min() if holds.any() else finals.min())
    curves = [_points(t, metric.name) for t in full]
    axis = _axis([c for c in curves if c])
    found = []
    for t in cut:
        expected = float(np.median(finals))
        if seen := _points(t, metric.name):
            at = getattr(seen[-1], axis)
            rows = [i for i, c in enumerate(curves) if c and getattr(c[-1], axis) >= at and getattr(c[0], axis) <= at]
            if len(rows) >= FEWEST:
                there = np.array([metric.loss(_value(curves[i], axis, at, metric.name)) for i in rows])
                expected = _expected(there, finals[rows], metric.loss(seen[-1].metrics[metric.name]))
        found.append((t, max(expected, best)))
    return found


def _points(trial: Trial, name: str) -> list[Point]:
    return [p for p in trial.outcome.curve if name in p.metrics] if trial.outcome else []


def _axis(curves: Sequence[Sequence[Point]]) -> str:
    """Steps where full runs end at about the same one, else seconds."""
    ends = [c[-1].step for c in curves]
    return "step" if ends and min(ends) > 0 and max(ends) <= _SAME_LENGTH * min(ends) else "seconds"


def _value(curve: Sequence[Point], axis: str, at: float, name: str) -> float:
    """The last value at or before a place on the axis."""
    return next(p.metrics[name] for p in reversed(curve) if getattr(p, axis) <= at)


def _expected(there: Array, finals: Array, seen: float) -> float:
    """The final loss to expect of a run that had the loss `seen` where the full runs had `there`."""
    early, late = scale(there), scale(finals)
    x, y = early.forward(there), late.forward(finals)
    b = float((x - x.mean()) @ (y - y.mean()) / ((x - x.mean()) @ (x - x.mean()) + _RIDGE))
    z = y.mean() + b * (early.forward(np.array([seen])) - x.mean())
    return float(late.back(z)[0])
