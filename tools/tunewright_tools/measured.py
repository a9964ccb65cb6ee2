"""Telemetry as metrics and constraints: names such as `telemetry.peak_gb`, whose values are measured, not printed."""

import difflib
from collections.abc import Callable, Iterable, Mapping

from .base import Telemetry, ToolSetupError

PREFIX = "telemetry."
_GIB = 2**30


def _gib(size: int | None) -> float | None:
    return None if size is None else size / _GIB


MEASURES: Mapping[str, Callable[[Telemetry], float | None]] = {
    "telemetry.seconds": lambda t: t.seconds,
    "telemetry.peak_gb": lambda t: _gib(t.peak_bytes if t.peak_gpu_bytes is None else t.peak_gpu_bytes),
    "telemetry.host_peak_gb": lambda t: _gib(t.peak_bytes),
    "telemetry.gpu_peak_gb": lambda t: _gib(t.peak_gpu_bytes),
    "telemetry.cpu_seconds": lambda t: t.cpu_seconds,
    "telemetry.gpu_utilization": lambda t: t.gpu_utilization,
    "telemetry.energy_j": lambda t: t.energy_j,
    "telemetry.co2_g": lambda t: t.co2_g,
    "telemetry.throughput": lambda t: t.throughput,
}
"""Name -> its value. Memory is in units of 2**30 bytes; `peak_gb` is of the fullest GPU, of the host where none is."""


def is_measured(name: str) -> bool:
    """Whether a metric of this name is measured from outside rather than printed by the run."""
    return name.startswith(PREFIX)


def check_measured(names: Iterable[str]) -> None:
    """Raise `ToolSetupError` for a name that begins like a measured one and is none."""
    for name in names:
        if is_measured(name) and name not in MEASURES:
            close = difflib.get_close_matches(name, MEASURES, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise ToolSetupError(f"nothing is measured as {name!r}", f"{meant}measured: {', '.join(MEASURES)}")


def measured(names: Iterable[str], telemetry: Telemetry) -> dict[str, float]:
    """Those of the names that are measured ones and have a value here."""
    found = {name: MEASURES[name](telemetry) for name in names if is_measured(name)}
    return {name: value for name, value in found.items() if value is not None}
