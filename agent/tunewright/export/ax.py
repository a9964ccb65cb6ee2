"""For Ax: points attached as trials to run, finished trials completed, the space as parameter configurations."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import Call, made
from tunewright.export.common import (
    at_fault,
    branches,
    configs,
    done,
    left_out,
    listed,
    no_form,
    no_logit,
    no_relations,
    one_type,
    only_metric,
    page,
    steps,
)
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.space import Space
from tunewright.trial import Trial
from tunewright_tools.base import Config

_TARGET = "Ax"
_TYPES = {bool: "bool", int: "int", float: "float", str: "str"}


def attach(points: Iterable[Point], client: Any) -> dict[int, Config]:
    """Trial index -> configuration; Ax waits for their results: run each, then `client.complete_trial`."""
    return {_attach(client, values): values for values in configs(points)}


def _attach(client: Any, config: Config) -> int:
    known = client._experiment.search_space.parameters
    real = {name for name in config if name in known and known[name].python_type is float}
    return int(client.attach_trial(parameters=_typed(config, real)))


def _typed(config: Config, real: Collection[str]) -> Config:
    """A copy in which each of the `real` ones is a float: of the choices 0 and 0.1 Ax takes only 0.0 for the first."""
    return {name: float(value) if name in real else value for name, value in config.items()}


def tell(card: TaskCard, trials: Iterable[Trial], client: Any) -> int:
    """How many finished trials became trials of an `ax.Client`.

    A failure that the configuration caused is marked failed. Besides the metric, Ax is told the numbers that the
    card's constraints bound, where a trial has them: state `outcome_constraints` in `configure_optimization`.

    Raises:
        StudyError: several metrics.
    """
    metric = only_metric(_TARGET, card)
    wanted = [metric.name, *(c.metric for c in card.constraints)]
    trials = list(trials)
    known = done(card, trials)
    for t, numbers in known:
        index = _attach(client, t.config)
        client.complete_trial(index, raw_data={name: float(numbers[name]) for name in wanted if name in numbers})
    failures = at_fault(card, trials)
    for t in failures:
        client.mark_trial_failed(_attach(client, t.config), failed_reason=t.status)
    return len(known) + len(failures)


def space(card: TaskCard) -> list[Any]:
    """What `Client.configure_experiment` takes as `parameters`; powers of two and steps are ordered choices.

    Raises:
        SpaceError: a logit scale, a relation, choices of several types, or a condition on several parameters, on
            several values or on a number, with the nearest thing that Ax has.
    """
    return list(made(_calls(card.space)))


def _calls(space: Space) -> list[Call]:
    no_relations(_TARGET, space, "`parameter_constraints` of configure_experiment, for sums on a linear scale")
    return [_parameter(space, p) for p in space]


def _parameter(space: Space, p: Parameter) -> Call:
    no_logit(_TARGET, p, "RangeParameterConfig")
    values = list(p.choices) if isinstance(p, Choice) else steps(_TARGET, p)
    below = {value: names for value, names in branches(_TARGET, space, p) if names}
    for child in (name for names in below.values() for name in names):
        if sum(child in names for names in below.values()) > 1:
            raise no_form(_TARGET, child, f"a condition on several values of {p.name}", "a parameter for each value")
    if values is not None:
        kind = one_type(_TARGET, p.name, values)
        ordered = not isinstance(p, Choice) or p.ordered
        more = {"is_ordered": ordered} | ({"dependent_parameters": below} if below else {})
        named = {"name": p.name, "values": [kind(v) for v in values], "parameter_type": _TYPES[kind], **more}
        return Call("ax", "ChoiceParameterConfig", (), named)
    assert isinstance(p, Int | Float)
    scaling = {"scaling": "log"} if p.log else {}
    kind_name = "int" if isinstance(p, Int) else "float"
    return Call(
        "ax",
        "RangeParameterConfig",
        (),
        {"name": p.name, "bounds": (p.low, p.high), "parameter_type": kind_name, **scaling},
    )


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space`, and a `client` to which the points are attached as `waiting` trials."""
    real = [p.name for p in card.space if isinstance(p, Choice) and {type(c) for c in p.choices} == {int, float}]
    start = [
        '"""Starting points for Ax: run those that are `waiting`, client.complete_trial(index, raw_data=...) each."""',
        "from ax import ChoiceParameterConfig, Client, RangeParameterConfig",
        listed("points", [_typed(values, real) for values in configs(points)]),
    ]
    try:
        parameters = _calls(card.space)
    except SpaceError as e:
        return page(*start, left_out(e))
    objective = ", ".join(("-" if m.direction == "minimize" else "") + m.name for m in card.metrics)
    return page(
        *start,
        listed("space", parameters),
        "client = Client()\n"
        "client.configure_experiment(parameters=space)\n"
        f"client.configure_optimization(objective={objective!r})\n"
        "waiting = {client.attach_trial(parameters=dict(point)): point for point in points}",
    )
