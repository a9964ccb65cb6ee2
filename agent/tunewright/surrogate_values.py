"""What a surrogate's processes are fitted to: encoded configurations, and losses standardised.

X has shape (n, D), z (n, metrics), target (n,); the last `n_stopped` rows are runs that were stopped early, at what
`stopped` expects of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.card import TaskCard
from tunewright.encoding import Encoding
from tunewright.stopped import stopped_losses
from tunewright.targets import Scale, scale
from tunewright.trial import Trial

Array = NDArray[np.float64]

_RHO = 0.05
"""Weight of the sum in the augmented Chebyshev scalarisation (Knowles 2006, ParEGO, eq. 2)."""


@dataclass(frozen=True)
class Values:
    """Encoded configurations and their standardised losses."""

    encoding: Encoding
    done: list[Trial]
    metrics: list[dict[str, Any]]
    """Of each done trial."""
    X: Array
    z: Array
    target: Array
    """z of one metric; of several a scalarisation whose weights are drawn."""
    scale: Scale
    """Of the first metric."""
    n_stopped: int
    left_out: int
    """Done trials without a finite value of each metric."""


def values_of(card: TaskCard, trials: Sequence[Trial], rng: np.random.Generator) -> Values | None:
    """The values among these trials; None while fewer than two are done.

    Args:
        rng: draws the weights between several metrics.
    """
    done = [t for t in trials if t.done and t.outcome and _finite(t.outcome.metrics, card)]
    if len(done) < 2:
        return None
    encoding = Encoding(card.space)
    X = encoding.encode_ran([t.config for t in done])
    metrics = [dict(t.outcome.metrics) for t in done if t.outcome]
    losses = np.array([[m.loss(row[m.name]) for m in card.metrics] for row in metrics])
    stopped = stopped_losses(card, [*done, *(t for t in trials if not t.done)])
    if stopped:  # the last rows: never feasible, so that none of them is the incumbent
        X = np.concatenate([X, encoding.encode_ran([t.config for t, _ in stopped])])
        losses = np.concatenate([losses, np.array([[loss] for _, loss in stopped])])
    scales = [scale(column) for column in losses.T]
    z = np.stack([s.forward(column) for s, column in zip(scales, losses.T, strict=True)], axis=1)
    target = z[:, 0] if z.shape[1] == 1 else _scalarised(z, rng)
    left_out = sum(t.done for t in trials) - len(done)
    return Values(encoding, done, metrics, X, z, target, scales[0], len(stopped), left_out)


def _finite(metrics: Mapping[str, float], card: TaskCard) -> bool:
    return all(math.isfinite(metrics.get(m.name, math.nan)) for m in card.metrics)


def _scalarised(z: Array, rng: np.random.Generator) -> Array:
    """One loss of several: augmented Chebyshev with random weights, a new draw at each trial (Knowles 2006, eq. 2)."""
    weights = rng.dirichlet(np.ones(z.shape[1]))
    low = z.min(0)
    weighted = weights * (z - low)
    total = weighted.max(1) + _RHO * weighted.sum(1)
    return scale(total).forward(total)
