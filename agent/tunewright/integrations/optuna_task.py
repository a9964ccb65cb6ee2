"""The card of an Optuna study, and whether its script suggests what a card states."""

from collections.abc import Iterable, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from tunewright.card import TaskCard
from tunewright.errors import StudyError
from tunewright.integrations.define_by_run import Learned
from tunewright.integrations.foreign import identifiers
from tunewright.space import Space


def task(
    study: optuna.Study, rows: Sequence[FrozenTrial], space: Space, goal: str, given: TaskCard | None
) -> tuple[TaskCard, dict[str, str]]:
    """The card to plan by, and for each constraint's metric the name under which the script sets it.

    Trial 0 and the end are decided elsewhere: the card has neither a default trial nor stop rules.

    Raises:
        StudyError: the study's directions are not those of the given card.
    """
    directions = [d.name.lower() for d in study.directions]
    names = list({name: None for row in rows for name in row.constraints})
    if given is not None:
        wanted = [m.direction for m in given.metrics]
        if wanted != directions:
            raise StudyError(
                f"the study has the directions {directions}, the card {wanted}", f"create it with {wanted}"
            )
        plain = {k: v for k, v in given.to_json().items() if k != "stop"}
        plain |= {"start": "none", "space": space.to_json()}
        return TaskCard.from_json(plain), {
            c.metric: c.metric if c.metric in names else c.text for c in given.constraints
        }
    told = study.metric_names or [f"value_{i}" if len(directions) > 1 else "value" for i in range(len(directions))]
    metrics = identifiers(told, space.names)
    bounds = identifiers(names, [*space.names, *metrics.values()])
    card = TaskCard(
        goal=goal.strip() or study.study_name,
        space=space,
        metrics=[{"name": metrics[n], "direction": d} for n, d in zip(told, directions, strict=True)],
        constraints=[f"{name} <= 0" for name in bounds.values()],
        start="none",
    )
    return card, {ours: theirs for theirs, ours in bounds.items()}


def check_script(rows: Iterable[FrozenTrial], stated: Learned) -> None:
    """Raise `StudyError` where a finished trial lacks a parameter of a space that a person stated."""
    for row in rows:
        if row.state == TrialState.COMPLETE:
            config = stated.config(row.params)
            missing = [n for n in stated.space.active(config) if n not in config]
            if missing:
                raise StudyError(
                    f"trial {row.number} did not suggest {', '.join(missing)} of the stated space",
                    "suggest every parameter under its name, or leave space and card out to have it learned",
                )
