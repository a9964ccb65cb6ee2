"""Trials as jobs: their folders, and how they are ended."""

import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy import card, config

from tunewright import Tuner
from tunewright.errors import CardError
from tunewright.executors.local import LocalExecutor
from tunewright.jobs import Running, job_of
from tunewright.toolbox import open_tool
from tunewright.trial import Trial
from tunewright_tools import process


def test_a_job_has_its_own_folder_and_the_cards_limits(tmp_path: Path) -> None:
    job = job_of(Trial(7, config(0.01), "user", attempt=2, seed=5), card(budget={"seconds_per_trial": 60}), tmp_path)
    assert job.dir == tmp_path / "toy" / "00007-2"
    assert job.dir.is_dir()
    assert (job.number, job.attempt, job.config, job.seed, job.limits.seconds) == (7, 2, config(0.01), 5, 60)


def test_attempts_at_a_trial_share_a_checkpoint_unless_the_run_itself_is_measured(tmp_path: Path) -> None:
    first, second = (job_of(Trial(7, config(0.01), "user", attempt=n, seed=5), card(), tmp_path) for n in (1, 2))
    assert first.checkpoint == second.checkpoint == tmp_path / "toy" / "00007.checkpoint-function"
    measured = card(constraints=["telemetry.seconds <= 60"])
    assert job_of(Trial(7, config(0.01), "user", seed=5), measured, tmp_path).checkpoint is None


def test_a_checkpoint_is_for_the_next_attempt_with_the_same_tool(tmp_path: Path) -> None:
    short, long = (card(tool={"trainer": "torch_digits", "options": {"epochs": n}}) for n in (2, 3))
    first = job_of(Trial(7, config(0.01), "user", seed=5), short, tmp_path).checkpoint
    assert first is not None
    first.write_text("its state")
    again = Trial(7, config(0.01), "user", attempt=2, seed=5)
    assert job_of(again, short, tmp_path).checkpoint == first
    assert job_of(again, long, tmp_path).checkpoint != first
    assert first.exists()
    job_of(Trial(7, config(0.1), "user", seed=5), short, tmp_path)  # of a new study under the name of a deleted one
    assert not first.exists()


def test_what_an_earlier_attempt_left_running_is_ended_before_the_next(tmp_path: Path) -> None:
    killed = Trial(7, config(0.01), "user", seed=5)
    folder = job_of(killed, card(), tmp_path).dir
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as left:
        process.remember(folder, left.pid)
        job_of(replace(killed, attempt=3), card(), tmp_path)
        assert left.wait() == -signal.SIGTERM


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

    running: Running[int] = Running(LocalExecutor(open_tool(card(), slow), 2))
    for number in (0, 1):
        running.submit(job_of(Trial(number, config(0.01), "user", seed=0), card(), tmp_path), number)
    seen: set[int] = set()
    while len(seen) < 2:
        seen |= {number for number, _ in running.news(1)}
    assert {number: outcome.status for number, outcome in running.wind_down()} == {0: "cancelled", 1: "cancelled"}
    assert len(running) == 0


def test_what_ended_at_the_same_time_is_told_of_at_the_end(tmp_path: Path) -> None:
    running: Running[int] = Running(LocalExecutor(open_tool(card(), lambda given: 1.0), 2))
    for number in (0, 1):
        running.submit(job_of(Trial(number, config(0.01), "user", seed=0), card(), tmp_path), number)
    time.sleep(0.5)
    first = next(number for number, report in running.news(5) if report.outcome is not None)
    ended = [(number, outcome.status) for number, outcome in running.wind_down()]
    assert ended == [(1 - first, "done")]


def test_what_does_not_end_in_time_counts_as_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunewright.jobs._WIND_DOWN_S", 0.2)
    asleep = LocalExecutor(open_tool(card(), lambda given: time.sleep(2) or 1.0), 1)
    running: Running[str] = Running(asleep)
    running.submit(job_of(Trial(0, config(0.01), "user", seed=0), card(), tmp_path), "it")
    ((what, outcome),) = running.wind_down()
    assert (what, outcome.status, outcome.detail) == ("it", "cancelled", "the run did not end in time")
