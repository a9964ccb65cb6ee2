"""The hardware that trials may use: CPU cores, host memory, GPUs; container limits and visible devices counted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver reports it."""

    index: int
    """Its number among all GPUs of the machine, in PCI bus order (CUDA_DEVICE_ORDER=PCI_BUS_ID)."""
    name: str
    memory_bytes: int
    """Its own memory; on a GPU that shares the host's memory, that of the host."""


@dataclass(frozen=True)
class Hardware:
    """What trials may use on this machine."""

    cpus: int
    """Cores this process may run on, or fewer where a container sets a quota."""
    memory_bytes: int
    """Host memory, or a container's limit where that is lower."""
    gpus: tuple[Gpu, ...] = ()
    """Those that CUDA_VISIBLE_DEVICES leaves visible; empty where there is no GPU or no driver that could be asked."""


def see() -> Hardware:
    """The hardware of this machine, as far as this process may use it."""
    import psutil

    folders = list(_cgroup_folders(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [max(1, int(q)) for folder in folders if (q := _cpu_quota(folder)) is not None]
    limits = [m for folder in folders if (m := _memory_limit(folder)) is not None]
    memory = min([psutil.virtual_memory().total, *limits])
    return Hardware(min([cores, *quotas]), memory, _gpus(memory))


def _cgroup_folders(membership: Path, root: Path) -> Iterator[Path]:
    """Folders whose limits apply to this process: its own control group and those above, for versions 2 and 1."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, own = line.split(":", 2)
        base = root / controllers if controllers else root
        if not base.is_dir():
            continue
        folder = base / own.lstrip("/")
        # inside a container the path may be the host's and absent here; the folders above it still hold the limits
        yield from (f for f in (folder, *folder.parents) if f.is_relative_to(base) and f.is_dir())


def _cpu_quota(folder: Path) -> float | None:
    v2 = _words(folder / "cpu.max")
    if len(v2) == 2 and v2[0].isdigit():
        return int(v2[0]) / int(v2[1])
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    return int(quota[0]) / int(period[0]) if quota and period and quota[0].isdigit() else None


def _memory_limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        words = _words(folder / name)
        if words and words[0].isdigit():
            return int(words[0])
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # this control group does not limit it
        return []


def _gpus(host_bytes: int) -> tuple[Gpu, ...]:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver library, or one that is not loaded: no GPU that a run could use
        return ()
    try:
        found = [_gpu(i, host_bytes) for i in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # a GPU that fell off the bus makes the whole count unreliable
        return ()
    finally:
        pynvml.nvmlShutdown()
    order = _visible(os.environ.get("CUDA_VISIBLE_DEVICES"), [uuid for _, uuid in found])
    return tuple(found[i][0] for i in order)


def _gpu(index: int, host_bytes: int) -> tuple[Gpu, str]:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    try:
        memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError_NotSupported:
        memory = host_bytes
    return Gpu(index, str(pynvml.nvmlDeviceGetName(handle)), memory), str(pynvml.nvmlDeviceGetUUID(handle))


def _visible(wanted: str | None, uuids: list[str]) -> list[int]:
    """Indices that CUDA would show, in its order.

    Entries are numbers or the beginning of one UUID; the first that is neither ends the list, as CUDA does.
    Parts of a GPU (MIG) have no number here and count as neither.
    """
    if wanted is None:
        return list(range(len(uuids)))
    order: list[int] = []
    for entry in (part.strip() for part in wanted.split(",")):
        if entry.isdigit():
            matches = [int(entry)] if int(entry) < len(uuids) else []
        else:
            matches = [i for i, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
        if len(matches) != 1 or matches[0] in order:
            break
        order += matches
    return order
