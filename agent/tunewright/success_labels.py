"""The chance of success from labels alone: a Gaussian process classifier that learns which parameters decide.

| symbol | shape | meaning |
| --- | --- | --- |
| F | (n, D + derived) | encoded configuration and the card's log products, each in units of its spread over the space |
| t | (n,) | +1 for done, -1 for a failure that is the configuration's fault |
| f | (n,) | latent value; P(success) = Phi(f) |
| P | (n, m) | features of f: each column, each log product, piecewise linear functions of each column |
| v | (k,) | prior variances of the weights of P, one for each parameter and kind; the last that of a Matern 5/2 |
| K | (n, n) | prior covariance of f: the weighted products of P plus the Matern part |
| s, nu | (n,) | precision, and precision times mean, of the sites of expectation propagation |
| b, R | (n,), (n, n) | (K + 1/s)^-1 (nu/s) and (K + 1/s)^-1 |
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import log_ndtr, ndtr, ndtri

Array = NDArray[np.float64]

PRIOR_SUCCESSES, PRIOR_FAILURES = 4.0, 1.0
"""A Beta prior's worth of runs: what is believed of a configuration far from everything tried."""
_RAMPS = 10
_CENTRES = {"line": 1.0, "product": 3.0, "ramps": 0.3, "together": 0.3}
"""Where the prior of each variance is centred: lines before curves, since a few runs tell no curve."""
_SPREAD = 3.0
"""Standard deviation of a log variance: a parameter decides sharply or not at all."""
_WIDEST = 3000.0
_STEPS = 30
_MANY = 200
"""Labels that v is learned from; of more, as many at even distances in the order of the trials."""
_START = 0.1
_SWEEPS = 12
_DAMPED = 0.7
_TINY = 1e-10


class Classifier:
    """P(success), from a process whose prior variances are learned, one for each parameter and log product.

    Expectation propagation with the probit likelihood (Rasmussen & Williams 2006, section 3.6): where failing is no
    matter of chance, its averages stay calibrated up to the edge. The variances climb the evidence times a log-normal
    prior, so that parameters that decide nothing fall out and few runs tell where the edge is.
    """

    def __init__(self, F: Array, success: NDArray[np.bool_], groups: NDArray[np.int_]) -> None:
        self._F, self._n_encoded = F, len(groups)
        t = np.where(success, 1.0, -1.0)
        base = (success.sum() + PRIOR_SUCCESSES) / (len(t) + PRIOR_SUCCESSES + PRIOR_FAILURES)
        self._mean = float(ndtri(base))
        n_groups, n_products = int(groups.max()) + 1, F.shape[1] - self._n_encoded
        curves = n_groups + n_products + np.repeat(groups, _RAMPS)
        self._owner = np.concatenate([groups, n_groups + np.arange(n_products), curves])
        kinds = ["line"] * n_groups + ["product"] * n_products + ["ramps"] * n_groups + ["together"]
        centre = np.log([_CENTRES[kind] for kind in kinds])
        self.v = np.exp(centre)
        """Prior variances: a line for each group of columns, the products, a curve for each group, the Matern part."""
        some = np.unique(np.linspace(0, len(t) - 1, min(len(t), _MANY)).astype(int))
        self._learn(F[some], t[some], centre)
        self._P = self._features(F)
        K = self._join(self._P, self._P, self._matern(F, F))
        s, nu = _settled(K, t, self._mean)
        self._root, self._L, self._b = _root(K, s, nu)

    def _learn(self, F: Array, t: Array, centre: Array) -> None:
        """Steps of log v uphill, along the gradient of the evidence (eq. 5.27) and of the prior."""
        P, M, k = self._features(F), self._matern(F, F), len(self.v)
        s, nu = np.full(len(t), _START), np.zeros(len(t))
        for _ in range(_STEPS):
            K = self._join(P, P, M)
            s, nu = _sites(K, t, self._mean, *_sites(K, t, self._mean, s, nu))
            root, L, b = _root(K, s, nu)
            R = root[:, None] * cho_solve((L, True), np.diag(root), check_finite=False)
            explained = np.bincount(self._owner, (P.T @ b) ** 2, k)
            spent = np.bincount(self._owner, np.einsum("ij,ij->j", P, R @ P), k)
            explained[-1], spent[-1] = b @ M @ b, (R * M).sum()
            up, down = self.v * explained / 2, self.v * spent / 2
            pull = (np.log(self.v) - centre) / _SPREAD**2
            step = (up - down - pull) / (np.maximum(up, down) + 1 / _SPREAD**2)
            self.v = np.minimum(self.v * np.exp(np.clip(step, -1.0, 1.0)), _WIDEST)

    def _features(self, F: Array) -> Array:
        return np.concatenate([F, _ramps(F[:, : self._n_encoded])], axis=1)

    def _matern(self, A: Array, B: Array) -> Array:
        a, b = A[:, : self._n_encoded], B[:, : self._n_encoded]
        r2 = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * a @ b.T
        r = np.sqrt(5.0 * np.maximum(r2, 0.0)) / (0.4 * math.sqrt(self._n_encoded))
        return np.asarray((1 + r + r * r / 3) * np.exp(-r))

    def _join(self, P: Array, Q: Array, M: Array) -> Array:
        return np.asarray((P * self.v[self._owner]) @ Q.T + self.v[-1] * M)

    def __call__(self, F: Array) -> Array:
        """The chance of success, shape (n,)."""
        P = self._features(F)
        k = self._join(P, self._P, self._matern(F, self._F))
        half = solve_triangular(self._L, self._root[:, None] * k.T, lower=True, check_finite=False)
        prior = (P * P) @ self.v[self._owner] + self.v[-1]
        variance = np.maximum(prior - (half * half).sum(0), 0.0)
        return np.asarray(ndtr((self._mean + k @ self._b) / np.sqrt(1 + variance)))


def _root(K: Array, s: Array, nu: Array) -> tuple[Array, Array, Array]:
    """What solves with K + 1/s: the root of s, the Cholesky factor of I + root K root, and b."""
    root: Array = np.sqrt(s)
    L = np.asarray(np.linalg.cholesky(np.eye(len(s)) + root[:, None] * K * root), dtype=np.float64)
    b: Array = nu - root * cho_solve((L, True), root * (K @ nu), check_finite=False)
    return root, L, b


def _sites(K: Array, t: Array, mean: float, s: Array, nu: Array) -> tuple[Array, Array]:
    """One damped sweep over all sites at once (eqs. 3.56 to 3.59, the prior mean inside the likelihood)."""
    root, L, b = _root(K, s, nu)
    half = solve_triangular(L, root[:, None] * K, lower=True, check_finite=False)
    variance = np.maximum(np.diag(K) - (half * half).sum(0), _TINY)
    mu = K @ b
    precision = np.maximum(1 / variance - s, _TINY)
    cavity_mean = (mu / variance - nu) / precision
    cavity_variance = 1 / precision
    scale = np.sqrt(1 + cavity_variance)
    z = t * (cavity_mean + mean) / scale
    ratio = np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log_ndtr(z))
    new_mean = cavity_mean + t * cavity_variance * ratio / scale
    narrower = cavity_variance**2 * ratio * (z + ratio) / (1 + cavity_variance)
    new_variance = np.maximum(cavity_variance - narrower, _TINY)
    s_new = np.maximum(1 / new_variance - precision, _TINY)
    nu_new = new_mean / new_variance - cavity_mean * precision
    return s + _DAMPED * (s_new - s), nu + _DAMPED * (nu_new - nu)


def _settled(K: Array, t: Array, mean: float) -> tuple[Array, Array]:
    s, nu = np.full(len(t), _START), np.zeros(len(t))
    for _ in range(_SWEEPS):
        s, nu = _sites(K, t, mean, s, nu)
    return s, nu


def _ramps(x: Array) -> Array:
    """Piecewise linear features of each column, shape (n, D * 10): rising over one cell each, whole range 1."""
    edges = np.arange(_RAMPS) / _RAMPS
    return (np.clip((x[:, :, None] + 0.5 - edges) * _RAMPS, 0.0, 1.0) - 0.5).reshape(len(x), -1) / math.sqrt(_RAMPS)
