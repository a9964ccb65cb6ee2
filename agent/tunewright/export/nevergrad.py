"""For Nevergrad: points suggested, finished trials told, the space as a parametrization with nested choices."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import Call, made
from tunewright.export.common import (
    branches,
    configs,
    flat,
    left_out,
    listed,
    no_logit,
    no_relations,
    only_metric,
    page,
    settled,
    steps,
    valued,
)
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.space import Space
from tunewright.trial import Trial
from tunewright_tools.base import Config

_TARGET = "Nevergrad"


def suggest(points: Iterable[Point], card: TaskCard, optimizer: Any) -> None:
    """Put the points in line: the optimizer's next `ask`s give them, in order."""
    for values in reversed(configs(points)):  # Nevergrad asks for the last suggestion first
        optimizer.suggest(nested(values, card))


def tell(card: TaskCard, trials: Iterable[Trial], optimizer: Any) -> int:
    """How many finished trials an optimizer was told, as losses: negated where the metric is to be large.

    Failed trials, and those that break a constraint of the card, are left out.

    Raises:
        StudyError: several metrics.
    """
    metric = only_metric(_TARGET, card)
    known = valued(card, trials)
    for trial, value in known:
        candidate = optimizer.parametrization.spawn_child(new_value=nested(trial.config, card))
        optimizer.tell(candidate, metric.loss(value))
    return len(known)


def nested(config: Config, card: TaskCard) -> dict[str, Any]:
    """The configuration as `space` has it: a choice with conditions below it holds itself and what depends on it."""
    return _nested(card.space, config, [p for p in card.space if not p.when])


def _nested(space: Space, config: Config, parameters: Iterable[Parameter]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for p in parameters:
        value = config[p.name]
        below = branches(_TARGET, space, p)
        if below:
            children = [c for c in space if p.name in c.when and c.name in config]
            value = {p.name: value, **_nested(space, config, children)}
        found[p.name] = value
    return found


def config(value: dict[str, Any], card: TaskCard) -> Config:
    """The configuration of a candidate's `value`; an inactive parameter is absent.

    Nevergrad scales what it is given and back; real numbers on a scale are cut to 15 digits, without those rounding
    errors.
    """
    return settled(flat(value), card.space)


def space(card: TaskCard) -> Any:
    """A parametrization (`ng.p.Dict`); powers of two, steps and ordered choices move to neighbours.

    Raises:
        SpaceError: a logit scale, a relation, or a condition on several parameters or on a number, with the nearest
            thing that Nevergrad has.
    """
    return made(_space(card))


def _space(card: TaskCard) -> Call:
    no_relations(_TARGET, card.space, "`register_cheap_constraint` of the parametrization, which it may break")
    return _dict(card.space, [p.name for p in card.space if not p.when], {})


def _dict(space: Space, names: Sequence[str], fixed: dict[str, Any]) -> Call:
    return Call("nevergrad", "p.Dict", (), {**fixed, **{name: _parameter(space, space[name]) for name in names}})


def _parameter(space: Space, p: Parameter) -> Call:
    no_logit(_TARGET, p, "p.Scalar")
    values = list(p.choices) if isinstance(p, Choice) else steps(_TARGET, p)
    if values is not None:
        ordered = not isinstance(p, Choice) or p.ordered
        below = branches(_TARGET, space, p)
        options = [_dict(space, names, {p.name: value}) for value, names in below] or values
        return Call("nevergrad", "p.TransitionChoice" if ordered else "p.Choice", (options,))
    branches(_TARGET, space, p)  # raises where something depends on the number
    assert isinstance(p, Int | Float)
    then = "set_integer_casting" if isinstance(p, Int) else ""
    return Call("nevergrad", "p.Log" if p.log else "p.Scalar", (), {"lower": p.low, "upper": p.high}, then)


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space`, `flat`, and `in_line(optimizer)`, after which the points come out first."""
    start = '"""Starting points: in_line(ng.optimizers.NGOpt(space, budget=30)); `flat(value)` is a configuration."""'
    try:
        parametrization = _space(card)
    except SpaceError as e:
        return page(start, listed("points", configs(points)), left_out(e))
    return page(
        start,
        "from nevergrad import p",
        listed("points", [nested(values, card) for values in configs(points)]),
        f"space = {parametrization!r}",
        inspect.getsource(flat).rstrip(),
        "def in_line(optimizer):\n"
        "    for point in reversed(points):\n"
        "        optimizer.suggest(point)\n"
        "    return optimizer",
    )
