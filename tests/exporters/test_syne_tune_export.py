import runpy
from pathlib import Path
from typing import Any

import pytest
from foreign import finished, flat_card, loss, needed, obeys, points_of, spread, values_of

needed("syne_tune")

from syne_tune.optimizer import baselines  # noqa: E402
from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler  # noqa: E402

from tunewright.errors import SpaceError  # noqa: E402
from tunewright.export import to  # noqa: E402
from tunewright.export.syne_tune import points_to_evaluate, space, tell  # noqa: E402
from tunewright.space import Choice, Float, Int, Space  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def drawn(scheduler: Any, n: int) -> list[dict[str, Any]]:
    loop = AskTellScheduler(scheduler)
    found = []
    for _ in range(n):
        trial = loop.ask()
        found.append(trial.config)
        loop.tell(trial, {"loss": loss(trial.config)})
    return found


@pytest.mark.parametrize("name", ["TPE", "REA"])
def test_the_points_come_out_first(name: str) -> None:
    task = flat_card()
    points = points_of(task)
    scheduler = getattr(baselines, name)(
        space(task), metric="loss", points_to_evaluate=points_to_evaluate(points, task), random_seed=0
    )
    found = drawn(scheduler, 12)
    assert found[:4] == points.configs
    obeys(task, found)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_told_trials_are_known(direction: str) -> None:
    task, trials = flat_card(direction=direction), finished(flat_card())
    scheduler = baselines.TPE(space(task), metric="loss", do_minimize=direction == "minimize", random_seed=0)
    assert tell(task, trials, scheduler) == 8
    sign = 1 if direction == "minimize" else -1
    assert scheduler.searcher.y == [sign * v for v in values_of(trials)]
    assert len(scheduler.searcher.X) == 8
    assert len(drawn(scheduler, 2)) == 2
    assert len(scheduler.searcher.y) == 10


def test_the_space_is_respected() -> None:
    task = flat_card()
    found = drawn(baselines.RandomSearch(space(task), metrics=["loss"], random_seed=0), 200)
    obeys(task, found)
    spread(found)


def test_the_text_runs_by_itself(tmp_path: Path) -> None:
    task = flat_card()
    points = points_of(task)
    (tmp_path / "start.py").write_text(to("syne_tune", points, task))
    found = drawn(runpy.run_path(str(tmp_path / "start.py"))["scheduler"], 5)
    assert found[:4] == points.configs


def test_choices_of_several_types() -> None:
    task = flat_card(space=Space(Float("lr", 1e-5, 1e-1, log=True), Int("width", 16, 64), Choice("dropout", [0, 0.1])))
    points = points_of(task)
    given = points_to_evaluate(points, task)
    found = drawn(baselines.RandomSearch(space(task), metrics=["loss"], points_to_evaluate=given, random_seed=0), 20)
    assert found[:4] == points.configs
    assert not any(task.space.check(values).faults for values in found)
    with pytest.raises(SpaceError, match="choices of several types"):
        space(flat_card(space=Space(Choice("layers", [2, "auto"]))))
