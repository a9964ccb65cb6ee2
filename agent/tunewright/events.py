"""What happens in a study, as values: the loop yields them; printing, saving and plotting listen."""

from dataclasses import asdict, dataclass
from typing import Any

from tunewright.trial import Trial
from tunewright_tools.base import Point


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    def to_json(self) -> dict[str, Any]:
        """The event as plain data, its kind under `event`."""
        return {"event": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True)
class Resumed(Event):
    """The study was on record; `lost` are trials whose worker had died, each queued to run once more."""

    finished: int
    lost: tuple[int, ...]


@dataclass(frozen=True)
class Started(Event):
    """A trial is on record as running."""

    trial: Trial


@dataclass(frozen=True)
class Progress(Event):
    """A point of a running trial's curve."""

    number: int
    point: Point


@dataclass(frozen=True)
class Finished(Event):
    """A trial's outcome is on disk."""

    trial: Trial
    best: bool
    """Whether it is the new incumbent."""


@dataclass(frozen=True)
class Reran(Event):
    """A run of the final evaluation is on disk."""

    label: str
    """The number of the trial whose configuration it is, or `default`."""
    index: int
    seed: int
    status: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Unanswered(Event):
    """A question to the model came to nothing; another source's configuration runs in its place."""

    reason: str


@dataclass(frozen=True)
class Silenced(Event):
    """The model is no longer asked; the study goes on with the surrogate alone."""

    reason: str


@dataclass(frozen=True)
class Stopped(Event):
    """The run has ended."""

    reason: str
    kind: str
    """trials | target | hours | no_gain | exhausted | cancelled"""
