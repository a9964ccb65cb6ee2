"""A Python callable as a tool: `objective(config) -> float | dict`, in this process and this thread.

An objective may take a second argument, `ctx`, to see its seed and folder and to report its learning curve:

    def objective(config, ctx):
        for epoch in range(10):
            ...
            if ctx.report(epoch, val_loss=loss):
                raise StopRun
        return loss

What runs in this process cannot be ended from outside: a time limit and `cancel` reach the objective only through
`ctx.report`, memory limits and peaks are not measured, and an objective that never reports runs to its end. Whatever
must be limited belongs into a command.
"""

import inspect
import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, SupportsFloat

from .base import Fault, Job, OnPoint, Outcome, Status, Telemetry, ToolSetupError
from .contract import Direction, Values
from .diagnosis import from_text, shortened
from .measured import check_measured, is_measured, measured

TAIL_LINES = 20


class StopRun(Exception):  # noqa: N818 (a request, no error)
    """Raised by an objective to end its run early and without a value, as `ctx.report` or it itself decided."""


@dataclass
class Context:
    """What an objective may know of its run."""

    number: int
    attempt: int
    seed: int
    dir: Path
    """The run's own folder, kept."""
    devices: tuple[int | str, ...]
    fidelity: float | None
    checkpoint: Path | None
    """Where the run may keep its state; all attempts at a trial have the same path, and it is removed at the end."""
    _report: Callable[[float, Mapping[str, SupportsFloat]], bool] = field(repr=False)

    def report(self, step: float, **metrics: SupportsFloat) -> bool:
        """Give a point of the learning curve; True asks the objective to stop (`raise StopRun`, or return).

        Args:
            step: epoch or step, a finite number.
            metrics: values by name; names that are not declared are passed over, and NaN is not kept in the curve.

        Raises:
            TypeError, ValueError: a declared metric's value is no number.
        """
        return self._report(step, metrics)


class FunctionTool:
    """Runs a callable once for each configuration.

    Args:
        fn: takes a copy of the configuration, and a `Context` as second argument if that is named `ctx` or `context`
            or has no default. Returns the only metric as a number, or a dict with all of them.
        metrics: names of the metrics.
        extra_names: names of constraints, which the dict must hold too.
        beside: names that join the curve's points where `ctx.report` gives them, such as `train_loss`.
        best_of_curve: metrics, with their directions, whose best reported value counts instead of the returned one.

    Raises:
        ToolSetupError: no metric, or something that cannot be called.
    """

    def __init__(
        self,
        fn: Callable[..., object],
        metrics: Sequence[str],
        extra_names: Sequence[str] = (),
        beside: Sequence[str] = (),
        best_of_curve: Mapping[str, Direction] = MappingProxyType({}),
    ) -> None:
        if isinstance(metrics, str) or not metrics:
            raise ToolSetupError(f"the metrics are {metrics!r}", 'give a list of names, such as ["val_loss"]')
        if not callable(fn):
            raise ToolSetupError(f"the objective {fn!r} cannot be called", "give a function of one configuration")
        self.fn = fn
        self.metrics = tuple(metrics)
        self.extra_names = tuple(extra_names)
        self.beside = tuple(beside)
        self.best_of_curve = dict(best_of_curve)
        check_measured((*self.metrics, *self.extra_names))
        self._takes_context = _takes_context(fn)
        self._lock = threading.Lock()
        self._running: set[threading.Event] = set()

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise `ToolSetupError` when the callable cannot take a configuration."""
        try:
            inspect.signature(self.fn).bind(*[parameters, None][: 2 if self._takes_context else 1])
        except ValueError:
            return  # a builtin that does not tell its signature
        except TypeError as error:
            raise ToolSetupError(
                f"the objective {self.fn!r} cannot be called with a configuration: {error}",
                "write it as objective(config) or objective(config, ctx)",
            ) from None

    def run(self, job: Job, on_point: OnPoint) -> Outcome:
        """Run one configuration to its end; raises only what `on_point` raises, and KeyboardInterrupt."""
        cancelled = threading.Event()
        with self._lock:
            self._running.add(cancelled)
        try:
            call = _Call(job, on_point, cancelled, self.metrics, self.extra_names, self.beside, self.best_of_curve)
            return call.outcome(self.fn, self._takes_context)
        finally:
            with self._lock:
                self._running.discard(cancelled)

    def cancel(self) -> None:
        """Make the next `ctx.report` of every run in progress ask it to stop; safe from another thread."""
        with self._lock:
            for cancelled in self._running:
                cancelled.set()


class _Call:
    def __init__(
        self,
        job: Job,
        on_point: OnPoint,
        cancelled: threading.Event,
        metrics: tuple[str, ...],
        extra_names: tuple[str, ...],
        beside: tuple[str, ...],
        best_of_curve: Mapping[str, Direction],
    ) -> None:
        self._job = job
        self._on_point = on_point
        self._cancelled = cancelled
        self._metrics = metrics
        self._best_of_curve = best_of_curve
        printed = [name for name in (*metrics, *extra_names) if not is_measured(name)]
        # directions matter only for the best of a curve; else a value is what the objective returns
        directions = {name: best_of_curve.get(name, "minimize") for name in printed}
        self._values = Values(directions, (), best_of_curve=bool(best_of_curve), beside=beside)
        self._measured = [name for name in dict.fromkeys((*metrics, *extra_names)) if is_measured(name)]
        self._stopped: Status | None = None
        self._broken: BaseException | None = None
        self._began = time.monotonic()

    def outcome(self, fn: Callable[..., object], takes_context: bool) -> Outcome:
        job = self._job
        context = Context(
            job.number, job.attempt, job.seed, job.dir, job.devices, job.fidelity, job.checkpoint, self._report
        )
        try:
            returned = fn(dict(job.config), context) if takes_context else fn(dict(job.config))
        except (Exception, SystemExit) as error:
            if self._broken is not None:
                raise self._broken from None
            return self._failed(error)
        if self._broken is not None:
            raise self._broken
        if self._stopped is not None:
            return self._end(self._stopped, "it stopped when asked to")
        try:
            values = self._read(returned)
        except (TypeError, ValueError) as error:
            return self._end("crashed", str(error), "person")
        if bad := {name: value for name, value in values.items() if not math.isfinite(value)}:
            return self._end("diverged", ", ".join(f"{name} is {value}" for name, value in bad.items()), "config")
        best = {name: v for name, v in self._values.final().items() if name in self._best_of_curve and math.isfinite(v)}
        telemetry = self._telemetry()
        seen = measured(self._measured, telemetry)
        if missing := [name for name in self._measured if name not in seen]:
            return self._end(
                "crashed", f"{', '.join(missing)} cannot be measured in this process; use a command", "person"
            )
        return Outcome("done", values | best | seen, self._values.curve(), telemetry)

    def _report(self, step: float, metrics: Mapping[str, SupportsFloat]) -> bool:
        seconds = time.monotonic() - self._began
        known = {name: _number(name, value) for name, value in metrics.items() if name in self._values.names}
        beside = {name: value for name in self._values.beside if (value := _seen(metrics.get(name))) is not None}
        point = self._values.report(known | beside, float(step), seconds)
        if self._stopped is None and point is not None:
            try:
                if self._on_point(point):
                    self._stopped = "pruned"
            except BaseException as error:
                self._broken = error  # the caller's fault, which must not pass for the objective's
                raise
        limit = self._job.limits.seconds
        if self._stopped is None and self._cancelled.is_set():
            self._stopped = "cancelled"
        if self._stopped is None and limit is not None and seconds > limit:
            self._stopped = "timeout"
        return self._stopped is not None

    def _read(self, returned: object) -> dict[str, float]:
        names = self._values.names
        if not names:
            return {}
        if not isinstance(returned, Mapping):
            if len(names) > 1:
                raise TypeError(
                    f"the objective returned {returned!r:.200}, but {', '.join(names)} are declared; return a dict"
                )
            returned = {names[0]: returned}
        if missing := [name for name in names if name not in returned]:
            raise ValueError(
                f"the objective returned no value for {', '.join(missing)}, only {', '.join(map(str, returned))}"
            )
        return {name: _number(name, returned[name]) for name in names}

    def _failed(self, error: BaseException) -> Outcome:
        lines = "".join(traceback.format_exception(error)).splitlines()
        tail = "\n".join(shortened(line, 500) for line in lines[-TAIL_LINES:])
        if self._stopped is not None:
            return self._end(self._stopped, "it stopped when asked to")
        if isinstance(error, StopRun):
            return self._end("pruned", "the objective stopped itself")
        # By name, so that the framework that defines the class need not be imported here.
        if {"MemoryError", "OutOfMemoryError"} & {kind.__name__ for kind in type(error).__mro__}:
            return self._end("oom", f"out of memory\n{tail}", "config")
        if bad := self._values.not_finite():
            names = ", ".join(f"{name} is {value}" for name, value in bad.items())
            return self._end("diverged", f"{names}\n{tail}", "config")
        if cause := from_text(traceback.format_exception_only(error)[-1]):
            return self._end(cause.status, f"{cause.reason}\n{tail}", cause.fault)
        return self._end("crashed", f"{shortened(f'{type(error).__name__}: {error}', 300)}\n{tail}", "config")

    def _end(self, status: Status, detail: str, fault: Fault | None = None) -> Outcome:
        if status == "timeout":
            fault = "config"
            detail = f"still running after {self._job.limits.seconds:g} s; {detail}"
        return Outcome(status, {}, self._values.curve(), self._telemetry(), detail, fault)

    def _telemetry(self) -> Telemetry:
        return Telemetry(time.monotonic() - self._began)


def _number(name: str, value: Any) -> float:
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"the value of {name} is {value!r:.200}, a {type(value).__name__}, where a number is needed")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:  # an array of several, a huge integer
        raise TypeError(f"the value of {name} is not one number: {error}") from None


def _seen(value: Any) -> float | None:
    """The number, where it is one: nobody has asked for it, so nobody is told off for it."""
    try:
        return _number("", value)
    except TypeError:
        return None


def _takes_context(fn: Callable[..., object]) -> bool:
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except ValueError:
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        return False
    return positional[1].name in ("ctx", "context") or positional[1].default is inspect.Parameter.empty
