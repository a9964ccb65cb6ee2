"""The tasks with several metrics: what is attainable, what is covered, and the peers on them."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks is no installed package

from benchmarks.objectives import PROBLEMS, run, table


@pytest.mark.parametrize("name", PROBLEMS)
def test_nothing_covers_more_than_is_attainable_and_the_best_recipe_covers_it(name: str) -> None:
    problem = PROBLEMS[name]()
    results = [problem.run(c).metrics for c in problem.card.space.sample(64, 0)]
    assert 0 < problem.covered(results[:32]) <= problem.covered(results) < 1
    grid = [r for r in problem.attainable() if problem.card.feasible(r)][::37]
    assert 0.5 < problem.covered(grid) <= 1.001


def test_the_quarter_circle_is_reached() -> None:
    problem = PROBLEMS["sphere"]()
    best = [
        {
            "mix": m,
            "lr": 10 ** (m - 3),
            "weight_decay": 10**-2.5,
            "momentum": 0.85,
            "epochs": 16,
            "clip": 10 ** (0.4 - 0.8 * m),
        }
        for m in np.linspace(0, 1, 201)
    ]
    assert problem.covered([problem.run(c).metrics for c in best]) == pytest.approx(1.0, abs=0.01)
    assert problem.best == pytest.approx(1.5**2 - math.pi / 4, abs=1e-3)


@pytest.mark.parametrize("method", ["random", "nsga2", "tunewright"])
def test_a_run_repeats(method: str) -> None:
    problem = PROBLEMS["edge"]()
    a, b = (run(problem, method, 100, 5) for _ in range(2))
    assert a["covered"] == b["covered"] == sorted(a["covered"])
    assert "edge" in table([a], 5)
