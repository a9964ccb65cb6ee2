"""The chance that a run succeeds, the chance that is required, and the seconds a run takes.

| symbol | shape | meaning |
| --- | --- | --- |
| F | (n, D + derived) | encoded configuration and the card's log products, each in units of its spread over the space |
| p | (n,) | chance of success |
| a | | required chance of success, as log odds |

What is required follows adaptive conformal inference (Gibbs & Candes 2021, arXiv 2106.00170, eq. 2): from even odds,
each trial that the surrogate chose adds STEP (1 - TARGET) to a when it failed and takes off STEP TARGET when not.
Between its bounds such a rule holds the share of failures near TARGET in the long run, however well p is calibrated.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from tunewright.card import TaskCard
from tunewright.encoding import Encoding, failure_features
from tunewright.errors import SpaceError
from tunewright.success_amounts import Amount
from tunewright.success_labels import PRIOR_FAILURES, PRIOR_SUCCESSES, Classifier
from tunewright.trial import Trial

Array = NDArray[np.float64]

TARGET = 0.05
"""Share of the surrogate's own trials that may fail: one in twenty, for a promise of one in ten."""
STEP = 1.0
EVEN, MOST = 0.5, 0.99
"""What is required at least and at most."""
_STEEP = 20.0
"""Log acquisition taken off for each unit of log odds below what is required: more than candidates differ by."""
_FEWEST_PEAKS = 4
_FEWEST_TIMES = 4
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

    def __call__(self, configs: Sequence[Mapping[str, Any]], encoded: Array | None = None) -> Array:
        F = failure_features(self.card, self.encoding, configs, encoded)
        F[:, self.n_encoded :] = (F[:, self.n_encoded :] - self.centre) / self.spread
        F[:, : self.n_encoded] -= 0.5
        return F

    def ran(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        """F of configurations that ran, also outside bounds that were moved since."""
        return self(configs, self.encoding.encode_ran(configs))


@dataclass
class Success:
    """P(success) of any configuration, and the seconds a run takes."""

    features: _Features
    n_failure: int = 0
    label: Classifier | None = None
    """None while only successes (or nothing) were seen: then the chance is the same everywhere."""
    memory: Amount | None = None
    limit: float = math.nan
    """Bytes that the latest run was allowed."""
    time: Amount | None = None
    median_seconds: float = math.nan
    required: float = EVEN
    """The chance of success that the next trial should have."""
    _unexplained: tuple[int, int] = field(default=(0, 0))

    def p(self, configs: Sequence[Mapping[str, Any]], encoded: Array | None = None) -> Array:
        """The chance of success, shape (n,), strictly inside 0 and 1; `encoded`: the configurations' own columns."""
        F = self.features(configs, encoded)
        successes, failures = self._unexplained
        if self.label is None:
            p = np.full(
                len(F), (successes + PRIOR_SUCCESSES) / (successes + failures + PRIOR_SUCCESSES + PRIOR_FAILURES)
            )
        else:
            p = self.label(F)
        if self.memory is not None:
            fits = self.memory.below(F, self.limit)
            prior = PRIOR_SUCCESSES / (PRIOR_SUCCESSES + PRIOR_FAILURES)
            p = p * (self.memory.n * fits + prior) / (self.memory.n + 1)
        return np.asarray(np.clip(p, _TINY, 1 - _TINY))

    def aversion(self, p: Array) -> Array:
        """What is added, beside log p, to the log of a run's worth for the chance p that it succeeds, shape (n,)."""
        if self.n_failure == 0:
            return np.log(np.minimum(p / EVEN, 1.0))
        return np.asarray(_STEEP * np.minimum(logit(p) - logit(self.required), 0.0))

    def log_seconds(self, configs: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
        """Mean and standard deviation of log seconds, shapes (n,); NaN while no run time is known."""
        if self.time is None:
            centre = math.log(self.median_seconds) if self.median_seconds > 0 else math.nan
            return np.full(len(configs), centre), np.full(len(configs), math.nan)
        return self.time(self.features(configs))


def fit_success(card: TaskCard, trials: Sequence[Trial], *, encoding: Encoding | None = None) -> Success:
    """What the trials' ends say of the chance of success; works from no trial at all.

    A run out of memory whose limit is known teaches the memory model (its peak against the limit) and is then left
    out of the labels, so that it counts once.
    """
    encoding = encoding or Encoding(card.space)
    features = _Features(card, encoding)
    known = [(t, s) for t in trials if (s := teaches(t)) is not None]
    model = Success(features, sum(not s for _, s in known))
    explained = _learn_memory(model, known, features)
    labelled = [(t, s) for t, s in known if t.number not in explained]
    labels = np.array([s for _, s in labelled], dtype=bool)
    model._unexplained = (int(labels.sum()), int((~labels).sum()))
    if (~labels).any():
        model.label = Classifier(features.ran([t.config for t, _ in labelled]), labels, encoding.groups)
    _learn_time(model, known, features)
    model.required = _required(model, known)
    return model


def _required(model: Success, known: Sequence[tuple[Trial, bool]]) -> float:
    """The chance of success that the next trial should have; no more than the surest run that succeeded had."""
    done = [t.config for t, success in known if success]
    if model.n_failure == 0 or not done:
        return EVEN
    a = 0.0
    for t, success in known:
        if t.source == "surrogate":
            a += STEP * (-TARGET if success else 1 - TARGET)
            a = min(max(a, float(logit(EVEN))), float(logit(MOST)))
    return float(min(expit(a), model.p(done, model.features.encoding.encode_ran(done)).max()))


def _learn_memory(model: Success, known: Sequence[tuple[Trial, bool]], features: _Features) -> set[int]:
    """Numbers of the trials out of memory that the memory model accounts for."""
    rows: list[tuple[Trial, float, bool]] = []
    limits: list[float] = []
    for t, success in known:
        seen = t.outcome.telemetry if t.outcome else None
        if seen is None or not (limit := _measured(seen.limit_bytes)):
            continue
        peak = _measured(seen.peak_gpu_bytes if seen.peak_gpu_bytes is not None else seen.peak_bytes)
        limits.append(limit)
        if t.status == "oom":
            rows.append((t, max(peak, limit), True))
        elif success and peak:
            rows.append((t, peak, False))
    if len(rows) < _FEWEST_PEAKS or all(cut for _, _, cut in rows):
        return set()
    model.memory = _amount(features, rows, fixed=True)
    model.limit = limits[-1]
    return {t.number for t, _, cut in rows if cut}


def _learn_time(model: Success, known: Sequence[tuple[Trial, bool]], features: _Features) -> None:
    rows = [
        (t, seconds, t.status == "timeout")
        for t, success in known
        if (success or t.status == "timeout") and t.outcome and t.outcome.telemetry
        if (seconds := _measured(t.outcome.telemetry.seconds))
    ]
    if not rows:
        return
    model.median_seconds = float(np.exp(np.median(np.log([u for _, u, _ in rows]))))
    if len(rows) >= _FEWEST_TIMES and not all(cut for _, _, cut in rows):
        model.time = _amount(features, rows, fixed=False)


def _measured(amount: float | None) -> float:
    """An amount that can have been measured; 0 for what cannot, as a person's own loop may tell NaN or an infinity."""
    return float(amount) if amount is not None and math.isfinite(amount) and amount > 0 else 0.0


def _amount(features: _Features, rows: Sequence[tuple[Trial, float, bool]], *, fixed: bool) -> Amount:
    F = features.ran([t.config for t, _, _ in rows])
    u = np.array([u for _, u, _ in rows])
    return Amount(F, u, np.array([cut for _, _, cut in rows]), features.n_encoded, fixed=fixed)


__all__ = ["Success", "fit_success", "teaches"]
