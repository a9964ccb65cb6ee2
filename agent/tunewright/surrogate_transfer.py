"""What earlier trials add to the surrogate: each earlier study a process of its own, believed as far as it agrees.

| symbol | shape | meaning |
| --- | --- | --- |
| f_i | | the standardised loss of earlier study i, a process fitted to its trials once |
| f | | the standardised loss of the study at hand: f = a + sum_i b_i f_i + s g |
| g | | what is this study's own: a process with mean 0, its hyperparameters fitted to the residuals |
| w_i | | weight of study i, 0 to 1; what is left to 1 is the weight of "no transfer" |
| b_i, a | | slopes and offset of the regression of z on the earlier means; b_i falls to 0 with w_i |
| s | | scale of the residuals, in units of z |

The form is that of Kennedy & O'Hagan 2000 (Biometrika 87, eq. 1: one code's output is a multiple of another's plus an
independent process); f_i stands in it with the mean and covariance that its own trials leave, so that regions which the
earlier study has not seen stay uncertain. The weights follow Feurer et al. 2018 (arXiv 1802.02219), over bootstrap
samples of the trials: how often study i orders the pairs of this study's trials better than every rival. The rival "no
transfer" is the better of this study's own process, each trial left out in turn, and a coin that is lucky by one
standard deviation (Kendall 1938: the fewer trials, the more of luck).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunewright import gp
from tunewright.card import TaskCard
from tunewright.earlier import LEARNED, Earlier, position
from tunewright.encoding import Encoding
from tunewright.gp import Fitted, Prior, Settings, Shape
from tunewright.targets import scale

Array = NDArray[np.float64]

FEWEST_PAST = 5
"""Values that an earlier study needs before it is modelled; with fewer it gives starting points alone."""
FEWEST = 3
"""Values of this study before an earlier one is weighed; one of the very same task is believed from the second on."""
_DRAWS = 256
_BELIEF = 5.0
"""Trials' worth of agreement that a study of the very same task is given in advance."""
_RIDGE = 0.5
_PRIOR_SIZE = 3.0
"""Trials' worth of belief that the residuals are as large as the values themselves."""
_NEGLIGIBLE = 0.05
"""Weights and slopes below this are no transfer."""
_ITERATIONS = 40


@dataclass(frozen=True)
class Base:
    """The process of one earlier study."""

    name: str
    model: Fitted
    same_task: bool


class Transfer:
    """The processes of earlier studies; made once a session, since they never change.

    Args:
        card: with one metric; with several nothing is modelled (`note` says so).
        sets: the earlier studies.
        seed: of the study.
    """

    def __init__(self, card: TaskCard, sets: Sequence[Earlier], seed: int) -> None:
        self.note = ""
        self.bases: list[Base] = []
        if len(card.metrics) > 1 and sets:
            self.note = "earlier trials are starting points alone where a card has several metrics"
            return
        encoding = Encoding(card.space)
        for i, one in enumerate(sets):
            if one.n_done >= FEWEST_PAST:
                self.bases.append(_base(card, encoding, one, np.random.default_rng([seed, i])))

    def joined(self, plain: Fitted, rng: np.random.Generator) -> "tuple[Fitted | Joined, dict[str, float]]":
        """The study's process with what earlier ones add, and the weight of each; `plain` where they add nothing.

        Args:
            plain: fitted to this study's trials alone.
            rng: of the bootstrap and of the residuals' process.
        """
        none = dict.fromkeys((b.name for b in self.bases), 0.0)
        n = len(plain.y)
        if not self.bases or n < (2 if any(b.same_task for b in self.bases) else FEWEST):
            return plain, none
        y = plain.y.numpy()
        means = np.stack([b.model.posterior(plain.X)[0][0].numpy() for b in self.bases])
        weights = self._weights(y, means, plain.left_out().numpy(), rng)
        agreement = {b.name: float(w) for b, w in zip(self.bases, weights, strict=True)}
        total = float(weights.sum())
        if total < _NEGLIGIBLE:
            return plain, agreement
        mixed = weights @ means / total
        centred = mixed - mixed.mean()
        slope = total * float(centred @ y / (centred @ centred + _RIDGE))
        if slope < _NEGLIGIBLE:
            return plain, {**none}
        residual = y - slope * mixed
        offset = float(residual.mean())
        residual = residual - offset
        size = float(np.sqrt((residual @ residual + _PRIOR_SIZE) / (n + _PRIOR_SIZE)))
        own = gp.fit(
            plain.X.numpy(),
            residual / size,
            plain.shape,
            plain.prior,
            members=plain.members,
            iterations=_ITERATIONS,
            rng=rng,
        )
        slopes = [slope * float(w) / total for w in weights]
        parts = [(b.model, s) for b, s in zip(self.bases, slopes, strict=True) if s > 0]
        return Joined(plain.X, plain.y, plain, own, parts, offset, size), agreement

    def _weights(self, y: Array, means: Array, left_out: Array, rng: np.random.Generator) -> Array:
        n = len(y)
        found = rank_weights(y, means, left_out, rng) if n >= FEWEST else np.zeros(len(means))
        believed = np.array([b.same_task for b in self.bases])
        share = (_BELIEF / believed.sum() + n * found) / (_BELIEF + n) if believed.any() else found
        weights = np.where(believed, share, found)
        return np.asarray(weights / max(float(weights.sum()), 1.0))


def rank_weights(y: Array, means: Array, left_out: Array, rng: np.random.Generator) -> Array:
    """How often each earlier study orders the trials best, shape (k,); the rest to 1 is for "no transfer".

    Args:
        y: values of this study's trials, shape (n,).
        means: what each earlier study expects of them, shape (k, n).
        left_out: what this study's own process expects of each when it is left out, shape (n,).
        rng: of the bootstrap.
    """
    n = len(y)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=_DRAWS).astype(float)
    differ = y[:, None] != y[None, :]

    def losses(wrong: Array) -> Array:
        return np.asarray(((counts @ wrong) * counts).sum(1))

    luck = np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))  # standard deviation of Kendall's tau of unrelated orders
    coin = losses(0.5 * (1 - luck) * differ)
    own = np.minimum(losses(_wrong(left_out, y)), coin)
    theirs = np.stack([losses(_wrong(m, y)) for m in means])
    # clearly worse than this study's own process: no part in the draws, however many such studies there are
    theirs[np.median(theirs, axis=1) > np.quantile(own, 0.95)] = np.inf
    best = np.minimum(theirs.min(0), own)
    # a draw in which nothing is better than no transfer is one for no transfer
    first = (theirs == best) & (theirs < own)
    shared = first / np.maximum(first.sum(0), 1)
    return np.asarray(shared.mean(1))


def _wrong(f: Array, y: Array) -> Array:
    """Which pairs f orders otherwise than y, 1/2 where f ties, shape (n, n)."""
    gap, truth = np.sign(f[:, None] - f[None, :]), np.sign(y[:, None] - y[None, :])
    return np.asarray(np.where(truth == 0, 0.0, 0.5 * np.abs(gap - truth)))


def _base(card: TaskCard, encoding: Encoding, one: Earlier, rng: np.random.Generator) -> Base:
    done = [t for t in one.trials if t.done]
    losses = np.array([card.primary.loss(t.metrics[card.primary.name]) for t in done])
    if len(done) > LEARNED:
        order = np.argsort(losses, kind="stable")
        rest = order[LEARNED // 2 :]
        spread = rest[np.linspace(0, len(rest) - 1, LEARNED - LEARNED // 2).astype(int)]
        kept = np.sort(np.concatenate([order[: LEARNED // 2], spread]))
        done, losses = [done[i] for i in kept], losses[kept]
    X = encoding.encode([t.config for t in done])
    for g, p in enumerate(card.space):  # a parameter's own columns are the group of its place
        for row, t in enumerate(done):
            if not t.runnable and p.name in t.config:
                u = position(p, t.config[p.name])
                if u is not None:
                    X[row, encoding.groups == g] = u
    fitted = gp.fit(
        X,
        scale(losses).forward(losses),
        Shape(encoding.groups),
        Prior.for_groups(encoding.n_groups),
        members=1,
        iterations=_ITERATIONS,
        rng=rng,
    )
    return Base(one.name, fitted, one.same_task)


@dataclass
class Joined:
    """A process with earlier ones in it; asked as `gp.Fitted` is, S members together."""

    X: Tensor
    y: Tensor
    plain: Fitted
    """This study's trials alone: what its parameters' relevance is read from."""
    own: Fitted
    """g, fitted to the residuals."""
    parts: Sequence[tuple[Fitted, float]]
    """Each f_i (one member) with its slope b_i."""
    offset: float
    size: float
    settings: Settings = field(init=False)
    L: Tensor = field(init=False)
    alpha: Tensor = field(init=False)

    def __post_init__(self) -> None:
        noise = self.size**2 * self.own.settings.noise
        self.settings = replace(self.plain.settings, noise=noise)
        self._halves = [_half(model, self.X) for model, _ in self.parts]
        mean, K, _ = self._before(self.X)
        K = K.clone()
        K.diagonal(dim1=-2, dim2=-1).add_(noise.view(-1, 1) + 1e-8)
        self.L = gp.cholesky(K)
        y = self.y.expand(self.members, -1) if self.y.dim() == 1 else self.y
        self.alpha = torch.cholesky_solve((y - mean).unsqueeze(-1), self.L).squeeze(-1)

    @property
    def members(self) -> int:
        return self.own.members

    @property
    def note(self) -> str:
        """What went otherwise than planned in the fits."""
        return "; ".join(dict.fromkeys(n for n in (self.plain.note, self.own.note) if n))

    def _before(self, A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Before this study's values are seen: the mean (m,), the covariance with X (S, m, n), the variance (S, m)."""
        mean = torch.full((len(A),), self.offset, dtype=torch.double)
        cross = self.size**2 * self.own.settings.covariance(A, self.X)
        variance = self.size**2 * self.own.settings.signal.unsqueeze(-1).expand(-1, len(A))
        for (model, slope), half in zip(self.parts, self._halves, strict=True):
            mine = _half(model, A)
            seen = model.settings.covariance(A, self.X)[0] - mine.T @ half
            mean = mean + slope * model.posterior_mean(A)[0]
            cross = cross + slope**2 * seen
            variance = variance + slope**2 * (model.settings.signal[0] - (mine * mine).sum(0)).clamp_min(0.0)
        return mean, cross, variance

    def posterior(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the noise-free value under each member, shapes (S, m)."""
        mean, cross, variance = self._before(X)
        half = torch.linalg.solve_triangular(self.L, cross.transpose(-1, -2), upper=False)
        mean = mean + (cross @ self.alpha.unsqueeze(-1)).squeeze(-1)
        return mean, (variance - (half * half).sum(-2)).clamp_min(1e-12)

    def believing(self, X: Tensor) -> "Joined":
        """The process after the rows of X were seen at their own posterior means ("kriging believer")."""
        if len(X) == 0:
            return self
        mean, _ = self.posterior(X)
        y = self.y.expand(self.members, -1) if self.y.dim() == 1 else self.y
        return replace(self, X=torch.cat([self.X, X]), y=torch.cat([y, mean], 1))


def _half(model: Fitted, A: Tensor) -> Tensor:
    """L^-1 k(X, A) of a process with one member, shape (N, m)."""
    k = model.settings.covariance(model.X, A)[0]
    half: Tensor = torch.linalg.solve_triangular(model.L[0], k, upper=False)
    return half
