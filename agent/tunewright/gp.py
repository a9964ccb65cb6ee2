"""A Gaussian process with several settings of its hyperparameters at once, fitted and asked as one batch.

| symbol | shape | meaning |
| --- | --- | --- |
| S | | members: settings of the hyperparameters |
| X | (n, D) | encoded configurations |
| y | (n,) | values to predict, standardised |
| theta | (S, P) | hyperparameters, in standard deviations from the centre of their prior |
| l | (S, G) | lengthscales, one a group of columns |
| s2, v | (S,) | signal variance, noise variance |
| K | (S, n, n) | covariance of the values, noise included |

Written out rather than taken from GPyTorch because all S members are fitted in one batched factorisation with the
gradient in closed form; tests compare its likelihood and posterior with GPyTorch's.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController
from torch import Tensor

Array = NDArray[np.float64]

_SQRT5 = math.sqrt(5.0)
_SPREAD = 0.6
_BLOCK = 128
"""Rows that are asked about at a time, so that what is written down on the way stays in the cache."""
_JITTERS = (0.0, 1e-8, 1e-6, 1e-4)


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which PyTorch and the BLAS libraries of NumPy and SciPy compute on one thread.

    The matrices here are so small that a second thread costs several times what it brings, and the cores belong to the
    trials. The settings from before hold again afterwards: an objective in this process may have its own.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


@cache
def _blas() -> ThreadpoolController:
    # looking for the loaded libraries takes milliseconds, and those that count are loaded with this module
    return ThreadpoolController().select(user_api="blas")


class NotPositiveDefiniteError(ArithmeticError):
    """A covariance that cannot be factorised."""


@dataclass(frozen=True)
class Prior:
    """Centres and widths of the log-normal priors, all in log space, for values of variance 1.

    The centre of the lengthscales grows with the root of the number of groups, so that a function of many parameters
    is not taken to be wilder than one of few (Hvarfner et al. 2024, arXiv 2402.02229). Centre and
    width lie between those of the paper and a tight prior around 1; they, and the noise, were chosen by trial on the
    development tasks of benchmarks/README.md.
    """

    length_centre: float
    length_width: float = 1.2
    signal_centre: float = 0.0
    signal_width: float = 0.5
    noise_centre: float = -7.0
    noise_width: float = 1.5

    @classmethod
    def for_groups(cls, n_groups: int) -> "Prior":
        """The prior for this many lengthscales."""
        return cls(length_centre=-0.6 + 0.5 * math.log(n_groups))


@dataclass(frozen=True)
class Shape:
    """Which columns share a lengthscale."""

    groups: NDArray[np.int_]
    """(D,) group of each column."""

    @property
    def n_groups(self) -> int:
        return int(self.groups.max()) + 1

    @property
    def n_parameters(self) -> int:
        return self.n_groups + 2


@dataclass
class Settings:
    """Hyperparameters in their natural units, S members."""

    inverse_length: Tensor  # (S, D)
    signal: Tensor  # (S,)
    noise: Tensor  # (S,)

    @classmethod
    def of(cls, theta: Tensor, shape: Shape, prior: Prior) -> "Settings":
        G = shape.n_groups
        log_length = prior.length_centre + prior.length_width * theta[:, :G]
        return cls(
            inverse_length=(-log_length).exp()[:, torch.as_tensor(shape.groups)],
            signal=(prior.signal_centre + prior.signal_width * theta[:, G]).exp(),
            noise=(prior.noise_centre + prior.noise_width * theta[:, G + 1]).exp(),
        )

    def scaled(self, X: Tensor) -> Tensor:
        """Columns divided by their lengthscales, shape (S, n, D)."""
        return X.unsqueeze(0) * self.inverse_length.unsqueeze(1)

    def covariance(self, A: Tensor, B: Tensor, centre: Tensor | None = None) -> Tensor:
        """Prior covariance of the noise-free values at rows of A and B, shape (S, n, m).

        Distances are worked out from `centre`, shape (S, 1, D): the mean of the scaled rows of A unless given.
        """
        k = correlation(_squared(self.scaled(A), self.scaled(B), centre))
        return self.signal.view(-1, 1, 1) * k


def _squared(A: Tensor, B: Tensor, centre: Tensor | None = None) -> Tensor:
    """Squared distances between rows, shape (S, n, m)."""
    centre = A.mean(-2, keepdim=True) if centre is None else centre
    a = A - centre
    b = a if B is A else B - centre
    r2 = (a * a).sum(-1).unsqueeze(-1) + (b * b).sum(-1).unsqueeze(-2)
    return r2.sub_(2 * a @ b.transpose(-1, -2)).clamp_min_(0.0)


def correlation(r2: Tensor) -> Tensor:
    """Matern 5/2 correlation; differentiable."""
    r, e = _root_and_decay(r2)
    if r.requires_grad:
        return (1 + r + r * r / 3) * e
    return (1 + r).add_(r.square_().div_(3)).mul_(e)


def matern(r2: Tensor) -> tuple[Tensor, Tensor]:
    """Matern 5/2 correlation and its derivative by the squared distance."""
    r, e = _root_and_decay(r2)
    line = 1 + r
    k = r.square_().div_(3).add_(line).mul_(e)
    return k, line.mul_(-5.0 / 6.0).mul_(e)


def _root_and_decay(r2: Tensor) -> tuple[Tensor, Tensor]:
    # in place, here and above, since a fresh matrix costs more than the arithmetic on it
    r = _SQRT5 * (r2 + 1e-20).sqrt_()
    return r, (-r).exp_()


def cholesky(K: Tensor) -> Tensor:
    """The lower factor. Raises `NotPositiveDefiniteError` when no jitter helps."""
    for jitter in _JITTERS:
        L: Tensor
        L, info = torch.linalg.cholesky_ex(K + jitter * torch.eye(K.shape[-1], dtype=K.dtype) if jitter else K)
        if not bool(info.any()) and bool(torch.isfinite(L.diagonal(dim1=-2, dim2=-1)).all()):
            return L
    raise NotPositiveDefiniteError("the covariance is not positive definite, even with 1e-4 added to its diagonal")


def loss_and_gradient(theta: Tensor, X: Tensor, y: Tensor, shape: Shape, prior: Prior) -> tuple[Tensor, Tensor]:
    """Negative log marginal likelihood of each member, shape (S,), and its gradient, shape (S, P); prior left out.

    Rasmussen & Williams 2006, eq. 5.8 and 5.9, with the gradient collected over columns by matrix products.
    """
    S, n = len(theta), len(y)
    p = Settings.of(theta, shape, prior)
    Z = p.scaled(X)
    k, dk = matern(_squared(Z, Z))
    signal = p.signal.view(S, 1, 1)
    K = signal * k
    K.diagonal(dim1=-2, dim2=-1).add_(p.noise.view(S, 1) + 1e-8)
    L = cholesky(K)
    inverse = torch.cholesky_inverse(L)
    alpha = inverse @ y  # (S, n)
    loss = 0.5 * (alpha @ y) + L.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * n * math.log(2 * math.pi)
    W = inverse.sub_(alpha.unsqueeze(-1) * alpha.unsqueeze(-2)).mul_(0.5)  # d loss / dK
    gradient = torch.zeros_like(theta)
    G = shape.n_groups
    gradient[:, G] = k.mul_(W).sum((-1, -2)) * p.signal * prior.signal_width
    gradient[:, G + 1] = W.diagonal(dim1=-2, dim2=-1).sum(-1) * p.noise * prior.noise_width
    V = W.mul_(dk).mul_(signal)
    row = V.sum(-1).unsqueeze(-1)  # (S, n, 1)
    pull = row * Z - V @ Z  # (S, n, D)
    by_column = -4 * (Z * pull).sum(1) * prior.length_width  # (S, D), by log lengthscale
    gradient[:, :G].index_add_(1, torch.as_tensor(shape.groups), by_column)
    return loss, gradient


@dataclass
class Fitted:
    """A fitted process: S members that are asked together."""

    X: Tensor
    y: Tensor
    theta: Tensor
    shape: Shape
    prior: Prior
    note: str = ""
    iterations: int = 0
    settings: Settings = field(init=False)
    L: Tensor = field(init=False)
    alpha: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings.of(self.theta, self.shape, self.prior)
        K = self.settings.covariance(self.X, self.X)
        K.diagonal(dim1=-2, dim2=-1).add_(self.settings.noise.view(-1, 1) + 1e-8)
        self.L = cholesky(K)
        y = self.y.expand(len(self.theta), -1) if self.y.dim() == 1 else self.y
        self.alpha = torch.cholesky_solve(y.unsqueeze(-1), self.L).squeeze(-1)

    @property
    def members(self) -> int:
        return len(self.theta)

    def posterior(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the noise-free value under each member, shapes (S, m)."""
        if len(X) <= _BLOCK:
            return self._posterior(X)
        centre = self.settings.scaled(X).mean(-2, keepdim=True)
        mean, variance = zip(*(self._posterior(block, centre) for block in torch.split(X, _BLOCK)), strict=True)
        return torch.cat(mean, 1), torch.cat(variance, 1)

    def _posterior(self, X: Tensor, centre: Tensor | None = None) -> tuple[Tensor, Tensor]:
        k = self.settings.covariance(X, self.X, centre)  # (S, m, n)
        mean = (k @ self.alpha.unsqueeze(-1)).squeeze(-1)
        half = torch.linalg.solve_triangular(self.L, k.transpose(-1, -2), upper=False)
        variance = self.settings.signal.unsqueeze(-1) - (half * half).sum(-2)
        return mean, variance.clamp_min(1e-12)

    def posterior_mean(self, X: Tensor) -> Tensor:
        """Mean of the value under each member, shape (S, m)."""
        return (self.settings.covariance(X, self.X) @ self.alpha.unsqueeze(-1)).squeeze(-1)

    def left_out(self) -> Tensor:
        """Mean at each row when that row's own value is left out, averaged over members, shape (n,).

        Rasmussen & Williams 2006, eq. 5.12; the hyperparameters stay those of all rows.
        """
        inverse = torch.cholesky_inverse(self.L)
        return (self.y - self.alpha / inverse.diagonal(dim1=-2, dim2=-1)).mean(0)

    def believing(self, X: Tensor) -> "Fitted":
        """The process after the rows of X were seen at their own posterior means ("kriging believer")."""
        if len(X) == 0:
            return self
        mean, _ = self.posterior(X)
        y = self.y.expand(self.members, -1) if self.y.dim() == 1 else self.y
        return Fitted(torch.cat([self.X, X]), torch.cat([y, mean], 1), self.theta, self.shape, self.prior, self.note, 0)


def fit(
    X: Array,
    y: Array,
    shape: Shape,
    prior: Prior,
    *,
    members: int,
    iterations: int,
    rng: np.random.Generator,
) -> Fitted:
    """Hyperparameters by randomised maximum a posteriori: member 0 is the mode, the others answer to shifted priors.

    Each further member minimises its negative log likelihood plus the squared distance to a draw from the prior
    ("randomize then optimize", Bardsley et al. 2014), so that directions on which the data are silent keep the
    prior's spread and the others agree.
    """
    Xt, yt = torch.as_tensor(X), torch.as_tensor(y)
    P = shape.n_parameters
    shift = rng.standard_normal((members, P)) * _SPREAD
    shift[0] = 0.0
    shift_t = torch.as_tensor(shift)
    start = 0.5 * shift

    def target(flat: Array) -> tuple[float, Array]:
        theta = torch.as_tensor(flat.reshape(members, P))
        loss, gradient = loss_and_gradient(theta, Xt, yt, shape, prior)
        away = theta - shift_t
        total = float(loss.sum() + 0.5 * (away * away).sum())
        return total, (gradient + away).numpy().ravel()

    note, done = "", 0
    theta = start
    try:
        found = minimize(
            target,
            start.ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-6.0, 6.0)] * start.size,
            options={"maxiter": iterations, "maxcor": 20},
        )
        theta, done = found.x.reshape(members, P), int(found.nit)
    except NotPositiveDefiniteError as e:
        note = f"hyperparameters left at their prior: {e}"
        theta = np.zeros((1, P))
    return Fitted(Xt, yt, torch.as_tensor(theta), shape, prior, note, done)


def mixture(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the equal mixture of the members, shapes (m,)."""
    m = mean.mean(0)
    return m, (variance + (mean - m) ** 2).mean(0).sqrt()
