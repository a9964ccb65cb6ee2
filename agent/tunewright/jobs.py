"""Trials as jobs of an executor, each in a folder of its own; the news of those that run, and their end."""

import contextlib
import hashlib
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

from tunewright.card import TaskCard
from tunewright.errors import CardError
from tunewright.executors.base import Executor, Report, Stop
from tunewright.toolbox import limits
from tunewright.trial import Trial
from tunewright_tools.base import Job, Outcome

TICK_S = 0.5
"""How long one look for news of the jobs takes at most."""
REPLY_TICK_S = 0.1
"""The same while a worker is free and waits for the model's first reply."""
HEARTBEAT_S = 60.0
"""Between two renewals of the leases of what runs."""
_WIND_DOWN_S = 15.0

T = TypeVar("T")


def job_of(trial: Trial, card: TaskCard, runs: Path) -> Job:
    """The job of a trial, its folder made; what its earlier attempts left running there has ended.

    Args:
        runs: where the folders of all studies lie.

    Raises:
        CardError: the folder cannot be made.
    """
    folder = made_folder(_folder(trial, card, runs))
    if trial.attempt == 1:  # nothing to go on from: what lies there is of a study of the same name that was deleted
        drop_checkpoint(trial, card, runs)
    # a process that was killed since this session began may have left one, which writes the same checkpoint
    reap_jobs((replace(trial, attempt=n) for n in range(1, trial.attempt)), card, runs)
    kept = checkpoint(trial, card, runs)
    return Job(trial.number, trial.attempt, trial.config, trial.seed, folder, limits=limits(card), checkpoint=kept)


def checkpoint(trial: Trial, card: TaskCard, runs: Path) -> Path | None:
    """Where a run may keep its state: the next attempt at a trial that was lost or cancelled finds it there.

    Another one where the card's tool has changed meanwhile, since a trainer refuses the state of other options. None
    where telemetry is a metric or a constraint: it is measured from outside, of the last attempt alone.
    """
    names = [*(m.name for m in card.metrics), *(c.metric for c in card.constraints)]
    if any(name.startswith("telemetry.") for name in names):
        return None
    tool = hashlib.sha256(card.tool.model_dump_json().encode()).hexdigest()[:8] if card.tool is not None else "function"
    return (runs / card.name / f"{trial.number:05d}.checkpoint-{tool}").resolve()


def drop_checkpoint(trial: Trial, card: TaskCard, runs: Path) -> None:
    """Remove what a run that has ended for good kept of its state, half-written files with it."""
    for left in (runs / card.name).glob(f"{trial.number:05d}.checkpoint-*"):
        with contextlib.suppress(OSError):  # no result hangs on it
            shutil.rmtree(left) if left.is_dir() else left.unlink()


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


class Running(Generic[T]):
    """Jobs that run, each for something that is on record as running: their news, and their end.

    News that came with other news is kept until it is asked for, so that what has ended is told of also where the first
    of it ends the study.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._items: dict[Path, T] = {}
        self._news: deque[Report] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> list[T]:
        """What the jobs run for."""
        return list(self._items.values())

    def submit(self, job: Job, item: T, stop: Stop | None = None) -> None:
        """Start a job; see `Executor.submit`."""
        self._items[job.dir] = item
        self._executor.submit(job, stop)

    def news(self, seconds: float) -> Iterator[tuple[T, Report]]:
        """News of the jobs in the order in which it came; nothing when none came within `seconds`."""
        self._news.extend(self._executor.wait(seconds))
        while self._news:
            report = self._news.popleft()
            if report.job.dir in self._items:
                yield self._of(report), report

    def wind_down(self) -> Iterator[tuple[T, Outcome]]:
        """Cancel all jobs, and every outcome as it comes; what has none after 15 s counts as cancelled."""
        try:
            if self._items:
                self._executor.cancel()
            deadline = time.monotonic() + _WIND_DOWN_S
            while self._items and (self._news or time.monotonic() < deadline):
                if not self._news:
                    self._news.extend(self._executor.wait(TICK_S))
                    continue
                report = self._news.popleft()
                if report.outcome is not None and report.job.dir in self._items:
                    yield self._of(report), report.outcome
            while self._items:
                yield self._items.popitem()[1], Outcome("cancelled", detail="the run did not end in time")
        finally:
            self._executor.close()

    def _of(self, report: Report) -> T:
        return self._items[report.job.dir] if report.outcome is None else self._items.pop(report.job.dir)
