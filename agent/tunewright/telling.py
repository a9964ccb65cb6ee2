"""What a person's own loop tells, as the record keeps it: an outcome from metrics or a status, a point of a curve."""

import math
import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import TunerError, did_you_mean
from tunewright.parameter import unboxed
from tunewright.trial import Trial
from tunewright_tools.base import STATUSES, Fault, Outcome, Point, Status, Telemetry
from tunewright_tools.measured import is_measured, measured

_NO_AMOUNTS = ("gpu_memory_from", "throughput_unit", "gpus")
_FAULTS: dict[Status, Fault | None] = {"done": None, "pruned": None, "cancelled": None, "lost": "host"}


def outcome_of(
    card: TaskCard,
    trial: Trial,
    result: Mapping[str, float] | float | None,
    status: Status,
    telemetry: Telemetry | Mapping[str, Any] | None,
    detail: str,
) -> Outcome:
    """The outcome; a metric that is not finite makes it `diverged`. What is measured is taken from the telemetry.

    Raises:
        TunerError: no trial, a metric of the card or of a constraint is missing, a value is no number, a value for a
            run that did not end well, the status or a telemetry field is unknown, one of its values is no amount, the
            detail is no text.
    """
    check_is_trial(trial)
    if not isinstance(detail, str):
        raise TunerError(f"the detail of trial {trial.number} is {detail!r:.80}", "give text")
    if status not in STATUSES:
        raise TunerError(
            f"trial {trial.number} is told to be {status!r}",
            f"{did_you_mean(status, STATUSES)}the statuses are {', '.join(STATUSES)}",
        )
    if isinstance(telemetry, Mapping):
        known = [field.name for field in fields(Telemetry)]
        if unknown := [name for name in telemetry if name not in known]:
            raise TunerError(
                f"the telemetry of trial {trial.number} has {', '.join(map(repr, unknown))}",
                f"{did_you_mean(str(unknown[0]), known)}the fields are {', '.join(known)}",
            )
        measured_here = {name: _amount(trial, name, value) for name, value in telemetry.items() if value is not None}
        telemetry = Telemetry(**{"seconds": time.time() - trial.started, **measured_here})
    elif telemetry is not None and not isinstance(telemetry, Telemetry):
        raise TunerError(
            f"the telemetry of trial {trial.number} is {telemetry!r:.80}",
            'give some of its fields, such as {"peak_bytes": 1_000_000}, or a Telemetry',
        )
    if status != "done":
        if result is not None:
            raise TunerError(
                f"trial {trial.number} is told to be {status!r} and to have the result {result!r:.80}",
                "give one of the two; what a run showed before it ended goes by `report`",
            )
        return Outcome(status, telemetry=telemetry, detail=detail, fault=_FAULTS.get(status, "config"))
    names = [m.name for m in card.metrics]
    told: Any = result
    if hasattr(result, "__float__") and not isinstance(result, Mapping) and len(names) == 1:
        told = {names[0]: result}
    if telemetry is not None and (told is None or isinstance(told, Mapping)):
        told = measured([*names, *(c.metric for c in card.constraints)], telemetry) | dict(told or {})
    needed = [*names, *(c.metric for c in card.constraints if not is_measured(c.metric))]
    if not isinstance(told, Mapping) or any(name not in told for name in needed):
        raise TunerError(
            f"the result of trial {trial.number} is {result!r}",
            f"give a value for {', '.join(dict.fromkeys(needed))}, or a status such as 'crashed'",
        )
    metrics = {name: _number(trial, name, value) for name, value in told.items()}
    if not all(math.isfinite(value) for value in metrics.values()):
        return Outcome("diverged", telemetry=telemetry, detail=detail or f"metrics {metrics}", fault="config")
    return Outcome("done", metrics, telemetry=telemetry, detail=detail)


def check_is_trial(trial: object) -> None:
    """Raise `TunerError` for anything else, such as its number."""
    if not isinstance(trial, Trial):
        raise TunerError(f"{trial!r:.200} is no trial", "give the trial that `ask` gave")


def _amount(trial: Trial, name: str, value: Any) -> Any:
    """A number of the telemetry, which later decisions sum and compare; its other fields as they are."""
    value = unboxed(value)
    if name in _NO_AMOUNTS:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TunerError(
            f"the telemetry of trial {trial.number} has {name} = {value!r:.80}", "give a finite number of at least 0"
        )
    return value


def _number(trial: Trial, name: str, value: Any) -> float:
    """A number of Python, NumPy or PyTorch; one beyond all floats is infinite."""
    try:
        if not isinstance(value, bool | str | bytes):
            return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        pass
    raise TunerError(f"trial {trial.number} is told {name} = {value!r:.80}", "give a number, or leave it out") from None


def point_of(trial: Trial, step: float, metrics: Mapping[str, float]) -> Point:
    """The point of a curve; its seconds are those since the trial started.

    Raises:
        TunerError: no trial, the step is not a finite number of at least 0, the metrics are no mapping, or a value is
            no number.
    """
    check_is_trial(trial)
    if not hasattr(metrics, "items"):  # pandas' Series is no Mapping
        raise TunerError(
            f"trial {trial.number} reports {metrics!r:.80} at step {step!r:.80}",
            'give the metrics by name: report(trial, 3, {"loss": 0.5})',
        )
    at = _number(trial, "step", step)
    values = {str(name): _number(trial, name, value) for name, value in metrics.items()}
    if not math.isfinite(at) or at < 0:
        raise TunerError(f"the step of trial {trial.number}'s report is {step!r}", "give a finite number from 0 on")
    return Point(at, values, max(time.time() - trial.started, 0.0))
