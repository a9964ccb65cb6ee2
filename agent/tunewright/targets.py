"""Values made fit for a Gaussian process: the bad tail is tamed, the good half keeps its resolution; and back.

| symbol | shape | meaning |
| --- | --- | --- |
| loss | (n,) | the metric, smaller is better, on the person's scale |
| z | (n,) | the same, standardised and warped; what the process predicts |
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """A rising piecewise linear map between losses and standardised losses; straight beyond its ends."""

    losses: Array
    """(k,) knots, strictly rising."""
    z: Array
    """(k,) their standardised values, strictly rising; one knot stands for values that are all equal."""
    unit: float
    """Loss per unit of z below the first knot."""

    def forward(self, losses: Array) -> Array:
        """Standardised values, same shape."""
        return self._map(np.asarray(losses, dtype=float), self.losses, self.z, 1 / self.unit)

    def back(self, z: Array) -> Array:
        """Losses on the person's scale, same shape."""
        return self._map(np.asarray(z, dtype=float), self.z, self.losses, self.unit)

    def _map(self, x: Array, xs: Array, ys: Array, below: float) -> Array:
        above = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2]) if len(xs) > 1 else below
        inside = np.interp(x, xs, ys)
        out = np.where(x < xs[0], ys[0] + below * (x - xs[0]), inside)
        return np.asarray(np.where(x > xs[-1], ys[-1] + above * (x - xs[-1]), out))


def scale(losses: Array) -> Scale:
    """The map for these losses: the better half is divided by its own spread, the worse half takes normal quantiles.

    The spread is the root mean square distance of the better half from the median, the quantiles those of the ranks
    ("half-rank warping", Song et al. 2024, The Vizier Gaussian process bandit, arXiv 2408.11527, section 3.1). The
    whole is then shifted and scaled to mean 0 and variance 1. Equal losses stay equal.
    """
    knots, counts = np.unique(np.asarray(losses, dtype=float), return_counts=True)
    if len(knots) == 1:
        return Scale(knots, np.zeros(1), max(abs(float(knots[0])), 1.0))
    median = float(np.median(losses))
    better = np.asarray(losses)[np.asarray(losses) <= median]
    unit = float(np.sqrt(np.mean((better - median) ** 2)))
    if unit <= 1e-12 * abs(median):
        # at least half of the losses tie with the best: nothing to keep apart there, the others give the unit
        unit = float(np.median(knots[knots > median] - median))
    z = (knots - median) / unit
    quantile = norm.ppf((rankdata(losses, "average") - 0.5) / len(losses))
    by_knot = np.array([quantile[np.asarray(losses) == k].mean() for k in knots])
    worse = knots > median
    # ranks stretch as well as shrink: a bad tail is only ever pulled in
    z[worse] = np.minimum(z[worse], np.maximum(by_knot[worse], 0.0) + 1e-3 * np.arange(1, worse.sum() + 1))
    z = np.maximum.accumulate(z + 1e-12 * np.arange(len(z)))
    weights = counts / counts.sum()
    centre = float(weights @ z)
    size = float(np.sqrt(weights @ (z - centre) ** 2))
    return Scale(knots, (z - centre) / size, unit * size)
