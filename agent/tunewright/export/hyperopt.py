"""For Hyperopt: a `Trials` that holds points to run and finished trials, the space with its conditions nested."""

import inspect
import math
from collections.abc import Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import Call, Item, made
from tunewright.export.common import (
    at_fault,
    branches,
    configs,
    flat,
    left_out,
    listed,
    no_logit,
    no_relations,
    only_metric,
    page,
    parents_first,
    space_text,
    steps,
    valued,
)
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.space import Space
from tunewright.trial import Trial
from tunewright_tools.base import Config

_TARGET = "Hyperopt"


def enqueue(points: Iterable[Point], card: TaskCard, trials: Any) -> None:
    """Put the points in line in a `hyperopt.Trials`: `fmin(trials=trials)` runs them first.

    fmin's own `points_to_evaluate` does for a space without conditions; of a point that lacks an inactive parameter
    its TPE cannot learn.
    """
    for values in configs(points):
        _insert(trials, _document(trials, labels(values, card), card))


def tell(card: TaskCard, trials: Iterable[Trial], known: Any) -> int:
    """How many finished trials were added to a `hyperopt.Trials`, as losses: negated where the metric is to be large.

    A failure that the configuration caused is added with the status "fail". Trials that break a constraint of the
    card, and those that the machine lost, are left out.

    Args:
        known: the `hyperopt.Trials` for `fmin(trials=...)`.

    Raises:
        StudyError: several metrics.
    """
    metric = only_metric(_TARGET, card)
    from hyperopt import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK  # type: ignore[import-not-found]

    trials = list(trials)
    results = [(t, {"status": STATUS_OK, "loss": metric.loss(value)}) for t, value in valued(card, trials)]
    results += [(t, {"status": STATUS_FAIL}) for t in at_fault(card, trials)]
    for t, result in results:
        document = _document(known, labels(t.config, card), card)
        _insert(known, {**document, "state": JOB_STATE_DONE, "result": result})
    return len(results)


def labels(config: Config, card: TaskCard) -> dict[str, Any]:
    """The configuration as Hyperopt counts: a choice by the index of its value; inactive parameters are absent."""
    return {name: _counted(card.space[name], value) for name, value in config.items()}


def _counted(p: Parameter, value: Any) -> Any:
    if isinstance(p, Choice):
        return p.index(value)
    values = steps(_TARGET, p)
    return value if values is None else values.index(p.round(value))


def _document(trials: Any, point: dict[str, Any], card: TaskCard) -> dict[str, Any]:
    (tid,) = trials.new_trial_ids(1)
    misc = {
        "tid": tid,
        "cmd": ("domain_attachment", "FMinIter_Domain"),
        "workdir": None,
        "idxs": {name: [tid] if name in point else [] for name in card.space.names},
        "vals": {name: [point[name]] if name in point else [] for name in card.space.names},
    }
    (document,) = trials.new_trial_docs([tid], [None], [{"status": "new"}], [misc])
    return dict(document)


def _insert(trials: Any, document: dict[str, Any]) -> None:
    trials.insert_trial_docs([document])
    trials.refresh()


def config(drawn: dict[str, Any]) -> Config:
    """The configuration of what fmin hands to the objective; an inactive parameter is absent."""
    return flat(drawn)


def space(card: TaskCard) -> dict[str, Any]:
    """What `fmin` takes as `space`; powers of two and steps are a choice between them.

    Raises:
        SpaceError: a logit scale, a relation, or a condition on several parameters or on a number, with the nearest
            thing that Hyperopt has.
    """
    nodes: dict[str, Any] = {}
    for name, call in _calls(card.space).items():
        nodes[name] = made(call, nodes=nodes)
    return {p.name: nodes[p.name] for p in card.space if not p.when}


def _calls(space: Space) -> dict[str, Call]:
    """A node for each parameter, children first: a choice refers to them."""
    no_relations(_TARGET, space, "the status 'fail' from the objective where it does not hold")
    return {p.name: _node(space, p) for p in reversed(parents_first(space))}


def _node(space: Space, p: Parameter) -> Call:
    no_logit(_TARGET, p, "hp.uniform")
    values = list(p.choices) if isinstance(p, Choice) else steps(_TARGET, p)
    below = branches(_TARGET, space, p)
    if values is not None:
        if below:
            values = [{p.name: value, **{name: Item("nodes", name) for name in names}} for value, names in below]
        return _hp("choice", p.name, values)
    assert isinstance(p, Int | Float)
    if isinstance(p, Int) and p.log:  # rounded there, so that the ends lie half a step further out
        ends = math.log(p.low - 0.5), math.log(p.high + 0.5)
        return Call("hyperopt.pyll", "scope.int", (_hp("qloguniform", p.name, *ends, 1),))
    if p.log:
        return _hp("loguniform", p.name, math.log(p.low), math.log(p.high))
    return _hp("uniformint" if isinstance(p, Int) else "uniform", p.name, p.low, p.high)


def _hp(name: str, *arguments: Any) -> Call:
    return Call("hyperopt", f"hp.{name}", arguments)


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points` by their labels, `space`, `flat`, and `trials` in which the points are in line."""
    negated = "" if card.primary.direction == "minimize" else ", the metric negated"
    start = (
        '"""Starting points: fmin(objective, space, algo=tpe.suggest, max_evals=30, trials=trials).\n\n'
        f'The objective is handed a nested draw, `flat` is its configuration{negated}; points run first.\n"""'
    )
    try:
        nodes = _calls(card.space)
    except SpaceError as e:
        return page(start, listed("points", configs(points)), left_out(e))
    return page(
        start,
        "from hyperopt import Trials, hp\nfrom hyperopt.pyll import scope",
        listed("points", [labels(values, card) for values in configs(points)]),
        "nodes = {}\n" + "\n".join(f"nodes[{name!r}] = {call!r}" for name, call in nodes.items()),
        space_text({p.name: Item("nodes", p.name) for p in card.space if not p.when}),
        inspect.getsource(flat).rstrip(),
        "trials = Trials()\n"
        "for point in points:\n"
        "    (tid,) = trials.new_trial_ids(1)\n"
        "    idxs = {name: [tid] if name in point else [] for name in nodes}\n"
        "    vals = {name: [point[name]] if name in point else [] for name in nodes}\n"
        '    misc = {"tid": tid, "cmd": ("domain_attachment", "FMinIter_Domain"), "workdir": None, "idxs": idxs, '
        '"vals": vals}\n'
        '    trials.insert_trial_docs(trials.new_trial_docs([tid], [None], [{"status": "new"}], [misc]))\n'
        "    trials.refresh()",
    )
