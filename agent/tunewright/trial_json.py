"""Trials as plain data, and back: what the record keeps, also for numbers and texts that JSON has no room for."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from tunewright.errors import StudyError
from tunewright.parameter import unboxed
from tunewright.redact import redact
from tunewright.trial import Interval, Proposal, Refusal, Trial, Verdict
from tunewright_tools.base import GpuUse, Outcome, Point, Telemetry

DETAIL_HEAD = 1000
DETAIL_TAIL = 3000
"""Characters kept of a long `Outcome.detail`: the reason comes first, the log's last lines last."""

_TAG = "$number"  # JSON has no NaN and no infinity
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\ud800-\udfff]")


def to_plain(value: Any) -> Any:
    """The value as data that any JSON parser reads; `from_plain` gives an equal one (tuples come back as lists).

    Raises:
        StudyError: something that is no text, number, boolean, list or mapping with text keys.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else {_TAG: repr(float(value))}
        case dict():
            odd = [key for key in value if not isinstance(key, str)]
            if odd:
                raise _unkept(odd[0], "a key that is no text")
            return {key: to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [to_plain(item) for item in value]
    if (own := unboxed(value)) is not value:
        return to_plain(own)
    raise _unkept(value, f"a {type(value).__name__}")


def _unkept(value: Any, what: str) -> StudyError:
    return StudyError(
        f"the record cannot keep {value!r}, {what}", "use text, numbers, booleans, lists and mappings with text keys"
    )


def from_plain(value: Any) -> Any:
    """What `to_plain` was given."""
    match value:
        case {"$number": str(text), **rest} if not rest:
            return float(text)
        case dict():
            return {key: from_plain(item) for key, item in value.items()}
        case list():
            return [from_plain(item) for item in value]
    return value


def clean_outcome(outcome: Outcome) -> Outcome:
    """The outcome as the record keeps it: `detail` without terminal codes, control characters, keys and its middle."""
    text = redact(_CONTROL.sub("", _ANSI.sub("", outcome.detail.replace("\r\n", "\n").replace("\r", "\n"))))
    left_out = len(text) - DETAIL_HEAD - DETAIL_TAIL
    if left_out > 0:
        text = f"{text[:DETAIL_HEAD]}\n[... {left_out} characters left out ...]\n{text[-DETAIL_TAIL:]}"
    return replace(outcome, detail=text)


# -- trials ------------------------------------------------------------------------------------------------------


def trial_to_json(trial: Trial) -> dict[str, Any]:
    """The whole trial as plain data; `trial_from_json` gives an equal one.

    Raises:
        StudyError: a configuration as asked that holds something other than plain data.
    """
    record = {
        **{key: getattr(trial, key) for key in _AS_THEY_ARE},
        "verdict": _verdict_to_json(trial.verdict),
        "refused": [
            {"proposal": proposal_to_json(r.proposal), "verdict": _verdict_to_json(r.verdict)} for r in trial.refused
        ],
        "predicted": _interval_to_json(trial.predicted),
        "outcome": None if trial.outcome is None else outcome_to_json(trial.outcome),
    }
    plain: dict[str, Any] = to_plain(record)
    return plain


_AS_THEY_ARE = (
    "number",
    "attempt",
    "source",
    "turn",
    "seed",
    "config",
    "asked",
    "rationale",
    "call_id",
    "call_index",
    "queue_id",
    "space_revision",
    "status",
    "started",
    "finished",
    "record_id",
    "environment",
)


def trial_from_json(record: Mapping[str, Any]) -> Trial:
    """The trial that `trial_to_json` wrote."""
    data = from_plain(dict(record))
    return Trial(
        **{key: data[key] for key in _AS_THEY_ARE},
        verdict=_verdict_from_json(data["verdict"]),
        refused=tuple(
            Refusal(proposal_from_json(r["proposal"]), _verdict_from_json(r["verdict"])) for r in data["refused"]
        ),
        predicted=_interval_from_json(data["predicted"]),
        outcome=None if data["outcome"] is None else outcome_from_json(data["outcome"]),
    )


def proposal_to_json(proposal: Proposal) -> dict[str, Any]:
    """The proposal as plain data; `proposal_from_json` gives an equal one."""
    plain: dict[str, Any] = to_plain(
        {
            "config": proposal.config,
            "source": proposal.source,
            "rationale": proposal.rationale,
            "predicted": _interval_to_json(proposal.predicted),
            "call_id": proposal.call_id,
            "index": proposal.index,
        }
    )
    return plain


def proposal_from_json(record: Mapping[str, Any]) -> Proposal:
    """The proposal that `proposal_to_json` wrote."""
    data = from_plain(dict(record))
    return Proposal(**{**data, "predicted": _interval_from_json(data["predicted"])})


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data, each point of its curve one `[step, seconds, metrics]`."""
    plain: dict[str, Any] = to_plain(
        {
            "status": outcome.status,
            "metrics": outcome.metrics,
            "curve": [[p.step, p.seconds, p.metrics] for p in outcome.curve],
            "telemetry": None if outcome.telemetry is None else asdict(outcome.telemetry),
            "detail": outcome.detail,
            "fault": outcome.fault,
        }
    )
    return plain


def outcome_from_json(record: Mapping[str, Any]) -> Outcome:
    """The outcome that `outcome_to_json` wrote."""
    data = from_plain(dict(record))
    return Outcome(
        status=data["status"],
        metrics=data["metrics"],
        curve=tuple(Point(step=step, metrics=metrics, seconds=seconds) for step, seconds, metrics in data["curve"]),
        telemetry=None if data["telemetry"] is None else _telemetry_from_json(data["telemetry"]),
        detail=data["detail"],
        fault=data["fault"],
    )


def _telemetry_from_json(data: dict[str, Any]) -> Telemetry:
    # Records from before GPUs were told apart have no `gpus`.
    return Telemetry(**{**data, "gpus": tuple(GpuUse(**gpu) for gpu in data.get("gpus", ()))})


def _verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "accepted": verdict.accepted,
        "reason": verdict.reason,
        "numbers": verdict.numbers,
        "ignored": verdict.ignored,
    }


def _verdict_from_json(data: Mapping[str, Any]) -> Verdict:
    return Verdict(data["accepted"], data["reason"], data["numbers"], tuple(data["ignored"]))


def _interval_to_json(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.mean, interval.low, interval.high]


def _interval_from_json(data: list[float] | None) -> Interval | None:
    return None if data is None else Interval(*data)
