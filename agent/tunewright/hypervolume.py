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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_USUAL = 1000
"""The product of all losses stays within 2 to this power, and 2 to minus this power: then so does each volume."""
_LEAST = 0.1
"""How far beyond the worst of the front r lies at least, as a share of the front's range."""


def on_front(Y: Array) -> NDArray[np.bool_]:
    """Which rows no other row beats: is as good in every loss and better in one; shape (n,). Equal rows all count."""
    n = len(Y)
    no_worse, better = np.ones((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    for column in Y.T:
        no_worse &= column[:, None] <= column
        better |= column[:, None] < column
    return np.asarray(~(no_worse & better).any(0))


def scaled(Y: Array) -> tuple[Array, NDArray[np.int_]]:
    """Y in units in which no volume is beyond all floats or below them, and log2 of the units, shape (m,).

    The units are 1 but for losses of such a size that a product of m of them is: those are near 1 in theirs.
    """
    exponents = np.frexp(np.abs(Y).max(0))[1].astype(int)
    exponents[np.abs(exponents) * Y.shape[1] < _USUAL] = 0
    return np.ldexp(Y, -exponents), exponents


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
    """V(P, r); 0 where no row of P is better than r in every loss.

    Sums what each row adds to those with a smaller last loss: all of it lies between its last loss and that of r, so
    that it is a volume in one loss less.
    """
    P = P[(r > P).all(1)]
    if len(P) == 0:
        return 0.0
    if P.shape[1] == 1:
        return float(r[0] - P.min())
    if P.shape[1] == 2:
        first, second = P[np.argsort(P[:, 0])].T
        return float(np.diff(first, append=r[0]) @ (r[1] - np.minimum.accumulate(second)))
    P = P[on_front(P)]
    P = P[np.argsort(P[:, -1], kind="stable")]
    heights = (r[-1] - P[:, -1]).tolist()
    return float(sum(h * added(P[:i, :-1], p[:-1], r[:-1]) for i, (p, h) in enumerate(zip(P, heights, strict=True))))


def added(P: Array, row: Array, r: Array) -> float:
    """By how much V(P, r) grows when a row joins P, shape (k, m), where k may be 0."""
    return float(np.prod(r - row)) - volume(np.maximum(P, row), r) if (r > row).all() else 0.0


def growth(before: Array, row: Array) -> tuple[float, float]:
    """By how much V grows when a row joins those before, shapes (n, m) and (m,), and V before; r of all of them.

    Both in the units of `scaled`.
    """
    Y, _ = scaled(np.vstack([before, row]))
    r = reference(Y)
    return (0.0 if (before <= row).all(1).any() else added(Y[:-1], Y[-1], r)), volume(Y[:-1], r)


@lru_cache(2048)
def _growth(before: bytes, row: bytes, m: int) -> tuple[float, float]:
    # each choice of a study goes through all trials anew, and what those before have added stays as it was
    return growth(np.frombuffer(before).reshape(-1, m), np.frombuffer(row))


class Front:
    """The front of rows that come one after another, so that none is compared with all before it.

    Args:
        m: losses of a row.
    """

    def __init__(self, m: int) -> None:
        self.rows: Array = np.zeros((0, m))
        self._worst = np.full(m, -np.inf)

    def covers(self, row: Array) -> bool:
        """Whether some row so far is as good in every loss."""
        return bool((self.rows <= row).all(1).any())

    def growth(self, row: Array) -> tuple[float, float]:
        """`growth` from all rows so far, of which there is one at least."""
        before = np.vstack([self.rows, self._worst])  # `reference` asks for the worst of all rows
        return _growth(before.tobytes(), row.tobytes(), len(row))

    def add(self, row: Array) -> None:
        """Take in a row."""
        self._worst = np.maximum(self._worst, row)
        if not self.covers(row):
            self.rows = np.vstack([self.rows[~(row <= self.rows).all(1)], row])
