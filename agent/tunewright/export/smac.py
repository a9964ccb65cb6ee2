"""For SMAC3: points as an initial design, finished trials told, the space as a ConfigSpace with its conditions."""

import ast
import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import Call, Item, made, names
from tunewright.export.common import (
    at_fault,
    configs,
    left_out,
    listed,
    native,
    no_form,
    no_held,
    no_logit,
    one_type,
    only_metric,
    page,
    seconds,
    steps,
    valued,
)
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.relations import Relation
from tunewright.space import Space
from tunewright.trial import Trial
from tunewright_tools.base import Config

_TARGET = "ConfigSpace"
_MOST_CLAUSES = 500
_BROKEN_BY = {
    ast.Lt: "ForbiddenGreaterThanEqualsRelation",
    ast.LtE: "ForbiddenGreaterThanRelation",
    ast.Gt: "ForbiddenLessThanEqualsRelation",
    ast.GtE: "ForbiddenLessThanRelation",
    ast.NotEq: "ForbiddenEqualsRelation",
}
_STATUS = {"timeout": "TIMEOUT", "oom": "MEMORYOUT"}


def configurations(points: Iterable[Point], space: Any) -> list[Any]:
    """The points as ConfigSpace's `Configuration`s.

    Put first with `Facade.get_initial_design(scenario, n_configs=0, additional_configs=...)`: with `n_configs` above
    0 the facade's own points run before them.

    Args:
        space: of the scenario, as `space` below gives it.
    """
    from ConfigSpace import Configuration

    return [Configuration(space, values=values) for values in configs(points)]


def tell(card: TaskCard, trials: Iterable[Trial], facade: Any) -> int:
    """How many finished trials a facade was told; to be called before `optimize` or `ask`.

    A failure that the configuration caused becomes a run that crashed, timed out or ran out of memory, with the
    scenario's `crash_cost`; it is left out where that is infinite, SMAC3's default, with which its model cannot be
    fitted. Trials that break a constraint of the card, and those that the machine lost, are left out. The cost is
    the metric, negated where it is to be large.

    Raises:
        StudyError: several metrics.
    """
    metric = only_metric("SMAC3", card)
    from smac.runhistory import StatusType, TrialInfo, TrialValue

    trials = list(trials)
    known = valued(card, trials)
    scenario = facade.scenario
    told = [(t, TrialValue(cost=metric.loss(value), time=seconds(t) or 0.0)) for t, value in known]
    for t in at_fault(card, trials) if math.isfinite(scenario.crash_cost) else []:
        status = StatusType[_STATUS.get(t.status, "CRASHED")]
        told.append((t, TrialValue(cost=scenario.crash_cost, time=seconds(t) or 0.0, status=status)))
    seed = 0 if scenario.deterministic else scenario.seed  # SMAC3 runs a deterministic objective with the seed 0
    for t, value in told:
        (configuration,) = configurations([Point(t.config, t.source)], scenario.configspace)
        facade.tell(TrialInfo(configuration, seed=seed), value, save=False)
    return len(told)


def config(configuration: Any) -> Config:
    """The configuration of a ConfigSpace `Configuration`, in Python's own types."""
    return native(dict(configuration))


def space(card: TaskCard, seed: int | None = None) -> Any:
    """A `ConfigurationSpace` with conditions, and with forbidden clauses for the relations that those can say.

    Powers of two and steps are ordinal. A relation fits where it compares two numbers (`low < high`), or where all
    its parameters take so few values that each broken combination can be named (up to 500).

    Raises:
        SpaceError: a logit scale, or a relation that does not fit, with the nearest thing that ConfigSpace has.
    """
    parameters, rules = _calls(card.space)
    found = made(Call("ConfigSpace", "ConfigurationSpace", (), {"seed": seed}))
    found.add(made(parameters))
    for rule in rules:
        found.add(made(rule, space=found))
    return found


def _calls(space: Space) -> tuple[list[Call], list[Call]]:
    no_held(_TARGET, space)
    conditions = [_condition(p) for p in space if p.when]
    forbidden = [clause for relation in space.relations for clause in _forbidden(space, relation)]
    return [_parameter(p) for p in space], conditions + forbidden


def _call(name: str, *arguments: Any, **named: Any) -> Call:
    return Call("ConfigSpace", name, arguments, named)


def _parameter(p: Parameter) -> Call:
    no_logit(_TARGET, p, "Float")
    default = {} if p.default is None else {"default": p.default}
    listed_values = steps(_TARGET, p)
    match p:
        case Choice():
            one_type(_TARGET, p.name, p.choices)
            ordered = {"ordered": True} if p.ordered else {}
            return _call("Categorical", p.name, list(p.choices), **ordered, **default)
        case _ if listed_values is not None:
            return _call("Categorical", p.name, listed_values, ordered=True, **default)
        case Int() | Float():
            log = {"log": True} if p.log else {}
            return _call("Integer" if isinstance(p, Int) else "Float", p.name, (p.low, p.high), **log, **default)
    raise AssertionError(p)


def _condition(p: Parameter) -> Call:
    parts = []
    for parent, values in p.when.items():
        kind, wanted = ("EqualsCondition", values[0]) if len(values) == 1 else ("InCondition", list(values))
        parts.append(_call(kind, Item("space", p.name), Item("space", parent), wanted))
    return parts[0] if len(parts) == 1 else _call("AndConjunction", *parts)


def _forbidden(space: Space, relation: Relation) -> list[Call]:
    """Clauses that together forbid exactly what breaks the relation."""
    values = [_few(space[name]) for name in relation.names]
    if all(values):
        broken = [
            combination
            for combination in product(*values)  # type: ignore[arg-type]
            if not relation.holds(dict(zip(relation.names, combination, strict=True)))
        ]
        if len(broken) <= _MOST_CLAUSES:
            return [_all_equal(relation.names, combination) for combination in broken]
    match ast.parse(relation.text.strip(), mode="eval").body:
        case ast.Compare(left=ast.Name(id=left), ops=[op], comparators=[ast.Name(id=right)]) if (
            type(op) in _BROKEN_BY and _is_range(space[left]) and _is_range(space[right])
        ):
            return [_call(_BROKEN_BY[type(op)], Item("space", left), Item("space", right))]
    nearest = "the points alone, which fulfil it, and an objective that fails where it does not hold"
    raise no_form(_TARGET, " and ".join(relation.names), relation.text, nearest)


def _all_equal(names: Sequence[str], combination: Sequence[Any]) -> Call:
    clauses = [
        _call("ForbiddenEqualsClause", Item("space", name), value)
        for name, value in zip(names, combination, strict=True)
    ]
    return clauses[0] if len(clauses) == 1 else _call("ForbiddenAndConjunction", *clauses)


def _few(p: Parameter) -> list[Any] | None:
    if isinstance(p, Choice):
        return list(p.choices)
    if isinstance(p, Int) and not p.rounding and p.step is None:
        return list(range(p.low, p.high + 1)) if p.high - p.low < _MOST_CLAUSES else None
    return steps(_TARGET, p)


def _is_range(p: Parameter) -> bool:
    return isinstance(p, Int | Float) and p.step is None and not getattr(p, "rounding", None)


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space`, and `facade(objective)`, which tries the points first."""
    start = '"""Starting points for SMAC3: facade(objective, n_trials=30).optimize(); objective(config, seed=0)."""'
    try:
        parameters, rules = _calls(card.space)
    except SpaceError as e:
        return page(start, listed("points", configs(points)), left_out(e))
    used = {"Configuration", "ConfigurationSpace", *names([*parameters, *rules])}
    return page(
        start,
        f"from ConfigSpace import {', '.join(sorted(used))}\n"
        "from smac import HyperparameterOptimizationFacade, Scenario",
        listed("points", configs(points)),
        "space = ConfigurationSpace()\n" + "\n".join(f"space.add({call!r})" for call in [*parameters, *rules]),
        "def facade(objective, **scenario):\n"
        '    """The objective returns what is to be small."""\n'
        "    scenario = Scenario(space, deterministic=True, **scenario)\n"
        "    design = HyperparameterOptimizationFacade.get_initial_design(\n"
        "        scenario, n_configs=0, additional_configs=[Configuration(space, values=point) for point in points]\n"
        "    )\n"
        "    return HyperparameterOptimizationFacade(scenario, objective, initial_design=design)",
    )
