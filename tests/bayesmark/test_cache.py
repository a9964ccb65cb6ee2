"""Scores are measured once."""

from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.tasks import Task


class Counted(Task):
    """A task that counts its evaluations and scores by a formula."""

    calls = 0

    def evaluate(self, config):
        Counted.calls += 1
        return None if config["C"] > 500 else config["C"] / 1000


def test_a_score_is_measured_once_also_when_it_failed(tmp_path):
    task = Counted("wine", "SVM")
    Counted.calls = 0
    fine, bad = {"C": 5.0, "gamma": 1e-4, "tol": 0.1}, {"tol": 0.1, "C": 900.0, "gamma": 1e-4}
    evaluations = Evaluations(tmp_path / "e.db")
    assert evaluations.fill(task, [fine, bad], print) == [0.005, None]
    evaluations.close()
    again = Evaluations(tmp_path / "e.db")
    assert again.missing(task, [fine, bad]) == []
    assert again.score(task, dict(reversed(bad.items()))) is None
    assert again.score(task, fine) == 0.005
    assert Counted.calls == 2
    again.close()
