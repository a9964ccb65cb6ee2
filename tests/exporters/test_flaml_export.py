import runpy
from pathlib import Path
from typing import Any

import pytest
from foreign import alike, finished, flat_card, loss, needed, obeys, points_of, spread, values_of

needed("flaml")

from flaml import CFO, BlendSearch, RandomSearch, tune  # noqa: E402

from tunewright.card import TaskCard  # noqa: E402
from tunewright.export import to  # noqa: E402
from tunewright.export.flaml import arguments, config, space  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def ran(task: TaskCard, n: int, **given: Any) -> list[dict[str, Any]]:
    """What the objective was handed, in order."""
    found: list[dict[str, Any]] = []

    def objective(drawn: dict[str, Any]) -> dict[str, float]:
        found.append(config(drawn, task))
        return {"loss": loss(found[-1])}

    tune.run(objective, config=space(task), metric="loss", num_samples=n, verbose=0, **given)
    return found


def test_the_points_come_out_first() -> None:
    task = flat_card()
    points = points_of(task)
    found = ran(task, 8, **arguments(task, points))
    assert alike(found[:4], points.configs)
    obeys(task, found)


@pytest.mark.parametrize("search", [CFO, BlendSearch, RandomSearch])
def test_the_points_come_out_first_whatever_the_search(search: Any) -> None:
    task = flat_card()
    points = points_of(task)
    given = arguments(task, points)
    made = search(metric="loss", mode="min", space=space(task), points_to_evaluate=given["points_to_evaluate"])
    assert alike(ran(task, 6, mode="min", search_alg=made)[:4], points.configs)


def test_told_trials_are_known_and_do_not_run_again() -> None:
    task, trials = flat_card(), finished(flat_card())
    points = [p for p in points_of(task, 12).items if p.config not in [t.config for t in trials]][:2]
    given = arguments(task, points, trials)
    assert given["evaluated_rewards"] == values_of(trials)
    assert len(given["points_to_evaluate"]) == 10
    found = ran(task, 5, **given)
    told = [t.config for t in trials]
    assert not [values for values in found if any(alike([values], [known]) for known in told)]
    assert any(alike([values], [points[0].config]) for values in found[:2])


def test_a_metric_that_is_to_be_large_keeps_its_sign() -> None:
    given = arguments(flat_card(direction="maximize"), [], finished(flat_card()))
    assert given["mode"] == "max"
    assert given["evaluated_rewards"] == values_of(finished(flat_card()))


def test_the_space_is_respected() -> None:
    task = flat_card()
    search = RandomSearch(metric="loss", mode="min", space=space(task))
    found = [config(search.suggest(str(i)), task) for i in range(200)]
    obeys(task, found)
    spread(found)


def test_the_text_runs_by_itself(tmp_path: Path) -> None:
    task = flat_card()
    points = points_of(task)
    (tmp_path / "start.py").write_text(to("flaml", points, task))
    found: list[dict[str, Any]] = []
    run = runpy.run_path(str(tmp_path / "start.py"))["run"]
    run(lambda drawn: found.append(config(drawn, task)) or {"loss": 0.0}, metric="loss", num_samples=5, verbose=0)
    assert alike(found[:4], points.configs)
