"""The best and the front of the trials on record."""

import threading

import pytest
from record_worker import card, config, start
from toy import done, failed

from tunewright.attempts import best, front, latest, no_best
from tunewright.rivals import Withdrawn
from tunewright.study import Study
from tunewright_tools.base import Outcome


def test_best_is_the_first_of_equals_and_the_front_keeps_what_nothing_beats(url):
    study = Study.open(card(metric="acc", direction="maximize"), url)
    for k, value in enumerate([-3.0, -1.0, -1.0, -2.0]):
        study.finish(start(study, config(k), k), Outcome("done", {"acc": value}))
    assert study.best().number == 1
    assert [t.number for t in study.front()] == [1]
    study.close()
    metrics = [{"name": "a", "direction": "minimize"}, {"name": "b", "direction": "maximize"}]
    study = Study.open(card(name="two", metric=None, direction=None, metrics=metrics), url)
    for k, (a, b) in enumerate([(1.0, 1.0), (2.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.5, -1.0)]):
        study.finish(start(study, config(k), k), Outcome("done", {"a": a, "b": b}))
    assert [t.number for t in study.front()] == [0, 1, 3, 4]
    assert study.best().number == 4
    study.close()


def test_neither_failures_nor_what_breaks_a_constraint_are_best_or_on_the_front() -> None:
    values = [done(0, config(0), 0.5), done(1, config(1), 0.1), failed(2, config(2)), done(3, config(3), 0.4)]
    narrow = card(constraints=["loss >= 0.2"])
    assert best(narrow, values) == values[3]
    assert front(narrow, values) == [values[3]]
    assert best(narrow, values[1:3]) is None
    assert front(narrow, values[1:3]) == []
    assert (no_best(card()), no_best(narrow)) == ("a value", "a value that keeps all constraints")


def test_the_latest_attempt_counts_whatever_the_order() -> None:
    lost, again = failed(1, config(1), "lost", attempt=1), done(1, config(1), 0.5, attempt=2)
    other = done(0, config(0), 1.0)
    assert latest([lost, again, other]) == latest([again, lost, other]) == [other, again]


def test_one_look_reads_once_and_a_trial_that_starts_in_it_still_finds_its_rival(study, url):
    other = Study.open(card(), url)
    with study.one_look():
        assert study.trials() == []
        first = start(other, config(0), 0)
        assert study.trials() == study.queue() == []
        elsewhere = []
        reader = threading.Thread(target=lambda: elsewhere.extend(study.trials()))
        reader.start()
        reader.join()
        assert elsewhere == [first]  # only the thread that looks sees what it saw
        with study.one_look(), pytest.raises(Withdrawn) as caught:
            start(study, config(0), 1)
        assert caught.value.rival == first
        assert study.trials() == [first]  # the start has looked anew
        second = start(study, config(1), 1)
        assert study.trials() == [first, second]
        other.finish(first, Outcome("done", {"loss": 0.5}))
        assert study.trials() == [first, second]
    assert [t.status for t in study.trials()] == ["done", "running"]
    other.close()


def test_lost_trials_are_closed_from_what_the_record_says_now(study, url):
    lost = start(study, config(0), 0)
    with study.one_look():
        assert study.trials() == [lost]
        Study.open(card(), url).finish(lost, Outcome("done", {"loss": 0.5}))
        assert study.sweep() == []
    assert [t.status for t in study.attempts()] == ["done"]
