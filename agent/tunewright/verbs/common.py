"""What several verbs share: the study and the trial that a call means, values in words."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tunewright.errors import did_you_mean
from tunewright.parameter import Parameter
from tunewright.report import number as shown_number
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright.verbs.base import Arguments
from tunewright.verbs.faults import ArgumentFault, WrongCall, fault
from tunewright.verbs.session import Session

MOST_TRIALS = 100_000


class OfStudy(Arguments):
    """Arguments of a verb that works on one study."""

    study: str | None = Field(default=None, description="Name of the study; the current one unless given.")


class OfTrial(OfStudy):
    """Arguments of a verb that works on one trial."""

    trial: int = Field(ge=0, le=MOST_TRIALS, description="Number of the trial, as show_study lists it.")


def study_of(session: Session, verb: str, arguments: OfStudy) -> Study:
    """The study that a call means; raises `WrongCall` for a name that is not on record."""
    if arguments.study is not None:
        names = session.names()
        if arguments.study not in names:
            accepted = (
                f"{did_you_mean(arguments.study, names)}one of {', '.join(names)}" if names else "none is there yet"
            )
            raise WrongCall(verb, [fault("study", arguments.study, accepted)], "see list_studies")
    return session.study(arguments.study)


def trial_of(study: Study, verb: str, number: int, argument: str = "trial") -> Trial:
    """The latest attempt at a trial; raises `WrongCall` for a number that is not on record."""
    numbers = {t.number: t for t in study.trials()}
    if number not in numbers:
        accepted = f"a trial of {study.name}: {spans(sorted(numbers))}" if numbers else "no trial has started yet"
        raise WrongCall(verb, [fault(argument, number, accepted)], "see show_study")
    return numbers[number]


def taken_up(study: Study, by_run: bool) -> tuple[str, list[str]]:
    """When a changed card holds, as data and, where that is not with the next trial, in a sentence.

    Args:
        by_run: whether a run of this session takes the card up.
    """
    if by_run:
        return "after the running trials", ["The run takes it up once the trials that are running have ended."]
    study.sweep()  # what is left running is of another process, which has read the card before
    if any(t.running for t in study.trials()):
        return "with the next run", ["A run of another process goes on without it until it is started again."]
    return "with the next trial", []


def parameter_of(study: Study, verb: str, name: str) -> Parameter:
    """The parameter of that name; raises `WrongCall`."""
    space = study.card.space
    if name not in space:
        accepted = f"{did_you_mean(name, space.names)}one of {', '.join(space.names)}"
        raise WrongCall(verb, [fault("parameter", name, accepted)])
    return space[name]


def value_fault(p: Parameter, value: Any, argument: str) -> ArgumentFault | None:
    """What is wrong with a value for a parameter: its kind, its bounds, and the grid that its words promise."""
    accepted = p.accepts() + (f", in {p.unit}" if p.unit else "")
    if p.fault(value) is not None:
        return fault(argument, value, accepted)
    rounded = p.round(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(rounded - value) > 1e-9 * abs(value):
        return fault(argument, value, f"{accepted}; the nearest is {rounded!r}")
    return None


def spans(numbers: list[int]) -> str:
    """Sorted whole numbers in short: "0 to 7, 9"."""
    groups: list[list[int]] = []
    for n in numbers:
        if groups and n == groups[-1][-1] + 1:
            groups[-1].append(n)
        else:
            groups.append([n])
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]} to {g[-1]}" for g in groups)


def settings(config: Mapping[str, Any]) -> str:
    """A configuration as one line."""
    return "  ".join(f"{name}={shown_number(value)}" for name, value in config.items())


def trial_data(trial: Trial) -> dict[str, Any]:
    """A trial as plain data, without its curve and its log."""
    outcome = trial.outcome
    telemetry = outcome.telemetry if outcome is not None else None
    return {
        "trial": trial.number,
        "attempt": trial.attempt,
        "status": trial.status,
        "source": trial.source,
        "config": trial.config,
        "metrics": outcome.metrics if outcome is not None else {},
        "seconds": telemetry.seconds if telemetry is not None else None,
        "peak_bytes": telemetry.peak_bytes if telemetry is not None else None,
        "peak_gpu_bytes": telemetry.peak_gpu_bytes if telemetry is not None else None,
        "limit_bytes": telemetry.limit_bytes if telemetry is not None else None,
    }


def trial_line(study: Study, trial: Trial) -> str:
    """A trial as one line for people."""
    name = study.card.primary.name
    value = trial.outcome.metrics.get(name) if trial.outcome is not None else None
    result = str(trial.status) if value is None else f"{name} = {shown_number(value)}"
    return f"{trial.number:>4}  {trial.source:9}  {result:24}  {settings(trial.config)}"
