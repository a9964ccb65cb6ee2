"""Several processes at one study: the older trial runs."""

import pytest
from record_worker import at_once, card, config, start

from tunewright.rivals import AlreadyFinishedError, Withdrawn, rival_of
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright_tools.base import Outcome

DONE = Outcome("done", {"loss": 0.5})


def test_the_younger_of_two_equal_running_trials_is_not_put_on_record(study, url):
    other = Study.open(card(), url)
    first = start(study, config(0), 0)
    with pytest.raises(Withdrawn) as same_config:
        start(other, config(0), 1)
    assert same_config.value.rival == first
    with pytest.raises(Withdrawn):
        start(other, config(5), 0)  # the number is taken
    assert study.trials() == other.trials() == other.attempts() == [first]
    assert [t.state.name for t in study.optuna_study.trials] == ["RUNNING"]
    start(other, config(5), 1)
    assert [t.number for t in study.trials()] == [0, 1]
    other.close()


def test_one_that_is_put_on_record_at_the_same_moment_is_taken_back(study, url, monkeypatch):
    other = Study.open(card(), url)
    add = other._table.add
    first = []

    def add_second(trial, space):
        first.append(start(study, config(0), 0))  # after the other has looked
        return add(trial, space)

    monkeypatch.setattr(other._table, "add", add_second)
    with pytest.raises(Withdrawn) as caught:
        start(other, config(5), 0)
    assert [caught.value.rival] == first == study.trials() == other.attempts()
    assert [t.state.name for t in study.optuna_study.trials] == ["RUNNING", "FAIL"]
    other.close()


def test_the_number_stays_taken_when_its_trial_is_over(study, url):
    study.finish(start(study, config(0), 0), DONE)
    other = Study.open(card(), url)
    with pytest.raises(Withdrawn):
        start(other, config(3), 0)
    start(other, config(0), 1)  # a repeat, one after the other, is the guard's business
    other.close()


@pytest.mark.parametrize(
    ("older", "mine", "rivals"),
    [
        ({}, {}, True),  # both run the same configuration
        ({"config": {"k": 1}}, {}, False),
        ({}, {"queue_id": "q"}, False),  # what a person put in line runs beside an equal one
        ({"queue_id": "p"}, {"queue_id": "q"}, False),
        ({"queue_id": "q", "config": {"k": 1}}, {"queue_id": "q"}, True),  # the entry was taken
        ({"status": "done", "finished": 5.0}, {"started": 4.0}, True),  # it ended after this one had begun
        ({"status": "done", "finished": 4.0}, {"started": 4.0}, False),
        ({"status": "lost", "finished": 5.0}, {"started": 4.0}, False),  # nobody finishes it
        ({"number": 7, "config": {"k": 1}}, {}, True),  # the number is taken
        ({"number": 7, "config": {"k": 1}, "attempt": 2}, {"attempt": 2}, True),
        ({"number": 7, "config": {"k": 1}, "attempt": 1}, {"attempt": 2}, False),
        ({"record_id": 9}, {}, False),  # it is the younger one
        ({"record_id": 9}, {"record_id": -1}, True),  # not on record yet: all others are older
        ({"record_id": 2}, {}, False),  # it is this one
    ],
)
def test_the_older_trial_is_a_rival_by_number_queue_entry_or_configuration(
    older: dict, mine: dict, rivals: bool
) -> None:
    other = Trial(**{"number": 3, "config": {"k": 0}, "source": "sobol", "record_id": 1, **older})
    ours = Trial(**{"number": 7, "config": {"k": 0}, "source": "sobol", "record_id": 2, **mine})
    found = rival_of(ours, [other], lambda t: str(t.config))
    assert found == (other if rivals else None)


def test_who_comes_too_late_is_told_which_trial_and_why() -> None:
    trial = Trial(7, {}, "sobol", status="done")
    withdrawn = Withdrawn(7, Trial(3, {}, "sobol"))
    assert (withdrawn.number, str(withdrawn)) == (
        7,
        "trial 7 was taken back: trial 3 of another process came first",
    )
    told, closed = AlreadyFinishedError.of(trial), AlreadyFinishedError.of(Trial(7, {}, "sobol", status="lost"))
    assert (told.message, told.hint) == ("trial 7 has ended as done before", "tell each trial once")
    assert closed.message == "trial 7 was closed as lost while its worker was silent"
    assert "Study.renew" in closed.hint


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
