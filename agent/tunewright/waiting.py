"""What waits to run: re-runs of lost trials, and a person's own points."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from tunewright.errors import StudyError
from tunewright.redact import redact
from tunewright.table import Table
from tunewright.trial import Interval, Proposal, Source, Trial
from tunewright_tools.base import Config

ATTEMPTS = 10
"""How often a configuration whose worker is lost is run in all: a machine may go down several times during one long
trial, but a trial that takes the machine down with it must end."""


@dataclass(frozen=True)
class QueueEntry:
    """A configuration that waits to run: a person's own, or one whose worker was lost."""

    id: str
    config: Config
    source: Source
    rationale: str = ""
    number: int | None = None
    """The trial that it is a re-run of; None for a new one."""
    attempt: int = 1
    predicted: Interval | None = None
    call_id: str | None = None
    call_index: int | None = None

    @property
    def proposal(self) -> Proposal:
        """The entry as a proposal; that of a re-run still names the model call that it came from."""
        return Proposal(self.config, self.source, self.rationale, self.predicted, self.call_id, self.call_index)


def rerun_id(trial: Trial) -> str:
    """The id of the entry that runs a trial once more; an attribute of this name asks for it."""
    return f"rerun/{trial.number:05d}-{trial.attempt + 1}"


class Queue:
    """A study's queue, re-runs first; on record, but for the re-run of a lost trial, which follows from the record.

    The study's attribute `queue/ID` is a person's point, `rerun/ID` an asked-for re-run, `dropped/ID` an entry that was
    taken out. An entry is used up once an attempt carries its id.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._last = 0

    def add(self, config: Config, source: Source, rationale: str) -> str:
        """The id of a new entry at the end."""
        self._last = max(self._last + 1, time.time_ns())
        entry = f"{self._last:020d}-{uuid4().hex[:6]}"
        self._table.set(f"queue/{entry}", {"config": config, "source": source, "rationale": redact(rationale)})
        return entry

    def add_rerun(self, trial: Trial) -> str:
        """The id of the entry that runs a failed trial once more, under its number; calling again adds none.

        Raises:
            StudyError: it runs, or has a value.
        """
        if trial.running or trial.done:
            raise StudyError(f"trial {trial.number} is {trial.status}", "only a trial that failed can run again")
        self._table.set(rerun_id(trial), True)
        return rerun_id(trial)

    def drop(self, entry_id: str, reason: str) -> None:
        """Take an entry out."""
        self._table.set(f"dropped/{entry_id}", reason)

    def entries(self, attempts: Sequence[Trial], again: Sequence[Trial]) -> list[QueueEntry]:
        """What waits: re-runs by number, then a person's points in the order in which they came.

        Args:
            attempts: every attempt.
            again: the latest attempt at each trial that may run again.
        """
        attributes = self._table.attributes(("queue/", "rerun/", "dropped/"))
        used = {t.queue_id for t in attempts}
        entries = [
            QueueEntry(
                id=rerun_id(t),
                config=t.config,
                source=t.source,
                rationale=t.rationale,
                number=t.number,
                attempt=t.attempt + 1,
                predicted=t.predicted,
                call_id=t.call_id,
                call_index=t.call_index,
            )
            for t in again
            if (t.status == "lost" and t.attempt < ATTEMPTS) or rerun_id(t) in attributes
        ]
        entries += [
            QueueEntry(id=key.removeprefix("queue/"), **value)
            for key, value in sorted(attributes.items())
            if key.startswith("queue/")
        ]
        return [e for e in entries if e.id not in used and f"dropped/{e.id}" not in attributes]
