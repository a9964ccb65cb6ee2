"""The GPUs and MIG slices of this machine, through NVML: which there are, and what a run uses of them.

Where there is no NVIDIA driver there are none. A GPU in MIG mode stands for its slices: NVML tells memory and processes
of a slice, but neither its utilization nor its energy. Inside a container the driver may number processes as the host
does, so that none of a run's own is found; then what is in use on the GPUs that were assigned to the run, beyond what
was before it began, stands for it.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .base import GpuUse


@dataclass
class _Device:
    """One GPU or slice, and what was seen on it so far."""

    label: str
    name: str
    handle: Any
    total: int
    used_before: int
    energy_before: float | None
    """Millijoules since the driver was loaded."""
    is_slice: bool
    process_peak: int | None = None
    device_peak: int | None = None
    busy: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Sum of the utilization readings, and how many."""
    power: tuple[float, float] | None = None
    """When it was last read (seconds), and the watts."""
    integrated: float | None = None
    """Joules by the readings of power, where the driver keeps no energy counter."""


class Gpus:
    """What a run uses of the GPUs, added up by `measure`.

    Args:
        devices: indices and UUIDs that were assigned to the run alone; empty means that it may use any.
    """

    def __init__(self, devices: Sequence[int | str] = ()) -> None:
        self._assigned = bool(devices)
        self._devices: list[_Device] = []
        self._nvml = _open()
        if self._nvml is None:
            return
        for device in devices or range(self._ask(self._nvml.nvmlDeviceGetCount) or 0):
            self._devices += self._found(device)

    def measure(self, pids: set[int]) -> None:
        """Take in what these processes hold and what the devices do now."""
        for device in self._devices:
            running = self._ask(self._nvml.nvmlDeviceGetComputeRunningProcesses, device.handle) or []
            held = [int(p.usedGpuMemory) for p in running if p.pid in pids and p.usedGpuMemory is not None]
            if held:
                device.process_peak = max(sum(held), device.process_peak or 0)
            memory = self._ask(self._nvml.nvmlDeviceGetMemoryInfo, device.handle)
            if memory is not None:
                device.device_peak = max(int(memory.used) - device.used_before, device.device_peak or 0)
            if device.is_slice:
                continue
            rates = self._ask(self._nvml.nvmlDeviceGetUtilizationRates, device.handle)
            if rates is not None:
                device.busy[0] += rates.gpu / 100
                device.busy[1] += 1
            if device.energy_before is None:
                self._integrate(device)

    def peak_bytes(self) -> int:
        """The run's largest peak on one device so far; 0 where none was seen."""
        by_process = [device.process_peak for device in self._devices if device.process_peak is not None]
        on_own = [device.device_peak or 0 for device in self._devices] if self._assigned else []
        return max(by_process or on_own, default=0)

    def uses(self) -> tuple[tuple[GpuUse, ...], Literal["processes", "device"] | None]:
        """Each device that the run used, and how its memory was seen; nothing where neither can be told."""
        seen = [device for device in self._devices if device.process_peak is not None]
        if seen:
            return tuple(self._use(device, device.process_peak) for device in seen), "processes"
        if not self._assigned:
            return (), None
        known = any(device.device_peak for device in self._devices)
        uses = tuple(self._use(device, device.device_peak if known else None) for device in self._devices)
        return uses, "device" if known else None

    def close(self) -> None:
        """Let the driver go."""
        if self._nvml is not None:
            self._ask(self._nvml.nvmlShutdown)

    def _use(self, device: _Device, peak: int | None) -> GpuUse:
        busy = device.busy[0] / device.busy[1] if device.busy[1] else None
        return GpuUse(device.label, device.name, device.total, peak, busy, self._energy(device))

    def _energy(self, device: _Device) -> float | None:
        if device.energy_before is None:
            self._integrate(device)  # up to now, as a counter would tell: the last reading may be seconds old
            return device.integrated
        now = self._ask(self._nvml.nvmlDeviceGetTotalEnergyConsumption, device.handle)
        if now is None or now < device.energy_before:  # it begins anew where the driver is loaded again
            return None
        return float(now - device.energy_before) / 1000

    def _integrate(self, device: _Device) -> None:
        milliwatts = self._ask(self._nvml.nvmlDeviceGetPowerUsage, device.handle)
        if milliwatts is None:
            return
        now, watts = time.monotonic(), milliwatts / 1000
        if device.power is not None:
            before, last = device.power
            device.integrated = (device.integrated or 0.0) + (now - before) * (watts + last) / 2
        device.power = (now, watts)

    def _handle(self, device: int | str) -> Any:
        if not isinstance(device, str):
            return self._ask(self._nvml.nvmlDeviceGetHandleByIndex, device)
        handle = self._ask(self._nvml.nvmlDeviceGetHandleByUUID, device)
        if handle is None:  # CUDA takes the beginning of a UUID too, where one GPU alone has it
            count = self._ask(self._nvml.nvmlDeviceGetCount) or 0
            every = [self._ask(self._nvml.nvmlDeviceGetHandleByIndex, index) for index in range(count)]
            begun = [one for one in every if str(self._ask(self._nvml.nvmlDeviceGetUUID, one)).startswith(device)]
            handle = begun[0] if len(begun) == 1 else None
        return handle

    def _found(self, device: int | str) -> list[_Device]:
        handle = self._handle(device)
        if handle is None:
            return []
        slices = [] if str(device).startswith("MIG-") else _slices(self._nvml, handle)
        handles = [(str(self._ask(self._nvml.nvmlDeviceGetUUID, part)), part) for part in slices]
        made = []
        for label, one in handles or [(str(device), handle)]:
            memory = self._ask(self._nvml.nvmlDeviceGetMemoryInfo, one)
            if memory is not None:
                name = str(self._ask(self._nvml.nvmlDeviceGetName, one) or "GPU")
                is_slice = label.startswith("MIG-")
                energy = None if is_slice else self._ask(self._nvml.nvmlDeviceGetTotalEnergyConsumption, one)
                made.append(_Device(label, name, one, int(memory.total), int(memory.used), energy, is_slice))
        return made

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The driver's answer; None where it has none for this device."""
        return _ask(self._nvml, function, *arguments)


def visible() -> tuple[int | str, ...]:
    """The GPUs that this process's environment leaves visible, each MIG slice as one of its own.

    Indices where CUDA_VISIBLE_DEVICES is not set or has indices (taken in the order of the PCI bus, as NVML counts),
    UUIDs or their beginnings where it has those, and for MIG slices. As with CUDA none where one is named twice.
    """
    nvml = _open()
    if nvml is None:
        return ()
    try:
        count = _ask(nvml, nvml.nvmlDeviceGetCount) or 0
        given = os.environ.get("CUDA_VISIBLE_DEVICES")
        named: list[int | str] = list(range(count))
        if given is not None:
            words = [word.strip() for word in given.split(",")]
            named = [int(word) if word.isdecimal() else word for word in words if word]
        found: list[int | str] = []
        for place, device in enumerate(named):
            # As CUDA does: what comes after an index that is none, such as -1, is not read.
            if device >= count if isinstance(device, int) else not device.startswith(("GPU-", "MIG-")):
                break
            if device in named[:place]:
                return ()
            handle = None if isinstance(device, str) else _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, device)
            slices = [] if handle is None else _slices(nvml, handle)
            found += [str(_ask(nvml, nvml.nvmlDeviceGetUUID, part)) for part in slices] or [device]
        return tuple(found)
    finally:
        _ask(nvml, nvml.nvmlShutdown)


def _slices(nvml: Any, handle: Any) -> list[Any]:
    """Handles of a GPU's MIG slices; none where it is not in MIG mode."""
    mode = _ask(nvml, nvml.nvmlDeviceGetMigMode, handle)
    if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    most = _ask(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    found = [_ask(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index) for index in range(most)]
    return [part for part in found if part is not None]


def _open() -> Any:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver library, or one that is not loaded
        return None
    return pynvml


def _ask(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    # The latter, which is none of the former, is raised where the driver is older than the function.
    with contextlib.suppress(nvml.NVMLError, nvml.NVMLLibraryMismatchError):
        return function(*arguments)
    return None
