"""Verbs that explain: why a trial was chosen, how two trials differ, which parameters matter."""

from typing import Any

from pydantic import Field

from tunewright.importance import importance
from tunewright.report import number
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import MOST_TRIALS, OfStudy, OfTrial, settings, study_of, trial_data, trial_of
from tunewright.verbs.faults import WrongCall, fault
from tunewright.verbs.session import Session

FEW = 10
"""Finished trials below which importances are mostly noise."""


@verb(OfTrial, "look")
def why_trial(session: Session, arguments: OfTrial) -> Answer:
    """Say why a configuration was run: its source, reasons, the guard's numbers, what was expected and what came.

    Also what else was proposed for that turn and refused, and the model call that it came from.
    """
    study = study_of(session, "why_trial", arguments)
    trial = trial_of(study, "why_trial", arguments.trial)
    metric = study.card.primary.name
    value = trial.outcome.metrics.get(metric) if trial.outcome is not None else None
    expected = trial.predicted
    call = study.ledger.get(trial.call_id) if trial.call_id is not None else None
    moved = {name: [trial.asked[name], v] for name, v in trial.config.items() if trial.asked.get(name, v) != v}
    data: dict[str, Any] = {
        "study": study.name,
        "trial": trial.number,
        "turn": trial.turn,
        "source": trial.source,
        "rationale": trial.rationale,
        "config": trial.config,
        "rounded": moved,
        "ignored_names": list(trial.verdict.ignored),
        "verdict": {"reason": trial.verdict.reason, "numbers": trial.verdict.numbers},
        "expected": None
        if expected is None
        else {"metric": metric, "mean": expected.mean, "low": expected.low, "high": expected.high, "chance": 0.8},
        "value": value,
        "status": trial.status,
        "inside_interval": None if expected is None or value is None else expected.low <= value <= expected.high,
        "refused": [
            {
                "config": r.proposal.config,
                "source": r.proposal.source,
                "rationale": r.proposal.rationale,
                "reason": r.verdict.reason,
                "numbers": r.verdict.numbers,
            }
            for r in trial.refused
        ],
        "call": None
        if call is None
        else {
            "id": call.id,
            "model": call.model,
            "template": call.template,
            "template_hash": call.template_hash,
            "seconds": call.seconds,
            "cost_usd": call.cost_usd,
        },
    }
    return Answer(data, _why(trial, metric, data))


def _why(trial: Trial, metric: str, data: dict[str, Any]) -> str:
    lines = [f"trial {trial.number}: {trial.source}{_turn(trial)}", settings(trial.config)]
    lines += [f"reason: {trial.rationale}"] if trial.rationale else []
    lines += [f"guard: {trial.verdict.reason or 'accepted'}{_numbers(trial.verdict.numbers)}"]
    if trial.predicted is not None:
        p = trial.predicted
        lines.append(f"expected: {metric} = {number(p.mean)} (80%: {number(p.low)} to {number(p.high)})")
    inside = {True: ", inside the interval", False: ", outside the interval", None: ""}[data["inside_interval"]]
    came = str(trial.status) if data["value"] is None else f"{metric} = {number(data['value'])}{inside}"
    lines.append(f"came: {came}")
    lines += [f"refused: {settings(r.proposal.config)}: {r.verdict.reason}" for r in trial.refused]
    lines += [f"asked: {data['call']['model']}, call {data['call']['id']}"] if data["call"] else []
    return "\n".join(lines)


def _turn(trial: Trial) -> str:
    return f" (it was the turn of {trial.turn})" if trial.turn and trial.turn != trial.source else ""


def _numbers(numbers: dict[str, float]) -> str:
    return f" ({', '.join(f'{k} = {number(v)}' for k, v in numbers.items())})" if numbers else ""


class Two(OfStudy):
    """Two trials."""

    first: int = Field(ge=0, le=MOST_TRIALS, description="Number of one trial.")
    second: int = Field(ge=0, le=MOST_TRIALS, description="Number of the other trial.")


@verb(Two, "look")
def compare_trials(session: Session, arguments: Two) -> Answer:
    """Compare two trials: parameters that differ, their metrics and which is better in each, seconds, status."""
    study = study_of(session, "compare_trials", arguments)
    if arguments.first == arguments.second:
        raise WrongCall("compare_trials", [fault("second", arguments.second, "another trial than first")])
    one = trial_of(study, "compare_trials", arguments.first, "first")
    two = trial_of(study, "compare_trials", arguments.second, "second")
    names = [n for n in study.card.space.names if n in one.config or n in two.config]
    differ = [n for n in names if repr(one.config.get(n)) != repr(two.config.get(n))]
    metrics = _metrics(study, one, two)
    data = {
        "study": study.name,
        "first": trial_data(one),
        "second": trial_data(two),
        "differs": {n: [one.config.get(n), two.config.get(n)] for n in differ},
        "same": {n: one.config[n] for n in names if n not in differ},
        "metrics": metrics,
    }
    head = f"{'':22}{f'trial {one.number}':>16}{f'trial {two.number}':>16}"
    rows = [_row(n, one.config.get(n), two.config.get(n)) for n in differ]
    rows += [_row(name, *m["values"]) + f"  better: {m['better']}" for name, m in metrics.items()]
    rows += [_row("status", str(one.status), str(two.status))]
    rows += [_row("seconds", *(trial_data(t)["seconds"] for t in (one, two)))]
    return Answer(data, "\n".join([head, *rows, f"the other {len(names) - len(differ)} parameters are the same"]))


def _row(name: str, one: Any, two: Any) -> str:
    return f"{name:22}{number(one) or '-':>16}{number(two) or '-':>16}"


def _metrics(study: Study, one: Trial, two: Trial) -> dict[str, Any]:
    """Each metric of the card: both values, their difference, and the number of the better trial."""
    found: dict[str, Any] = {}
    for m in study.card.metrics:
        a, b = (t.outcome.metrics.get(m.name) if t.outcome is not None else None for t in (one, two))
        if a is None and b is None:
            better: int | str = "neither has a value"
        elif a is None or b is None:
            better = two.number if a is None else one.number
        elif a == b:
            better = "equal"
        else:
            better = one.number if m.loss(a) < m.loss(b) else two.number
        difference = b - a if a is not None and b is not None else None
        found[m.name] = {"values": [a, b], "difference": difference, "direction": m.direction, "better": better}
    return found


class Importance(OfStudy):
    """For which metric."""

    metric: str | None = Field(default=None, description="A metric of the study; the first unless given.")


@verb(Importance, "look")
def parameter_importance(session: Session, arguments: Importance) -> Answer:
    """Say which parameters matter: each one's share of the variation of a metric over the finished trials (fANOVA).

    Optuna's evaluator on the study's record. Shares add up to 1. A parameter that is not in every finished trial
    cannot be rated.
    """
    study = study_of(session, "parameter_importance", arguments)
    names = [m.name for m in study.card.metrics]
    metric = arguments.metric or names[0]
    if metric not in names:
        raise WrongCall("parameter_importance", [fault("metric", metric, f"one of {', '.join(names)}")])
    done = sum(t.done for t in study.trials())
    shares = importance(study, names.index(metric))
    unrated = [n for n in study.card.space.names if n not in shares]
    notes = [f"{done} finished trials are few: the shares are mostly noise below {FEW}"] if done < FEW else []
    notes += [f"not rated, since not in every finished trial: {', '.join(unrated)}"] if unrated else []
    data = {
        "study": study.name,
        "metric": metric,
        "trials": done,
        "evaluator": "optuna fANOVA",
        "importance": shares,
        "unrated": unrated,
        "notes": notes,
    }
    rows = [f"{name:24} {share:6.1%}  {'#' * round(30 * share)}" for name, share in shares.items()]
    return Answer(data, "\n".join([f"{metric}, {done} finished trials:", *rows, *notes]))
