"""A study for other programs: its trials as CSV or JSON, or its configurations, best first, for an optimizer."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import CardError, StudyError, did_you_mean
from tunewright.export import TARGETS, to
from tunewright.export.common import seconds, valued
from tunewright.export.plain import dumped, record
from tunewright.points import Point
from tunewright.trial import Trial
from tunewright.trial_json import to_plain

STUDY_TARGETS = ("csv", *TARGETS)


def study_to(name: str, card: TaskCard, trials: Sequence[Trial]) -> str:
    """A study as text: a row or record of each trial for `csv` and `json`, `best_first` for an optimizer.

    Raises:
        CardError: an unknown target.
        StudyError: an optimizer's text was asked for, and no trial has a value that counts.
    """
    if name not in STUDY_TARGETS:
        hint = f"{did_you_mean(name, STUDY_TARGETS)}the targets are {', '.join(STUDY_TARGETS)}"
        raise CardError(f"there is no export to {name!r}", hint)
    if name == "csv":
        return rows(trials, card)
    points = best_first(card, trials)
    if name == "json":
        return dumped({**record(points, card), "trials": [_record(t) for t in trials]})
    if not points:
        raise StudyError(
            "no trial of the study has a value, keeps the constraints and lies in the card's space",
            "run it further, or look at all trials with --to csv",
        )
    return to(name, points, card)


def best_first(card: TaskCard, trials: Iterable[Trial]) -> list[Point]:
    """The configurations of the feasible trials of the card's space, the best first metric first."""
    primary = card.primary
    ranked = sorted(valued(card, trials), key=lambda told: primary.loss(told[1]))
    return [Point(t.config, t.source, f"trial {t.number}: {primary.name} = {value!r}") for t, value in ranked]


def rows(trials: Iterable[Trial], card: TaskCard) -> str:
    """CSV text, a row for each trial: number, status, source, seconds, then `params_` and `metrics_` columns.

    What a trial does not have (an inactive parameter, the metrics of a failure) is empty.
    """
    trials = list(trials)
    params = list(dict.fromkeys([*card.space.names, *(name for t in trials for name in t.config)]))
    named = [m.name for m in card.metrics]
    metrics = list(dict.fromkeys([*named, *(name for t in trials if t.outcome for name in t.outcome.metrics)]))
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        ["number", "status", "source", "seconds", *(f"params_{p}" for p in params), *(f"metrics_{m}" for m in metrics)]
    )
    for t in trials:
        found = t.outcome.metrics if t.outcome is not None else {}
        values = [*(t.config.get(name) for name in params), *(found.get(name) for name in metrics)]
        table.writerow([t.number, t.status, t.source, seconds(t), *values])
    return out.getvalue()


def _record(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "status": trial.status,
        "source": trial.source,
        "seconds": seconds(trial),
        "config": trial.config,
        "metrics": to_plain(trial.outcome.metrics if trial.outcome is not None else {}),
    }
