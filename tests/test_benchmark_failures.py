"""The report on failing spaces: gaps at equal trials and equal successes, and what cannot be compared."""

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks is no installed package

from benchmarks.failures import gap, table
from benchmarks.synthetic import TASKS

LOSSES = [None, 3.0, None, 2.5, None, None, 2.0, None]


def test_gaps_at_equal_trials_and_at_equal_successes() -> None:
    assert gap(LOSSES, 1.0, trials=4) == pytest.approx(1.5)
    assert gap(LOSSES, 1.0, successes=1) == pytest.approx(2.0)
    assert gap(LOSSES, 1.0, successes=3) == pytest.approx(1.0)
    assert math.isnan(gap(LOSSES, 1.0, successes=4))
    assert math.isnan(gap(LOSSES, 1.0, trials=1))


def test_the_table_says_who_never_got_there() -> None:
    best = TASKS["memory"]().best
    few = [None, None, *[best + 0.5] * 2, *[None] * 4]
    many = [None, *[best + 0.2] * 7]
    rows = [
        {"task": "memory", "method": method, "seed": seed, "trials": 8, "losses": losses}
        for method, runs in {"tpe": [few, many, many], "gp": [few, few], "tunewright": [many, many, many]}.items()
        for seed, losses in enumerate(runs)
    ]
    lines = table(rows, 8).splitlines()
    tpe = next(line for line in lines if line.startswith("| memory | tpe"))
    assert "0.200 (0.000), 2 of 3" in tpe
    assert "never got there" in next(line for line in lines if line.startswith("| memory | gp"))
    ours = next(line for line in lines if line.startswith("| memory | tunewright"))
    assert "| 3 | 12% | 0% |" in ours
    paired = [line for line in lines if line.startswith("| memory | gp")][1]
    assert "-0.300 [-0.300, -0.300], 2 pairs" in paired
    assert "0 pairs" in paired
    assert "divergence" not in table(rows, 8)
