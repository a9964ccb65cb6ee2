"""What a learning curve shows, as facts computed from its points: a gap, a standstill, spikes, the gradients' trend.

| symbol | meaning |
| --- | --- |
| span | how far the loss fell: its first value minus its best one |
| a little | `_LITTLE` of the span: a change below that is none |
| much | `_MUCH` of the span |
"""

import itertools
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.card_parts import Metric
from tunewright_tools.base import Point

FEWEST = 5
"""Points of a curve before anything is said of it."""
_LITTLE = 0.01
_MUCH = 0.1
_LAST = 0.1
"""Share of the run that is its end."""
_LONG = 0.3
"""Share of the run without a gain that is a standstill."""
_JUMP = 5.0
"""A spike is so many times the usual change from point to point, and much of the span."""
_TREND = 2.0

_HELD_OUT = ("val", "valid", "validation", "dev", "eval", "test")
_TRAINING = ("train", "training")
_GRADIENTS = ("grad_norm", "gradient_norm")
_PARTS = re.compile(r"([_/.-])")


@dataclass(frozen=True)
class Gap:
    """The held-out metric against the same metric on training data, at the end of the run."""

    held_out: str
    training: str
    size: float
    """How much worse the held-out one is, in the metric's unit."""
    widening: bool


@dataclass(frozen=True)
class Signs:
    """Facts of one curve; what is not there was not seen."""

    improving: bool = False
    """Still gaining at the end of the run."""
    flat_since: float | None = None
    """The step from which the best value hardly moved, where that is a good part of the run."""
    best_step: float | None = None
    """The step of the best value, where the run ended much worse than that."""
    best_value: float | None = None
    spikes: int = 0
    gap: Gap | None = None
    gradients: str = ""
    """The name of the gradients' norm, where it rose or fell clearly."""
    gradients_ratio: float = 1.0
    """Its level in the last third of the run over that in the first."""

    def __bool__(self) -> bool:
        return self != Signs()


def companions(metric: str) -> tuple[str, ...]:
    """Names that a run may print beside a metric and that say more of its curve: the same on training data, gradients.

    `val_loss` has `train_loss`, `eval/acc` has `train/acc`, `loss` has `train_loss`.
    """
    parts = _PARTS.split(metric)
    at = [i for i, part in enumerate(parts) if part.lower() in _HELD_OUT]
    if at:
        found = ["".join([*parts[: at[0]], word, *parts[at[0] + 1 :]]) for word in _TRAINING]
    elif any(part.lower() in _TRAINING for part in parts):
        found = []
    else:
        found = [f"{word}_{metric}" for word in _TRAINING]
    return tuple(name for name in (*found, *_GRADIENTS) if name != metric)


def signs(curve: Sequence[Point], metric: Metric) -> Signs:
    """What the curve of one run shows of its metric; nothing for a curve of few points."""
    points = [p for p in curve if metric.name in p.metrics]
    if len(points) < FEWEST:
        return Signs()
    steps = [p.step for p in points]
    losses = [metric.loss(p.metrics[metric.name]) for p in points]
    best = min(losses)
    span = losses[0] - best
    where = losses.index(best)
    ended_worse = losses[-1] - best > _MUCH * span
    reached = next(i for i, loss in enumerate(losses) if loss - best <= _LITTLE * span)
    length = steps[-1] - steps[0]
    flat = length > 0 and steps[-1] - steps[reached] >= _LONG * length
    before_end = [loss for step, loss in zip(steps, losses, strict=True) if steps[-1] - step > _LAST * length]
    improving = bool(before_end) and min(before_end) - min(losses[len(before_end) :]) > _LITTLE * span
    name, ratio = _gradients(points)
    return Signs(
        improving=improving and not ended_worse,
        flat_since=steps[reached] if flat and not ended_worse else None,
        best_step=steps[where] if ended_worse else None,
        best_value=metric.value(best) if ended_worse else None,
        spikes=_spikes(losses, span),
        gap=_gap(points, metric, span),
        gradients=name,
        gradients_ratio=ratio,
    )


def _spikes(losses: Sequence[float], span: float) -> int:
    rises = [b - a for a, b in itertools.pairwise(losses)]
    usual = statistics.median(abs(rise) for rise in rises)
    return sum(rise > max(_JUMP * usual, _MUCH * span) for rise in rises)


def _gap(points: Sequence[Point], metric: Metric, span: float) -> Gap | None:
    for name in companions(metric.name):
        both = [p.metrics for p in points if name in p.metrics]
        if name in _GRADIENTS or len(both) < FEWEST:
            continue
        gaps = [metric.loss(m[metric.name]) - metric.loss(m[name]) for m in both]
        if gaps[-1] > _MUCH * span:
            return Gap(metric.name, name, gaps[-1], gaps[-1] - gaps[len(gaps) // 2] > _MUCH * span)
    return None


def _gradients(points: Sequence[Point]) -> tuple[str, float]:
    for name in _GRADIENTS:
        norms = [p.metrics[name] for p in points if name in p.metrics]
        third = len(norms) // 3
        if len(norms) >= FEWEST:
            first, last = statistics.median(norms[:third]), statistics.median(norms[-third:])
            if first > 0 and last > 0 and not 1 / _TREND < last / first < _TREND:
                return name, last / first
    return "", 1.0
