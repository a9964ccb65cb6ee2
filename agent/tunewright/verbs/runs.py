"""Verbs that run trials, stop them, and say what they would take."""

from typing import Any

from pydantic import Field

from tunewright.card import TaskCard
from tunewright.errors import StudyError
from tunewright.study import Study
from tunewright.toolbox import open_tool
from tunewright.verbs.approval import ApprovalRequest, Estimate, duration
from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, OfTrial, study_of, trial_of
from tunewright.verbs.context import calling, grant
from tunewright.verbs.estimating import command_text, estimated, run_request
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.running import Run
from tunewright.verbs.session import Session

_MOST = 10_000
_WORKERS = "Trials that run at once, a whole number; the session's own number unless given."


class Trials(OfStudy):
    """How many trials."""

    trials: int = Field(ge=1, le=_MOST, description="Further trials, a whole number; those on record do not count.")
    workers: int | None = Field(default=None, ge=1, le=256, description=_WORKERS)


@verb(Trials, "look")
def estimate_cost(session: Session, arguments: Trials) -> Answer:
    """Estimate what further trials would take: wall-clock time from recorded runs, US dollars from recorded calls."""
    study = study_of(session, "estimate_cost", arguments)
    found = estimated(session, study, arguments.trials, arguments.workers or session.workers)
    most = found.most_seconds
    data = {
        "study": study.name,
        "trials": arguments.trials,
        "seconds": found.estimate.seconds,
        "seconds_at_most": most,
        "usd": found.estimate.usd,
        "time_basis": found.time_basis,
        "cost_basis": found.cost_basis,
        "text": found.estimate.text(),
    }
    limit = f", at most {duration(most)} by the time limit of a trial" if most is not None else ""
    return Answer(data, f"{found.estimate.text()}{limit}.\nTime: {found.time_basis}. Cost: {found.cost_basis}.")


def _running(session: Session, arguments: Trials) -> ApprovalRequest:
    study = study_of(session, "run_trials", arguments)
    _check_can_run(session, "run_trials", study, arguments.trials)
    what = f"run {arguments.trials} trial{'s' * (arguments.trials != 1)} of the study {study.name}"
    return run_request(session, "run_trials", study, what, arguments.trials, arguments.workers or session.workers)


def _check_can_run(session: Session, verb: str, study: Study, trials: int) -> None:
    """All that can be wrong is looked at before anybody is asked for approval."""
    session.refuse_second_run(study.name)
    open_tool(study.card)
    chat = session.chat()
    if chat is not None:
        chat.check()
    limit = study.card.budget.trials
    left = None if limit is None else max(limit - len(study.trials()), 0)
    if left is not None and trials > left:
        accepted = f"{f'from 1 to {left}' if left else 'none'}: the study's budget is {limit} trials in all"
        raise WrongCall(verb, [fault("trials", trials, accepted)], "run fewer, or call extend_budget first")


def _check_command(study: Study) -> None:
    """What runs is what was shown, also when somebody changed the study's card while it was being approved."""
    if command_text(study.card) != grant().command:
        raise StudyError(f"the command of {study.name!r} has changed since it was approved", "ask again")


@verb(Trials, "spend", _running)
def run_trials(session: Session, arguments: Trials) -> Answer:
    """Run further trials of a study in the background. Asks for approval with the estimate and the exact command.

    The answer comes at once; show_study says how the run goes, stop_run ends it. It also ends when a stop rule of the
    study holds.
    """
    study = study_of(session, "run_trials", arguments)
    _check_command(study)
    run = session.start(study, arguments.trials, arguments.workers)
    return Answer(
        {"study": study.name, "started": True, "trials": arguments.trials},
        f"Running {arguments.trials} trial{'s' * (arguments.trials != 1)} of {run.study}.",
    )


class Stop(OfStudy):
    """How to stop."""

    now: bool = Field(
        default=False,
        description="false: let the trials that run end, start no other; true: end them too, they can run again.",
    )


@verb(Stop, "change")
def stop_run(session: Session, arguments: Stop) -> Answer:
    """Stop the run of a study that this session started. Finished trials are kept."""
    study = study_of(session, "stop_run", arguments)
    run = session.run_of(study.name)
    if run is None:
        raise StudyError(f"no run of {study.name!r} was started by this session", "see show_study for its state")
    run.stop(now=arguments.now)
    state = run.state  # an earlier call may have begun to end them already
    how = "ending its trials now" if arguments.now or state == "stopping" else "letting its trials end"
    return Answer({"study": study.name, "state": state}, f"Stopping {study.name}, {how}.")


def run_data(run: Run | None) -> dict[str, Any] | None:
    """A run as plain data."""
    if run is None:
        return None
    return {
        "state": run.state,
        "trials_asked": run.asked,
        "trials_started": len(run.started),
        "reason": run.reason,
        "error": None if run.failure is None else {"message": run.failure.message, "hint": run.failure.hint},
    }


# -- one trial again ---------------------------------------------------------------------------------------------


def _rerunning(session: Session, arguments: OfTrial) -> ApprovalRequest:
    study = study_of(session, "rerun_trial", arguments)
    trial = trial_of(study, "rerun_trial", arguments.trial)
    if trial.running:
        raise WrongCall("rerun_trial", [fault("trial", trial.number, "a trial that has ended")])
    faults = study.card.space.check(trial.config).faults
    if faults:
        accepted = f"a trial that still fits the space; of this one, {'; '.join(map(str, faults))}"
        raise WrongCall("rerun_trial", [fault("trial", trial.number, accepted)], "widen or unpin first")
    _check_can_run(session, "rerun_trial", study, 1 if trial.done else 0)
    what = f"run the configuration of trial {trial.number} of the study {study.name} once more"
    return run_request(session, "rerun_trial", study, what, 1, 1)


@verb(OfTrial, "spend", _rerunning)
def rerun_trial(session: Session, arguments: OfTrial) -> Answer:
    """Run the configuration of one trial once more, in the background. Asks for approval with the estimate.

    A trial that failed runs again under its own number. One that is done gets a new number and another seed, which
    shows how far its value moves by chance.
    """
    study = study_of(session, "rerun_trial", arguments)
    trial = trial_of(study, "rerun_trial", arguments.trial)
    session.refuse_second_run(study.name)
    _check_command(study)
    waiting = study.queue()  # re-runs by number stand before all others
    before = [e for e in waiting if trial.done or (e.number is not None and e.number < trial.number)]
    if trial.done:
        study.enqueue(trial.config, rationale=f"trial {trial.number} once more")
    else:
        study.requeue(trial)
    session.start(study, 1, 1)
    number = "under a new number" if trial.done else f"as attempt {trial.attempt + 1}"
    behind = f" {len(before)} configuration{'s' * (len(before) > 1)} waited before it: it is not the first."
    return Answer(
        {"study": study.name, "trial": trial.number, "new_number": trial.done, "waiting_before": len(before)},
        f"Running the configuration of trial {trial.number} once more, {number}.{behind if before else ''}",
    )


# -- the study's own budget --------------------------------------------------------------------------------------


class Extension(OfStudy):
    """What is added."""

    trials: int | None = Field(default=None, ge=1, le=_MOST, description="Trials to add, a whole number.")
    hours: float | None = Field(default=None, gt=0, le=10_000, description="Wall-clock hours to add.")
    usd: float | None = Field(default=None, gt=0, le=100_000, description="US dollars (USD) to add for model calls.")


def _extending(session: Session, arguments: Extension) -> ApprovalRequest:
    study = study_of(session, "extend_budget", arguments)
    card = _extended(study, arguments)
    changes = ", ".join(f"{name} {old:g} -> {new:g}" for name, old, new in _changes(study.card, card))
    return ApprovalRequest(
        "extend_budget",
        "spend",
        f"raise the budget of the study {study.name}: {changes}",
        by=calling(),
        study=study.name,
        estimate=_worth(session, study, arguments),
        needs_person="it raises a limit",
    )


def _worth(session: Session, study: Study, arguments: Extension) -> Estimate:
    """What the extension allows: what is stated, else what the added trials would take."""
    trials = arguments.trials or 0
    base = estimated(session, study, trials, session.workers).estimate if trials else Estimate()
    seconds = base.seconds if arguments.hours is None else 3600 * arguments.hours
    return Estimate(trials, seconds, base.usd if arguments.usd is None else arguments.usd)


def _extended(study: Study, arguments: Extension) -> TaskCard:
    given = {key: value for key in ("trials", "hours", "usd") if (value := getattr(arguments, key)) is not None}
    if not given:
        raise WrongCall("extend_budget", [fault("trials", None, "at least one of trials, hours (hours) and usd (USD)")])
    budget = study.card.budget.model_dump(exclude_none=True)
    faults = [
        fault(key, value, f"nothing: the study has no limit of {key}")
        for key, value in given.items()
        if key not in budget
    ]
    if faults:
        raise WrongCall("extend_budget", faults, "leave out what has no limit")
    raised = {**budget, **{key: budget[key] + value for key, value in given.items()}}
    return TaskCard.from_json({**study.card.to_json(), "budget": raised})


def _changes(old: TaskCard, new: TaskCard) -> list[tuple[str, float, float]]:
    before, after = old.budget.model_dump(exclude_none=True), new.budget.model_dump(exclude_none=True)
    return [(key, before[key], value) for key, value in after.items() if value != before[key]]


@verb(Extension, "spend", _extending)
def extend_budget(session: Session, arguments: Extension) -> Answer:
    """Raise a study's own budget: trials in all, wall-clock hours, or US dollars for model calls. Asks for approval."""
    study = study_of(session, "extend_budget", arguments)
    old, card = study.card, _extended(study, arguments)
    session.revise(study, card)
    changes = _changes(old, card)
    return Answer(
        {"study": study.name, "budget": card.budget.model_dump(exclude_none=True)},
        f"The budget of {study.name}: "
        + ", ".join(f"{name} {before:g} -> {after:g}" for name, before, after in changes),
    )
