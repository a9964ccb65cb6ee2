"""A study at the begin of a session."""

import subprocess
from pathlib import Path

import pytest
from record_worker import die
from toy import card, config

from tunewright import Tuner
from tunewright.errors import StudyError
from tunewright.opening import opened
from tunewright.space import Float, Space
from tunewright.study import Study
from tunewright_tools.process import remember


def test_earlier_trials_are_taken_in_once(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'tune.db'}"
    (tmp_path / "past.csv").write_text("lr,optimizer,width,loss\n0.01,adamw,64,1.0\n0.02,adamw,64,2.0\n")
    found = opened(card(), storage, seed=3, earlier=[str(tmp_path / "past.csv")], branch=False)
    assert [len(one.trials) for one in found.taken_in] == [2]
    assert (found.study.seed, found.lost) == (3, [])
    again = opened(card(), storage, seed=None, branch=False)
    assert [len(one.trials) for one in again.taken_in] == [2]  # no trial has run: they are news still
    found.study.enqueue(config(0.01))
    assert [e.config for e in again.study.queue()] == [config(0.01)]
    found.study.close()
    again.study.close()


def test_a_source_that_cannot_be_read_makes_no_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tune.db"
    with pytest.raises(StudyError, match="there is no file"):
        opened(card(earlier=[str(tmp_path / "none.csv")]), url, seed=None, branch=False)
    changed = card(space=Space(Float("lr", 0.0, 1.0, default=0.5)))
    assert opened(changed, url, seed=None, branch=False).study.card.space == changed.space


def test_a_trial_of_a_dead_session_is_lost_and_waits_to_run_again(url: str, study: Study) -> None:
    die("die_running", url, 0)
    found = opened(study.card, url, seed=None, branch=False)
    assert [t.number for t in found.lost] == [0]
    assert [(e.number, e.attempt) for e in found.study.queue()] == [(0, 2)]
    found.study.close()


def test_what_a_dead_session_left_running_ends_also_where_another_one_closed_its_trial(
    url: str, study: Study, tmp_path: Path
) -> None:
    die("die_running", url, 0)
    folder = tmp_path / "runs" / "toy" / "00000-1"
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as orphan:
        try:
            remember(folder, orphan.pid)
            opened(study.card, url, seed=None, branch=False).study.close()  # and no trial ran
            tuner = Tuner(study.card, None, storage=url, folder=tmp_path / "runs")
            tuner.run(lambda c: 1.0, trials=1)
            assert orphan.poll() is not None
        finally:
            orphan.kill()
    assert [(t.number, t.attempt, t.status) for t in tuner.study.trials()] == [(0, 2, "done")]
