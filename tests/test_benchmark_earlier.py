"""The benchmark of earlier trials runs, and says what its table shows."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks is no installed package

from benchmarks.earlier import KINDS, best_so_far, past, task


def test_the_tasks_are_as_named() -> None:
    same, similar, contrary = (task(3, KINDS[name]) for name in ("same", "similar", "contrary"))  # type: ignore[arg-type]
    configs = [t.config for t in past(same, 3).trials]
    values = [np.array([f(c) for c in configs]) for f in (same, similar, contrary)]
    assert np.corrcoef(values[0], values[1])[0, 1] > 0.8
    np.testing.assert_array_equal(values[0], -values[2])
    assert min(values[0][15:]) < min(values[0][:15])


@pytest.mark.slow
def test_a_similar_task_helps_early_and_a_contrary_one_costs_little() -> None:
    curves = {
        name: np.array([best_so_far(name, seed, 12)[0] for seed in range(4)])
        for name in ("none", "similar", "contrary")
    }
    at_six = {name: curve[:, 5].mean() for name, curve in curves.items()}
    assert at_six["similar"] < 0.5 * at_six["none"]
    assert curves["contrary"][:, 11].mean() < curves["none"][:, 8].mean() + 0.2
