"""Run the final evaluation: the best few configurations and the default again, on seeds that no trial has had."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunewright.attempts import no_best
from tunewright.confirmation import arms_of, key, on_record
from tunewright.errors import StudyError, ToolError, whole
from tunewright.events import Reran
from tunewright.executors.base import Executor
from tunewright.jobs import HEARTBEAT_S, TICK_S, Running, made_folder
from tunewright.lease import Lease
from tunewright.seeds import final_seed
from tunewright.study import Study
from tunewright.toolbox import limits
from tunewright.trial_json import clean_outcome, outcome_to_json
from tunewright_tools.base import Config, Job, Outcome
from tunewright_tools.process import reap

_LEASE = "confirming"


@dataclass(frozen=True)
class _Run:
    label: str
    index: int
    seed: int
    config: Config


def confirming(study: Study, executor: Executor, folder: Path, k: int, top: int) -> Iterator[Reran]:
    """Each run as its outcome comes on record; runs that are on record already are not run again.

    Args:
        executor: runs the jobs; it is closed at the end. No run is stopped early.
        folder: of the study's runs.
        k: fresh seeds for each configuration.
        top: how many of the best configurations.

    Raises:
        CardError: k or top is no whole number of 1 or more.
        StudyError: no trial has a value that keeps all constraints; another process is at it.
        ToolError: a run failed for a reason outside its configuration.
    """
    k, top = whole(k, "k", 1), whole(top, "top", 1)
    arms = arms_of(study, top)
    if study.best() is None:
        raise StudyError(f"no trial of {study.name!r} has {no_best(study.card)} yet", "run more trials first")
    claim = _Claim(study)
    known = on_record(study)
    todo = [
        _Run(label, i, final_seed(study.seed, i), trial.config if trial else study.card.space.default())
        for i in range(k)
        for label, trial in arms
        if i not in known.get(label, {})
    ]
    running: Running[_Run] = Running(executor)
    renewed = time.monotonic()
    try:
        while todo or running:
            while todo and len(running) < executor.workers:
                job = _job(study, folder, todo[0])
                running.submit(job, todo.pop(0))
            for one, report in running.news(TICK_S):
                if report.outcome is not None:
                    yield _kept(study, one, report.outcome)
            if time.monotonic() - renewed > HEARTBEAT_S:
                renewed = time.monotonic()
                claim.renew()
    finally:
        for one, outcome in running.wind_down():
            if outcome.metrics:  # it ended meanwhile
                _kept(study, one, outcome)
        claim.release()


class _Claim:
    """Says on record that this process is at it; raises `StudyError` where another one is."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._take(study.get(_LEASE))

    def renew(self) -> None:
        """Hold it for longer; raises `StudyError` where another process took it while this one was held."""
        self._take(self._mine)

    def release(self) -> None:
        """Let go of it, unless it is another's by now."""
        self._study.swap(_LEASE, None, before=self._mine)

    def _take(self, held: dict[str, Any] | None) -> None:
        while True:
            if held is not None and not (lease := Lease.from_json(held)).own() and not lease.stale():
                raise StudyError(
                    f"{lease.holder()} runs the final evaluation of {self._study.name!r}", "wait for it, or end it"
                )
            self._mine = Lease.mine().to_json()
            if self._study.swap(_LEASE, self._mine, before=held):
                return
            held = self._study.get(_LEASE)  # another one wrote since it was read


def _job(study: Study, folder: Path, run: _Run) -> Job:
    where = made_folder(folder / study.name / "confirm" / f"{run.label}-{run.index:05d}")
    reap(where)  # what a killed session left running
    number = int(run.label) if run.label.isdecimal() else 0
    return Job(number, 1, run.config, run.seed, where, limits=limits(study.card))


def _kept(study: Study, run: _Run, outcome: Outcome) -> Reran:
    if outcome.fault in ("host", "person") or outcome.status == "cancelled":
        raise ToolError(
            f"the run of {run.label} with seed {run.seed} {outcome.status} for a reason outside its configuration:\n"
            f"{outcome.detail}",
            "mend the machine or the program and run the same command again; runs on record are kept",
        )
    outcome = clean_outcome(replace(outcome, curve=()))
    study.set(key(run.label, run.index), {"seed": run.seed, "config": run.config, "outcome": outcome_to_json(outcome)})
    return Reran(run.label, run.index, run.seed, outcome.status, outcome.metrics)
