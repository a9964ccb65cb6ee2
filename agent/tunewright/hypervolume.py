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
    return np.asarray(worst + max(1 / H, _LEAST) * width)


def boxes(P: Array, r: Array) -> tuple[Array, Array]:
    """What lies below r and is not dominated by P, as disjoint boxes: lower and upper corners, each (B, m).

    Lower corners may be -inf. Cut into slabs along the last loss, each of them one dimension lower the same way, and a
    box that goes on in the next slab is one box; for two losses these are the k + 1 strips of Emmerich et al. 2011.
    `P` may hold dominated rows.
    """
    P = P[(r > P).all(1)]
    if P.shape[1] == 1:
        return np.full((1, 1), -np.inf), np.array([[min(P[:, 0], default=r[0])]])
    cuts = np.unique(P[:, -1]).tolist()
    since: dict[tuple[tuple[float, ...], tuple[float, ...]], float] = {}
    lowers, uppers = [], []
    for low in [-math.inf, *cuts, float(r[-1])]:
        here = []
        if low < r[-1]:
            lower, upper = boxes(P[P[:, -1] <= low, :-1], r[:-1])
            here = list(zip(map(tuple, lower.tolist()), map(tuple, upper.tolist()), strict=True))
        for box in since.keys() - here:
            lowers.append([*box[0], since.pop(box)])
            uppers.append([*box[1], low])
        for box in here:
            since.setdefault(box, low)
    order = np.lexsort(np.array(lowers).T)
    return np.array(lowers)[order], np.array(uppers)[order]


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


def contributions(P: Array, r: Array) -> Array:
    """By how much V(P, r) would shrink without each row, shape (k,); 0 for a row that is dominated or there twice."""
    whole = volume(P, r)
    lost = np.zeros(len(P))
    for i in np.flatnonzero(on_front(P)):
        lost[i] = whole - volume(np.delete(P, i, axis=0), r)
    return lost
