import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import card, done, finished, flat_card, needed, obeys, points_of, spread, values_of

needed("hyperopt")

from hyperopt import Trials, fmin, rand, tpe  # noqa: E402

from tunewright.card import TaskCard  # noqa: E402
from tunewright.export import to  # noqa: E402
from tunewright.export.hyperopt import config, enqueue, labels, space, tell  # noqa: E402
from tunewright.points import Point  # noqa: E402
from tunewright.space import Choice, Float, Int, Space  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def fmin_of(task: TaskCard, n: int, algorithm: Any = tpe.suggest, unpack: Any = config, **given: Any) -> list[Any]:
    """What the objective was handed, in order."""
    found: list[dict[str, Any]] = []

    def objective(drawn: dict[str, Any]) -> float:
        found.append(unpack(drawn))
        return away(found[-1].get("lr", 0.1))

    given = {"space": space(task), "rstate": np.random.default_rng(0), "show_progressbar": False, **given}
    fmin(objective, algo=algorithm, max_evals=n, **given)
    return found


def away(lr: float) -> float:
    return abs(math.log10(lr) + 4)


@pytest.mark.parametrize("algorithm", [tpe.suggest, rand.suggest])
def test_the_points_come_out_first_conditions_included(algorithm: Any) -> None:
    task, trials = card(), Trials()
    points = points_of(task, 5)
    assert {len(values) for values in points.configs} == {3, 4}
    enqueue(points, task, trials)
    found = fmin_of(task, 30, algorithm, trials=trials)
    assert found[:5] == points.configs
    assert len(found) == 30  # points count as evaluations
    obeys(task, found)


def test_points_without_conditions_do_for_points_to_evaluate() -> None:
    task = flat_card()
    points = points_of(task)
    found = fmin_of(task, 6, points_to_evaluate=[labels(values, task) for values in points.configs])
    assert found[:4] == points.configs


def test_told_trials_are_known() -> None:
    task, trials, known = flat_card(), finished(flat_card()), Trials()
    assert tell(task, trials, known) == 9
    assert known.losses() == [*values_of(trials), None]
    assert known.statuses()[-1] == "fail"
    enqueue(points_of(task, 1), task, known)
    found = fmin_of(task, 12, trials=known)
    assert len(found) == 3  # nine were told
    assert found[0] == points_of(task, 1).configs[0]
    assert known.best_trial["result"]["loss"] == min(v for v in known.losses() if v is not None)


def test_what_is_told_leads_the_search() -> None:
    task, known = card(space=Space(Float("lr", 1e-5, 1e-1, log=True))), Trials()
    tell(task, [done(i, {"lr": lr}, away(lr)) for i, lr in enumerate(np.logspace(-4.9, -1.1, 40).tolist())], known)
    found = fmin_of(task, 60, trials=known)
    assert len(found) == 20
    assert np.median([away(values["lr"]) for values in found]) < 0.5  # of a scale that is 4 wide


def test_a_metric_that_is_to_be_large_is_negated() -> None:
    known = Trials()
    tell(flat_card(direction="maximize"), finished(flat_card()), known)
    assert known.losses()[:8] == [-v for v in values_of(finished(flat_card()))]


def test_the_space_is_respected() -> None:
    task = flat_card()
    found = fmin_of(task, 200, rand.suggest)
    obeys(task, found)
    spread(found)


DEEP = Space(
    Choice("a", ["x", "y", "z"]),
    Choice("b", ["p", "q"], when={"a": ["x", "y"]}),
    Int("c", 1, 9, log=True, when={"b": "q"}),
    Float("lr", 1e-5, 1e-1, log=True, when={"b": "q"}),
    Int("d", 0, 4, step=2),
    Float("e", 0.0, 1.0, when={"d": [2, 4]}),
)


def test_nested_conditions_over_several_values(tmp_path: Path) -> None:
    task, trials = card(space=DEEP), Trials()
    first = [
        Point({"a": "y", "b": "q", "c": 3, "lr": 0.01, "d": 2, "e": 0.5}, "user"),
        Point({"a": "z", "d": 0}, "user"),
        Point({"a": "x", "b": "p", "d": 4, "e": 0.25}, "user"),
    ]
    enqueue(first, task, trials)
    found = fmin_of(task, 60, trials=trials)
    assert found[:3] == [point.config for point in first]
    obeys(task, found)
    (tmp_path / "start.py").write_text(to("hyperopt", first, task))
    names = runpy.run_path(str(tmp_path / "start.py"))
    again = fmin_of(task, 60, unpack=names["flat"], space=names["space"], trials=names["trials"])
    assert again == found
