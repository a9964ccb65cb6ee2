"""Trials as jobs of an executor, each in a folder of its own; how those that still run at the end are wound down."""

import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path

from tunewright.card import TaskCard
from tunewright.errors import CardError
from tunewright.executors.base import Executor, Report
from tunewright.toolbox import limits
from tunewright.trial import Trial
from tunewright_tools.base import Job

TICK_S = 0.5
"""How long one look for news of the jobs takes at most."""
REPLY_TICK_S = 0.1
"""The same while a worker is free and waits for the model's first reply."""
HEARTBEAT_S = 60.0
"""Between two renewals of the leases of what runs."""
_WIND_DOWN_S = 15.0


def job_of(trial: Trial, card: TaskCard, runs: Path) -> Job:
    """The job of a trial, its folder made.

    Args:
        runs: where the folders of all studies lie.

    Raises:
        CardError: the folder cannot be made.
    """
    folder = made_folder(_folder(trial, card, runs))
    return Job(trial.number, trial.attempt, trial.config, trial.seed, folder, limits=limits(card))


def made_folder(path: Path) -> Path:
    """The folder with its full path, made where it is not there.

    Raises:
        CardError: it cannot be made: a file is in the way, the disk is full, or nothing may be written there.
    """
    try:
        folder = path.resolve()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise CardError(
            f"the folder {path} of the runs cannot be made: {e.strerror or e}",
            "make room and see that you may write there, or name another: --folder FOLDER, or Tuner(folder=...)",
        ) from None
    return folder


def reap_jobs(trials: Iterable[Trial], card: TaskCard, runs: Path) -> None:
    """End what a killed session left running of these trials, so that no configuration runs twice at once."""
    from tunewright_tools.process import reap

    for trial in trials:
        reap(_folder(trial, card, runs))


def _folder(trial: Trial, card: TaskCard, runs: Path) -> Path:
    return runs / card.name / f"{trial.number:05d}-{trial.attempt}"


def wind_down(executor: Executor, running: Sized) -> Iterator[Report]:
    """Cancel all jobs, and their outcomes as they come: until none of `running` is left, or 15 s have passed.

    Args:
        running: the jobs that the caller still waits for; it takes each out as its outcome comes.
    """
    if not running:
        return
    executor.cancel()
    deadline = time.monotonic() + _WIND_DOWN_S
    while running and time.monotonic() < deadline:
        yield from (report for report in executor.wait(TICK_S) if report.outcome is not None)
