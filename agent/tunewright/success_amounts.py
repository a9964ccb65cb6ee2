"""Peak memory and seconds of any configuration, with lower bounds where a run was cut short.

| symbol | shape | meaning |
| --- | --- | --- |
| F | (n, D + derived) | encoded configuration and the card's log products, each in units of its spread over the space |
| u | (n,) | the amount: bytes or seconds |
| c | | its fixed part: what a program takes before it trains |
| y | (n,) | log(u - c), linear in F |
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]

_LEAST_STD = 0.05
"""Peaks of one and the same configuration differ by a few percent (allocators, data order)."""
_FIXED = (0.0, *(1 - 0.5**k for k in range(1, 9)))
"""Fixed parts that are tried, as shares of the smallest amount that was seen."""
_DECLARED = 10.0
"""How much wider the prior of a log product's weight is than that of a column: it was declared to decide."""
_FILLS = 10


class Amount:
    """A positive amount: a fixed part plus the exponential of what is linear in the features (Bayesian ridge).

    Of several fixed parts the one of the highest evidence. An error of log u is one of u / (u - c) times as much in y,
    so that a row weighs (1 - c / u)^2.

    Args:
        at_least: rows that were cut short: u is a lower bound. Some row is no bound.
        n_encoded: D.
        fixed: whether there may be a fixed part.
    """

    def __init__(self, F: Array, u: Array, at_least: NDArray[np.bool_], n_encoded: int, *, fixed: bool) -> None:
        self.n, self._n_encoded = len(u), n_encoded
        self._centre = float(np.log(u).mean())
        seen = ~at_least
        parts = [share * u.min() for share in (_FIXED if fixed else (0.0,))]
        models = [self._fit(F[seen], 1 - c / u[seen], np.log(u[seen] - c)) for c in parts]
        best = int(np.argmax([model.scores_[-1] for model in models]))
        self.fixed, self._model = parts[best], models[best]
        y = np.log(u - self.fixed)
        if at_least.any():
            # a run that was cut short needed more: its expected value above the bound (Tobin 1958), to begin with what
            # the other runs lead to expect
            bound = y[at_least]
            y[at_least] = np.maximum(self._expected(F[at_least])[0], bound)
            for _ in range(_FILLS):
                self._model = self._fit(F, 1 - self.fixed / u, y)
                mean, std = self._expected(F[at_least])
                gap = (bound - mean) / std
                y[at_least] = mean + std * np.exp(norm.logpdf(gap) - norm.logsf(gap))
        self.spread = float(np.std(y))
        """Standard deviation of y."""

    def _fit(self, F: Array, root: Array, y: Array) -> Any:
        from sklearn.linear_model import BayesianRidge

        # errors are believed to be of the least size until two rows' worth of evidence says otherwise
        model = BayesianRidge(compute_score=True, fit_intercept=False, alpha_1=1.0, alpha_2=_LEAST_STD**2)
        return model.fit(self._columns(F) * root[:, None], (y - self._centre) * root)

    def _columns(self, F: Array) -> Array:
        declared = np.concatenate([F[:, self._n_encoded :], np.ones((len(F), 1))], axis=1)
        return np.concatenate([F[:, : self._n_encoded], _DECLARED * declared], axis=1)

    def _expected(self, F: Array) -> tuple[Array, Array]:
        mean, std = self._model.predict(self._columns(F), return_std=True)
        return mean + self._centre, np.maximum(std, _LEAST_STD)

    def __call__(self, F: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of y, shapes (n,)."""
        mean, std = self._expected(F)
        return mean, std * (1 + 2 / self.n)

    def below(self, F: Array, limit: float) -> Array:
        """The chance that the amount stays under the limit, shape (n,)."""
        if limit <= self.fixed:
            return np.zeros(len(F))
        mean, std = self(F)
        return np.asarray(norm.cdf((np.log(limit - self.fixed) - mean) / std))


__all__ = ["Amount"]
