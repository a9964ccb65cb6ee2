"""The space in Optuna's words: one distribution for each parameter."""

from decimal import Decimal
from typing import TYPE_CHECKING

from tunewright.errors import StudyError
from tunewright.space import Choice, Float, Int, Parameter, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_EXACT = 2**53  # Optuna keeps every number as a double
_GRID = 1000


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """A distribution for each parameter of the space, conditions and relations left out: Optuna has none.

    Every value that the space accepts is inside. A logit scale becomes a plain one, powers of two become whole
    numbers: those exist in Optuna only as code.

    Raises:
        StudyError: a whole number beyond 2**53, which a double cannot tell from its neighbours.
    """
    return {p.name: distribution(p) for p in space}


def distribution(p: Parameter) -> "BaseDistribution":
    """The distribution of one parameter; see `distributions`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match p:
        case Choice():
            return CategoricalDistribution(tuple(p.choices))
        case Int():
            if max(abs(p.low), abs(p.high)) > _EXACT:
                raise StudyError(
                    f"{p.name!r} goes from {p.low} to {p.high}; the record keeps whole numbers exactly up to {_EXACT}",
                    "narrow its bounds, or declare it as a Float",
                )
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

    low, width = Decimal(str(p.low)), Decimal(str(p.high)) - Decimal(str(p.low))
    count = int(width // Decimal(str(step)))
    high = float(low + count * Decimal(str(step)))
    # Optuna moves an upper bound that is off the grid, with a warning: hand it one that is on it
    found = FloatDistribution(p.low, high, step=step)
    if count > _GRID or not all(found._contains(p.round(p.low + i * step)) for i in range(count + 1)):
        return None
    return found if p.round(p.high) <= high else None
