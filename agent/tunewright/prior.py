"""A model's stated prior as a generator of candidates. It multiplies nothing: the surrogate judges what comes out."""

from typing import TYPE_CHECKING

from tunewright.reply import Prior
from tunewright.space import Space
from tunewright_tools.base import Config

if TYPE_CHECKING:
    import numpy as np

_WIDTH_80 = 2.563  # an 80% interval of a normal distribution is this many standard deviations wide
_NARROWEST = 0.02


def candidates(space: Space, prior: Prior, n: int, rng: "np.random.Generator") -> list[Config]:
    """Up to n configurations drawn from the prior: on each parameter's scale, a normal distribution cut at the bounds.

    Parameters without a stated view are uniform. Draws that break a relation are left out.
    """
    import numpy as np

    units = rng.random((n, len(space)))
    for j, p in enumerate(space):
        if p.name not in prior:
            continue
        view = prior[p.name]
        # an interval may be stated past the bounds; only its part inside them says how wide to draw
        inside = [min(max(view[key], p.low), p.high) for key in ("guess", "low", "high")]  # type: ignore[attr-defined]
        centre, low, high = p.to_unit([p.round(v) for v in inside])
        spread = max((high - low) / _WIDTH_80, _NARROWEST)
        drawn = rng.normal(centre, spread, size=(8, n))
        fits = (drawn >= 0) & (drawn <= 1)
        first = np.argmax(fits, axis=0)
        column = drawn[first, np.arange(n)]
        units[:, j] = np.where(fits.any(axis=0), column, units[:, j])
    return [c for c in space.from_unit(units) if space.fulfils(c)]
