import runpy
from pathlib import Path

import pytest
from foreign import finished, flat_card, loss, needed, obeys, points_of, spread, values_of

needed("skopt")

from skopt import Optimizer, gp_minimize  # noqa: E402
from skopt.space import Space  # noqa: E402

from tunewright.export import to  # noqa: E402
from tunewright.export.skopt import config, evaluated, space, tell, x0  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

QUICK = {"acq_func": "EI", "acq_optimizer": "sampling", "n_points": 100}


def test_the_points_come_out_first() -> None:
    task = flat_card()
    points = points_of(task)
    given = {"x0": x0(points, task), "n_calls": 6, "n_initial_points": 1, "random_state": 0, **QUICK}
    found = gp_minimize(lambda x: loss(config(x, task)), space(task), **given)
    drawn = [config(x, task) for x in found.x_iters]
    assert drawn[:4] == points.configs
    assert len(drawn) == 6
    obeys(task, drawn)


def test_told_trials_are_known_and_do_not_run_again() -> None:
    task, trials = flat_card(), finished(flat_card())
    known_x, known_y = evaluated(task, trials)
    ran = []

    def objective(x: list) -> float:  # type: ignore[type-arg]
        ran.append(x)
        return loss(config(x, task))

    found = gp_minimize(
        objective, space(task), x0=known_x, y0=known_y, n_calls=1, n_initial_points=0, random_state=0, **QUICK
    )
    assert len(ran) == 1
    assert list(found.func_vals[:8]) == values_of(trials)
    optimizer = Optimizer(space(task), n_initial_points=4, random_state=0, acq_optimizer="sampling")
    assert tell(task, trials, optimizer) == 8
    assert optimizer.yi == values_of(trials)
    assert optimizer.models  # told enough to model: no random start


def test_a_metric_that_is_to_be_large_is_negated() -> None:
    task = flat_card(direction="maximize")
    assert evaluated(task, finished(task))[1] == [-v for v in values_of(finished(task))]


def test_the_space_is_respected() -> None:
    task = flat_card()
    drawn = [config(x, task) for x in Space(space(task)).rvs(200, random_state=0)]
    obeys(task, drawn)
    spread(drawn)


def test_the_text_runs_by_itself(tmp_path: Path) -> None:
    task = flat_card()
    points = points_of(task)
    (tmp_path / "start.py").write_text(to("skopt", points, task))
    names = runpy.run_path(str(tmp_path / "start.py"))
    found = gp_minimize(lambda x: 0.0, names["space"], x0=names["x0"], n_calls=5, n_initial_points=1, random_state=0)
    assert [config(x, task) for x in found.x_iters[:4]] == points.configs
