"""What a run used, measured from outside while it runs: memory and CPU time of its process tree, and its GPUs."""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil

from .base import Telemetry
from .gpus import Gpus

_JOULES_PER_KWH = 3.6e6
_SHARE = 0.002
"""Share of one core that each of the sampler's four measurements may take; what they cost sets how often they run."""
_RSS_SECONDS = (0.02, 0.5)
_TREE_SECONDS = (0.05, 2.0)
_CPU_SECONDS = (0.25, 5.0)
_GPU_SECONDS = (0.25, 5.0)


def host_memory_bytes() -> int:
    """Host memory that a run can use at most: the machine's, or the control group's limit where that is lower."""
    total = int(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int(Path(path).read_text()))
    return total


def kernel_oom_kills() -> int | None:
    """How many processes the kernel has killed for lack of memory, in this control group or (where that is not
    counted) on the machine; None where neither is.
    """
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        with contextlib.suppress(OSError, ValueError):
            for line in Path(path).read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return None


class _Pace:
    """When a measurement is due: rarely enough that it stays within its share of a core."""

    def __init__(self, bounds: tuple[float, float]) -> None:
        self._bounds = bounds
        self._due = 0.0

    def wait(self) -> float:
        """Seconds until it is due; 0 when it is."""
        return max(0.0, self._due - time.monotonic())

    def took(self, cpu_seconds: float) -> None:
        low, high = self._bounds
        self._due = time.monotonic() + min(high, max(low, cpu_seconds / _SHARE))


class Sampler:
    """Samples a process tree from a thread of its own until `stop`.

    `peak_bytes` is the largest sum of resident memory seen. Memory that several processes share counts once for each,
    unless that sum passes the limit: then the proportional share (PSS) is measured before anything is called over the
    limit. A peak shorter than the time between two samples (20 ms or more) can be missed.

    Args:
        pid: root of the tree.
        limit_bytes: sets `over_limit` when the tree's memory passes it.
        devices: GPU indices and UUIDs that the run has for itself; empty means any that there are.
        gpu_limit_bytes: sets `over_gpu_limit` when the run's memory on one GPU passes it.
        co2_g_per_kwh: grams of CO2 that a kilowatt hour stands for here.
    """

    def __init__(
        self,
        pid: int,
        limit_bytes: int | None = None,
        devices: tuple[int | str, ...] = (),
        gpu_limit_bytes: int | None = None,
        co2_g_per_kwh: float | None = None,
    ) -> None:
        self.over_limit = threading.Event()
        self.over_gpu_limit = threading.Event()
        self.cpu_seconds = 0.0
        """CPU time that the sampling itself has used."""
        self.samples = 0
        self._root = pid
        self._limit = limit_bytes
        self._devices = devices
        self._gpu_limit = gpu_limit_bytes
        self._grams = co2_g_per_kwh
        self._peak: int | None = None
        self._cpu: dict[psutil.Process, float] = {}
        self._cpu_of_tree: float | None = None
        self._found = Telemetry(0.0)
        self._began = time.monotonic()
        self._ended: float | None = None
        self._done = threading.Event()
        self._tree: dict[int, psutil.Process] = {}
        self._thread = threading.Thread(target=self._loop, name=f"sampler-{pid}", daemon=True)

    def start(self) -> "Sampler":
        """Begin to sample; returns itself. The first look is taken here: a short run may end before the thread's."""
        self._began = time.monotonic()
        self._look_up()
        self._weigh()
        self._thread.start()
        return self

    def seconds(self) -> float:
        """Wall-clock seconds since `start`, up to `stop`."""
        return (self._ended or time.monotonic()) - self._began

    def stop(self, reported: Mapping[str, float] | None = None) -> Telemetry:
        """End the thread; what was measured, and what the run itself printed of it (`contract.SELF_REPORTED`).

        The run must not have been waited for yet, as its processes' CPU time is read last.
        """
        if self._ended is None:
            self._ended = time.monotonic()
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        return self._with_reported(self._found, reported or {})

    def _loop(self) -> None:
        gpus = Gpus(self._devices)
        paces = (
            (_Pace(_TREE_SECONDS), self._look_up),
            (_Pace(_RSS_SECONDS), self._weigh),
            (_Pace(_CPU_SECONDS), self._clock),
            (_Pace(_GPU_SECONDS), lambda: self._gpu(gpus)),
        )
        try:
            while not self._done.is_set():
                for pace, measure in paces:
                    if not pace.wait():
                        before = time.thread_time()
                        measure()
                        pace.took(time.thread_time() - before)
                self.samples += 1
                self.cpu_seconds = time.thread_time()
                self._done.wait(min(pace.wait() for pace, _ in paces))
            self._clock()
        finally:
            self._found = self._summary(gpus)
            gpus.close()

    def _summary(self, gpus: Gpus) -> Telemetry:
        uses, memory_from = gpus.uses()
        fullest = max(
            (use for use in uses if use.peak_bytes), key=lambda u: (u.peak_bytes or 0) / u.total_bytes, default=None
        )
        limit = self._limit or host_memory_bytes()
        if fullest is not None:
            limit = min(fullest.total_bytes, self._gpu_limit or fullest.total_bytes)
        busy = [use.utilization for use in uses if use.utilization is not None]
        energy = [use.energy_j for use in uses if use.energy_j is not None]
        # A sum over some of the devices would pass for that over all.
        joules = sum(energy) if uses and len(energy) == len(uses) else None
        return Telemetry(
            seconds=self.seconds(),
            peak_bytes=self._peak,
            peak_gpu_bytes=None if fullest is None else fullest.peak_bytes,
            limit_bytes=limit,
            gpu_memory_from=memory_from,
            cpu_seconds=self._cpu_of_tree,
            gpu_utilization=sum(busy) / len(busy) if busy and len(busy) == len(uses) else None,
            energy_j=joules,
            co2_g=None if joules is None or self._grams is None else joules / _JOULES_PER_KWH * self._grams,
            sampler_cpu_seconds=time.thread_time(),
            gpus=uses,
        )

    def _with_reported(self, found: Telemetry, reported: Mapping[str, float]) -> Telemetry:
        found = replace(found, seconds=self.seconds())
        for unit in ("tokens", "samples"):
            if f"{unit}_per_second" in reported:
                found = replace(found, throughput=reported[f"{unit}_per_second"], throughput_unit=unit)
                break
        if found.peak_gpu_bytes is None and "total_gpu_bytes" in reported:
            total = int(reported["total_gpu_bytes"])
            found = replace(found, limit_bytes=min(total, self._gpu_limit or total))
            if "peak_gpu_bytes" in reported:
                found = replace(found, peak_gpu_bytes=int(reported["peak_gpu_bytes"]), gpu_memory_from="run")
        return found

    def _look_up(self) -> None:
        with contextlib.suppress(psutil.Error):
            root = self._tree.get(self._root) or psutil.Process(self._root)
            found = {child.pid: child for child in root.children(recursive=True)}
            # Kept although re-parented: a process once seen in the tree belongs to the run for as long as it lives.
            self._tree = {self._root: root, **found, **self._tree}

    def _weigh(self) -> None:
        total = 0
        for pid, process in list(self._tree.items()):
            try:
                total += process.memory_info().rss
            except psutil.Error:
                if pid != self._root:
                    del self._tree[pid]
        if self._limit is not None and total > self._limit:
            if len(self._tree) > 1:
                total = min(total, self._proportional())
            if total > self._limit:
                self.over_limit.set()
        if total:
            self._peak = max(total, self._peak or 0)

    def _proportional(self) -> int:
        total = 0
        for process in list(self._tree.values()):
            with contextlib.suppress(psutil.Error):
                full = process.memory_full_info()
                total += int(getattr(full, "pss", full.rss))
        return total

    def _clock(self) -> None:
        for process in list(self._tree.values()):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._cpu[process] = times.user + times.system
                if process.pid == self._root:
                    # With what it has waited for, also children too short-lived to have been seen here.
                    family = self._cpu[process] + times.children_user + times.children_system
                    self._cpu_of_tree = max(family, self._cpu_of_tree or 0.0)
        if self._cpu:
            self._cpu_of_tree = max(sum(self._cpu.values()), self._cpu_of_tree or 0.0)

    def _gpu(self, gpus: Gpus) -> None:
        gpus.measure(set(self._tree))
        if self._gpu_limit is not None and gpus.peak_bytes() > self._gpu_limit:
            self.over_gpu_limit.set()
