"""The interface between a study and whatever runs a configuration: `Job` in, `Outcome` out, `Point`s on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

Config = dict[str, Any]
"""A configuration: parameter name to value (bool, int, float or str). Inactive parameters are absent."""

Status = Literal["done", "oom", "diverged", "timeout", "crashed", "pruned", "cancelled", "lost"]
Fault = Literal["config", "host", "person"]
STATUSES: tuple[Status, ...] = get_args(Status)


class ToolSetupError(Exception):
    """A tool that cannot run anything: a missing program, a placeholder without a parameter.

    Args:
        message: what is wrong, with the value that was seen.
        hint: what would be accepted, or the next step.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Limits:
    """What one run may use. None means no limit."""

    seconds: float | None = None
    """Wall-clock seconds before the run is killed (`timeout`)."""
    memory_bytes: int | None = None
    """Resident host memory of the run's whole process tree before it is killed (`oom`)."""
    gpu_memory_bytes: int | None = None
    """Memory of the run on any one GPU before it is killed (`oom`), where that can be seen from outside."""


@dataclass(frozen=True)
class Job:
    """One configuration to run once."""

    number: int
    attempt: int
    config: Config
    seed: int
    dir: Path
    """The run's own folder; it exists and is kept."""
    devices: tuple[int | str, ...] = ()
    """GPUs that the run may see: indices, or UUIDs of GPUs and MIG slices. Empty: leave the environment as it is."""
    limits: Limits = field(default_factory=Limits)
    fidelity: float | None = None
    checkpoint: Path | None = None
    """Where the run may keep its state, a file or a folder: all attempts at a trial have the same."""


@dataclass(frozen=True)
class Point:
    """One point of a learning curve."""

    step: float
    metrics: dict[str, float]
    seconds: float
    """Seconds since the run began."""


@dataclass(frozen=True)
class GpuUse:
    """What a run used of one GPU or MIG slice; None where it could not be measured."""

    device: str
    """The index that NVML and nvidia-smi give it; the UUID of a MIG slice."""
    name: str
    total_bytes: int
    peak_bytes: int | None = None
    """Peak memory of the run there."""
    utilization: float | None = None
    """Mean share of time, 0 to 1, in which the GPU was busy, with whatever program. None for a MIG slice."""
    energy_j: float | None = None
    """Joules that the whole GPU drew meanwhile, with whatever program. None for a MIG slice."""


@dataclass(frozen=True)
class Telemetry:
    """What was measured from outside the run; None where it could not be."""

    seconds: float
    peak_bytes: int | None = None
    """Peak resident host memory of the process tree, bytes."""
    peak_gpu_bytes: int | None = None
    """Peak memory on the fullest of the run's GPUs, bytes."""
    limit_bytes: int | None = None
    """The memory limit that `peak_bytes` (or `peak_gpu_bytes`, where there is one) runs against, bytes."""
    gpu_memory_from: Literal["processes", "device", "run"] | None = None
    """Who knew `peak_gpu_bytes`: the driver, by process; the driver, as what was in use on the run's own GPUs beyond
    what was before it began; or the run itself, which printed it."""
    cpu_seconds: float | None = None
    """CPU time of the process tree."""
    gpu_utilization: float | None = None
    """Mean share of time, 0 to 1, in which the run's GPUs were busy."""
    energy_j: float | None = None
    """Joules that the run's GPUs drew, all of each GPU; the rest of the machine is not in it."""
    co2_g: float | None = None
    """Grams of CO2 for `energy_j`, where grams for a kilowatt hour were given."""
    throughput: float | None = None
    """The last `tokens_per_second` or `samples_per_second` that the run printed."""
    throughput_unit: Literal["tokens", "samples"] | None = None
    sampler_cpu_seconds: float | None = None
    """CPU time that measuring all this has used."""
    gpus: tuple[GpuUse, ...] = ()
    """Each GPU and MIG slice that the run used."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Only `done` has metrics; a run that failed has no value, never a penalty number."""

    status: Status
    metrics: dict[str, float] = field(default_factory=dict)
    curve: tuple[Point, ...] = ()
    telemetry: Telemetry | None = None
    detail: str = ""
    """For a person: the reason, then the log's last lines."""
    fault: Fault | None = None
    """Whose fault a failure is: the configuration's, the host's or the person's. None when done."""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is not one of {', '.join(STATUSES)}")
        if self.metrics and self.status != "done":
            raise ValueError(f"a run that ended as {self.status!r} has no metrics, got {self.metrics!r}")


OnPoint = Callable[[Point], bool]
"""Called for each point of the curve, in the thread that runs the job; True asks the run to stop (`pruned`)."""


@runtime_checkable
class Tool(Protocol):
    """Anything that runs a configuration."""

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise `ToolSetupError` when this tool cannot run configurations with these parameter names.

        Args:
            parameters: parameter name -> its default value, all parameters of the space.
        """

    def run(self, job: Job, on_point: OnPoint) -> Outcome:
        """Run one configuration to its end; never raises for what the run did."""

    def cancel(self) -> None:
        """End every run in progress soon; their outcome is `cancelled`. Safe to call from another thread."""
