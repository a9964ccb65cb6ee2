"""What the tests of the foreign optimizers share: their import, a space that any of them holds, a check of draws."""

import math
import warnings
from collections.abc import Iterable
from typing import Any

import pytest
from toy import card as card
from toy import done as done
from toy import failed

from tunewright import warmstart
from tunewright.card import TaskCard
from tunewright.space import Choice, Float, Int, Space
from tunewright.trial import Trial
from tunewright.zero_shot import Points


def needed(*modules: str) -> None:
    """Skip the file where a module is not installed; what it warns of while it is imported is its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            pytest.importorskip(module, reason=f"{module} is not installed: run `make test-exporters`")


def flat_card(**changes: Any) -> TaskCard:
    """Every kind of parameter that all optimizers have a form for; no conditions."""
    every = Space(
        Float("lr", 1e-5, 1e-1, log=True, default=1e-3),
        Float("decay", 0.0, 0.3),
        Choice("optimizer", ["adamw", "sgd", "lion"]),
        Choice("nesterov", [True, False]),
        Choice("batch", [8, 48, 96], ordered=True),
        Int("width", 16, 512, rounding="power_of_two"),
        Int("depth", 1, 3),
        Int("warmup", 1, 300, log=True),
        Float("dropout", 0.1, 0.5, step=0.1),
    )
    return card(**{"space": every, **changes})


def points_of(task: TaskCard, n: int = 4) -> Points:
    return warmstart(task, n=n, model=None)


def loss(values: dict[str, Any]) -> float:
    return (math.log10(values["lr"]) + 2) ** 2 + 0.01 * math.log2(values["width"])


def finished(task: TaskCard) -> list[Trial]:
    """Eight trials with a value, one out of memory, one that the machine lost."""
    configs = points_of(task, 10).configs
    told = [done(i, values, loss(values)) for i, values in enumerate(configs[:8])]
    return [*told, failed(8, configs[8]), failed(9, configs[9], "lost", fault="host")]


def values_of(trials: Iterable[Trial]) -> list[float]:
    return [t.outcome.metrics["loss"] for t in trials if t.outcome is not None and t.done]


def obeys(task: TaskCard, drawn: Iterable[dict[str, Any]]) -> None:
    """Each draw is a valid configuration of the space, in Python's own types and on the grids."""
    for values in drawn:
        checked = task.space.check(values)
        assert not checked.faults, checked.faults
        assert not checked.ignored
        assert checked.config == values
        assert {k: type(v) for k, v in checked.config.items()} == {k: type(v) for k, v in values.items()}


def alike(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    """Whether the configurations are the same in the same order, real numbers up to rounding errors."""
    return len(found) == len(wanted) and all(
        a.keys() == b.keys()
        and all(
            math.isclose(a[k], b[k], rel_tol=1e-9, abs_tol=1e-12) if isinstance(b[k], float) else a[k] == b[k]
            for k in b
        )
        for a, b in zip(found, wanted, strict=True)
    )


def spread(drawn: list[dict[str, Any]]) -> None:
    """Both ends of small ranges are drawn, and a log scale is one: about half of the draws lie below its middle."""
    assert {values["depth"] for values in drawn} == {1, 2, 3}
    assert {values["width"] for values in drawn} == {16, 32, 64, 128, 256, 512}
    assert {values["dropout"] for values in drawn} == {0.1, 0.2, 0.3, 0.4, 0.5}
    below = [values["lr"] < 1e-3 for values in drawn]
    assert 0.3 < sum(below) / len(below) < 0.7
    below = [values["warmup"] < math.sqrt(300) for values in drawn]
    assert 0.3 < sum(below) / len(below) < 0.7
