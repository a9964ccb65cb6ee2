"""A study at the begin of a session."""

from pathlib import Path

from record_worker import die
from toy import card, config

from tunewright.opening import opened
from tunewright.study import Study


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


def test_a_trial_of_a_dead_session_is_lost_and_waits_to_run_again(url: str, study: Study) -> None:
    die("die_running", url, 0)
    found = opened(study.card, url, seed=None, branch=False)
    assert [t.number for t in found.lost] == [0]
    assert [(e.number, e.attempt) for e in found.study.queue()] == [(0, 2)]
    found.study.close()
