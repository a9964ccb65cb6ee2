"""The surrogate's own best next points: a pool of runnable configurations, the best of them polished, all re-scored.

Every configuration is rounded to what would run before it is scored, so that no budget goes into repeats.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from tunewright.card import TaskCard
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.surrogate import Surrogate
from tunewright.trial import Trial
from tunewright_tools.base import Config

Array = NDArray[np.float64]

_SOBOL = 1024
_LOCAL = 640
_SCALES = (0.01, 0.03, 0.1, 0.25)
"""Widths of the local moves, as shares of a parameter's scale."""
_CENTRES = 5
"""Trials around which local moves start."""
_LINE = 12
"""Values of one numeric parameter tried on a line through a centre."""
_POLISHED = 5
_POLISH_STEPS = 25
_KEPT = 100
"""Configurations of a search that are worth a second look when a few more results are there."""
_ENUMERATED = 2048
"""A space with no more configurations than this is looked at as a whole."""


@dataclass(frozen=True)
class Scored:
    """A configuration worth running next."""

    config: Config
    score: float
    """Its log acquisition value."""


def suggest(
    surrogate: Surrogate,
    card: TaskCard,
    trials: Sequence[Trial],
    *,
    n: int = 1,
    seed: int,
    among: Sequence[Config] = (),
) -> list[Scored]:
    """The n configurations most worth running next, best first; fewer when the space holds no more untried ones.

    None equals a trial on record or another of the n; all fulfil the relations. Each is chosen as if those before it
    were running.

    Args:
        among: what `promising` found a moment ago, scored anew together with moves around its best: takes half the
            time of a search of the whole space.
    """
    pool = _Pool(card, {card.space.key(t.config) for t in trials})
    rng = np.random.default_rng([seed, len(trials)])
    chosen: list[Scored] = []
    for _ in range(n):
        best = _best(surrogate, pool, trials, rng, among)
        if best is None:
            break
        chosen.append(best)
        pool.taken.add(card.space.key(best.config))
        surrogate = surrogate.with_pending([best.config])
    return chosen


def promising(surrogate: Surrogate, card: TaskCard, trials: Sequence[Trial], *, seed: int) -> list[Config]:
    """The best that a search of the whole space finds, best first, to be scored anew when more results are there."""
    pool = _Pool(card, {card.space.key(t.config) for t in trials})
    if pool.all is not None:
        return []  # looked at as a whole, which takes no time
    found = _searched(surrogate, pool, trials, np.random.default_rng([seed, len(trials)]))
    return [s.config for s in sorted(found, key=lambda s: -s.score)[:_KEPT]]


class _Pool:
    """Makes configurations that may run: rounded, untried, within the relations."""

    def __init__(self, card: TaskCard, taken: set[str]) -> None:
        self.space = card.space
        self.taken = taken
        self.all = _enumerate(self.space.parameters)

    def runnable(self, configs: Sequence[Config], seen: set[str]) -> list[Config]:
        """Those, made by the space, that may run; `seen` grows by their keys."""
        kept = []
        for config, key in zip(configs, self.space.keys(configs), strict=True):
            if key not in self.taken and key not in seen and self.space.fulfils(config):
                seen.add(key)
                kept.append(config)
        return kept

    def sobol(self, n: int, seed: int) -> list[Config]:
        return self.space.sample(n, seed, fewest=0)  # where the relations leave little, local moves find the rest


def _enumerate(parameters: Sequence[Parameter]) -> Array | None:
    """All points of a small finite space in the unit cube, shape (n, d); None for any other space."""
    counts: list[int] = []
    for p in parameters:
        match p:
            case Choice():
                count = len(p.choices)
            case Int(rounding=None, step=None):
                count = p.high - p.low + 1
            case Int() | Float(step=float() | int()):
                count = len(set(p.from_unit(np.linspace(0, 1, 4 * _ENUMERATED)))) if p.step or isinstance(p, Int) else 0
            case _:
                return None
        counts.append(count)
        if math.prod(counts) > _ENUMERATED:  # before any is written down: a whole number may have a billion values
            return None
    return np.array(list(itertools.product(*map(_places, parameters, counts))))


def _places(p: Parameter, count: int) -> Array:
    """A position in the unit interval for each of a parameter's values."""
    if isinstance(p, Int) and p.log and p.rounding is None:  # the higher the value, the narrower its share
        return np.asarray(p.to_unit(range(p.low, p.high + 1)))
    return (np.arange(count) + 0.5) / count


def _best(
    surrogate: Surrogate, pool: _Pool, trials: Sequence[Trial], rng: np.random.Generator, among: Sequence[Config]
) -> Scored | None:
    if pool.all is not None:
        return max(_scored(surrogate, pool.runnable(pool.space.from_unit(pool.all), set())), key=_score, default=None)
    found = _again(surrogate, pool, trials, rng, among) or _searched(surrogate, pool, trials, rng)
    return max(found, key=_score, default=None)


def _searched(surrogate: Surrogate, pool: _Pool, trials: Sequence[Trial], rng: np.random.Generator) -> list[Scored]:
    """The whole space looked at, the best of it polished."""
    seen: set[str] = set()
    space = pool.space
    centres = _centres(surrogate, trials)
    configs = pool.runnable(pool.sobol(_SOBOL, int(rng.integers(2**31))), seen)
    configs += pool.runnable(space.from_unit(_moves(centres, _LOCAL, rng)), seen)
    configs += pool.runnable(space.from_unit(_lines(space.parameters, centres[:2])), seen)
    found = _scored(surrogate, configs)
    if not found:
        return []
    top = [s.config for s in sorted(found, key=_score, reverse=True)[:_POLISHED]]
    units = space.to_unit(top)
    more = pool.runnable(space.from_unit(_polish(surrogate, top, units)), seen)
    more += pool.runnable(space.from_unit(_moves(units[:2], _LOCAL // 4, rng)), seen)
    return found + _scored(surrogate, more)


def _again(
    surrogate: Surrogate, pool: _Pool, trials: Sequence[Trial], rng: np.random.Generator, among: Sequence[Config]
) -> list[Scored]:
    """What was promising a moment ago, scored with the newest results, and moves around the best of it."""
    seen: set[str] = set()
    found = _scored(surrogate, pool.runnable(among, seen))
    if not found:
        return []
    space = pool.space
    top = space.to_unit([s.config for s in sorted(found, key=_score, reverse=True)[:2]])
    centres = np.concatenate([top, _centres(surrogate, trials)[:2]])
    return found + _scored(surrogate, pool.runnable(space.from_unit(_moves(centres, _LOCAL // 2, rng)), seen))


def _score(found: Scored) -> float:
    return found.score


def _scored(surrogate: Surrogate, configs: list[Config]) -> list[Scored]:
    if not configs:
        return []
    return [Scored(c, s) for c, s in zip(configs, surrogate.log_acquisition(configs).tolist(), strict=True)]


def _centres(surrogate: Surrogate, trials: Sequence[Trial]) -> Array:
    """The best trials by the surrogate's own mean, in the unit cube, shape (k, d)."""
    configs: list[Any] = [t.config for t in trials if t.done]
    mean, _ = surrogate.standardised(configs)
    order = np.argsort(mean, kind="stable")[:_CENTRES]
    best = [surrogate.incumbent.config, *(configs[i] for i in order)]
    return surrogate.card.space.to_unit(best)


def _moves(centres: Array, n: int, rng: np.random.Generator) -> Array:
    """Gaussian moves of a random few parameters around the centres, shape (n, d)."""
    d = centres.shape[1]
    base = centres[rng.integers(len(centres), size=n)]
    width = np.array(_SCALES)[rng.integers(len(_SCALES), size=n)][:, None]
    moved = rng.random((n, d)) < rng.choice([1.5 / d, 0.5, 1.0], size=n)[:, None]
    moved[np.arange(n), rng.integers(d, size=n)] = True
    u = base + np.where(moved, width * rng.standard_normal((n, d)), 0.0)
    u = np.abs(u)
    u = np.where(u > 1, 2 - u, u)
    # a small step never reaches another choice: now and then a parameter is drawn anew
    anew = rng.random((n, d)) < 0.3 / d
    return np.clip(np.where(anew, rng.random((n, d)), u), 0.0, 1.0)


def _lines(parameters: Sequence[Parameter], centres: Array) -> Array:
    """Each parameter by itself through its range (all values of a choice), the others as in a centre."""
    rows = []
    for j, p in enumerate(parameters):
        count = len(p.choices) if isinstance(p, Choice) else _LINE
        for value in (np.arange(count) + 0.5) / count:
            rows.append(centres.copy())
            rows[-1][:, j] = value
    return np.concatenate(rows)


def _polish(surrogate: Surrogate, configs: Sequence[Config], units: Array) -> Array:
    """The configurations moved uphill along the continuous parameters, in the unit cube, shape (k, d)."""
    encoding = surrogate.encoding
    smooth = encoding.smooth
    if len(smooth) == 0:
        return units
    fixed = torch.as_tensor(encoding.encode(configs))
    k = len(configs)

    def down(flat: Array) -> tuple[float, Array]:
        x = torch.as_tensor(flat.reshape(k, -1)).requires_grad_(True)
        X = fixed.clone()
        X[:, smooth] = x
        loss = -surrogate.log_gain(X).clamp_min(-60.0).sum()
        if not loss.requires_grad:  # no trial is feasible and no constraint was measured: every direction is as good
            return float(loss), np.zeros(flat.size)
        (gradient,) = torch.autograd.grad(loss, x)
        return float(loss.detach()), np.nan_to_num(gradient.numpy().ravel())

    start = fixed[:, smooth].numpy()
    found = minimize(
        down,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * start.size,
        options={"maxiter": _POLISH_STEPS},
    )
    moved = units.copy()
    for column, value in zip(smooth, found.x.reshape(k, -1).T, strict=True):
        moved[:, encoding.parameter_of(int(column))] = value
    return moved
