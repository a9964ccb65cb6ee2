"""What the results so far say of any configuration: its value, its chance of success, the seconds it takes.

| symbol | shape | meaning |
| --- | --- | --- |
| n | | configurations asked about, or trials with a value |
| S | | members: settings of the hyperparameters that answer together (`gp.py`) |
| X | (n, D) | encoded configurations (`encoding.py`) |
| loss | (n,) | a metric in the form in which smaller is better, on the person's scale |
| z | (n,) | a loss standardised, its bad tail pulled in (`targets.py`); all acquisition happens here |
| best | (S,) | the lowest posterior mean of z at a feasible trial (noise-aware incumbent), one a member |
| EI | (n,) | expected improvement of z below `best`, averaged over members |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunewright import gp
from tunewright.card import TaskCard
from tunewright.card_parts import Constraint
from tunewright.encoding import Encoding
from tunewright.gp import Fitted, Prior, Shape
from tunewright.improvement import log_expected_improvement, margin
from tunewright.surrogate_success import Success, fit_success
from tunewright.surrogate_transfer import Joined, Transfer
from tunewright.surrogate_values import values_of
from tunewright.targets import Scale, scale
from tunewright.trial import Trial

Array = NDArray[np.float64]
Configs = Sequence[Mapping[str, Any]]

_CLEARLY_SLOWER = 0.35
"""Spread of log seconds from which on run time counts: some runs take half as long again as others."""


def _effort(n: int) -> tuple[int, int]:
    """Members and iterations for n trials: many settings while the data say little of them, few when n**3 counts."""
    for most, effort in ((120, (8, 40)), (250, (4, 40))):
        if n <= most:
            return effort
    return 2, 25


@dataclass(frozen=True)
class Posterior:
    """Mean and standard deviation, shapes (n,), in the metric's own unit."""

    mean: Array
    std: Array


@dataclass(frozen=True)
class _Bounded:
    """A process for one bounded metric: z of its excess, and z of the bound itself."""

    model: Fitted
    bound: float


class Surrogate:
    """What the results so far say; made by `fit`.

    All of its answers are functions of the trials, the card and the seed.
    """

    def __init__(
        self,
        card: TaskCard,
        encoding: Encoding,
        success: Success,
        value: Fitted | Joined,
        primary: Fitted | Joined,
        primary_scale: Scale,
        bounded: Sequence[_Bounded],
        feasible: NDArray[np.bool_],
        incumbent: Trial,
        n_done: int,
        fit_note: str,
        agreement: Mapping[str, float],
        unaware: int,
        exploit: bool,
        boldness: float,
    ) -> None:
        self.card = card
        self.encoding = encoding
        self.success = success
        self.n_done = n_done
        """Trials with a value."""
        self.incumbent = incumbent
        """The best feasible trial or, where none is feasible, the one that misses the constraints by least."""
        self.fit_note = fit_note
        """What went otherwise than planned in the fit, for a person; empty when nothing did."""
        self.agreement = dict(agreement)
        """Of each earlier study its weight in the value, 0 to 1, as far as it orders this study's trials rightly."""
        self._value = value
        self._primary = primary
        self._scale = primary_scale
        self._bounded = list(bounded)
        self._feasible = feasible
        self._pending: Fitted | Joined = value
        self._best = self._incumbent_of(value)
        self._margin = 0.0 if exploit else margin(value.y.numpy()[feasible], unaware, boldness)

    def _incumbent_of(self, model: Fitted | Joined) -> Tensor | None:
        """`best`, shape (S,); None while no trial is feasible. Pending rows count at their posterior mean."""
        if not self._feasible.any():
            return None
        mean, _ = model.posterior(model.X)
        extra = len(model.X) - len(self._feasible)
        rows = np.concatenate([self._feasible, np.ones(extra, dtype=bool)])
        return mean[:, torch.as_tensor(rows)].min(1).values

    def with_pending(self, configs: Configs) -> "Surrogate":
        """The same surrogate when these configurations are running: each counts at its posterior mean."""
        if not configs:
            return self
        other = object.__new__(Surrogate)
        other.__dict__.update(self.__dict__)
        X = self._rows(configs)
        other._pending = self._pending.believing(X)
        other._bounded = [replace(b, model=b.model.believing(X)) for b in self._bounded]
        other._best = other._incumbent_of(other._pending)
        return other

    def _rows(self, configs: Configs) -> Tensor:
        return torch.as_tensor(self.encoding.encode(configs))

    # -- what is expected ----------------------------------------------------------------------------------------

    def predict(self, configs: Configs) -> Posterior:
        """What a run would report for the primary metric, noise included, on the person's scale, shapes (n,).

        Running trials do not count.
        """
        with torch.no_grad():
            value, variance = self._primary.posterior(self._rows(configs))
            mean, std = gp.mixture(value, variance + self._primary.settings.noise.unsqueeze(-1))
        m, s = mean.numpy(), std.numpy()
        back = self._scale.back
        middle = back(m)
        # the map is curved: half the width of what one standard deviation to both sides maps to
        half = np.maximum(back(m + s) / 2 - back(m - s) / 2, 0.0)
        return Posterior(np.array([self.card.primary.value(v) for v in middle.tolist()]), half)

    def standardised(self, configs: Configs) -> tuple[Array, Array]:
        """Mean and standard deviation of z, shapes (n,), smaller is better, running trials counted."""
        with torch.no_grad():
            mean, std = gp.mixture(*self._pending.posterior(self._rows(configs)))
        return mean.numpy(), std.numpy()

    def p_success(self, configs: Configs) -> Array:
        """The chance that a run ends as done, shape (n,), strictly inside 0 and 1."""
        return self.success.p(configs)

    def seconds(self, configs: Configs) -> Array:
        """Expected (median) seconds of a run, shape (n,); NaN while no run time is known."""
        return np.exp(self.success.log_seconds(configs)[0])

    # -- where to go ---------------------------------------------------------------------------------------------

    def log_gain(self, X: Tensor) -> Tensor:
        """Log EI plus the log chance that the constraints hold, of encoded rows X, shape (n,); differentiable.

        While no trial is feasible, the chance that the constraints hold alone.
        """
        total = torch.zeros(len(X), dtype=torch.double)
        for b in self._bounded:
            mean, variance = b.model.posterior(X)
            holds = torch.special.log_ndtr((b.bound - mean) / variance.sqrt())
            total = total + holds.logsumexp(0) - math.log(b.model.members)
        if self._best is not None:
            mean, variance = self._pending.posterior(X)
            target = self._best.unsqueeze(-1) - self._margin
            ei = log_expected_improvement(mean, variance.sqrt(), target)
            total = total + ei.logsumexp(0) - math.log(self._pending.members)
        return total

    def log_acquisition(self, configs: Configs) -> Array:
        """The log of what a run is worth, shape (n,): expected constrained improvement times the chance of success.

        Running trials count. Where the card limits hours and run times differ clearly, it is worth per second.
        """
        X = self.encoding.encode(configs)
        with torch.no_grad():
            total = self.log_gain(torch.as_tensor(X)).numpy()
        p = self.success.p(configs, X)
        # a failure costs a whole trial and teaches no value: below the required chance a run counts for less again
        total = total + np.log(p) + self.success.aversion(p)
        return np.asarray(total - self._log_price(configs))

    def _log_price(self, configs: Configs) -> Array:
        hours = self.card.budget.hours or self.card.stop.hours
        if hours is None or self.success.time is None:
            return np.zeros(len(configs))
        spread = self.success.time.spread
        if spread < _CLEARLY_SLOWER:
            return np.zeros(len(configs))
        return self.success.log_seconds(configs)[0] - math.log(self.success.median_seconds)

    def upper_confidence(self, configs: Configs, kappa: float) -> Array:
        """Optimism on the standardised scale, shape (n,), higher is better: kappa * std - mean."""
        mean, std = self.standardised(configs)
        return np.asarray(kappa * std - mean)

    def expected_gain(self, config: Mapping[str, Any]) -> float:
        """Expected improvement of one configuration, in standard deviations of z; constraints and failure left out."""
        if self._best is None:
            return math.inf
        with torch.no_grad():
            mean, variance = self._pending.posterior(self._rows([config]))
            ei = log_expected_improvement(mean, variance.sqrt(), self._best.unsqueeze(-1))
        return float(ei.exp().mean())

    def relevance(self) -> dict[str, float]:
        """How much each parameter matters, as shares that sum to 1.

        A group's weight is the correlation lost across its whole range, averaged over members; a condition's
        weight goes to the parameters under it.
        """
        inverse = self._value.settings.inverse_length  # (S, D)
        lost = (1 - gp.matern(inverse * inverse)[0]).mean(0).numpy()
        weight = dict.fromkeys(self.encoding.space.names, 0.0)
        for g, owners in enumerate(self.encoding.owners):
            first = int(np.argmax(self.encoding.groups == g))
            for name in owners:
                weight[name] += float(lost[first]) / len(owners)
        total = sum(weight.values())
        return {name: w / total for name, w in weight.items()}


def fit(
    card: TaskCard,
    trials: Sequence[Trial],
    *,
    seed: int,
    theta: Array | None = None,
    transfer: Transfer | None = None,
    exploit: bool = False,
    boldness: float = 0.0,
) -> Surrogate | None:
    """What the trials say, or None while fewer than two have a value.

    Args:
        card: the task.
        trials: all on record. Those that are done have a value; those that were stopped early count as `stopped`
            expects of them; running ones count as pending; failures teach the chance of success alone.
        seed: of the hyperparameters' prior draws and of the weights between several metrics.
        theta: `hyperparameters` of fewer trials, taken over as they are: finding them takes most of the time of a fit.
        transfer: what earlier studies expect.
        exploit: the budget is near its end, so that nothing is tried for what it would teach.
        boldness: of `improvement.margin`.
    """
    rng = np.random.default_rng([seed, len(trials)])
    known = values_of(card, trials, rng)
    if known is None:
        return None
    encoding, done, metrics, X, z = known.encoding, known.done, known.metrics, known.X, known.z
    notes = []
    if known.left_out:
        wanted = ", ".join(m.name for m in card.metrics)
        notes.append(f"{known.left_out} done trials without a finite {wanted} were left out")
    alone = _process(encoding, X, known.target, rng, theta)
    value: Fitted | Joined = alone
    agreement: dict[str, float] = {}
    if transfer is not None:
        value, agreement = transfer.joined(alone, np.random.default_rng([seed, len(trials), 1]))
        notes += [transfer.note] if transfer.note else []
    primary = value if z.shape[1] == 1 else _process(encoding, X, z[:, 0], rng)
    bounded = []
    for c in card.constraints:
        rows = [i for i, row in enumerate(metrics) if math.isfinite(row.get(c.metric, math.nan))]
        if rows:
            excess = np.array([c.excess(metrics[i][c.metric]) for i in rows])
            s = scale(excess)
            model = _process(encoding, X[rows], s.forward(excess), rng, members=4)
            bounded.append(_Bounded(model, float(s.forward(np.zeros(1))[0])))
    feasible = np.array([card.feasible(row) for row in metrics] + [False] * known.n_stopped)
    notes += [m.note for m in (value, primary, *(b.model for b in bounded)) if m.note]
    incumbent = _incumbent(card, done, metrics, known.target, feasible[: len(done)])
    surrogate = Surrogate(
        card,
        encoding,
        fit_success(card, trials, encoding=encoding),
        value,
        primary,
        known.scale,
        bounded,
        feasible,
        incumbent,
        len(done),
        "; ".join(dict.fromkeys(notes)),
        agreement,
        _unaware(incumbent, [t for t, kept in zip(done, feasible[: len(done)], strict=True) if kept]),
        exploit,
        boldness,
    )
    return surrogate.with_pending([t.config for t in trials if t.running])


def hyperparameters(card: TaskCard, trials: Sequence[Trial], *, seed: int) -> Array | None:
    """Those of `fit` on the same trials without earlier studies, shape (S, P); None where it gives None."""
    rng = np.random.default_rng([seed, len(trials)])
    known = values_of(card, trials, rng)
    return None if known is None else _process(known.encoding, known.X, known.target, rng).theta.numpy()


def _process(
    encoding: Encoding,
    X: Array,
    y: Array,
    rng: np.random.Generator,
    theta: Array | None = None,
    *,
    members: int | None = None,
) -> Fitted:
    shape = Shape(encoding.groups)
    prior = Prior.for_groups(encoding.n_groups)
    if theta is not None:
        return Fitted(torch.as_tensor(X), torch.as_tensor(y), torch.as_tensor(theta), shape, prior)
    most, iterations = _effort(len(y))
    return gp.fit(X, y, shape, prior, members=min(members or most, most), iterations=iterations, rng=rng)


def _unaware(best: Trial, feasible: Sequence[Trial]) -> int:
    """How many trials were started after the best, but before it had ended."""
    known = best.finished if best.finished is not None else -math.inf
    return sum(t.number > best.number and t.started < known for t in feasible)


def _incumbent(
    card: TaskCard, done: Sequence[Trial], metrics: Sequence[Mapping[str, float]], z: Array, feasible: NDArray[np.bool_]
) -> Trial:
    if feasible.any():
        rows = np.flatnonzero(feasible)
        return done[int(rows[np.argmin(z[rows])])]
    missed = [sum(_missed(c, row) for c in card.constraints) for row in metrics]
    return done[int(np.argmin(missed))]


def _missed(constraint: Constraint, row: Mapping[str, float]) -> float:
    """By how much a result misses a constraint; of NaN nobody knows, as of a metric that is not there."""
    excess = constraint.excess(row.get(constraint.metric, math.nan))
    return math.inf if math.isnan(excess) else max(excess, 0.0)
