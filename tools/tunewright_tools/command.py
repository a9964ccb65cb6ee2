"""Any program as a tool: started with its arguments, watched while it prints, ended with all that it started.

`arguments.py` fills the placeholders, `environment.py` says which variables a run has, `watch.py` watches it,
`contract.py` reads what it prints, `process.py` ends its processes, `diagnosis.py` tells failures apart. POSIX only.
"""

import contextlib
import errno
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import arguments, environment
from .base import Fault, Job, OnPoint, Outcome, Telemetry, ToolSetupError
from .contract import Direction, Reader, declared
from .device_pool import DevicePool
from .gpus import visible
from .measured import check_measured, is_measured
from .watch import Log, Watch


class CommandTool:
    """Runs a command once for each configuration; may run several at a time, one a thread.

    A run is `done` when it exits with 0 and every declared metric and extra name was printed. Its folder keeps
    `config.json`, `stdout.log`, `stderr.log`, and while it lives `process.json` (see `process.reap`).

    Args:
        argv: the argument list with `{name}` placeholders; the rules are in `arguments.py`.
        metrics: (name, "minimize" or "maximize") for each metric. Names of `measured.MEASURES`, such as
            `telemetry.seconds`, are measured; the run prints the others.
        extra_names: names of constraints, likewise.
        best_of_curve: a metric's value is the best of its curve instead of the last.
        env: variables added to each run; they win over inherited ones.
        cwd: where runs start; the person's current folder where None.
        grace_seconds: between asking a run to end and making it.
        gpus_per_run: GPUs that each run gets for itself, of those that are visible; a run waits for them. 0 leaves the
            choice to the job and to the environment.
        co2_g_per_kwh: grams of CO2 that a kilowatt hour stands for here; no grams are told without it.
        beside: names that join the curve's points where the run prints them, such as `train_loss`.

    Raises:
        ToolSetupError: the argument list or the metrics are not well formed.
    """

    def __init__(
        self,
        argv: Sequence[str],
        metrics: Sequence[tuple[str, str]],
        extra_names: Sequence[str] = (),
        best_of_curve: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        grace_seconds: float = 5.0,
        gpus_per_run: int = 0,
        co2_g_per_kwh: float | None = None,
        beside: Sequence[str] = (),
    ) -> None:
        self.arguments = arguments.parse(argv)
        self.metrics: dict[str, Direction] = declared(metrics)
        self.extra_names = tuple(extra_names)
        self.best_of_curve = best_of_curve
        self.beside = tuple(beside)
        self.env = dict(env or {})
        self.cwd = Path(cwd) if cwd is not None else None
        self.grace_seconds = grace_seconds
        check_measured((*self.metrics, *self.extra_names))
        if gpus_per_run < 0 or (co2_g_per_kwh is not None and not 0 <= co2_g_per_kwh < math.inf):
            raise ToolSetupError(
                f"gpus_per_run is {gpus_per_run} and co2_g_per_kwh is {co2_g_per_kwh}",
                "give a whole number and a finite number of grams, both at least 0",
            )
        self.gpus_per_run = gpus_per_run
        self.co2_g_per_kwh = co2_g_per_kwh
        self._pool = DevicePool(visible()) if gpus_per_run else None
        self._lock = threading.Lock()
        self._running: set[threading.Event] = set()

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise `ToolSetupError` when the program is missing or its arguments do not fit these parameters."""
        arguments.check(self.arguments, parameters)
        if self._pool is not None:
            self._pool.check(self.gpus_per_run)
        if self.cwd is not None and not self.cwd.is_dir():
            raise ToolSetupError(
                f"the folder {str(self.cwd)!r} to run in does not exist", "create it, or leave out cwd"
            )
        program = self.arguments[0].render({"python": sys.executable})
        # As the system will look it up: a path is relative to where the run starts, a bare name is on PATH. Not with
        # `Path`, which makes a bare name of ./program.
        where = os.path.join(self.cwd or os.curdir, program) if os.sep in program else program
        if shutil.which(where, path=self.env.get("PATH", os.environ.get("PATH"))) is None:
            hint = "it must be on PATH, or a path to an executable file; {python} is the Python that runs the tuner"
            raise ToolSetupError(f"the program {program!r} was not found or is not executable", hint)

    def run(self, job: Job, on_point: OnPoint) -> Outcome:
        """Run one configuration to its end; never raises for what the run did."""
        cancelled = threading.Event()
        with self._lock:
            self._running.add(cancelled)
        try:
            if self._pool is None or job.devices:
                return self._run(job, on_point, cancelled)
            with self._pool.lent(self.gpus_per_run, cancelled.is_set) as devices:
                if devices is None:
                    return Outcome("cancelled", detail="cancelled while it waited for a GPU")
                return self._run(replace(job, devices=devices), on_point, cancelled)
        finally:
            with self._lock:
                self._running.discard(cancelled)

    def cancel(self) -> None:
        """End every run in progress soon; their outcome is `cancelled`. Safe to call from another thread."""
        with self._lock:
            for cancelled in self._running:
                cancelled.set()

    def _run(self, job: Job, on_point: OnPoint, cancelled: threading.Event) -> Outcome:
        extras = {
            "config": environment.config_path(job),
            "trial_dir": job.dir.absolute(),
            "seed": job.seed,
            "fidelity": job.fidelity,
            "checkpoint": job.checkpoint.absolute() if job.checkpoint is not None else None,
        }
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            try:
                environment.write_config(job)
                stdout = Log(stack.enter_context(open(job.dir / "stdout.log", "wb", buffering=0)))
                stderr = Log(stack.enter_context(open(job.dir / "stderr.log", "wb", buffering=0)))
            except OSError as error:
                return _not_started(f"the run's folder cannot be written: {error}", "host", began)
            try:
                started = subprocess.Popen(
                    arguments.render(self.arguments, job.config, extras),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=self.cwd,
                    env=environment.build(job, os.environ, self.env),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                lacking = isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE)
                return _not_started(
                    f"the program could not be started: {error}", "host" if lacking else "person", began
                )
            names = (*self.metrics, *self.extra_names)
            printed = {name: direction for name, direction in self.metrics.items() if not is_measured(name)}
            extra = [name for name in self.extra_names if not is_measured(name)]
            reader = Reader(printed, extra, self.best_of_curve, self.beside)
            return Watch(
                started,
                job,
                on_point,
                cancelled,
                reader,
                stdout,
                stderr,
                self.grace_seconds,
                tuple(dict.fromkeys(name for name in names if is_measured(name))),
                self.co2_g_per_kwh,
            ).to_its_end()


def _not_started(reason: str, fault: Fault, began: float) -> Outcome:
    return Outcome("crashed", detail=reason, fault=fault, telemetry=Telemetry(time.monotonic() - began))
