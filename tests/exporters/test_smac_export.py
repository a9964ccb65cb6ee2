import runpy
from pathlib import Path
from typing import Any

import pytest
from foreign import card, done, failed, finished, flat_card, loss, needed, obeys, points_of, spread, values_of

needed("smac", "ConfigSpace")

from ConfigSpace.exceptions import ForbiddenValueError  # noqa: E402
from smac import HyperparameterOptimizationFacade, Scenario  # noqa: E402
from smac.runhistory import StatusType  # noqa: E402

from tunewright.card import TaskCard  # noqa: E402
from tunewright.errors import SpaceError  # noqa: E402
from tunewright.export import to  # noqa: E402
from tunewright.export.smac import config, configurations, space, tell  # noqa: E402
from tunewright.points import Point  # noqa: E402
from tunewright.space import Choice, Float, Int, Space  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def facade(task: TaskCard, folder: Path, n: int, points: Any = (), found: list[Any] | None = None) -> Any:
    made = space(task, seed=0)
    scenario = Scenario(made, deterministic=True, n_trials=n, output_directory=folder, seed=0, crash_cost=99.0)
    design = HyperparameterOptimizationFacade.get_initial_design(
        scenario, n_configs=0, additional_configs=configurations(points, made)
    )

    def objective(configuration: Any, seed: int = 0) -> float:
        values = config(configuration)
        if found is not None:
            found.append(values)
        return loss({"width": 16, "lr": 0.01, **values})

    return HyperparameterOptimizationFacade(scenario, objective, initial_design=design, logging_level=40)


def test_the_points_come_out_first_conditions_included(tmp_path: Path) -> None:
    task, found = card(), []
    points = points_of(task, 5)
    assert {len(values) for values in points.configs} == {3, 4}
    facade(task, tmp_path, 12, points, found).optimize()
    assert found[:5] == points.configs
    assert len(found) == 12
    obeys(task, found)


def test_told_trials_are_known(tmp_path: Path) -> None:
    task, trials = flat_card(), finished(flat_card())
    found: list[dict[str, Any]] = []
    points = [p for p in points_of(task, 14).items if p.config not in [t.config for t in trials]][:2]
    tuner = facade(task, tmp_path, 13, points, found)
    assert tell(task, trials, tuner) == 9
    assert [v.cost for v in tuner.runhistory.values()][:8] == values_of(trials)
    assert [v.status for v in tuner.runhistory.values()] == [StatusType.SUCCESS] * 8 + [StatusType.MEMORYOUT]
    best = tuner.optimize()
    assert found[:2] == [p.config for p in points]
    assert len(tuner.runhistory) == 13
    assert len(found) == 4
    obeys(task, found)
    told = {str(sorted(t.config.items())) for t in trials}
    assert not told & {str(sorted(values.items())) for values in found}
    assert tuner.runhistory.get_cost(best) <= min(values_of(trials))


def test_a_metric_that_is_to_be_large_is_negated(tmp_path: Path) -> None:
    task = card(direction="maximize", space=Space(Float("lr", 0.0, 1.0)))
    tuner = facade(task, tmp_path, 5)
    assert tell(task, [done(0, {"lr": 0.5}, 3.0), failed(1, {"lr": 0.1}, "crashed")], tuner) == 2
    assert [v.cost for v in tuner.runhistory.values()] == [-3.0, 99.0]


def test_the_space_is_respected() -> None:
    task = flat_card()
    found = [config(c) for c in space(task, seed=0).sample_configuration(200)]
    obeys(task, found)
    spread(found)


RELATED = Space(
    Int("width", 16, 64, rounding="power_of_two"),
    Choice("heads", [2, 3, 4, 12], ordered=True),
    Float("first", 0.0, 1.0, default=0.25),
    Float("second", 0.0, 1.0),
    Choice("norm", ["pre", "post"]),
    Choice("scale", ["a", "b"], when={"norm": "pre", "heads": [2, 4]}),
    relations=["width % heads == 0", "first < second", "not (norm == 'post' and heads == 4)"],
)


def test_nested_conditions_and_relations_become_forbidden_clauses(tmp_path: Path) -> None:
    task = card(space=RELATED)
    made = space(task, seed=0)
    found = [config(c) for c in made.sample_configuration(300)]
    obeys(task, found)
    assert {values["heads"] for values in found} == {2, 4}
    assert {"scale" in values for values in found} == {True, False}
    broken = {"width": 16, "heads": 3, "first": 0.1, "second": 0.2, "norm": "post"}
    assert task.space.check(broken).faults
    with pytest.raises(ForbiddenValueError):
        configurations([Point(broken, "user")], made)


def test_the_text_runs_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for task in (card(), card(space=RELATED)):
        points = points_of(task)
        (tmp_path / "start.py").write_text(to("smac", points, task))
        found: list[dict[str, Any]] = []
        made = runpy.run_path(str(tmp_path / "start.py"))["facade"]

        def objective(configuration: Any, seed: int = 0, found: list[Any] = found) -> float:
            found.append(config(configuration))
            return float(len(found))

        made(objective, n_trials=7, name=f"run{len(task.space.names)}").optimize()
        assert found[:4] == points.configs
        obeys(task, found)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (Space(Float("p", 0.1, 0.9, logit=True)), "p: a logit scale"),
        (Space(Int("a", 1, 900), Int("b", 1, 900), relations=["a % b == 0"]), "a and b: a % b == 0"),
        (Space(Float("a", 0.0, 1.0), Float("b", 0.0, 1.0), relations=["a + b <= 1"]), "a and b: a \\+ b <= 1"),
        (Space(Choice("c", [True, "auto"])), "c: choices of several types"),
    ],
)
def test_what_does_not_fit_is_named(what: Space, name: str) -> None:
    with pytest.raises(SpaceError, match=name):
        space(card(space=what))
