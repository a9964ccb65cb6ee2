"""Stop a run when its predicted end has little chance to beat the best, from the curve so far and past curves.

After Baker et al. 2017, "Accelerating Neural Architecture Search using Performance Prediction" (arXiv 1705.10823):
regressors from the configuration, the curve so far and its differences to the final value (section 3.1), and early
stopping when the probability of beating the best falls under a threshold (section 3.3). Ours chooses among regressors
by cross-validated error and takes that error as the spread of the prediction.

| symbol | meaning |
| --- | --- |
| s | how far a run has come, on the axis of the curve (steps; seconds where full runs end at different steps) |
| z | a loss with its bad tail pulled in (`targets.py`), scaled by the final losses of full runs |
| p | chance that the final z is below the best: Student's t of (best - predicted) / error, n - 1 degrees of freedom |
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunewright.encoding import Encoding
from tunewright.pruning.base import Run
from tunewright.space import Space
from tunewright.targets import Scale, scale
from tunewright_tools.base import Point

if TYPE_CHECKING:
    from sklearn.base import RegressorMixin

Array = NDArray[np.float64]

THRESHOLD = 0.05
FEWEST = 6
"""Full runs needed before anything is predicted."""
CHECKS = 20
"""Looks at a run, evenly spread over its length; a run that reports often is not judged at each point."""
_SAME_LENGTH = 1.2
_FOLDS = 5


@dataclass(frozen=True)
class Prediction:
    """What is expected of a run's end, on the person's scale."""

    final: float
    low: float
    high: float
    """80% interval."""
    p_best: float
    """Chance of a final value better than the best one."""


class CurvePruner:
    """Stops runs that have little chance to beat the best.

    Args:
        space: the study's.
        metric: the metric of the curve.
        sign: 1 where smaller is better, -1 where larger is.
        threshold: chance of beating the best below which a run is stopped, in (0, 1).
        fewest: full runs needed before any is stopped, 4 or more.

    Raises:
        ValueError: an option outside of that.
    """

    def __init__(
        self, space: Space, metric: str, sign: int, threshold: float = THRESHOLD, fewest: int = FEWEST
    ) -> None:
        if isinstance(threshold, bool) or not 0 < threshold < 1:
            raise ValueError(f"threshold is {threshold!r}, not a chance between 0 and 1")
        if type(fewest) is not int or fewest < 4:
            raise ValueError(f"fewest is {fewest!r}, not a whole number from 4 on")
        self._encoding = Encoding(space)
        self._metric = metric
        self._sign = sign
        self._threshold = threshold
        self._fewest = fewest
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._live: dict[int, list[Point]] = {}
        self._checked: dict[int, int] = {}

    def tell(self, run: Run) -> None:
        """Take note of a run that has ended; only full ones teach."""
        with self._lock:
            self._live.pop(run.number, None)
            self._checked.pop(run.number, None)
            points = self._points(run.curve)
            if run.final is not None and len(points) >= 2:
                self._runs.append(replace(run, curve=points))

    def stop(self, number: int, config: dict[str, Any], point: Point) -> str | None:
        """Why the run should stop now; None to let it go on."""
        with self._lock:
            if self._metric not in point.metrics or not math.isfinite(point.metrics[self._metric]):
                return None
            live = self._live.setdefault(number, [])
            live.append(point)
            if len(self._runs) < self._fewest or not self._due(number, live):
                return None
            found = self._predict(config, live)
        if found is None or found.p_best >= self._threshold:
            return None
        return (
            f"curve: {self._metric} is predicted to end at {found.final:.4g} ({found.low:.4g} to {found.high:.4g}), "
            f"chance of beating the best {found.p_best:.3f}"
        )

    def predict(self, config: dict[str, Any], curve: Sequence[Point]) -> Prediction | None:
        """What is expected of a run with this curve so far; None while too few full runs are known."""
        with self._lock:
            points = self._points(curve)
            return self._predict(config, points) if points and len(self._runs) >= self._fewest else None

    def _points(self, curve: Sequence[Point]) -> list[Point]:
        return [p for p in curve if self._metric in p.metrics and math.isfinite(p.metrics[self._metric])]

    # -- the axis ------------------------------------------------------------------------------------------------

    def _axis(self) -> str:
        ends = [run.curve[-1].step for run in self._runs]
        return "step" if min(ends) > 0 and max(ends) / min(ends) <= _SAME_LENGTH else "seconds"

    def _length(self, axis: str) -> float:
        return float(np.median([getattr(run.curve[-1], axis) for run in self._runs]))

    def _due(self, number: int, live: Sequence[Point]) -> bool:
        axis = self._axis()
        length = self._length(axis)
        share = int(CHECKS * getattr(live[-1], axis) / length) if length > 0 else 0
        if share <= self._checked.get(number, 0) or share >= CHECKS:
            return False
        self._checked[number] = share
        return True

    # -- the prediction ------------------------------------------------------------------------------------------

    def _predict(self, config: dict[str, Any], live: Sequence[Point]) -> Prediction | None:
        axis = self._axis()
        at = float(getattr(live[-1], axis))
        finals = np.array([self._sign * run.final for run in self._runs if run.final is not None])
        feasible = np.array([run.feasible for run in self._runs])
        if not feasible.any():
            return None  # there is no best yet
        map_ = scale(finals)
        rows, known = [], []
        for run in self._runs:
            row = self._row(run.curve, axis, at, map_)
            if row is not None:
                rows.append(row)
                known.append(run)
        mine = self._row(live, axis, at, map_)
        if len(rows) < self._fewest or mine is None:
            return None
        X, x = np.array(rows), mine
        left = map_.forward(np.array([self._sign * (run.final or 0.0) for run in known])) - X[:, 0]
        encoded = self._encoding.encode([run.config for run in known])
        own = self._encoding.encode([config])
        gained, error = _best_regressor([(X, x[None]), (np.hstack([X, encoded]), np.hstack([x[None], own]))], left)
        mean = float(x[0] + gained)
        spread = max(error, 1e-6) * math.sqrt(1 + 1 / len(rows))
        return self._said(mean, spread, len(rows), map_, float(map_.forward(finals[feasible]).min()))

    def _row(self, points: Sequence[Point], axis: str, at: float, map_: Scale) -> Array | None:
        """What a curve shows up to `at`: last z, best z, mean slope and its change, roughness; shape (5,)."""
        seen = [p for p in points if getattr(p, axis) <= at * (1 + 1e-9)]
        if not seen:
            return None
        z = map_.forward(np.array([self._sign * p.metrics[self._metric] for p in seen]))
        if len(z) < 3:
            return np.array([z[-1], z.min(), z[-1] - z[0], 0.0, 0.0])
        half = len(z) // 2
        late, early = z[-1] - z[half], z[half] - z[0]
        rough = float(np.abs(np.diff(z)).mean())
        return np.array([z[-1], z.min(), late, late - early, rough])

    def _said(self, mean: float, spread: float, n: int, map_: Scale, best: float) -> Prediction:
        from scipy.stats import t

        away = float(t.ppf(0.9, n - 1)) * spread
        final, low, high = (self._sign * float(v) for v in map_.back(np.array([mean, mean - away, mean + away])))
        return Prediction(final, min(low, high), max(low, high), float(t.cdf((best - mean) / spread, n - 1)))


def _best_regressor(tables: Sequence[tuple[Array, Array]], left: Array) -> tuple[float, float]:
    """(prediction, cross-validated error) of the regressor with the least error; "the mean gain" is one of them.

    Args:
        tables: features of the past runs (n, k) and of this one (1, k), for each set of features.
        left: what each past run still gained in z, shape (n,).
    """
    from sklearn.model_selection import KFold, cross_val_predict

    best = (float(np.mean(left)), float(np.sqrt(np.mean((left - _others_mean(left)) ** 2))))
    folds = KFold(min(len(left), _FOLDS), shuffle=True, random_state=0)
    for X, x in tables:
        for model in _regressors():
            out = cross_val_predict(model, X, left, cv=folds)
            error = float(np.sqrt(np.mean((out - left) ** 2)))
            if error < best[1]:
                best = (float(model.fit(X, left).predict(x)[0]), error)
    return best


def _others_mean(values: Array) -> Array:
    """For each value the mean of the others, shape (n,)."""
    return np.asarray((values.sum() - values) / (len(values) - 1))


def _regressors() -> "list[RegressorMixin]":
    from sklearn.linear_model import BayesianRidge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import NuSVR

    return [make_pipeline(StandardScaler(), BayesianRidge()), make_pipeline(StandardScaler(), NuSVR())]
