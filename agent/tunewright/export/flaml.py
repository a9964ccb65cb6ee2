"""For FLAML: points and finished trials as arguments of `tune.run`, the space as its `config`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import made
from tunewright.export.common import (
    configs,
    left_out,
    listed,
    no_conditions,
    only_metric,
    page,
    settled,
    space_text,
    valued,
)
from tunewright.export.flat import Words
from tunewright.points import Point
from tunewright.trial import Trial
from tunewright_tools.base import Config

_WORDS = Words("FLAML", "flaml", "tune.")


def arguments(card: TaskCard, points: Iterable[Point] = (), trials: Iterable[Trial] = ()) -> dict[str, Any]:
    """What `flaml.tune.run` takes as `mode`, `points_to_evaluate` and `evaluated_rewards`.

    The finished trials are known to it and do not run again; the points run first. Failed trials, and those that
    break a constraint of the card, are left out. FLAML scales what it is given and back: real numbers reach the
    objective with a rounding error in the last digits, as NumPy's (see `config`).

    Raises:
        StudyError: several metrics.
        SpaceError: the card has conditions.
    """
    metric = only_metric("FLAML", card)
    no_conditions("FLAML", card.space)
    known = valued(card, trials)
    return {
        "mode": metric.direction[:3],
        "points_to_evaluate": [dict(trial.config) for trial, _ in known] + configs(points),
        "evaluated_rewards": [value for _, value in known],
    }


def config(drawn: Mapping[str, Any], card: TaskCard) -> Config:
    """The configuration of what FLAML hands to the objective, in Python's own types and without rounding errors."""
    return settled(drawn, card.space)


def space(card: TaskCard) -> dict[str, Any]:
    """The `config` of `tune.run`; powers of two and steps are a choice between them.

    Raises:
        SpaceError: a logit scale, a condition or a relation, with the nearest thing that FLAML has.
    """
    return dict(made(_WORDS.laws(card)))


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space`, and `run(objective)`, which tries the points first."""
    start = [
        '"""Starting points for FLAML: run(objective, num_samples=30); the objective returns a number."""',
        "from flaml import tune",
        listed("points", configs(points)),
    ]
    try:
        laws = space_text(_WORDS.laws(card))
    except SpaceError as e:
        return page(*start, left_out(e))
    return page(
        *start,
        laws,
        "def run(objective, **more):\n"
        f"    return tune.run(objective, config=space, mode={card.primary.direction[:3]!r}, points_to_evaluate=points, "
        "**more)",
    )
