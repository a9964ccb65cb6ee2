"""Runs are kept and read back; tables add up."""

import math

import pytest
from benchmarks.bayesmark import data, methods, runs, table
from benchmarks.bayesmark.tasks import REPORT, TASKS


def test_runs_are_read_back_and_a_cut_line_is_left_out(tmp_path):
    key = runs.Key("wine/SVM", "random", 100, 2, "1")
    run = runs.Run(key, [{"C": 1.0}, {"C": 2.0}], [0.7, None], [0.1, 0.2], {"note": 1})
    path = tmp_path / "deep" / "runs.jsonl"
    runs.append(path, run)
    other = runs.Run(runs.Key("wine/SVM", "random", 101, 2, "1"), [], [], [])
    runs.append(path, other)
    with path.open("a") as file:
        file.write('{"key": {"task": "wine/SV')
    assert runs.read(path) == {key: run, other.key: other}
    assert runs.read(tmp_path / "none.jsonl") == {}


def test_regret_is_counted_between_best_and_worst():
    accuracy, error = TASKS["wine/SVM"], TASKS["diabetes/SVM"]
    for task in (accuracy, error):
        best, worst = data.reference(task)
        assert table.regret(task, best) == 0
        assert table.regret(task, worst) == 1
        assert table.regret(task, (best + worst) / 2) == pytest.approx(0.5)
    best, worst = data.reference(error)
    scores = [None, worst, None, None, worst, best, worst, worst, worst, None]
    assert table.curve(error, scores) == {5: 1, 10: 0}
    assert table.curve(accuracy, [None] * 5)[5] > 1  # nothing ran to its end: the accuracy is counted as 0


def test_an_estimate_weighs_tasks_alike_and_resamples_within_them():
    # two tasks that differ a lot, seeds that differ little: between-task spread must not enter
    values = {("a", s): 0.1 + 0.01 * (s % 2) for s in range(10)} | {("b", s): 0.9 for s in range(3)}
    found = table.estimate(values)
    assert found.mean == pytest.approx((0.105 + 0.9) / 2)
    assert found.error == pytest.approx(math.sqrt((0.005**2 * 10 / 9) / 10) / 2)
    assert found.low <= found.mean <= found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.error, rel=0.2)
    assert table.estimate(values) == found  # seeded


def test_the_interval_of_a_difference_is_paired():
    a = {("t", s): {25: 0.1 * s + 0.02} for s in range(10)}
    b = {("t", s): {25: 0.1 * s} for s in range(10)}
    found = table.difference(a, b, 25)
    assert found.mean == pytest.approx(0.02)
    assert found.high - found.low < 1e-9
    with pytest.raises(ValueError, match="share no task and seed"):
        table.difference(a, {("other", 0): {25: 0.0}}, 25)


def test_a_bootstrap_interval_holds_the_truth_about_as_often_as_it_says():
    import numpy as np

    random = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        values = {(task, s): float(random.normal()) for task in "abcdef" for s in range(8)}
        found = table.estimate(values)
        held += found.low <= 0 <= found.high
    assert 85 <= held <= 99


def test_a_table_counts_the_shared_runs_only():
    full = {("wine/SVM", s): {5: 0.4, 25: 0.1} for s in (0, 1)}
    text = table.table({"ours": full, "theirs": {("wine/SVM", 0): {5: 0.4, 25: 0.3}}}, "theirs", {"ours": 0.5})
    assert "over 1 runs: 1 tasks, seeds 0" in text
    assert "| ours | 0.400 | 0.100 | 0.5 |" in text
    assert "| ours | +0.000 [+0.000, +0.000] | -0.200 [-0.200, -0.200] |" in text
    assert "Runs not counted: ours 1." in text
    assert "nothing can be compared" in table.table({"ours": full, "theirs": {}}, None, {})


def test_a_played_models_own_seeds_are_one_run_of_their_pair():
    assert methods.with_model_seeds("tunewright:noisy-0.5", 2) == ["tunewright:noisy-0.5", "tunewright:noisy-0.5@1"]
    assert methods.with_model_seeds("tunewright:silent", 2) == ["tunewright:silent"]
    scores = {"tunewright:noisy-0.5": 0.9, "tunewright:noisy-0.5@1": 0.7, "tpe": 0.8}
    notes = {"turns": ["user", "llm"], "sources": ["user", "surrogate"]}
    made = [
        runs.Run(runs.Key("wine/SVM", m, 100, 5, "1"), [], [s] * 5, [0.1], notes if ":" in m else {})
        for m, s in scores.items()
    ]
    found = table.curves(made)
    assert set(found) == {"tunewright:noisy-0.5", "tpe"}
    assert found["tunewright:noisy-0.5"]["wine/SVM", 100] == pytest.approx(found["tpe"]["wine/SVM", 100])
    assert "| tunewright:noisy-0.5 | 2 | 50% | 0% | 0.0 |" in table.model_turns(made)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tunewright:misleading@x", "1 or more"),
        ("tunewright:misleading@0", "1 or more"),
        ("tunewright:noisy-0.5@", "1 or more"),
        ("tunewright:silent@1", "that draws"),
        ("gp@1", "that draws"),
    ],
)
def test_only_a_played_model_that_draws_has_a_seed_of_its_own(name, words):
    with pytest.raises(ValueError, match=words):
        methods.check(name)


def test_recorded_curves_are_read():
    task = TASKS["breast/RandomForest"]
    assert data.recorded_curve("llambo-recorded", task, 0)[10] == 0.945054945054945
    assert data.recorded_curve("llambo-recorded", task, 9) is None
    pairs = [(t, s) for t in REPORT for s in (0, 1, 2)]
    found = table.recorded("llambo-recorded", pairs)
    means = [sum(found[p][t] for p in pairs) / len(pairs) for t in data.CHECKPOINTS]
    assert [round(m, 3) for m in means] == [0.364, 0.132, 0.089, 0.085, 0.080]  # as published in the data's own table
