"""What runs jobs side by side. The clock belongs to it, so that workers can be simulated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tunewright_tools.base import Job, Outcome, Point


@dataclass(frozen=True)
class Report:
    """News of a job: a point of its curve, or its outcome, never both."""

    job: Job
    point: Point | None = None
    outcome: Outcome | None = None


Stop = Callable[[Point], bool]


class Executor(Protocol):
    """Runs up to `workers` jobs at once."""

    workers: int

    def now(self) -> float:
        """Seconds on this executor's clock; Unix time for a real one."""

    def submit(self, job: Job, stop: Stop | None = None) -> None:
        """Start a job; one of the workers is free.

        Args:
            stop: asked for each point of its curve, values that are not finite among them, from any one thread; True
                ends the run as `pruned`.
        """

    def wait(self, seconds: float) -> list[Report]:
        """News of the jobs in the order in which it came; empty when none came within `seconds`."""

    def cancel(self) -> None:
        """End all jobs soon; their outcomes still arrive, as `cancelled`."""

    def close(self) -> None:
        """Let go of threads and child processes."""
