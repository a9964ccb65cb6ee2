"""Trials whose process is gone."""

import subprocess
import sys
import time

import pytest
from record_worker import at_once, card, config, die, start

from tunewright.lease import SECONDS
from tunewright.rivals import AlreadyFinishedError
from tunewright.study import Study
from tunewright.waiting import ATTEMPTS
from tunewright_tools.base import Outcome

DONE = Outcome("done", {"loss": 0.5})


def test_a_trial_of_a_killed_process_is_lost_and_queued_again_but_not_for_ever(study, url):
    die("die_running", url, 0)
    assert study.trials()[0].running
    for attempt in range(1, ATTEMPTS + 1):
        (lost,) = study.sweep()
        assert (lost.number, lost.attempt, lost.status, lost.outcome.fault) == (0, attempt, "lost", "host")
        assert f"attempt {attempt} of {ATTEMPTS}" in lost.outcome.detail
        assert study.sweep() == []
        if attempt < ATTEMPTS:
            (entry,) = study.queue()
            assert (entry.number, entry.attempt, entry.config) == (0, attempt + 1, config(0))
            assert (entry.source, entry.rationale) == ("sobol", "why not")
            again = start(study, entry.config, 0, attempt=entry.attempt, queue_id=entry.id)
            assert study.queue() == []
            forget_worker(study, again)
    assert study.queue() == []
    assert [t.attempt for t in study.attempts()] == list(range(1, ATTEMPTS + 1))
    assert [t.attempt for t in study.trials()] == [ATTEMPTS]


@pytest.mark.parametrize(("renewed", "ended"), [(700, 700), (5000, 1000)])
def test_the_time_of_a_lost_trial_ends_with_its_last_sign_of_life(study, renewed, ended):
    now = time.time()
    study._clock = lambda: now - 1000
    trial = start(study, config(0), 0)
    study._clock = lambda: now
    forget_worker(study, trial, until=now - renewed + SECONDS)
    (lost,) = study.sweep()
    assert now - lost.finished == pytest.approx(ended, abs=0.01)


def forget_worker(study, trial, **more):
    """Make the trial's lease that of a process which is really gone."""
    p = subprocess.Popen([sys.executable, "-c", ""])
    p.wait()
    row = study._table.row_id(trial.record_id)
    lease = study._table.storage.get_trial(row).user_attrs["tunewright:lease"]
    study._table.storage.set_trial_user_attr(row, "tunewright:lease", {**lease, "pid": p.pid, **more})


def test_a_living_process_keeps_its_trials(study, url):
    trial = start(study, config(0), 0)
    other = Study.open(card(), url)
    assert other.sweep() == []
    assert other.trials() == [trial]
    other.close()


def test_two_sweeps_at_once_queue_one_rerun(study, url):
    for k in range(3):
        die("die_running", url, k)
    at_once("sweep", url, 2)
    assert [(t.number, t.status) for t in study.attempts()] == [(k, "lost") for k in range(3)]
    assert [(e.number, e.attempt) for e in study.queue()] == [(k, 2) for k in range(3)]


def test_an_outcome_written_before_the_kill_counts(study, url):
    die("die_telling", url, 0)
    assert study.optuna_study.trials[0].state.name == "RUNNING"
    assert study.trials()[0].outcome == Outcome("done", {"loss": 0.25})
    again = Study.open(card(), url)
    row = again.optuna_study.trials[0]
    assert (row.state.name, row.values) == ("COMPLETE", [0.25])
    assert again.sweep() == []
    assert again.queue() == []
    with pytest.raises(AlreadyFinishedError):
        study.finish(study.trials()[0], DONE)
    again.close()


def test_a_duplicate_whose_process_died_before_taking_it_back_is_not_run_again(study, url):
    start(study, config(0), 0)
    die("die_withdrawing", url, 0)
    assert study.sweep() == []
    assert [(t.number, t.status) for t in study.attempts()] == [(0, "running")]
    assert [t.state.name for t in study.optuna_study.trials] == ["RUNNING", "FAIL"]


def test_a_worker_that_comes_back_after_it_was_given_up_is_told_so(study, url):
    trial = start(study, config(0), 0)
    forget_worker(study, trial)
    other = Study.open(card(), url)
    assert [t.number for t in other.sweep()] == [0]
    study.renew([trial])
    with pytest.raises(AlreadyFinishedError, match="closed as lost while its worker was silent"):
        study.finish(trial, DONE)
    assert [t.status for t in study.trials()] == ["lost"]
    other.close()
