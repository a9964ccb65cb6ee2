"""For scikit-learn: points as a list of one-point grids, the space as SciPy distributions for a randomized search."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.common import left_out, listed, no_form, no_relations, page, steps
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.space import Space
from tunewright_tools.base import Config

_MOST_INTEGERS = 10_000
_TARGET = "scikit-learn's randomized search"

Law = tuple[str, tuple[Any, ...]]
"""A distribution's name and arguments; `list` for values of equal chance."""


def grid(points: Iterable[Point]) -> list[dict[str, list[Any]]]:
    """One grid of one configuration for each point, in order, for `GridSearchCV` or `HalvingGridSearchCV`."""
    return [{name: [value] for name, value in point.config.items()} for point in points]


def space(card: TaskCard) -> list[dict[str, Any]]:
    """What `RandomizedSearchCV` draws from: a list of spaces, one for each setting of the choices with conditions.

    Each of them is drawn equally often, so that a choice whose values have further choices below them leans towards
    those.

    Raises:
        SpaceError: a logit scale, a relation, or a condition on a number, with the nearest thing there is.
    """
    return [{name: _frozen(law) for name, law in laws.items()} for laws in _spaces(card.space)]


def log_integers(low: int, high: int) -> Any:
    """Whole numbers from low to high, evenly on a log scale."""
    import numpy as np
    from scipy.stats import rv_discrete

    values = np.arange(low, high + 1)
    shares = np.log((values + 0.5) / (values - 0.5))
    return rv_discrete(values=(values, shares / shares.sum()))


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points` for a grid search, `space` for a randomized one."""
    start = '"""Starting points: GridSearchCV(estimator, points); after that RandomizedSearchCV(estimator, space)."""'
    given = listed("points", grid(points))
    try:
        found = _spaces(card.space)
    except SpaceError as e:
        return page(start, given, left_out(e))
    used = {name for laws in found for name, _ in laws.values()}
    scipy_names = sorted(used - {"list", "log_integers"})
    return page(
        start,
        f"from scipy.stats import {', '.join(scipy_names)}" if scipy_names else "",
        given,
        inspect.getsource(log_integers).replace(" -> Any:", ":").rstrip() if "log_integers" in used else "",
        listed("space", [_dict_code(laws) for laws in found]),
    )


def _dict_code(laws: dict[str, Law]) -> str:
    return "{" + ", ".join(f"{name!r}: {_code(law)}" for name, law in laws.items()) + "}"


def _code(law: Law) -> str:
    name, arguments = law
    return repr(list(arguments)) if name == "list" else f"{name}({', '.join(map(repr, arguments))})"


def _frozen(law: Law) -> Any:
    import scipy.stats

    name, arguments = law
    if name == "list":
        return list(arguments)
    return log_integers(*arguments) if name == "log_integers" else getattr(scipy.stats, name)(*arguments)


def _spaces(space: Space) -> list[dict[str, Law]]:
    no_relations(_TARGET, space, "the points alone, which fulfil it")
    return [
        {name: ("list", (fixed[name],)) if name in fixed else _law(space[name]) for name in space.active(fixed)}
        for fixed in _settings(space, {})
    ]


def _settings(space: Space, fixed: Config) -> Iterator[Config]:
    """Every setting of the active parameters that conditions ask for."""
    parents = {parent for p in space for parent in p.when}
    parent = next((name for name in space.active(fixed) if name in parents and name not in fixed), None)
    if parent is None:
        yield fixed
        return
    p = space[parent]
    if not isinstance(p, Choice):
        child = next(c.name for c in space if parent in c.when)
        raise no_form(_TARGET, child, f"a condition on the number {parent}", f"{parent} as a Choice of a few values")
    for value in p.choices:
        yield from _settings(space, {**fixed, parent: value})


def _law(p: Parameter) -> Law:
    values = p.choices if isinstance(p, Choice) else steps(_TARGET, p)
    if values is not None:
        return "list", tuple(values)
    match p:
        case Int() if p.log:
            if p.high - p.low > _MOST_INTEGERS:
                raise no_form(_TARGET, p.name, f"{p.high - p.low + 1} integers on a log scale", "a loguniform Float")
            return "log_integers", (p.low, p.high)
        case Int():
            return "randint", (p.low, p.high + 1)
        case Float() if p.log:
            return "loguniform", (p.low, p.high)
        case Float() if p.logit:
            raise no_form(_TARGET, p.name, "a logit scale", f"uniform({p.low!r}, {p.high - p.low!r})")
        case Float():
            return "uniform", (p.low, p.high - p.low)
    raise AssertionError(p)
