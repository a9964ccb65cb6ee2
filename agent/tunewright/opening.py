"""A study made ready for a session: opened or branched, earlier trials taken in, lost ones in line again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.branching import open_branch
from tunewright.card import TaskCard
from tunewright.card_parts import items
from tunewright.earlier import Earlier, record, recorded
from tunewright.earlier_sources import read_all
from tunewright.errors import StudyError
from tunewright.health import to_start_again
from tunewright.study import Study
from tunewright.trial import Trial


@dataclass(frozen=True)
class Opened:
    """A study at the begin of a session."""

    study: Study
    taken_in: list[Earlier]
    """Earlier trials that are new to the study, a parent's among them."""
    lost: list[Trial]
    """Trials whose session is gone; they wait to run again."""


def opened(card: TaskCard, storage: str, *, seed: int | None, earlier: Sequence[Any] = (), branch: bool) -> Opened:
    """The card's study, or with `branch` the member of its family that the card fits; see `open_branch`.

    Args:
        card: the task.
        storage: address of the record.
        seed: of a new study.
        earlier: what may hold earlier trials, beside the sources that the card names; see `read_all`.
        branch: whether a card that no longer fits opens a child study.

    Raises:
        StudyError: the record cannot be opened or does not fit the card; a source cannot be read.
    """
    sources = [*card.earlier, *items(earlier, "earlier")]
    # before the study is made: one without a trial would hold the person to a card that has never run
    read = read_all(sources, card) if sources and not _is_there(card.name, storage) else None
    study = (open_branch if branch else Study.open)(card, storage, seed=seed)
    if read is None:
        read = read_all(sources, study.card, [one.name for one in recorded(study)])
    record(study, read)
    taken_in = read if study.trials() else recorded(study)
    lost = study.sweep()
    for trial in to_start_again(study.trials()):
        study.requeue(trial)
    return Opened(study, taken_in, lost)


def _is_there(name: str, storage: str) -> bool:
    try:
        return name in Study.names(storage)
    except StudyError:  # no record yet; what else is wrong with it is said when it is opened
        return False
