"""scikit-learn's way to state a space, `{name: distribution or list}`, as a space of ours."""

from collections.abc import Mapping
from typing import Any

from tunewright.errors import SpaceError
from tunewright.integrations.foreign import Foreign, choice, identifiers
from tunewright.numeric import Float, Int
from tunewright.parameters import Parameter
from tunewright.space import Space
from tunewright_tools.base import Config

_TAKEN = "give a Space, a list of parameters, or a mapping of names to lists and SciPy distributions"


class SearchSpace:
    """A space of ours and scikit-learn's words for its parameters.

    Args:
        given: a `Space`; a list of parameters; or a mapping of names to lists of values and frozen SciPy distributions
            (uniform, loguniform, randint), as `RandomizedSearchCV` takes it.

    Raises:
        SpaceError: it is none of these, or a distribution has no bounds.
    """

    def __init__(self, given: Any) -> None:
        self.fixed: Config = {}
        """Parameters with one value."""
        match given:
            case Space():
                found = [Foreign(p.name, p) for p in given]
                self.space = given
            case Mapping():
                names = identifiers(given)
                self.fixed = {n: next(iter(v)) for n, v in given.items() if _listed(v) and len(v) == 1}
                found = [_parameter(names[n], n, v) for n, v in given.items() if n not in self.fixed]
                self.space = Space(*(f.parameter for f in found))
            case list() | tuple() if given and all(isinstance(p, Parameter) for p in given):
                found = [Foreign(p.name, p) for p in given]
                self.space = Space(*given)
            case _:
                raise SpaceError(f"the space is {type(given).__name__} {given!r:.60}", _TAKEN)
        self._foreign = {f.parameter.name: f for f in found}

    def params(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration as `set_params` takes it."""
        chosen = {self._foreign[name].name: self._foreign[name].theirs(value) for name, value in config.items()}
        return {**self.fixed, **chosen}


def _listed(value: Any) -> bool:
    return not hasattr(value, "rvs") and not isinstance(value, str) and hasattr(value, "__len__")


def _parameter(name: str, foreign: str, value: Any) -> Foreign:
    if _listed(value):
        if len(value) == 0:
            raise SpaceError(f"{foreign!r} has no values", "list one or more")
        return choice(name, foreign, list(value))
    kind = getattr(getattr(value, "dist", None), "name", None)
    if kind is None:
        raise SpaceError(f"{foreign!r} is {value!r}", _TAKEN)
    low, high = value.support()
    match kind:
        case "uniform":
            return Foreign(foreign, Float(name, float(low), float(high)))
        case "loguniform" | "reciprocal":
            return Foreign(foreign, Float(name, float(low), float(high), log=True))
        case "randint":
            return _whole(name, foreign, int(low), int(high))
    raise SpaceError(
        f"{foreign!r} is drawn from {kind}, which has no scale here",
        "use uniform, loguniform, randint or a list; or a Space with Float, Int and Choice",
    )


def _whole(name: str, foreign: str, low: int, high: int) -> Foreign:
    if low == high:
        raise SpaceError(f"{foreign!r} takes {low} alone", f"write [{low}]")
    return Foreign(foreign, Int(name, low, high))
