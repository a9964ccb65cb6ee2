import logging
import runpy
from pathlib import Path
from typing import Any

import pytest
from foreign import card, done, failed, finished, flat_card, loss, needed, obeys, points_of, values_of

needed("ax", "ax.api")

from ax import Client  # noqa: E402

from tunewright.card import TaskCard  # noqa: E402
from tunewright.export import to  # noqa: E402
from tunewright.export.ax import attach, space, tell  # noqa: E402
from tunewright.space import Choice, Float, Int, Space  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
logging.getLogger("ax").setLevel(logging.ERROR)


def client(task: TaskCard) -> Any:
    made = Client(random_seed=0)
    made.configure_experiment(parameters=space(task))
    made.configure_optimization(objective="-loss" if task.primary.direction == "minimize" else "loss")
    return made


def run(made: Any, waiting: dict[int, dict[str, Any]]) -> None:
    for index, values in waiting.items():
        made.complete_trial(index, raw_data={"loss": loss(values)})


def parameters(made: Any) -> list[dict[str, Any]]:
    return [dict(trial.arm.parameters) for trial in made._experiment.trials.values()]


def test_the_points_come_out_first_conditions_included() -> None:
    task = card()
    points = points_of(task, 5)
    made = client(task)
    waiting = attach(points, made)
    assert list(waiting) == [0, 1, 2, 3, 4]
    assert list(waiting.values()) == points.configs == parameters(made)
    run(made, waiting)
    for _ in range(3):  # the model's own suggestions: five results end its random start
        run(made, made.get_next_trials(max_trials=1))
    found = parameters(made)
    obeys(task, found)
    assert made._experiment.trials[7].generator_runs[0]._generation_node_name == "MBM"


def test_told_trials_are_known() -> None:
    task, trials, made = flat_card(), finished(flat_card()), client(flat_card())
    assert tell(task, trials, made) == 9
    table = made.summarize()
    assert list(table["trial_status"]) == ["COMPLETED"] * 8 + ["FAILED"]
    assert list(table["loss"])[:8] == values_of(trials)
    best, *_ = made.get_best_parameterization(use_model_predictions=False)
    assert best == trials[values_of(trials).index(min(values_of(trials)))].config
    run(made, made.get_next_trials(max_trials=1))
    obeys(task, parameters(made))


def test_the_numbers_that_constraints_bound_are_told() -> None:
    task = card(constraints=["memory <= 10"])
    trials = finished(card())[:2]
    for t, memory in zip(trials, (5.0, 12.0), strict=True):
        assert t.outcome is not None
        t.outcome.metrics["memory"] = memory
    made = client(task)
    assert tell(task, [*trials, failed(2, trials[0].config, "lost", fault="host")], made) == 2
    assert list(made.summarize()["memory"]) == [5.0, 12.0]


def test_the_space_is_respected() -> None:
    from ax.adapter.registry import Generators

    task, made = flat_card(), client(flat_card())
    drawn = Generators.SOBOL(experiment=made._experiment, seed=0).gen(n=64)
    found = [dict(arm.parameters) for arm in drawn.arms]
    obeys(task, found)
    assert {values["depth"] for values in found} == {1, 2, 3}
    assert {values["width"] for values in found} == {16, 32, 64, 128, 256, 512}
    assert 0.3 < sum(values["lr"] < 1e-3 for values in found) / 64 < 0.7


def test_nested_conditions_and_the_text(tmp_path: Path) -> None:
    task = card(
        space=Space(
            Choice("a", ["x", "y", "z"]),
            Choice("b", ["p", "q"], when={"a": "x"}),
            Int("c", 1, 9, log=True, when={"b": "q"}),
            Float("lr", 1e-5, 1e-1, log=True),
            Int("width", 16, 64, rounding="power_of_two"),
            Float("e", 0.0, 1.0, when={"width": 32}),
        )
    )
    points = points_of(task)
    (tmp_path / "start.py").write_text(to("ax", points, task))
    names = runpy.run_path(str(tmp_path / "start.py"))
    made = names["client"]
    assert list(names["waiting"].values()) == points.configs
    run(made, names["waiting"])
    for _ in range(2):
        run(made, made.get_next_trials(max_trials=1))
    obeys(task, parameters(made))


def test_whole_numbers_among_real_choices(tmp_path: Path) -> None:
    task = card(space=Space(Float("lr", 0, 1), Choice("dropout", [0, 0.1, 0.5])))
    points = points_of(task, 6)
    assert 0 in [values["dropout"] for values in points.configs]
    made = client(task)
    assert list(attach(points, made).values()) == points.configs == parameters(made)
    trials = [done(0, {"lr": 0.5, "dropout": 0}, 1.0), failed(1, {"lr": 0.2, "dropout": 0})]
    assert tell(task, trials, client(task)) == 2
    (tmp_path / "start.py").write_text(to("ax", points, task))
    assert list(runpy.run_path(str(tmp_path / "start.py"))["waiting"].values()) == points.configs
