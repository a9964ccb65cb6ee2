"""A truth table of a formula, and the way to the benchmarks, which are no installed package."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.bayesmark.tasks import TASKS
from benchmarks.bayesmark.truth import Truth


@pytest.fixture(scope="package")
def played() -> Truth:
    """The score of wine/DecisionTree falls with the depth."""
    task = TASKS["wine/DecisionTree"]
    configs = tuple(task.space.sample(256, 1))
    return Truth(task, configs, tuple(None if c["max_depth"] == 15 else 1 - c["max_depth"] / 20 for c in configs))
