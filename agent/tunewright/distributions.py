"""The space in Optuna's words: one distribution for each parameter."""

from decimal import Decimal
from typing import TYPE_CHECKING

from tunewright.space import Choice, Float, Int, Parameter, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_GRID = 1000


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """A distribution for each parameter of the space, conditions and relations left out: Optuna has none.

    Every value that the space accepts is inside. A logit scale becomes a plain one, powers of two become whole
    numbers: those exist in Optuna only as code.
    """
    return {p.name: distribution(p) for p in space}


def distribution(p: Parameter) -> "BaseDistribution":
    """The distribution of one parameter; see `distributions`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match p:
        case Choice():
            return CategoricalDistribution(tuple(p.choices))
        case Int():
            step = p.step or 1
            return IntDistribution(p.low, p.low + (p.high - p.low) // step * step, log=p.log, step=step)
        case Float():
            if p.step is not None:
                stepped = _stepped(p, p.step)
                if stepped is not None:
                    return stepped
            return FloatDistribution(p.low, p.high, log=p.log)
    raise TypeError(f"{p!r} is no parameter that Optuna has a distribution for")


def _stepped(p: Float, step: float) -> "BaseDistribution | None":
    """The distribution with its step; None where rounding puts a value of the grid outside of it in Optuna's eyes."""
    from optuna.distributions import FloatDistribution

    low, grid = Decimal(str(p.low)), Decimal(str(step))
    count = int((Decimal(str(p.high)) - low) // grid)
    high = float(low + count * grid)
    # Optuna counts in decimals and moves an upper bound that is off the grid, with a warning: hand it one that is on it
    if (Decimal(str(high)) - low) % grid:
        return None
    found = FloatDistribution(p.low, high, step=step)
    if count > _GRID or not all(found._contains(p.round(p.low + i * step)) for i in range(count + 1)):
        return None
    return found if p.round(p.high) <= high else None
