"""Trials as jobs: their folders, and how they are ended."""

import time
from pathlib import Path
from typing import Any

import pytest
from toy import card, config

from tunewright import Tuner
from tunewright.errors import CardError
from tunewright.executors.local import LocalExecutor
from tunewright.jobs import job_of, wind_down
from tunewright.toolbox import open_tool
from tunewright.trial import Trial


def test_a_job_has_its_own_folder_and_the_cards_limits(tmp_path: Path) -> None:
    job = job_of(Trial(7, config(0.01), "user", attempt=2, seed=5), card(budget={"seconds_per_trial": 60}), tmp_path)
    assert job.dir == tmp_path / "toy" / "00007-2"
    assert job.dir.is_dir()
    assert (job.number, job.attempt, job.config, job.seed, job.limits.seconds) == (7, 2, config(0.01), 5, 60)


def test_a_folder_that_cannot_be_made_is_told_before_a_trial_is_on_record(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file is in the way")
    with pytest.raises(CardError, match=r"runs.* cannot be made: Not a directory") as told:
        job_of(Trial(7, config(0.01), "user"), card(), tmp_path / "runs")
    assert "--folder" in told.value.hint
    tuner = Tuner(card(), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs")
    with pytest.raises(CardError, match="cannot be made"):
        tuner.run(lambda given: 1.0, trials=1)
    assert tuner.study.trials() == []


def test_winding_down_cancels_what_runs_and_gives_its_outcome(tmp_path: Path) -> None:
    def slow(given: dict[str, Any], ctx: Any) -> float:
        for step in range(2000):
            time.sleep(0.01)
            if ctx.report(step, loss=1.0):
                break
        return 1.0

    executor = LocalExecutor(open_tool(card(), slow), 2)
    running = {0, 1}
    for number in running:
        executor.submit(job_of(Trial(number, config(0.01), "user", seed=0), card(), tmp_path))
    seen: set[int] = set()
    while seen < running:
        seen |= {report.job.number for report in executor.wait(1)}
    ended = {}
    for report in wind_down(executor, running):
        assert report.outcome is not None
        running.remove(report.job.number)
        ended[report.job.number] = report.outcome.status
    executor.close()
    assert ended == {0: "cancelled", 1: "cancelled"}
