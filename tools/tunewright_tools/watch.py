"""One run of a program, watched: its output read and kept, its limits enforced, its end told apart."""

import codecs
import os
import re
import selectors
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO

from . import process
from .base import Fault, Job, OnPoint, Outcome, Telemetry
from .contract import Reader
from .diagnosis import Cause, from_exit, shortened
from .measured import measured
from .telemetry import Sampler, kernel_oom_kills

LOG_BYTES = 64 << 20
"""Bytes kept of each of stdout.log and stderr.log; what comes after is read but not written, and the log says so."""
TAIL_LINES = 20
_EVIDENCE_CHARS = 64 << 10
_NOT_MEASURED = "that needs an NVIDIA driver, a CO2 factor, or a `tokens_per_second: ...` line"
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 1.0
"""How long the rest of the output is read after the program ended, if somebody else keeps writing to it."""


class Log:
    """One output stream: written to its file as it comes, with its last lines at hand.

    Text that is not UTF-8 is kept as it is in the file, and read with replacement characters.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._recent = ""
        self._begins_within = False
        self._file = file
        self._written = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def write(self, chunk: bytes, final: bool = False) -> str:
        """The text of this chunk, after it was written.

        Raises:
            OSError: the file cannot be written.
        """
        text = self._decoder.decode(chunk, final)
        self._begins_within |= len(self._recent) + len(text) > _EVIDENCE_CHARS
        self._recent = (self._recent + text)[-_EVIDENCE_CHARS:]
        room = LOG_BYTES - self._written
        self._written += len(chunk)
        if room > 0:
            view = memoryview(chunk)[:room]
            while view:
                view = view[self._file.write(view) :]
            if len(chunk) > room:
                self._file.write(f"\n[log cut here: more than {LOG_BYTES} bytes]\n".encode())
        return text

    def tail(self) -> list[str]:
        """The last lines, each at most 500 characters."""
        return [shortened(line, 500) for line in deque(self.end().splitlines(), maxlen=TAIL_LINES)]

    def end(self) -> str:
        """The last part of it, without a word whose beginning is gone: half a key would not be known for one."""
        return re.sub(r"^\S+", "[...]", self._recent) if self._begins_within else self._recent


@dataclass
class Watch:
    """One run from just after its start to its outcome, in the thread that calls `to_its_end`.

    Args:
        started: the program, leader of a session of its own, both output streams piped.
        cancelled: set by another thread to end the run.
        grace_seconds: between asking the run's processes to end and making them.
        measured: metrics and constraints that are measured rather than printed.
        co2_g_per_kwh: grams of CO2 that a kilowatt hour stands for here.
    """

    started: subprocess.Popen[bytes]
    job: Job
    on_point: OnPoint
    cancelled: threading.Event
    reader: Reader
    stdout: Log
    stderr: Log
    grace_seconds: float
    measured: tuple[str, ...] = ()
    co2_g_per_kwh: float | None = None
    sampler: Sampler = field(init=False)
    stopped: Cause | None = None
    """Why we ended it, where we did."""
    code_lost: bool = False
    """Whether somebody else has waited for the program, so that nobody can tell how it ended."""
    ender: threading.Thread | None = None
    streams: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def to_its_end(self) -> Outcome:
        """The outcome; none of the run's processes is left when this returns or raises (what `on_point` raises)."""
        limits, pid = self.job.limits, self.started.pid
        oom_kills = kernel_oom_kills()
        self.sampler = Sampler(pid, limits.memory_bytes, self.job.devices, limits.gpu_memory_bytes, self.co2_g_per_kwh)
        try:
            self.sampler.start()
            try:
                process.remember(self.job.dir, pid)
            except OSError as error:
                self._stop(Cause("crashed", "host", f"the run's folder cannot be written: {error}"))
            self._read_until_exit()
        finally:
            # Not waited for yet, so that its pid is its own while what it left behind is ended.
            if self.ender is not None:
                self.ender.join()
            ended = process.end(pid, self.grace_seconds)
            telemetry = self.sampler.stop(self.reader.reported)
            self.streams.close()
            for pipe in (self.started.stdout, self.started.stderr):
                if pipe is not None:
                    pipe.close()
            code = self.started.wait() if ended or self._exited() else None
            if ended:
                process.forget(self.job.dir)
        kills_now = kernel_oom_kills()
        kernel_killed = oom_kills is not None and kills_now is not None and kills_now > oom_kills
        return self._outcome(code, telemetry, kernel_killed)

    def _read_until_exit(self) -> None:
        for pipe in (self.started.stdout, self.started.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self.streams.register(pipe, selectors.EVENT_READ)
        while not self._exited():
            self._read(_POLL_SECONDS)
            self._look_for_reasons_to_stop()
            if self.ender is not None and not self.ender.is_alive():
                break
        # All that it wrote is in the pipes by now. A process that it left behind may hold them open, so that their
        # end never comes.
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._read(0) and time.monotonic() < deadline:
            pass
        self._take(self.stdout, b"", final=True)
        self._take(self.stderr, b"", final=True)

    def _exited(self) -> bool:
        try:
            return os.waitid(os.P_PID, self.started.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            self.code_lost = True  # Popen would say 0
            return True

    def _read(self, timeout: float) -> bool:
        """Read what there is; whether there was anything."""
        if not self.streams.get_map():
            time.sleep(timeout)
            return False
        ready = self.streams.select(timeout)
        for key, _ in ready:
            try:
                chunk = os.read(key.fd, 1 << 16)
            except BlockingIOError:
                continue
            if chunk:
                self._take(self.stdout if key.fileobj is self.started.stdout else self.stderr, chunk)
            else:
                self.streams.unregister(key.fileobj)
        return bool(ready)

    def _take(self, log: Log, chunk: bytes, final: bool = False) -> None:
        try:
            text = log.write(chunk, final)
        except OSError as error:
            self._stop(Cause("crashed", "host", f"the run's log cannot be written: {error}"))
            return
        if log is not self.stdout:
            return
        seconds = self.sampler.seconds()
        points = self.reader.feed(text, seconds)
        if final and self.stopped is None:  # where we ended it, the last line may be cut within a number
            points += self.reader.close(seconds)
        for point in points:
            if self.stopped is None and self.on_point(point):
                self._stop(Cause("pruned", "config", f"stopped at step {point.step:g}, as asked"))

    def _look_for_reasons_to_stop(self) -> None:
        limits = self.job.limits
        if self.cancelled.is_set():
            self._stop(Cause("cancelled", "host", "cancelled"))
        elif self.sampler.over_limit.is_set():
            reason = f"its processes passed the memory limit of {limits.memory_bytes} bytes"
            self._stop(Cause("oom", "config", reason), grace=False)
        elif self.sampler.over_gpu_limit.is_set():
            reason = f"it passed the limit of {limits.gpu_memory_bytes} bytes of memory on a GPU"
            self._stop(Cause("oom", "config", reason), grace=False)
        elif limits.seconds is not None and self.sampler.seconds() > limits.seconds:
            self._stop(Cause("timeout", "config", f"still running after {limits.seconds:g} s"))

    def _stop(self, cause: Cause, grace: bool = True) -> None:
        """Begin to end the run, once; its output is read on meanwhile, as it might hang in a full pipe otherwise."""
        if self.stopped is None:
            self.stopped = cause
            seconds = self.grace_seconds if grace else 0.0
            self.ender = threading.Thread(target=process.end, args=(self.started.pid, seconds), name="ender")
            self.ender.start()

    def _outcome(self, code: int | None, telemetry: Telemetry, kernel_killed: bool) -> Outcome:
        cause = self._cause(code, kernel_killed)
        curve = self.reader.values.curve()
        seen = measured(self.measured, telemetry)
        if cause is None and (missing := [name for name in self.measured if name not in seen]):
            cause = Cause("crashed", "person", f"{', '.join(missing)} could not be measured here: {_NOT_MEASURED}")
        if cause is None:
            return Outcome("done", self.reader.values.final() | seen, curve, telemetry)
        fault: Fault | None = None if cause.status in ("pruned", "cancelled") else cause.fault
        return Outcome(cause.status, {}, curve, telemetry, self._detail(cause), fault)

    def _cause(self, code: int | None, kernel_killed: bool) -> Cause | None:
        """Why the run is not done; None where it is."""
        values = self.reader.values
        if self.stopped is not None:
            return self.stopped
        if code is None:
            return Cause("crashed", "host", "its processes could not be ended")
        if self.code_lost:
            reason = "its exit code is lost: SIGCHLD is ignored in the tuner's process, or another part of it waited"
            return Cause("crashed", "host", reason)
        if self.reader.status is not None:
            return Cause(self.reader.status, "config", f"the run itself reported status: {self.reader.status}")
        if bad := values.not_finite():
            return Cause("diverged", "config", ", ".join(f"{name} is {value}" for name, value in bad.items()))
        if code != 0:
            return from_exit(code, self.stderr.end(), kernel_killed=kernel_killed)
        if missing := values.missing():
            form = f"print a line `{missing[0]}: <number>` on stdout"
            return Cause("crashed", "person", f"exit code 0, but {', '.join(missing)} never appeared; {form}")
        return None

    def _detail(self, cause: Cause) -> str:
        lines = [cause.reason]
        if cause.fault == "person" and self.reader.notes:
            lines += ["lines that came close, and why they did not count:", *self.reader.notes]
        for name, log in (("stderr", self.stderr), ("stdout", self.stdout)):
            if tail := log.tail():
                lines += [f"--- the last lines of {name} ---", *tail]
        if len(lines) == 1:
            lines.append("the run printed nothing")
        return "\n".join(lines)
