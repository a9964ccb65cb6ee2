import contextlib
import errno
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright_tools.base import Job, Limits, Outcome, Point, Tool, ToolSetupError
from tunewright_tools.function import Context, FunctionTool, StopRun


def job(folder: Path, config: dict[str, Any] | None = None, seconds: float | None = None) -> Job:
    return Job(3, 0, config or {"x": 2.0}, 11, folder, limits=Limits(seconds), fidelity=0.5)


def go(
    folder: Path, fn: Callable[..., object], *names: str, on_point: Any = lambda _: False, **options: Any
) -> Outcome:
    return FunctionTool(fn, names or ["loss"]).run(job(folder, **options), on_point)


@pytest.mark.parametrize(
    "returned", [0.5, np.float32(0.5), np.array(0.5), {"loss": 0.5, "other": "text"}, {"loss": np.float64(0.5)}]
)
def test_what_an_objective_may_return(tmp_path: Path, returned: object) -> None:
    outcome = go(tmp_path, lambda config: returned)
    assert (outcome.status, outcome.metrics, outcome.fault, outcome.detail) == ("done", {"loss": 0.5}, None, "")
    assert type(outcome.metrics["loss"]) is float
    assert outcome.telemetry is not None
    assert outcome.telemetry.peak_bytes is None


def test_several_metrics_negative_and_whole_numbers(tmp_path: Path) -> None:
    assert go(tmp_path, lambda config: {"b": -1, "a": -config["x"]}, "a", "b").metrics == {"a": -2.0, "b": -1.0}


def test_the_best_of_the_curve_counts_where_that_is_asked_for(tmp_path: Path) -> None:
    def objective(config: dict[str, Any], ctx: Context) -> dict[str, float]:
        for step, (loss, acc) in enumerate([(0.5, 0.6), (0.2, 0.9), (math.nan, 0.7), (0.4, 0.8)]):
            ctx.report(step, loss=loss, acc=acc, ms=step)
        return {"loss": 0.4, "acc": 0.8, "size": 7, "ms": 3}

    names = ["loss", "acc", "size"]
    best = FunctionTool(
        objective, names, ["ms"], best_of_curve={"loss": "minimize", "acc": "maximize", "size": "minimize"}
    )
    assert best.run(job(tmp_path), lambda _: False).metrics == {"loss": 0.2, "acc": 0.9, "size": 7.0, "ms": 3.0}
    last = FunctionTool(objective, names, ["ms"])
    assert last.run(job(tmp_path), lambda _: False).metrics == {"loss": 0.4, "acc": 0.8, "size": 7.0, "ms": 3.0}


def test_the_context(tmp_path: Path) -> None:
    seen: list[Context] = []
    asked: list[tuple[Point, int]] = []

    def objective(config: dict[str, Any], ctx: Context) -> float:
        seen.append(ctx)
        config["x"] = "changed"
        assert not ctx.report(1, loss=np.float32(0.5), train_loss="no number, and not declared")
        assert not ctx.report(2, loss=math.nan)
        assert not ctx.report(3, loss=0.25)
        return 0.125

    given = job(tmp_path)
    tool = FunctionTool(objective, ["loss"])
    outcome = tool.run(given, lambda point: asked.append((point, threading.get_ident())) or False)
    assert (seen[0].seed, seen[0].dir, seen[0].number, seen[0].fidelity) == (11, tmp_path, 3, 0.5)
    assert given.config == {"x": 2.0}
    assert outcome.metrics == {"loss": 0.125}
    assert [(point.step, point.metrics) for point in outcome.curve] == [(1, {"loss": 0.5}), (3, {"loss": 0.25})]
    assert [point.step for point, _ in asked] == [1, 2, 3]
    assert math.isnan(asked[1][0].metrics["loss"])
    assert {thread for _, thread in asked} == {threading.get_ident()}


def test_who_gets_the_context(tmp_path: Path) -> None:
    def optional(config: dict[str, Any], verbose: bool = False) -> float:
        return float(verbose)

    def by_name(config: dict[str, Any], ctx: Context | None = None) -> float:
        return 0.0 if ctx is None else 1.0

    class Objective:
        def __call__(self, config: dict[str, Any], run: Context) -> float:
            return run.seed

    assert go(tmp_path, optional).metrics == {"loss": 0}
    assert go(tmp_path, by_name).metrics == {"loss": 1}
    assert go(tmp_path, Objective()).metrics == {"loss": 11}
    assert go(tmp_path, len).metrics == {"loss": 1}


def raising(error: BaseException) -> Callable[..., object]:
    def objective(config: dict[str, Any]) -> float:
        raise error

    return objective


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize(
    ("fn", "status", "fault", "said"),
    [
        (lambda config: math.nan, "diverged", "config", "loss is nan"),
        (lambda config: {"loss": -math.inf}, "diverged", "config", "loss is -inf"),
        (lambda config: "0.5", "crashed", "person", "'0.5', a str, where a number is needed"),
        (lambda config: True, "crashed", "person", "True, a bool"),
        (lambda config: None, "crashed", "person", "None, a NoneType"),
        (lambda config: np.ones(2), "crashed", "person", "not one number"),
        (lambda config: {"los": 1}, "crashed", "person", "no value for loss, only los"),
        (raising(MemoryError()), "oom", "config", "MemoryError"),
        (raising(OutOfMemoryError("CUDA")), "oom", "config", "OutOfMemoryError: CUDA"),
        (raising(RuntimeError("CUDA error: out of memory")), "oom", "config", "out of memory"),
        (raising(FloatingPointError("overflow")), "diverged", "config", "FloatingPointError"),
        (raising(ValueError("Input contains NaN.")), "diverged", "config", "Input contains NaN"),
        (raising(KeyError("x7")), "crashed", "config", "KeyError: 'x7'\nTraceback"),
        (raising(SystemExit(2)), "crashed", "config", "SystemExit: 2"),
        (raising(ModuleNotFoundError("No module named 'a'")), "crashed", "person", "No module named 'a'"),
        (raising(OSError(errno.ENOSPC, "No space left on device")), "crashed", "host", "No space left"),
        (raising(StopRun()), "pruned", None, "stopped itself"),
    ],
)
def test_failures_are_told_apart(
    tmp_path: Path, fn: Callable[..., object], status: str, fault: str | None, said: str
) -> None:
    outcome = go(tmp_path, fn)
    assert (outcome.status, outcome.fault, outcome.metrics) == (status, fault, {})
    assert said in outcome.detail


def test_one_number_for_two_metrics(tmp_path: Path) -> None:
    outcome = go(tmp_path, lambda config: 0.5, "a", "b")
    assert (outcome.status, outcome.fault) == ("crashed", "person")
    assert "a, b are declared; return a dict" in outcome.detail


def test_an_error_after_nan_is_divergence(tmp_path: Path) -> None:
    def objective(config: dict[str, Any], ctx: Context) -> float:
        ctx.report(1, loss=math.nan)
        raise RuntimeError("cannot go on")

    assert go(tmp_path, objective).status == "diverged"


def test_reporting_no_number_is_a_crash_that_says_so(tmp_path: Path) -> None:
    outcome = go(tmp_path, lambda config, ctx: ctx.report(1, loss="0.5"))
    assert outcome.status == "crashed"
    assert "the value of loss is '0.5', a str" in outcome.detail


@pytest.mark.parametrize("obeys", [True, False])
def test_pruned(tmp_path: Path, obeys: bool) -> None:
    asked: list[float] = []

    def objective(config: dict[str, Any], ctx: Context) -> float:
        for step in range(5):
            if ctx.report(step, loss=step) and obeys:
                raise StopRun
        return 0.5

    outcome = go(tmp_path, objective, on_point=lambda point: asked.append(point.step) or point.step == 1)
    assert (outcome.status, outcome.fault) == ("pruned", None)
    assert asked == [0, 1]
    assert len(outcome.curve) == (2 if obeys else 5)


def forever(config: dict[str, Any], ctx: Context) -> float:
    while not ctx.report(1, loss=1.0):
        time.sleep(0.005)
    return 1.0


def test_time_limit(tmp_path: Path) -> None:
    outcome = go(tmp_path, forever, seconds=0.05)
    assert (outcome.status, outcome.fault) == ("timeout", "config")
    assert "still running after 0.05 s" in outcome.detail


def test_cancel(tmp_path: Path) -> None:
    tool = FunctionTool(forever, ["loss"])
    begun = threading.Event()
    threading.Thread(target=lambda: begun.wait(10) and tool.cancel()).start()
    assert tool.run(job(tmp_path, seconds=10), lambda _: begun.set() or False).status == "cancelled"
    assert tool.run(job(tmp_path, seconds=0.05), lambda _: False).status == "timeout"


def test_what_is_not_the_objectives_fault_comes_out(tmp_path: Path) -> None:
    def broken(point: Point) -> bool:
        raise LookupError("the study broke")

    def swallows(config: dict[str, Any], ctx: Context) -> float:
        with contextlib.suppress(LookupError):
            ctx.report(1, loss=1)
        return 1

    for objective in (forever, swallows):
        with pytest.raises(LookupError, match="the study broke"):
            go(tmp_path, objective, on_point=broken)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, raising(KeyboardInterrupt()))


def test_check() -> None:
    tool = FunctionTool(lambda config: 1, ["loss"])
    assert isinstance(tool, Tool)
    tool.check({"x": 1})
    FunctionTool(len, ["loss"]).check({"x": 1})
    for wrong in (lambda: 1, lambda a, b, c: 1):
        with pytest.raises(ToolSetupError, match="cannot be called with a configuration") as raised:
            FunctionTool(wrong, ["loss"]).check({"x": 1})
        assert "objective(config, ctx)" in raised.value.hint
    with pytest.raises(ToolSetupError, match="the metrics are 'loss'"):
        FunctionTool(len, "loss")
    with pytest.raises(ToolSetupError, match="cannot be called"):
        FunctionTool(3, ["loss"])  # type: ignore[arg-type]


def test_what_is_measured_can_be_a_metric_where_it_is_known_in_this_process(tmp_path: Path) -> None:
    def objective(config: dict[str, Any]) -> dict[str, float]:
        return {"val_loss": 0.5}

    job = Job(0, 0, {}, 0, tmp_path)
    outcome = FunctionTool(objective, ["val_loss"], ["telemetry.seconds"]).run(job, lambda _: False)
    assert outcome.telemetry is not None
    assert outcome.metrics == {"val_loss": 0.5, "telemetry.seconds": outcome.telemetry.seconds}
    lacking = FunctionTool(objective, ["val_loss"], ["telemetry.peak_gb"]).run(job, lambda _: False)
    assert (lacking.status, lacking.fault) == ("crashed", "person")
    assert "telemetry.peak_gb cannot be measured in this process" in lacking.detail


def test_what_stands_beside_a_metric_is_kept_where_it_is_a_number(tmp_path: Path) -> None:
    def objective(config: dict[str, Any], ctx: Context) -> float:
        ctx.report(1, loss=1.0, train_loss=np.float32(0.5))
        ctx.report(2, loss=0.9, train_loss="none")
        return 0.9

    outcome = FunctionTool(objective, ["loss"], beside=["train_loss"]).run(job(tmp_path), lambda _: False)
    assert [point.metrics for point in outcome.curve] == [{"loss": 1.0, "train_loss": 0.5}, {"loss": 0.9}]
