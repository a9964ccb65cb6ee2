"""Several processes at one study: which of two trials runs, and what the process that came second is told."""

from collections.abc import Callable, Iterable

from tunewright.errors import StudyError
from tunewright.trial import Trial


class Withdrawn(Exception):  # noqa: N818 (no error: the caller asks again)
    """Another process got there first: the trial was not put on record, or taken back at once.

    Args:
        number: the trial that was not started.
        rival: the older trial that has its number, its queue entry or its configuration.
    """

    def __init__(self, number: int, rival: Trial) -> None:
        super().__init__(f"trial {number} was taken back: trial {rival.number} of another process came first")
        self.number = number
        self.rival = rival


class AlreadyFinishedError(StudyError):
    """A trial that was told before, or closed as lost while its worker was silent."""

    @classmethod
    def of(cls, trial: Trial) -> "AlreadyFinishedError":
        """The error for a trial that has ended as its status says."""
        if trial.status == "lost":
            return cls(
                f"trial {trial.number} was closed as lost while its worker was silent",
                "renew its lease once a minute while it runs (`Study.renew`)",
            )
        return cls(f"trial {trial.number} has ended as {trial.status} before", "tell each trial once")


def rival_of(mine: Trial, attempts: Iterable[Trial], key: Callable[[Trial], str]) -> Trial | None:
    """The older trial because of which this one must not run; None when it may.

    All are older than one that is not on record yet. What a person put in line runs beside an equal one: nothing else
    can take its place, as it can where we choose.
    """
    for t in attempts:
        if 0 <= mine.record_id <= t.record_id:
            continue
        at_once = t.running or (t.finished is not None and t.finished > mine.started and t.status != "lost")
        if (
            (t.number == mine.number and t.attempt >= mine.attempt)
            or (t.queue_id is not None and t.queue_id == mine.queue_id)
            or (at_once and mine.queue_id is None and key(t) == key(mine))
        ):
            return t
    return None
