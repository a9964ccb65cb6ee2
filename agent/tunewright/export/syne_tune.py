"""For Syne Tune: points to evaluate first, finished trials told to a searcher, the space as a `config_space`."""

from collections.abc import Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError
from tunewright.export.calls import made
from tunewright.export.common import configs, left_out, listed, no_conditions, only_metric, page, space_text, valued
from tunewright.export.flat import Words
from tunewright.points import Point
from tunewright.trial import Trial
from tunewright_tools.base import Config

_TARGET = "Syne Tune"
_WORDS = Words(_TARGET, "syne_tune.config_space", ordered="ordinal", past_the_end=0, typed=True)


def points_to_evaluate(points: Iterable[Point], card: TaskCard) -> list[Config]:
    """What the schedulers take under this name: they come out first.

    Raises:
        SpaceError: the card has conditions; of an incomplete point Syne Tune would hand out the missing
            parameter's domain as its value.
    """
    no_conditions(_TARGET, card.space)
    return configs(points)


def tell(card: TaskCard, trials: Iterable[Trial], scheduler: Any) -> int:
    """How many finished trials the searcher of a single-objective scheduler was told.

    Failed trials, and those that break a constraint of the card, are left out: the searcher has no place for them.
    Their numbers there are negative, below those that the scheduler counts itself.

    Raises:
        StudyError: several metrics.
        SpaceError: the card has conditions.
    """
    only_metric(_TARGET, card)
    no_conditions(_TARGET, card.space)
    known = valued(card, trials)
    for trial, value in known:
        # a searcher minimises, whatever the direction of its scheduler
        scheduler.searcher.on_trial_complete(-1 - trial.number, dict(trial.config), card.primary.loss(value))
    return len(known)


def space(card: TaskCard) -> dict[str, Any]:
    """A `config_space`; powers of two, steps and ordered choices are ordinal.

    Raises:
        SpaceError: a logit scale, a condition, a relation or choices of several types, with the nearest thing that Syne
            Tune has.
    """
    return dict(made(_WORDS.laws(card)))


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space`, and a `scheduler` in which the points are in line."""
    start = '"""Starting points for Syne Tune: Tuner(backend, scheduler, stop), or AskTellScheduler(scheduler)."""'
    try:
        laws = _WORDS.laws(card)
    except SpaceError as e:
        return page(start, listed("points", configs(points)), left_out(e))
    names = ", ".join(sorted({law.name for law in laws.values()}))
    metric = card.primary
    return page(
        start,
        f"from syne_tune.config_space import {names}\nfrom syne_tune.optimizer.baselines import RandomSearch",
        listed("points", configs(points)),
        space_text(laws),
        "# any other scheduler takes the same arguments\n"
        f"scheduler = RandomSearch(space, metrics=[{metric.name!r}], do_minimize={metric.direction == 'minimize'}, "
        "points_to_evaluate=points)",
    )
