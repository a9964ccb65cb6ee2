"""For scikit-optimize: points as `x0`, finished trials as `y0` or told, the space as dimensions."""

from collections.abc import Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import Call, made
from tunewright.export.common import (
    configs,
    left_out,
    listed,
    native,
    no_conditions,
    no_logit,
    no_relations,
    only_metric,
    page,
    steps,
    valued,
)
from tunewright.parameters import Choice, Int, Parameter
from tunewright.points import Point
from tunewright.trial import Trial
from tunewright_tools.base import Config

_TARGET = "scikit-optimize"


def x0(points: Iterable[Point], card: TaskCard) -> list[list[Any]]:
    """The points as lists of values in the order of the dimensions; `gp_minimize` and its kin run them first.

    Raises:
        SpaceError: the card has conditions; a list has no place for a value that is not there.
    """
    no_conditions(_TARGET, card.space)
    return [[config[name] for name in card.space.names] for config in configs(points)]


def evaluated(card: TaskCard, trials: Iterable[Trial]) -> tuple[list[list[Any]], list[float]]:
    """Finished trials as `x0` and `y0`, which do not run again; y0 is negated where the metric is to be large.

    Failed trials, and those that break a constraint of the card, are left out.

    Raises:
        StudyError: several metrics.
        SpaceError: the card has conditions.
    """
    metric = only_metric(_TARGET, card)
    known = valued(card, trials)
    rows = x0([Point(trial.config, trial.source) for trial, _ in known], card)
    return rows, [metric.loss(value) for _, value in known]


def tell(card: TaskCard, trials: Iterable[Trial], optimizer: Any) -> int:
    """How many finished trials a `skopt.Optimizer` was told; see `evaluated`."""
    rows, losses = evaluated(card, trials)
    if rows:
        optimizer.tell(rows, losses)
    return len(rows)


def config(values: Sequence[Any], card: TaskCard) -> Config:
    """The configuration of a list of values that scikit-optimize proposed, in Python's own types."""
    return native(dict(zip(card.space.names, values, strict=True)))


def space(card: TaskCard) -> list[Any]:
    """A dimension for each parameter; powers of two and steps are a choice between them.

    Raises:
        SpaceError: a logit scale, a condition or a relation, with the nearest thing that scikit-optimize has.
    """
    return list(made(_dimensions(card)))


def _dimensions(card: TaskCard) -> list[Call]:
    no_conditions(_TARGET, card.space)
    no_relations(_TARGET, card.space, "`space_constraint` of gp_minimize, a function of your own")
    return [_dimension(p) for p in card.space]


def _dimension(p: Parameter) -> Call:
    no_logit(_TARGET, p, "Real")
    values = list(p.choices) if isinstance(p, Choice) else steps(_TARGET, p)
    if values is not None:
        return Call("skopt.space", "Categorical", (values,), {"name": p.name})
    kind = "Integer" if isinstance(p, Int) else "Real"
    prior = {"prior": "log-uniform"} if p.log else {}  # type: ignore[attr-defined]
    return Call("skopt.space", kind, (p.low, p.high), {**prior, "name": p.name})  # type: ignore[attr-defined]


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space` and `x0`."""
    sign = "" if card.primary.direction == "minimize" else "; the objective returns the negated metric"
    start = f'"""Starting points: skopt.gp_minimize(objective, space, x0=x0){sign}."""'
    try:
        dimensions = _dimensions(card)
    except SpaceError as e:
        return page(start, listed("points", configs(points)), left_out(e))
    return page(
        start,
        f"from skopt.space import {', '.join(sorted({d.name for d in dimensions}))}",
        listed("points", configs(points)),
        listed("space", dimensions),
        "x0 = [[point[dimension.name] for dimension in space] for point in points]",
    )
