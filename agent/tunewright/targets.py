"""Values made fit for a Gaussian process: the bad tail is tamed, the good half keeps its resolution; and back.

| symbol | shape | meaning |
| --- | --- | --- |
| loss | (n,) | the metric, smaller is better, on the person's scale |
| z | (n,) | the same, standardised, its bad tail pulled in; what the process predicts |
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FAR = 2.0
"""Units above the median from which on a loss is only bad, however bad."""

_LARGEST = float(np.finfo(float).max)
_LARGE, _SMALL = 1000, -900
"""Log2 of the largest loss between which losses are taken as they are: differences, sums and the unit are floats."""
_ROOM = 4
"""Log2 of the unit of larger ones."""


@dataclass(frozen=True)
class Scale:
    """A rising piecewise linear map between losses and standardised losses; straight beyond its ends."""

    losses: Array
    """(k,) knots, strictly rising, in units of 2 to the power of `exponent`."""
    z: Array
    """(k,) their standardised values, strictly rising; one knot stands for values that are all equal."""
    unit: float
    """Loss per unit of z below the first knot, in the unit of the knots."""
    exponent: int = 0
    """0 but for losses of such a size that their differences, sums or unit would be no floats."""

    def forward(self, losses: Array) -> Array:
        """Standardised values, same shape."""
        x = np.ldexp(np.asarray(losses, dtype=float), -self.exponent)
        return self._map(x, self.losses, self.z, 1 / self.unit)

    def back(self, z: Array) -> Array:
        """Losses on the person's scale, same shape."""
        out = self._map(np.asarray(z, dtype=float), self.z, self.losses, self.unit)
        with np.errstate(over="ignore"):
            return np.asarray(np.clip(np.ldexp(out, self.exponent), -_LARGEST, _LARGEST))

    def _map(self, x: Array, xs: Array, ys: Array, below: float) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # a loss may be as large as a double can be
            above = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2]) if len(xs) > 1 else below
            inside = np.interp(x, xs, ys)
            out = np.where(x < xs[0], ys[0] + below * (x - xs[0]), inside)
            out = np.where(x > xs[-1], ys[-1] + above * (x - xs[-1]), out)
        return np.asarray(np.clip(out, -_LARGEST, _LARGEST))


def scale(losses: Array) -> Scale:
    """The map for these losses: standardised, with the bad tail pulled in. Equal losses stay equal.

    A loss more than two units above the median, where a unit is the spread of the better half, is moved to between
    two and four units, so that no bad value, however large, takes the resolution from the good ones.
    """
    values = np.asarray(losses, dtype=float)
    knots, counts = np.unique(values, return_counts=True)
    if len(knots) == 1:
        return Scale(knots, np.zeros(1), max(abs(float(knots[0])), 1.0))
    exponent = _exponent(knots)
    values, knots = np.ldexp(values, -exponent), np.ldexp(knots, -exponent)
    median = float(np.median(values))
    unit = _size(values[values <= median] - median)
    above = knots[knots > median]
    if unit <= 1e-12 * abs(median) and len(above):
        # at least half of the losses tie with the best: nothing to keep apart there, the others give the unit
        unit = float(np.median(above - median))
    with np.errstate(over="ignore"):
        z = np.minimum((knots - median) / unit, _LARGEST)
    far = np.maximum(z - _FAR, 0.0)
    z = np.where(far > 0, _FAR + far / (1 + far / _FAR), z)
    z = z + 1e-9 * np.arange(len(z))  # knots that a double can no longer tell apart stay in order
    weights = counts / counts.sum()
    centre = float(weights @ z)
    size = float(np.sqrt(weights @ (z - centre) ** 2))
    return Scale(knots, (z - centre) / size, unit * size, exponent)


def _exponent(losses: Array) -> int:
    """Log2 of the unit in which these losses are taken: large ones made a little smaller, small ones near 1."""
    _, size = np.frexp(np.abs(losses).max())
    return _ROOM if size > _LARGE else int(size) if size < _SMALL else 0


def _size(values: Array) -> float:
    """The root of their mean square, without overflow and underflow on the way."""
    _, exponent = np.frexp(np.abs(values).max())
    return float(np.ldexp(np.sqrt(np.mean(np.ldexp(values, -exponent) ** 2)), exponent))
