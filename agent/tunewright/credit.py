"""Whose turn it is: each source is scored by what its turns delivered, and the next turn is drawn from the scores.

| symbol | meaning |
| --- | --- |
| d | improvement of a trial over the incumbent at its time, on the minimised scale; 0 when it failed or was no better |
| s | spread of the good values so far: lower quartile minus the best (bad configurations do not stretch it) |
| | of several metrics d is the hypervolume by which the trial lets the front grow, and s the front's before |
| r | reward of a turn: 0 when d <= TINY * s, else 1/2 + 1/2 min(1, log2(1 + d / s)) |
| w | weight of a turn: GAMMA to the number of trials since |
| a, b | Beta parameters of a source: its PRIOR plus the sums of w r and of w (1 - r) over its turns |

A turn is drawn by Thompson sampling (Thompson 1933) over Beta(a, b); with a chance FLOOR of its own the turn goes to
the model, to its prior or to the textbook, so that a model that turns good late wins its turns back. A turn of the
model whose proposals the guard refuses costs a call, not a trial: the surrogate's point runs.
"""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunewright.card import TaskCard
from tunewright.trial import Source, Trial

if TYPE_CHECKING:
    import numpy as np

GAMMA = 0.9
FLOOR: dict[Source, float] = {"llm": 0.2, "prior": 0.1, "textbook": 0.1}
TINY = 1e-3
PRIOR: dict[Source, tuple[float, float]] = {"surrogate": (2.0, 2.0)}
_OTHERS = (1.0, 2.0)
FIRST = 2
"""Trials of a source after which its start is called bad."""
FEWEST = 2
"""Values of others beside which it is judged; one value alone is no measure."""
TELLING = 4
"""Values of others beside which one trial is enough: one drawn as they were is worse than all in a case of five."""


@dataclass(frozen=True)
class Score:
    """A source's Beta parameters."""

    a: float
    b: float


def rewards(card: TaskCard, trials: Sequence[Trial]) -> dict[int, float]:
    """Reward in [0, 1] of each finished trial, by number; in the order of the numbers."""
    before = _Values() if len(card.metrics) == 1 else _Front(len(card.metrics))
    out: dict[int, float] = {}
    for t in sorted(trials, key=lambda t: t.number):
        if t.running or t.status in ("lost", "cancelled"):
            continue
        out[t.number] = 0.0
        if not t.done or t.outcome is None or not card.feasible(t.outcome.metrics):
            continue
        if (gained := before.take([m.loss(t.outcome.metrics[m.name]) for m in card.metrics])) is not None:
            out[t.number] = _reward(*gained)
    return out


class _Values:
    """The losses of one metric so far."""

    def __init__(self) -> None:
        self._sorted: list[float] = []

    def take(self, losses: Sequence[float]) -> tuple[float, float] | None:
        """The d and s of a trial with these losses, which counts from now on; None where there is no gain."""
        (loss,), values = losses, self._sorted
        gained = None
        if values and loss < values[0]:
            from statistics import quantiles

            spread = quantiles(values, n=4, method="inclusive")[0] - values[0] if len(values) > 1 else 0.0
            gained = values[0] - loss, spread
        insort(values, loss)
        return gained


class _Front:
    """The front of several metrics so far."""

    def __init__(self, metrics: int) -> None:
        from tunewright.hypervolume import Front

        self._front = Front(metrics)

    def take(self, losses: Sequence[float]) -> tuple[float, float] | None:
        """As `_Values.take`."""
        import numpy as np

        row = np.array(losses)
        first = len(self._front.rows) == 0
        gained = None if first or self._front.covers(row) else self._front.growth(row)
        self._front.add(row)
        return gained


def _reward(gain: float, spread: float) -> float:
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
    u = rng.random()
    for guest in (s for s in sources if s != "surrogate"):
        u -= FLOOR[guest]
        if u < 0:
            return guest
    if len(sources) == 1:
        return sources[0]
    drawn = {s: rng.beta(score.a, score.b) for s, score in scores(card, trials, sources).items()}
    return max(drawn, key=lambda s: drawn[s])


def bad_start(card: TaskCard, trials: Sequence[Trial], source: Source = "llm") -> bool:
    """Whether a source's first trials all failed or were, by no metric, better than the median of what others found.

    Beside enough others the first alone tells, when it failed or is worse than all of them by every metric.

    What others found up to now counts, not what the model found (the textbook need not beat it), nor the best of
    earlier studies (they are picked, and nobody need beat them at once). After a bad start the zero-shot turns end and
    the prior that was stated with them is left aside: what the model says with results in view still gets its turns.
    """
    from statistics import median

    ended = [t for t in trials if not t.running and t.status not in ("lost", "cancelled")]
    first = sorted((t for t in ended if t.source == source), key=lambda t: t.number)[:FIRST]
    others = [losses for t in ended if t.source not in (source, "llm", "earlier") and (losses := _losses(card, t))]
    if len(first) == 1 and len(others) >= TELLING:
        worst = [max(column) for column in zip(*others, strict=True)]
        return not any(a <= b for a, b in zip(_losses(card, first[0]), worst, strict=False))
    if len(first) < FIRST or len(others) < FEWEST:
        return False
    middle = [median(column) for column in zip(*others, strict=True)]
    return not any(a < b for t in first for a, b in zip(_losses(card, t), middle, strict=False))


def _losses(card: TaskCard, trial: Trial) -> list[float]:
    """The loss by each metric; empty when the trial has none that counts."""
    if not trial.done or trial.outcome is None or not card.feasible(trial.outcome.metrics):
        return []
    return [m.loss(trial.outcome.metrics[m.name]) for m in card.metrics]
