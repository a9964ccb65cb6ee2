"""For Ray Tune: points to evaluate first, finished trials for `OptunaSearch`, the space as a `param_space`."""

from collections.abc import Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError, StudyError
from tunewright.export.calls import made
from tunewright.export.common import at_fault, configs, left_out, listed, only_metric, page, space_text, valued
from tunewright.export.flat import Words
from tunewright.points import Point
from tunewright.trial import Trial
from tunewright_tools.base import Config

_WORDS = Words("Ray Tune", "ray", "tune.")


def points_to_evaluate(points: Iterable[Point]) -> list[Config]:
    """What `BasicVariantGenerator`, `OptunaSearch` and `HyperOptSearch` take under this name: they run first."""
    return configs(points)


def tell(card: TaskCard, trials: Iterable[Trial], search: Any) -> int:
    """How many finished trials an `OptunaSearch` was told.

    A failure that the configuration caused is told as an error, without a value. Trials that break a constraint of
    the card, and those that the machine lost, are left out.

    Args:
        search: made with `space`, `metric` and `mode`; of Ray's searches only this one can be told.

    Raises:
        StudyError: several metrics; a search that cannot be told; a mode that is not the card's.
    """
    metric = only_metric("Ray Tune", card)
    if type(search).__name__ != "OptunaSearch":
        raise StudyError(
            f"{type(search).__name__} of Ray Tune cannot be told of finished trials", "use OptunaSearch, or the points"
        )
    if search.mode != metric.direction[:3]:
        raise StudyError(
            f"the search has the mode {search.mode!r}, {metric.name} of the card is to {metric.direction}",
            f"make it with mode={metric.direction[:3]!r}",
        )
    trials = list(trials)
    known = valued(card, trials)
    for trial, value in known:
        search.add_evaluated_point(dict(trial.config), value)
    failures = at_fault(card, trials)
    for trial in failures:
        search.add_evaluated_point(dict(trial.config), None, error=True)
    return len(known) + len(failures)


def space(card: TaskCard) -> dict[str, Any]:
    """A `param_space`; powers of two and steps are a choice between them.

    Raises:
        SpaceError: a logit scale, a condition or a relation, with the nearest thing that Ray Tune has.
    """
    return dict(made(_WORDS.laws(card)))


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `space`, and a `search` in which the points are in line."""
    start = [
        '"""Starting points: tune.Tuner(objective, param_space=space, tune_config=TuneConfig(search_alg=search))."""',
        "from ray import tune\nfrom ray.tune.search import BasicVariantGenerator",
        listed("points", configs(points)),
    ]
    end = "search = BasicVariantGenerator(points_to_evaluate=points)"
    try:
        return page(*start, space_text(_WORDS.laws(card)), end)
    except SpaceError as e:
        return page(*start, left_out(e), end)
