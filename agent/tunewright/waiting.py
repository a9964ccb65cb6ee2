"""What waits to run: re-runs of lost trials, and a person's own points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    seed: int | None = None
    """The seed of the trial that it is a re-run of."""
    predicted: Interval | None = None
    call_id: str | None = None
    call_index: int | None = None

    @property
    def proposal(self) -> Proposal:
        """The entry as a proposal; that of a re-run still names the model call that it came from."""
        return Proposal(self.config, self.source, self.rationale, self.predicted, self.call_id, self.call_index)


def rerun_id(trial: Trial) -> str:
    """The id of the entry that runs a trial once more."""
    return f"rerun/{trial.number:05d}-{trial.attempt + 1}"


def waiting(attributes: Mapping[str, Any], attempts: Sequence[Trial], latest: Sequence[Trial]) -> list[QueueEntry]:
    """The queue, re-runs first, derived from the record: the re-run of a lost trial is stored nowhere.

    Args:
        attributes: of the study: `queue/ID` is a person's point, `rerun/ID` an asked-for re-run, `dropped/ID` an
            entry that was taken out.
        attempts: every attempt; an entry is used up once one carries its id.
        latest: the latest attempt at each trial that may run again.
    """
    used = {t.queue_id for t in attempts}
    entries = [
        QueueEntry(
            id=rerun_id(t),
            config=t.config,
            source=t.source,
            rationale=t.rationale,
            number=t.number,
            attempt=t.attempt + 1,
            seed=t.seed,
            predicted=t.predicted,
            call_id=t.call_id,
            call_index=t.call_index,
        )
        for t in latest
        if (t.status == "lost" and t.attempt < ATTEMPTS) or rerun_id(t) in attributes
    ]
    entries += [
        QueueEntry(id=key.removeprefix("queue/"), **value)
        for key, value in sorted(attributes.items())
        if key.startswith("queue/")
    ]
    return [e for e in entries if e.id not in used and f"dropped/{e.id}" not in attributes]
