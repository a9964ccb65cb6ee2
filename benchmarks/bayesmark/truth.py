"""A truth table: 2,000 quasi-random configurations of a task with their scores, for models that play knowing ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.tasks import Task

from tunewright_tools.base import Config

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POINTS = 2000
_SEED = 20_000


def points(task: Task) -> list[Config]:
    """The first 2,000 configurations of a scrambled Sobol sequence; the same in every run."""
    return task.space.sample(POINTS, _SEED)


@dataclass(frozen=True)
class Truth:
    """Configurations with their scores."""

    task: Task
    configs: tuple[Config, ...]
    scores: tuple[float | None, ...]

    def ranked(self) -> "NDArray[np.intp]":
        """Places from the best score to the worst; a failed fit counts as the worst."""
        import numpy as np

        worst = float("inf")
        sign = 1.0 if self.task.regression else -1.0
        losses = np.array([worst if s is None else sign * s for s in self.scores])
        return np.argsort(losses, kind="stable")

    def best(self, share: float) -> list[Config]:
        """The best share of the table, at least one configuration, best first."""
        return [self.configs[i] for i in self.ranked()[: max(1, round(share * len(self.configs)))]]

    def worst(self, share: float) -> list[Config]:
        """The worst share of the table, at least one configuration, worst first."""
        return [self.configs[i] for i in self.ranked()[::-1][: max(1, round(share * len(self.configs)))]]


def truth(task: Task, evaluations: Evaluations, said: Callable[[str], None]) -> Truth:
    """The table of a task; what is not stored yet is measured, which takes from half a minute to half an hour."""
    configs = points(task)
    return Truth(task, tuple(configs), tuple(evaluations.fill(task, configs, said)))
