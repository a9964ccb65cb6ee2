"""The benchmark of several workers: what its statement says, and that both clocks run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks is no installed package

from benchmarks.parallel import ALONE, curve, goal, lengths, reached, real_table, run, run_real, table


def row(workers: int, losses: list[float | None]) -> dict:
    ends = [[float(i), loss] for i, loss in enumerate(losses)]
    return {"method": "random", "workers": workers, "trials": len(losses), "ends": ends}


def test_the_best_so_far_passes_over_failures() -> None:
    assert curve(row(1, [None, 3.0, None, 4.0, 1.0])).tolist() == [float("inf"), 3.0, 3.0, 3.0, 1.0]


def test_reached_is_the_first_trial_at_which_the_median_is_no_worse() -> None:
    rows = [row(8, [3.0, 2.0, 1.0]), row(8, [None, 3.0, 2.0]), row(8, [5.0, 4.0, 3.0])]
    assert [reached(rows, target) for target in (9.0, 3.0, 2.0, 1.9)] == [1, 2, 3, None]


def test_the_statement_of_the_goal() -> None:
    alone = row(1, [float(100 - i) for i in range(ALONE)])
    same = row(8, [float(100 - i) for i in range(ALONE)])
    worse = row(4, [50.0] * 100)
    four, eight = goal([alone, worse, same]).splitlines()
    assert "4 workers (1 seeds): not in 100 trials" in four
    assert f"8 workers (1 seeds): after {ALONE} trials" in eight
    assert goal([same]) == ""


def test_the_lengths_have_the_mean_that_was_asked_for() -> None:
    drawn = lengths(100, 4000, 30.0)
    assert 29 < sum(drawn) / len(drawn) < 31


def test_a_simulated_run_counts_each_trial_once() -> None:
    found = run("random", 3, 100, 9)
    assert len(found["ends"]) == 9
    assert found["repeats"] == 0
    assert 0 <= found["waiting"] < 0.1
    assert "| 3 | random | 1 |" in table([found])


def test_on_the_real_clock_the_model_is_asked_and_waiting_is_measured() -> None:
    found = run_real(2, 100, 8, mean_s=0.05, model_s=0.2)
    assert 1 <= found["from_model"] <= 6  # all but the default and the textbook's guess
    assert found["repeats"] == 0
    assert 0.5 < found["waiting"] < 1  # runs of 50 ms, a model of 200 ms
    assert "| 2 | 100 | 8 | 0.05 s | 0.2 s |" in real_table([found])
