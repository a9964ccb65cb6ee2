"""A trial as a row of the Optuna study underneath: which attribute holds what, and the trial that a row tells of."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from tunewright.card import TaskCard
from tunewright.errors import StudyError
from tunewright.trial import Trial
from tunewright.trial_json import outcome_from_json, trial_from_json
from tunewright_tools.base import Outcome

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

Row: TypeAlias = "FrozenTrial"

START = "tunewright"
"""The trial as it started; written with the row, never changed."""
LEASE = "tunewright:lease"
"""Who runs it; renewed while it runs."""
OUTCOME = "tunewright:outcome"
"""`{"finished": ..., "outcome": ...}`, written just before the row's state."""
LOST = "tunewright:lost"
"""`{"finished": ..., "detail": ...}` of a trial whose worker is gone. Not under `OUTCOME`, so that a worker that comes
back at that moment and the process that gave it up do not overwrite each other: the row's state decides."""
WITHDRAWN = "tunewright:withdrawn"
"""The row of the older trial because of which this one did not run."""
CONSTRAINTS = "constraints"
"""The system attribute in which Optuna and its dashboard look for how far a trial is beyond each constraint."""


def to_trial(row: Row) -> Trial | None:
    """The trial that a row holds; None for one that was withdrawn, or that is not ours."""
    from optuna.trial import TrialState

    attributes = row.user_attrs
    if START not in attributes or WITHDRAWN in attributes:
        return None
    trial = replace(trial_from_json(attributes[START]), record_id=row.number)
    if LOST in attributes and row.state == TrialState.FAIL:
        lost = attributes[LOST]
        outcome = Outcome("lost", detail=lost["detail"], fault="host")
        return replace(trial, status="lost", outcome=outcome, finished=lost["finished"])
    if OUTCOME in attributes:
        outcome = outcome_from_json(attributes[OUTCOME]["outcome"])
        return replace(trial, status=outcome.status, outcome=outcome, finished=attributes[OUTCOME]["finished"])
    return trial


def check_done(card: TaskCard, trial: Trial, outcome: Outcome) -> None:
    """Raise `StudyError` for a `done` outcome without a finite value for each of the card's metrics."""
    if outcome.status != "done":
        return
    missing = [m.name for m in card.metrics if m.name not in outcome.metrics]
    odd = {name: value for name, value in outcome.metrics.items() if not abs(value) < float("inf")}
    if missing or odd:
        raise StudyError(
            f"trial {trial.number} is done, "
            + (f"without {', '.join(missing)}" if missing else f"with {odd}")
            + f"; its metrics are {outcome.metrics!r}",
            "a run without a finite value for every metric is diverged or crashed",
        )


def in_optuna(card: TaskCard, outcome: Outcome) -> "tuple[TrialState, list[float] | None, dict[str, Any]]":
    """Optuna's state, values and system attributes for an outcome; of a constraint that holds, 0 or less."""
    from optuna.trial import TrialState

    if outcome.status != "done":
        return (TrialState.PRUNED if outcome.status == "pruned" else TrialState.FAIL), None, {}
    constraints: dict[str, Any] = {}
    if card.constraints and all(c.metric in outcome.metrics for c in card.constraints):
        constraints[CONSTRAINTS] = [c.excess(outcome.metrics[c.metric]) for c in card.constraints]
    return TrialState.COMPLETE, [float(outcome.metrics[m.name]) for m in card.metrics], constraints
