import math

import numpy as np
import pytest
import torch
from toy import card, config

from tunewright.errors import TunerError
from tunewright.telling import outcome_of, point_of
from tunewright.trial import Trial

TRIAL = Trial(4, config(), "llm", started=0.0)


def told(result=None, status="done", telemetry=None, **changes):
    return outcome_of(card(**changes), TRIAL, result, status, telemetry, "")


def test_a_number_is_the_value_of_the_one_metric() -> None:
    assert told(0.5).metrics == {"loss": 0.5}


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), torch.tensor(0.5), np.int64(2)])
def test_numbers_of_numpy_and_torch_are_numbers(value: object) -> None:
    assert told(value).metrics == {"loss": float(value)}  # type: ignore[arg-type]
    assert told({"loss": value}).metrics == {"loss": float(value)}  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, "0.5", None, [1.0], np.array([1.0, 2.0]), 1j])
def test_what_is_no_number_is_named(value: object) -> None:
    with pytest.raises(TunerError, match="trial 4 is told acc = "):
        told({"loss": 0.5, "acc": value})
    with pytest.raises(TunerError, match="trial 4 is told acc = "):
        point_of(TRIAL, 3, {"loss": 0.5, "acc": value})


def test_a_number_beyond_all_floats_is_infinite() -> None:
    assert told(10**400).status == told({"loss": -(10**400)}).status == "diverged"
    assert point_of(TRIAL, 3, {"loss": -(10**400)}).metrics == {"loss": -math.inf}


def test_more_metrics_than_the_card_names_are_kept() -> None:
    assert told({"loss": 0.5, "seconds": 3}).metrics == {"loss": 0.5, "seconds": 3.0}


def test_what_the_card_has_measured_is_taken_from_the_telemetry() -> None:
    bounds = ["telemetry.peak_gb <= 8", "telemetry.seconds <= 5"]
    metrics = told(0.5, telemetry={"seconds": 3.0, "peak_bytes": 2**31}, constraints=bounds).metrics
    assert metrics == {"loss": 0.5, "telemetry.peak_gb": 2.0, "telemetry.seconds": 3.0}
    assert card(constraints=bounds).feasible(metrics)
    assert told(metric="telemetry.seconds", telemetry={"seconds": 3.0}).metrics == {"telemetry.seconds": 3.0}
    said = {"loss": 0.5, "telemetry.seconds": 4.0}  # by somebody who knows better
    assert told(said, telemetry={"seconds": 3.0}, constraints=bounds[1:]).metrics == said


def test_nan_is_diverged_and_carries_no_value() -> None:
    outcome = told(float("nan"))
    assert (outcome.status, outcome.metrics, outcome.fault) == ("diverged", {}, "config")


@pytest.mark.parametrize(
    ("status", "fault"), [("oom", "config"), ("crashed", "config"), ("pruned", None), ("lost", "host")]
)
def test_a_status_without_a_value(status: str, fault: str | None) -> None:
    outcome = told(status=status, telemetry={"peak_bytes": 7, "limit_bytes": 9})
    assert (outcome.status, outcome.fault) == (status, fault)
    assert outcome.telemetry is not None
    assert outcome.telemetry.peak_bytes == 7


def test_a_value_beside_a_failure_is_not_dropped_unsaid() -> None:
    with pytest.raises(TunerError, match=r"(?s)told to be 'oom' and to have the result 0\.5.*give one of the two"):
        told(0.5, status="oom")


@pytest.mark.parametrize("result", [None, {}, {"accuracy": 1.0}])
def test_a_missing_metric_is_the_persons_error(result: object) -> None:
    with pytest.raises(TunerError, match=r"trial 4.*\n.*give a value for loss"):
        told(result)


@pytest.mark.parametrize("result", [0.5, {"loss": 0.5}])
def test_a_result_without_the_number_of_a_bound_is_an_error_as_it_is_of_a_tool(result: object) -> None:
    bounds = ["latency_ms <= 50", "telemetry.peak_gb <= 8"]
    with pytest.raises(TunerError, match="the result of trial 4 is") as e:
        told(result, constraints=bounds)
    assert "give a value for loss, latency_ms," in e.value.hint
    assert told({"loss": 0.5, "latency_ms": 60.0}, constraints=bounds).status == "done"
    assert told(None, "oom", constraints=bounds).status == "oom"


def test_one_number_for_two_metrics_is_an_error() -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "size", "direction": "minimize"}]
    with pytest.raises(TunerError, match="loss, size"):
        told(0.5, metrics=metrics, metric=None, direction=None)


def test_an_unknown_status_or_telemetry_field_is_named_with_what_there_is() -> None:
    with pytest.raises(TunerError, match=r"told to be 'crash'\n.*did you mean 'crashed'"):
        told(status="crash")
    with pytest.raises(TunerError, match=r"has 'peak_byte'\n.*did you mean 'peak_bytes'"):
        told(0.5, telemetry={"peak_byte": 7})


@pytest.mark.parametrize(("step", "metrics"), [(2, 0.3), (0.3, 2)])
def test_a_report_of_a_bare_value_is_refused_with_how_to_write_one(step: object, metrics: object) -> None:
    with pytest.raises(TunerError, match="trial 4 reports") as e:
        point_of(TRIAL, step, metrics)  # type: ignore[arg-type]
    assert 'report(trial, 3, {"loss": 0.5})' in e.value.hint
