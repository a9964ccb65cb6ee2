"""Whose turn it is: each source is scored by what its turns delivered, and the next turn is drawn from the scores.

| symbol | meaning |
| --- | --- |
| d | improvement of a trial over the incumbent at its time, on the minimised scale; 0 when it failed or was no better |
| s | spread of the good values so far: lower quartile minus the best (bad configurations do not stretch it) |
| r | reward of a turn: 0 when d <= TINY * s, else 1/2 + 1/2 min(1, log2(1 + d / s)) |
| w | weight of a turn: GAMMA to the number of trials since |
| a, b | Beta parameters of a source: its PRIOR plus the sums of w r and of w (1 - r) over its turns |

A turn is drawn by Thompson sampling (Thompson 1933) over Beta(a, b); with chance FLOOR for each source that is not
the surrogate the turn goes to that source, so that a model that turns good late wins its turns back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunewright.card import TaskCard
from tunewright.trial import Source, Trial

if TYPE_CHECKING:
    import numpy as np

GAMMA = 0.9
FLOOR = 0.1
TINY = 1e-3
PRIOR: dict[Source, tuple[float, float]] = {"surrogate": (2.0, 2.0)}
_OTHERS = (1.0, 2.0)


@dataclass(frozen=True)
class Score:
    """A source's Beta parameters."""

    a: float
    b: float


def rewards(card: TaskCard, trials: Sequence[Trial]) -> dict[int, float]:
    """Reward in [0, 1] of each finished trial, by number; in the order of the numbers."""
    losses: list[float] = []
    best = math.inf
    out: dict[int, float] = {}
    for t in sorted(trials, key=lambda t: t.number):
        if t.running or t.status in ("lost", "cancelled"):
            continue
        out[t.number] = 0.0
        if not t.done or t.outcome is None or not card.feasible(t.outcome.metrics):
            continue
        loss = card.primary.loss(t.outcome.metrics[card.primary.name])
        if math.isfinite(best):
            out[t.number] = _reward(best - loss, losses)
        best = min(best, loss)
        losses.append(loss)
    return out


def _reward(gain: float, losses: Sequence[float]) -> float:
    from statistics import quantiles

    spread = quantiles(losses, n=4, method="inclusive")[0] - min(losses) if len(losses) > 1 else 0.0
    if gain <= TINY * spread or gain <= 0:
        return 0.0
    return 0.5 + 0.5 * min(1.0, math.log2(1 + gain / spread)) if spread > 0 else 1.0


def scores(card: TaskCard, trials: Sequence[Trial], sources: Sequence[Source]) -> dict[Source, Score]:
    """The Beta parameters of each source. A turn whose proposals were all refused counts as one without improvement."""
    reward = rewards(card, trials)
    latest = max(reward, default=0)
    out = {}
    for source in sources:
        a, b = PRIOR.get(source, _OTHERS)
        for t in trials:
            if (t.turn or t.source) != source or t.number not in reward:
                continue
            r = reward[t.number] if t.source == source else 0.0
            weight = GAMMA ** (latest - t.number)
            a, b = a + weight * r, b + weight * (1 - r)
        out[source] = Score(a, b)
    return out


def next_turn(card: TaskCard, trials: Sequence[Trial], sources: Sequence[Source], rng: "np.random.Generator") -> Source:
    """The source whose turn it is.

    Args:
        sources: those that can propose now; "surrogate" is among them.
        rng: keyed by seed and trial number, so that the same record gives the same turn.
    """
    guests = [s for s in sources if s != "surrogate"]
    u = rng.random()
    if u < FLOOR * len(guests):
        return guests[int(u / FLOOR)]
    drawn = {s: rng.beta(score.a, score.b) for s, score in scores(card, trials, sources).items()}
    return max(drawn, key=lambda s: drawn[s])
