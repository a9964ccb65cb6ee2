import runpy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from foreign import alike, card, finished, flat_card, loss, needed, obeys, points_of, spread, values_of

needed("nevergrad")

import nevergrad as ng  # noqa: E402

from tunewright.export import to  # noqa: E402
from tunewright.export.common import settled  # noqa: E402
from tunewright.export.nevergrad import config, nested, space, suggest, tell  # noqa: E402
from tunewright.points import Point  # noqa: E402
from tunewright.space import Choice, Float, Int, Space  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def drawn(optimizer: Any, n: int, unpack: Any) -> list[dict[str, Any]]:
    found = []
    for _ in range(n):
        candidate = optimizer.ask()
        found.append(unpack(candidate.value))
        optimizer.tell(candidate, loss(found[-1]))
    return found


@pytest.mark.parametrize("name", ["NGOpt", "TwoPointsDE", "OnePlusOne", "CMA"])
def test_the_points_come_out_first_conditions_included(name: str) -> None:
    task = card()
    points = points_of(task, 5)
    optimizer = ng.optimizers.registry[name](space(task), budget=30)
    suggest(points, task, optimizer)
    found = drawn(optimizer, 20, partial(config, card=task))
    assert alike(found[:5], points.configs)
    obeys(task, found)


@pytest.mark.parametrize("name", ["NGOpt", "TwoPointsDE", "OnePlusOne"])
def test_told_trials_are_known(name: str) -> None:
    task, trials = flat_card(), finished(flat_card())
    optimizer = ng.optimizers.registry[name](space(task), budget=30)
    assert tell(task, trials, optimizer) == 8
    assert optimizer.num_tell_not_asked == 8
    best = optimizer.provide_recommendation()
    told = [t.config for t in trials[:8]]
    assert any(alike([config(best.value, task)], [values]) for values in told)
    obeys(task, drawn(optimizer, 3, partial(config, card=task)))


def test_a_metric_that_is_to_be_large_is_negated() -> None:
    task = flat_card(direction="maximize")
    optimizer = ng.optimizers.OnePlusOne(space(task), budget=30)
    tell(task, finished(task), optimizer)
    assert optimizer.current_bests["average"].mean == -max(values_of(finished(task)))


def test_the_space_is_respected() -> None:
    task = flat_card()
    made = space(task)
    made.random_state.seed(0)
    found = [config(made.sample().value, task) for _ in range(200)]
    obeys(task, found)
    spread(found)


def test_nested_conditions_and_the_text(tmp_path: Path) -> None:
    task = card(
        space=Space(
            Choice("a", ["x", "y", "z"]),
            Choice("b", ["p", "q"], when={"a": ["x", "y"]}),
            Int("c", 1, 9, log=True, when={"b": "q"}),
            Float("lr", 1e-5, 1e-1, log=True),
            Int("width", 16, 64, rounding="power_of_two"),
            Float("e", 0.0, 1.0, when={"width": [32, 64]}),
        )
    )
    first = [
        Point({"a": "y", "b": "q", "c": 3, "lr": 0.01, "width": 32, "e": 0.5}, "user"),
        Point({"a": "z", "lr": 0.01, "width": 16}, "user"),
    ]
    assert nested(first[1].config, task) == {"a": {"a": "z"}, "lr": 0.01, "width": {"width": 16}}
    (tmp_path / "start.py").write_text(to("nevergrad", first, task))
    names = runpy.run_path(str(tmp_path / "start.py"))
    found = drawn(names["in_line"](ng.optimizers.TwoPointsDE(names["space"], budget=40)), 40, names["flat"])
    assert alike(found[:2], [point.config for point in first])
    obeys(task, (settled(values, task.space) for values in found))
    assert {"c" in values for values in found} == {True, False}
