"""What a run used, measured from outside while it runs: host memory of its process tree, and GPU memory."""

import contextlib
import threading
import time
from pathlib import Path

import psutil

from .base import Telemetry

_SHARE = 0.003
"""Share of one core that each of the sampler's three measurements may take; what they cost sets how often they run."""
_RSS_SECONDS = (0.02, 0.5)
_TREE_SECONDS = (0.05, 2.0)
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

    def due(self) -> bool:
        return time.monotonic() >= self._due

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
        devices: GPU indices to look at; empty means all that there are.
    """

    def __init__(self, pid: int, limit_bytes: int | None = None, devices: tuple[int, ...] = ()) -> None:
        self.over_limit = threading.Event()
        self.cpu_seconds = 0.0
        """CPU time that the sampling itself has used."""
        self.samples = 0
        self._root = pid
        self._limit = limit_bytes
        self._devices = devices
        self._peak: int | None = None
        self._peak_gpu: int | None = None
        self._gpu_total: int | None = None
        self._began = time.monotonic()
        self._ended: float | None = None
        self._done = threading.Event()
        self._tree: dict[int, psutil.Process] = {}
        self._thread = threading.Thread(target=self._loop, name=f"sampler-{pid}", daemon=True)

    def start(self) -> "Sampler":
        """Begin to sample; returns itself."""
        self._began = time.monotonic()
        self._thread.start()
        return self

    def seconds(self) -> float:
        """Wall-clock seconds since `start`, up to `stop`."""
        return (self._ended or time.monotonic()) - self._began

    def stop(self) -> Telemetry:
        """End the thread; what was measured."""
        if self._ended is None:
            self._ended = time.monotonic()
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        limit = self._gpu_total if self._peak_gpu is not None else (self._limit or host_memory_bytes())
        return Telemetry(self.seconds(), self._peak, self._peak_gpu, limit)

    def _loop(self) -> None:
        gpus = _Gpus(self._devices)
        tree, memory, gpu = _Pace(_TREE_SECONDS), _Pace(_RSS_SECONDS), _Pace(_GPU_SECONDS)
        try:
            while not self._done.is_set():
                for pace, measure in ((tree, self._look_up), (memory, self._weigh), (gpu, lambda: self._gpu(gpus))):
                    if pace.due():
                        before = time.thread_time()
                        measure()
                        pace.took(time.thread_time() - before)
                self.samples += 1
                self.cpu_seconds = time.thread_time()
                self._done.wait(_RSS_SECONDS[0])
        finally:
            gpus.close()

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

    def _gpu(self, gpus: "_Gpus") -> None:
        used = gpus.used_by(set(self._tree))
        if used is not None:
            self._peak_gpu = max(used, self._peak_gpu or 0)
            self._gpu_total = gpus.total


class _Gpus:
    """GPU memory by process, through NVML; nothing where there is no NVIDIA driver.

    Inside a container the driver may number processes as the host does; none of ours is found then, and the peak
    stays unknown.
    """

    def __init__(self, devices: tuple[int, ...]) -> None:
        import pynvml

        self._nvml = pynvml
        self._totals: list[tuple[object, int]] = []
        self._in_use: set[int] = set()
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return
        with contextlib.suppress(pynvml.NVMLError):
            for index in devices or range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                self._totals.append((handle, int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)))

    @property
    def total(self) -> int | None:
        """Bytes of the devices on which the run was seen; None where it was seen on none."""
        return sum(self._totals[index][1] for index in self._in_use) if self._in_use else None

    def used_by(self, pids: set[int]) -> int | None:
        """Bytes that these processes hold on all devices; None where the driver names none of them."""
        used: int | None = None
        for index, (handle, _) in enumerate(self._totals):
            with contextlib.suppress(self._nvml.NVMLError):
                for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(handle):
                    if process.pid in pids and process.usedGpuMemory is not None:
                        used = (used or 0) + int(process.usedGpuMemory)
                        self._in_use.add(index)
        return used

    def close(self) -> None:
        """Let the driver go."""
        if self._totals:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()
