"""The best and the front of the trials on record."""

from record_worker import card, config, start

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
