"""What every pruner is to the loop: told of each run and each point of its curve, it may ask for a run to stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tunewright_tools.base import Point


@dataclass(frozen=True)
class Run:
    """One run as a pruner sees it."""

    number: int
    curve: Sequence[Point]
    final: float | None
    """The metric at the end, in its own unit; None where the run was stopped or failed."""
    feasible: bool = True
    """Whether its result keeps the constraints; only such a run can be the best."""


class Pruner(Protocol):
    """Decides which runs to stop early. Points and ends may come from several threads at once."""

    def stop(self, number: int, point: Point) -> str | None:
        """Why the run should stop now, for people; None to let it go on."""

    def tell(self, run: Run) -> None:
        """Take note of a run that has ended; runs of an earlier session are told in their order."""
