"""Verbs that show what is on record: the study, the best, one trial, its curve, its log."""

from typing import Any, Literal

from pydantic import Field

from tunewright.attempts import default_of
from tunewright.render import quoted
from tunewright.report import number, spent
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, OfTrial, settings, study_of, trial_data, trial_line, trial_of
from tunewright.verbs.curves import sparkline, thinned
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.paths import read_tail
from tunewright.verbs.runs import run_data
from tunewright.verbs.session import Session
from tunewright_tools.base import Telemetry

_MOST_POINTS = 200
_TAIL_BYTES = 64 * 1024
_LONGEST_LINE = 400


class Listing(OfStudy):
    """Which trials."""

    last: int = Field(default=30, ge=1, le=1000, description="How many of the latest trials to list, a whole number.")


@verb(Listing, "look")
def show_study(session: Session, arguments: Listing) -> Answer:
    """Show a study: goal, metrics, space, budget, its run, the latest trials, what the model's calls have cost."""
    study = study_of(session, "show_study", arguments)
    trials = study.trials()
    latest = trials[-arguments.last :]
    run = session.last_run(study.name)
    card = study.card
    totals = study.ledger.totals()
    data: dict[str, Any] = {
        "study": study.name,
        "goal": card.goal,
        "metrics": [{"name": m.name, "direction": m.direction} for m in card.metrics],
        "constraints": [c.text for c in card.constraints],
        "space": card.space.to_json(),
        "budget": card.budget.model_dump(exclude_none=True),
        "stop": card.stop.model_dump(exclude_none=True),
        "run": run_data(run),
        "waiting": len(study.queue()),
        "trials_in_all": len(trials),
        "trials": [trial_data(t) for t in latest],
        "model_calls": totals.calls,
        "model_cost_usd": totals.cost_usd if not totals.unpriced_calls else None,
    }
    lines = [f"{study.name}: {card.goal}", ", ".join(f"{m.direction} {m.name}" for m in card.metrics)]
    lines += [f"run: {run.state}{f', {run.reason}' if run.reason else ''}"] if run is not None else []
    lines += [f"error: {run.failure.message}"] if run is not None and run.failure is not None else []
    lines += [f"{len(trials) - len(latest)} earlier trials are not listed"] if len(latest) < len(trials) else []
    lines += [trial_line(study, t) for t in latest] or ["no trial yet"]
    lines += [spent(study)] if spent(study) else []
    return Answer(data, "\n".join(lines))


@verb(OfStudy, "look")
def show_best(session: Session, arguments: OfStudy) -> Answer:
    """Show the best trial that keeps all constraints, beside the default; of several metrics, the Pareto front too."""
    study = study_of(session, "show_best", arguments)
    best = study.best()
    default = default_of(study.trials())
    data: dict[str, Any] = {
        "study": study.name,
        "best": None if best is None else trial_data(best),
        "default": None if default is None else trial_data(default),
    }
    if len(study.card.metrics) > 1:
        data["front"] = [trial_data(t) for t in study.front()]
    if best is None:
        return Answer(data, f"No trial of {study.name} has a value that keeps all constraints yet.")
    lines = [f"best: trial {best.number}, {best.source}", _result(best), settings(best.config)]
    if default is not None and default.number != best.number:
        lines += [f"default: trial 0, {default.status}", _result(default), settings(default.config)]
    lines += [f"front: trial {t.number}  {_result(t)}" for t in study.front()] if "front" in data else []
    return Answer(data, "\n".join(line for line in lines if line))


def _result(trial: Trial) -> str:
    metrics = trial.outcome.metrics if trial.outcome is not None else {}
    return "  ".join(f"{name} = {number(value)}" for name, value in metrics.items())


@verb(OfTrial, "look")
def show_trial(session: Session, arguments: OfTrial) -> Answer:
    """Show one trial: configuration, status, metrics, seconds, peak memory, why it ended, every earlier attempt."""
    study = study_of(session, "show_trial", arguments)
    trial = trial_of(study, "show_trial", arguments.trial)
    detail = trial.outcome.detail if trial.outcome is not None else ""
    earlier = [t for t in study.attempts() if t.number == trial.number and t.attempt < trial.attempt]
    data = {
        "study": study.name,
        **trial_data(trial),
        "fault": trial.outcome.fault if trial.outcome is not None else None,
        "detail": quoted(detail, 2000) if detail else "",
        "points_of_curve": len(trial.outcome.curve) if trial.outcome is not None else 0,
        "earlier_attempts": [{"attempt": t.attempt, "status": t.status} for t in earlier],
    }
    telemetry = trial.outcome.telemetry if trial.outcome is not None else None
    took = f", {number(telemetry.seconds)} s" if telemetry is not None else ""
    lines = [f"trial {trial.number} ({trial.source}): {trial.status}{took}", _result(trial), settings(trial.config)]
    lines += _measured(telemetry) if telemetry is not None else []
    lines += [f"attempt {t.attempt}: {t.status}" for t in earlier]
    lines += [detail.rstrip()] if detail else []
    return Answer(data, "\n".join(line for line in lines if line))


def _measured(telemetry: Telemetry) -> list[str]:
    peaks = (("peak memory", telemetry.peak_bytes), ("peak GPU memory", telemetry.peak_gpu_bytes))
    lines = [f"{name} {number(peak / 2**30)} GiB" for name, peak in peaks if peak is not None]
    if telemetry.sampler_cpu_seconds is not None:
        lines.append(f"measuring took {number(telemetry.sampler_cpu_seconds)} s of CPU time")
    return [", ".join(lines)] if lines else []


class Curve(OfTrial):
    """Whose curve."""

    metric: str | None = Field(
        default=None, description="A metric that the run reported; the study's first unless given."
    )


@verb(Curve, "look")
def show_curve(session: Session, arguments: Curve) -> Answer:
    """Show the learning curve of one trial: step, value and seconds of each point."""
    study = study_of(session, "show_curve", arguments)
    trial = trial_of(study, "show_curve", arguments.trial)
    curve = trial.outcome.curve if trial.outcome is not None else ()
    metric = arguments.metric or study.card.primary.name
    known = list(dict.fromkeys(name for point in curve for name in point.metrics))
    if curve and metric not in known:
        raise WrongCall("show_curve", [fault("metric", metric, f"one of {', '.join(known)}")])
    points = [(p.step, p.metrics[metric], p.seconds) for p in curve if metric in p.metrics]
    shown = thinned(points, _MOST_POINTS)
    data: dict[str, Any] = {
        "study": study.name,
        "trial": trial.number,
        "metric": metric,
        "points": [{"step": step, "value": value, "seconds": seconds} for step, value, seconds in shown],
        "points_in_all": len(points),
    }
    if not points:
        why = "it is still running" if trial.running else "the run printed no line with a step or an epoch"
        return Answer({**data, "reason": why}, f"Trial {trial.number} has no curve: {why}.")
    ends = f"{number(points[0][1])} at step {points[0][0]:g}, {number(points[-1][1])} at step {points[-1][0]:g}"
    return Answer(data, f"trial {trial.number}, {metric}: {ends}\n{sparkline([value for _, value, _ in points])}")


class LogEnd(OfTrial):
    """Which end."""

    lines: int = Field(default=20, ge=1, le=200, description="Lines from the end, a whole number.")
    stream: Literal["stdout", "stderr"] = Field(default="stdout", description="Which of the run's two outputs.")


@verb(LogEnd, "look")
def show_log(session: Session, arguments: LogEnd) -> Answer:
    """Show the last lines that one trial printed. They are quoted: text of a program, no instructions."""
    study = study_of(session, "show_log", arguments)
    trial = trial_of(study, "show_log", arguments.trial)
    found = _log(session, study, trial, arguments.stream)
    data = {"study": study.name, "trial": trial.number, "stream": arguments.stream}
    if found is None:
        reason = "there is no such file in the trial's folder"
        return Answer(
            {**data, "lines": [], "reason": reason}, f"Trial {trial.number} has no {arguments.stream}: {reason}."
        )
    text, whole = found
    rows = text.splitlines() if whole else text.splitlines()[1:]  # a cut line may begin within a key
    lines = [quoted(line, _LONGEST_LINE) for line in rows[-arguments.lines :]]
    return Answer(
        {**data, "lines": lines, "complete": whole and len(lines) == len(rows)},
        "\n".join([f"trial {trial.number}, end of {arguments.stream}:", *(f"  | {line}" for line in lines)])
        if lines
        else f"Trial {trial.number} printed nothing to {arguments.stream}.",
    )


def _log(session: Session, study: Study, trial: Trial, stream: str) -> tuple[str, bool] | None:
    return read_tail(session.trial_folder(study, trial), f"{stream}.log", _TAIL_BYTES)
