"""Several processes at one study: the older trial runs."""

import pytest
from record_worker import at_once, card, config, start

from tunewright.rivals import Withdrawn
from tunewright.study import Study
from tunewright_tools.base import Outcome

DONE = Outcome("done", {"loss": 0.5})


def test_the_younger_of_two_equal_running_trials_is_withdrawn(study, url):
    other = Study.open(card(), url)
    first = start(study, config(0), 0)
    with pytest.raises(Withdrawn) as same_config:
        start(other, config(0), 1)
    assert same_config.value.rival == first
    with pytest.raises(Withdrawn):
        start(other, config(5), 0)  # the number is taken
    assert study.trials() == other.trials() == other.attempts() == [first]
    assert [t.state.name for t in study.optuna_study.trials] == ["RUNNING", "FAIL", "FAIL"]
    start(other, config(5), 1)
    assert [t.number for t in study.trials()] == [0, 1]
    other.close()


def test_the_number_stays_taken_when_its_trial_is_over(study, url):
    study.finish(start(study, config(0), 0), DONE)
    other = Study.open(card(), url)
    with pytest.raises(Withdrawn):
        start(other, config(3), 0)
    start(other, config(0), 1)  # a repeat, one after the other, is the guard's business
    other.close()


def test_two_processes_never_run_the_same_trial(url):
    Study.open(card(), url).close()
    printed = at_once("race", url, 2, 30)
    won = [int(text.split()[0]) for text in printed]
    study = Study.load(url)
    trials = study.trials()
    assert [t.number for t in trials] == list(range(30))
    assert len(study.attempts()) == 30
    assert sum(won) == 30
    assert all(t.done and t.config == config(t.number) for t in trials)
    assert len({t.environment["host"] for t in trials}) == 1
    study.close()
