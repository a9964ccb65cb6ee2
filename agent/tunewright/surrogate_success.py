"""The chance that a run succeeds and the seconds it takes, learned from how earlier runs ended.

| symbol | shape | meaning |
| --- | --- | --- |
| F | (n, D + derived) | encoded configuration and the card's log products, each in units of its spread over the space |
| t | (n,) | +1 for done, -1 for a failure that is the configuration's fault |
| f | (n,) | latent log odds of success |
| K | (n, n) | prior covariance of f |
| u, c | (n,) | log peak bytes, log limit bytes |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import expit
from scipy.stats import norm

from tunewright.card import TaskCard
from tunewright.encoding import Encoding, failure_features
from tunewright.errors import SpaceError
from tunewright.trial import Trial

Array = NDArray[np.float64]

PRIOR_SUCCESSES, PRIOR_FAILURES = 4.0, 1.0
"""A Beta prior's worth of runs: what is believed of a configuration far from everything tried."""
_RAMPS = 10
_DECIDES = 60.0
_FEWEST_PEAKS = 4
_FEWEST_TIMES = 4
_LEAST_MEMORY_STD = 0.05
"""Peaks of one and the same configuration differ by a few percent (allocators, data order)."""
_LEAST_SHARE = 0.01
_TINY = 1e-6


def teaches(trial: Trial) -> bool | None:
    """Whether a trial counts as a success; None where it says nothing of its configuration."""
    if trial.done:
        return True
    if trial.status in ("oom", "diverged", "timeout"):
        return None if trial.outcome and trial.outcome.fault in ("host", "person") else False
    if trial.status == "crashed" and trial.outcome and trial.outcome.fault == "config":
        return False
    return None


class _Features:
    """F for any configurations, on scales taken from the space itself, so that they never move with the data."""

    def __init__(self, card: TaskCard, encoding: Encoding) -> None:
        self.card, self.encoding = card, encoding
        self.n_encoded = encoding.n_columns
        self.centre, self.spread = np.zeros(0), np.ones(0)
        if card.derived:
            try:
                over = card.space.sample(256, seed=0)
            except SpaceError:
                over = [card.space.default()]
            logs = failure_features(card, encoding, over)[:, self.n_encoded :]
            self.centre, self.spread = logs.mean(0), np.maximum(logs.std(0), _TINY)

    def __call__(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        F = failure_features(self.card, self.encoding, configs)
        F[:, self.n_encoded :] = (F[:, self.n_encoded :] - self.centre) / self.spread
        F[:, : self.n_encoded] -= 0.5
        return F


@dataclass(frozen=True)
class _Weights:
    """Variances of the parts of f: each parameter alone, all together, the log products, one parameter above all."""

    alone: float
    together: float
    products: float
    group: int = -1
    """A parameter (group of columns) that is thought to decide by itself; -1 for none."""


class _Classifier:
    """P(success) by Laplace's approximation, averaged over a few covariances by their evidence.

    Rasmussen & Williams 2006, algorithms 3.1 and 3.2 with the logistic likelihood; the average over the latent value
    by MacKay 1992 (The evidence framework applied to classification networks). The covariance is that of piecewise
    linear functions of each column, plus a Matern 5/2 over all columns, plus linear functions of the log products, so
    that a limit on a product is learned from few runs. Some of the covariances let one parameter decide by itself.
    """

    def __init__(self, F: Array, success: NDArray[np.bool_], groups: NDArray[np.int_]) -> None:
        self.F, self.groups, self.n_encoded = F, groups, len(groups)
        t = np.where(success, 1.0, -1.0)
        base = (success.sum() + PRIOR_SUCCESSES) / (len(t) + PRIOR_SUCCESSES + PRIOR_FAILURES)
        self.mean = float(np.log(base / (1 - base)))
        products = (1.0, 25.0) if F.shape[1] > self.n_encoded else (0.0,)
        grid = [_Weights(a, b, c) for c in products for a in (1.0, 8.0) for b in (1.0, 6.0)]
        grid += [_Weights(1.0, 1.0, products[0], g) for g in range(int(groups.max()) + 1)]
        parts = self._parts(F, F)
        self.fits: list[tuple[_Weights, Array, Array, Array]] = []
        evidence: list[float] = []
        start = np.full(len(t), self.mean)
        for w in grid:
            f, gradient, root, L, log_z = self._laplace(self._join(w, parts, F, F), t, start)
            start = f
            self.fits.append((w, gradient, root, L))
            evidence.append(log_z)
        self.shares = np.exp(np.array(evidence) - max(evidence))
        self.shares /= self.shares.sum()

    def _parts(self, A: Array, B: Array) -> tuple[Array, Array, Array]:
        a, b = A[:, : self.n_encoded], B[:, : self.n_encoded]
        alone = _ramps(a) @ _ramps(b).T / _RAMPS
        r2 = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * a @ b.T
        r = np.sqrt(5.0 * np.maximum(r2, 0.0)) / (0.4 * math.sqrt(self.n_encoded))
        together = (1 + r + r * r / 3) * np.exp(-r)
        return alone, together, A[:, self.n_encoded :] @ B[:, self.n_encoded :].T

    def _join(self, w: _Weights, parts: tuple[Array, Array, Array], A: Array, B: Array) -> Array:
        K = w.alone * parts[0] + w.together * parts[1] + w.products * parts[2]
        if w.group >= 0:
            own = np.flatnonzero(self.groups == w.group)
            K += _DECIDES * _ramps(A[:, own]) @ _ramps(B[:, own]).T / _RAMPS
        return K

    def _laplace(self, K: Array, t: Array, start: Array) -> tuple[Array, Array, Array, Array, float]:
        f, before = start, -np.inf
        a = np.zeros_like(f)
        for _ in range(30):
            p = expit(f)
            W = np.maximum(p * (1 - p), 1e-10)
            root = np.sqrt(W)
            L = np.linalg.cholesky(np.eye(len(t)) + root[:, None] * K * root[None, :])
            b = W * (f - self.mean) + ((t + 1) / 2 - p)
            a_new = b - root * cho_solve((L, True), root * (K @ b))
            step = 1.0
            while True:  # Newton's step, halved until the objective grows
                a_try = a + step * (a_new - a) if before > -np.inf else a_new
                f_try = K @ a_try + self.mean
                value = -0.5 * a_try @ (f_try - self.mean) - np.logaddexp(0, -t * f_try).sum()
                if value >= before - 1e-9 or step < 1e-3:
                    break
                step /= 2
            a, f, gained = a_try, f_try, value - before
            before = value
            if gained < 1e-6:
                break
        p = expit(f)
        root = np.sqrt(np.maximum(p * (1 - p), 1e-10))
        L = np.linalg.cholesky(np.eye(len(t)) + root[:, None] * K * root[None, :])
        return f, (t + 1) / 2 - p, root, L, float(before - np.log(np.diag(L)).sum())

    def __call__(self, F: Array) -> Array:
        parts = self._parts(F, self.F)
        total = np.zeros(len(F))
        for (w, gradient, root, L), share in zip(self.fits, self.shares, strict=True):
            if share < _LEAST_SHARE:
                continue
            k = self._join(w, parts, F, self.F)
            mean = self.mean + k @ gradient
            half = solve_triangular(L, root[:, None] * k.T, lower=True, check_finite=False)
            variance = np.maximum(self._variance(w, F) - (half * half).sum(0), 0.0)
            total += share * expit(mean / np.sqrt(1 + math.pi * variance / 8))
        return np.asarray(total / self.shares[self.shares >= _LEAST_SHARE].sum())

    def _variance(self, w: _Weights, F: Array) -> Array:
        """Prior variance of f at each row, shape (m,)."""
        ramps = _ramps(F[:, : self.n_encoded]) ** 2 / _RAMPS
        by_column = ramps.reshape(len(F), self.n_encoded, _RAMPS).sum(-1)
        own = by_column[:, self.groups == w.group].sum(1) if w.group >= 0 else 0.0
        products = (F[:, self.n_encoded :] ** 2).sum(1)
        return np.asarray(w.alone * by_column.sum(1) + w.together + w.products * products + _DECIDES * own)


def _ramps(x: Array) -> Array:
    """Piecewise linear features of each column, shape (n, D * 10): rising from -1/2 to 1/2 over one cell each."""
    edges = np.arange(_RAMPS) / _RAMPS
    return (np.clip((x[:, :, None] + 0.5 - edges) * _RAMPS, 0.0, 1.0) - 0.5).reshape(len(x), -1)


class _LogLinear:
    """A log quantity, linear in the features: Bayesian ridge, with lower bounds where a run was cut short."""

    def __init__(self, F: Array, log_value: Array, at_least: NDArray[np.bool_]) -> None:
        from sklearn.linear_model import BayesianRidge

        filled = log_value.copy()
        self.model = BayesianRidge()
        for _ in range(10 if at_least.any() else 1):
            self.model.fit(F, filled)
            if at_least.any():
                # a run that was cut short needed more: its expected value above the bound (Tobin 1958)
                mean, std = self.model.predict(F[at_least], return_std=True)
                std = np.maximum(std, _LEAST_MEMORY_STD)
                gap = (log_value[at_least] - mean) / std
                above = np.exp(norm.logpdf(gap) - norm.logsf(gap))
                filled[at_least] = mean + std * above
        self.n = len(log_value)
        self.spread = float(np.std(filled))
        """Standard deviation of the log values."""

    def __call__(self, F: Array) -> tuple[Array, Array]:
        mean, std = self.model.predict(F, return_std=True)
        return mean, np.maximum(std, _LEAST_MEMORY_STD) * (1 + 2 / self.n)


@dataclass
class Success:
    """P(success) of any configuration, and the seconds a run takes."""

    features: _Features
    n_success: int = 0
    n_failure: int = 0
    label: "_Classifier | None" = None
    """None while only successes (or nothing) were seen: then the chance is the same everywhere."""
    memory: "_LogLinear | None" = None
    log_limit: float = math.nan
    time: "_LogLinear | None" = None
    median_seconds: float = math.nan
    _unexplained: tuple[int, int] = field(default=(0, 0))

    def p(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        """The chance of success, shape (n,), strictly inside 0 and 1."""
        F = self.features(configs)
        successes, failures = self._unexplained
        if self.label is None:
            p = np.full(
                len(F), (successes + PRIOR_SUCCESSES) / (successes + failures + PRIOR_SUCCESSES + PRIOR_FAILURES)
            )
        else:
            p = self.label(F)
        if self.memory is not None:
            mean, std = self.memory(F)
            fits = norm.cdf((self.log_limit - mean) / std)
            prior = PRIOR_SUCCESSES / (PRIOR_SUCCESSES + PRIOR_FAILURES)
            p = p * (self.memory.n * fits + prior) / (self.memory.n + 1)
        return np.asarray(np.clip(p, _TINY, 1 - _TINY))

    def log_seconds(self, configs: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
        """Mean and standard deviation of log seconds, shapes (n,); NaN while no run time is known."""
        if self.time is None:
            centre = math.log(self.median_seconds) if self.median_seconds > 0 else math.nan
            return np.full(len(configs), centre), np.full(len(configs), math.nan)
        return self.time(self.features(configs))


def fit_success(card: TaskCard, trials: Sequence[Trial], *, encoding: Encoding | None = None) -> Success:
    """What the trials' ends say of the chance of success; works from no trial at all.

    A run out of memory whose limit is known teaches the memory model (log peak against log limit) and is then left
    out of the labels, so that it counts once.
    """
    encoding = encoding or Encoding(card.space)
    features = _Features(card, encoding)
    known = [(t, s) for t in trials if (s := teaches(t)) is not None]
    model = Success(features, sum(s for _, s in known), sum(not s for _, s in known))
    explained = _learn_memory(model, known, features)
    labelled = [(t, s) for t, s in known if t.number not in explained]
    labels = np.array([s for _, s in labelled], dtype=bool)
    model._unexplained = (int(labels.sum()), int((~labels).sum()))
    if (~labels).any():
        model.label = _Classifier(features([t.config for t, _ in labelled]), labels, encoding.groups)
    _learn_time(model, known, features)
    return model


def _learn_memory(model: Success, known: Sequence[tuple[Trial, bool]], features: _Features) -> set[int]:
    """Numbers of the trials out of memory that the memory model accounts for."""
    rows: list[tuple[Trial, float, bool]] = []
    limits: list[float] = []
    for t, success in known:
        seen = t.outcome.telemetry if t.outcome else None
        if seen is None or not seen.limit_bytes:
            continue
        peak = seen.peak_gpu_bytes if seen.peak_gpu_bytes is not None else seen.peak_bytes
        limits.append(math.log(seen.limit_bytes))
        if t.status == "oom":
            rows.append((t, math.log(max(peak or 0, seen.limit_bytes)), True))
        elif success and peak:
            rows.append((t, math.log(peak), False))
    if len(rows) < _FEWEST_PEAKS or all(cut for _, _, cut in rows):
        return set()
    model.memory = _LogLinear(
        features([t.config for t, _, _ in rows]),
        np.array([u for _, u, _ in rows]),
        np.array([cut for _, _, cut in rows]),
    )
    model.log_limit = limits[-1]
    return {t.number for t, _, cut in rows if cut}


def _learn_time(model: Success, known: Sequence[tuple[Trial, bool]], features: _Features) -> None:
    rows = [
        (t, math.log(t.outcome.telemetry.seconds), t.status == "timeout")
        for t, success in known
        if (success or t.status == "timeout") and t.outcome and t.outcome.telemetry and t.outcome.telemetry.seconds > 0
    ]
    if not rows:
        return
    seconds = np.array([u for _, u, _ in rows])
    model.median_seconds = float(np.exp(np.median(seconds)))
    if len(rows) >= _FEWEST_TIMES:
        model.time = _LogLinear(features([t.config for t, _, _ in rows]), seconds, np.array([c for _, _, c in rows]))


__all__ = ["Success", "fit_success", "teaches"]
