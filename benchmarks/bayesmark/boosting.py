"""AdaBoost of decision stumps by SAMME.R, the variant that scikit-learn has dropped since 1.6.

Source: Zhu, Zou, Rosset, Hastie, "Multi-class AdaBoost", Statistics and Its Interface 2 (2009), algorithm 4. Numerical
details (clipping, the random state of each stump) follow scikit-learn 1.5, so that scores agree with published ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeClassifier

_EPSILON = float(np.finfo(np.float64).eps)


class SammeR(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of `n_estimators` stumps, each fitted to the rows that those before it got wrong."""

    def __init__(self, n_estimators: int = 50, learning_rate: float = 1.0, random_state: int = 0) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: NDArray[np.float64], y: NDArray[np.int64]) -> "SammeR":
        """The classifier, fitted to rows X of shape (n, d) and labels y of shape (n,)."""
        rows = X.astype(np.float32)  # what trees work on; converted once rather than once a stump
        random = np.random.RandomState(self.random_state)
        self.classes_, codes = np.unique(y, return_inverse=True)
        k = len(self.classes_)
        coding = np.where(codes[:, None] == np.arange(k), 1.0, -1.0 / (k - 1))
        weights = np.full(len(y), 1.0 / len(y))
        self.stumps_: list[Any] = []
        for i in range(self.n_estimators):
            weights = np.clip(weights, _EPSILON, None)
            stump = DecisionTreeClassifier(max_depth=1, random_state=random.randint(np.iinfo(np.int32).max))
            stump.fit(rows, codes, sample_weight=weights, check_input=False)
            self.stumps_.append(stump)
            shares = stump.predict_proba(rows, check_input=False)
            if np.average(shares.argmax(axis=1) != codes, weights=weights) <= 0:
                break
            shares = np.clip(shares, _EPSILON, None)
            step = -self.learning_rate * ((k - 1) / k) * xlogy(coding, shares).sum(axis=1)
            if i < self.n_estimators - 1:
                weights = np.exp(np.log(weights) + step * ((weights > 0) | (step < 0)))
            total = weights.sum()
            if not np.isfinite(total) or total <= 0:
                break
            weights = weights / total
        return self

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.int64]:
        """Labels, shape (n,)."""
        rows = X.astype(np.float32)
        k = len(self.classes_)
        votes = np.zeros((len(rows), k))
        for stump in self.stumps_:
            logs = np.log(np.clip(stump.predict_proba(rows, check_input=False), _EPSILON, None))
            votes += (k - 1) * (logs - logs.sum(axis=1, keepdims=True) / k)
        labels: NDArray[np.int64] = self.classes_.take(votes.argmax(axis=1))
        return labels
