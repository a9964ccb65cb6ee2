"""The Pareto front of several losses and the volume that it dominates.

| symbol | shape | meaning |
| --- | --- | --- |
| m | | losses of a trial, all smaller is better |
| Y | (n, m) | losses of n trials |
| P | (k, m) | the front: rows of Y that no other row equals or beats in every loss |
| r | (m,) | reference point: what is worse than it in any loss counts for nothing |
| V(P, r) | | hypervolume: volume of what lies between the front and r |
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LEAST = 0.1
"""How far beyond the worst of the front r lies at least, as a share of the front's range."""


def on_front(Y: Array) -> NDArray[np.bool_]:
    """Which rows no other row beats: is as good in every loss and better in one; shape (n,). Equal rows all count."""
    no_worse = (Y[:, None, :] <= Y[None, :, :]).all(-1)
    better = (Y[:, None, :] < Y[None, :, :]).any(-1)
    return np.asarray(~(no_worse & better).any(0))


def reference(Y: Array) -> Array:
    """The reference point r for these losses, shape (m,): the front's worst plus 1 / H of its range, at least a tenth.

    H is the number of steps of an even grid of k points on a simplex, k - 1 for two losses; so an end of an even
    front is worth as much volume as a point inside it (Ishibuchi, Imada, Setoguchi & Nojima 2018, "How to specify a
    reference point in hypervolume calculation for fair performance comparison"). Where the front has no range, as with
    a single point, that of all rows counts.
    """
    P = np.unique(Y[on_front(Y)], axis=0)
    k, m = P.shape
    H = 1
    while math.comb(H + m, m - 1) <= k:
        H += 1
    worst, best = P.max(0), P.min(0)
    width = np.where(worst > best, worst - best, Y.max(0) - best)
    width = np.where(width > 0, width, 1.0)  # a loss that never varied: any width gives the same order
    # beside a large enough loss the width is a rounding error, and r would lie on the front: nothing would count
    return np.asarray(np.maximum(worst + max(1 / H, _LEAST) * width, np.nextafter(worst, np.inf)))


def volume(P: Array, r: Array) -> float:
    """V(P, r); 0 where no row of P is better than r in every loss. Sums slabs along the last loss."""
    P = P[(r > P).all(1)]
    if len(P) == 0:
        return 0.0
    if P.shape[1] == 1:
        return float(r[0] - P.min())
    if P.shape[1] == 2:
        first, second = P[np.argsort(P[:, 0])].T
        return float(np.diff(first, append=r[0]) @ (r[1] - np.minimum.accumulate(second)))
    cuts = np.unique(P[:, -1])
    widths = np.diff(cuts, append=r[-1])
    return sum(float(w) * volume(P[P[:, -1] <= low, :-1], r[:-1]) for low, w in zip(cuts, widths, strict=True))


def growth(before: Array, row: Array) -> tuple[float, float]:
    """By how much V grows when a row joins those before, shapes (n, m) and (m,), and V before; r of all of them."""
    Y = np.vstack([before, row])
    r = reference(Y)
    had = volume(before, r)
    return (0.0 if (before <= row).all(1).any() else volume(Y, r) - had), had
