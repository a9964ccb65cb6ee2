import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign import alike, finished, flat_card, loss, needed, obeys, points_of, spread, values_of

needed("ray.tune")
needed("hyperopt")

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.search import BasicVariantGenerator  # noqa: E402
from ray.tune.search.hyperopt import HyperOptSearch  # noqa: E402
from ray.tune.search.optuna import OptunaSearch  # noqa: E402

from tunewright.errors import StudyError  # noqa: E402
from tunewright.export import to  # noqa: E402
from tunewright.export.ray import points_to_evaluate, space, tell  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=1, include_dashboard=False, logging_level="error", _node_ip_address="127.0.0.1")
    yield
    ray.shutdown()


def drawn(search: Any, n: int) -> list[dict[str, Any]]:
    """What a search suggests when each suggestion is evaluated at once."""
    found = []
    for i in range(n):
        found.append(search.suggest(str(i)))
        search.on_trial_complete(str(i), {"loss": loss(found[-1]), "training_iteration": 1})
    return found


@pytest.mark.parametrize("kind", [OptunaSearch, HyperOptSearch])
def test_the_points_come_out_first(kind: Any) -> None:
    task = flat_card()
    points = points_of(task)
    search = kind(space(task), metric="loss", mode="min", points_to_evaluate=points_to_evaluate(points))
    found = drawn(search, 40)
    assert alike(found[:4], points.configs)
    obeys(task, found)


def test_told_trials_are_known_and_do_not_run_again() -> None:
    task, trials = flat_card(), finished(flat_card())
    points = points_of(task, 14).items[-2:]
    search = OptunaSearch(
        space=space(task), metric="loss", mode="min", points_to_evaluate=points_to_evaluate(points), seed=0
    )
    assert tell(task, trials, search) == 9
    inner = search._ot_study
    known = [t for t in inner.trials if t.state.is_finished()]
    assert [t.value for t in known] == [*values_of(trials), None]
    assert [t.params for t in known] == [t.config for t in trials[:9]]
    assert inner.best_value == min(values_of(trials))
    assert drawn(search, 3)[:2] == [p.config for p in points]


def test_evaluated_rewards_take_the_metric_in_its_own_sign() -> None:
    task, trials = flat_card(direction="maximize"), finished(flat_card())
    search = OptunaSearch(
        space=space(task),
        metric="loss",
        mode="max",
        points_to_evaluate=[t.config for t in trials[:8]],
        evaluated_rewards=values_of(trials),
        seed=0,
    )
    assert search._ot_study.best_value == max(values_of(trials))
    again = OptunaSearch(space=space(task), metric="loss", mode="max", seed=0)
    tell(task, trials[:8], again)
    assert [t.value for t in again._ot_study.trials] == [t.value for t in search._ot_study.trials]


def test_a_search_that_cannot_be_told_says_so() -> None:
    with pytest.raises(StudyError, match="HyperOptSearch of Ray Tune cannot be told"):
        tell(flat_card(), [], HyperOptSearch(space(flat_card()), metric="loss", mode="min"))
    with pytest.raises(StudyError, match="make it with mode='max'"):
        tell(flat_card(direction="maximize"), [], OptunaSearch(space(flat_card()), metric="loss", mode="min"))


def test_the_space_is_respected() -> None:
    task = flat_card()
    found = [{name: domain.sample() for name, domain in space(task).items()} for _ in range(200)]
    native = [{k: v.item() if hasattr(v, "item") else v for k, v in values.items()} for values in found]
    obeys(task, native)
    spread(native)


def test_the_texts_points_come_out_first_of_a_real_run(cluster: None, tmp_path: Path) -> None:
    task = flat_card()
    points = points_of(task)
    (tmp_path / "start.py").write_text(to("ray", points, task))
    names = runpy.run_path(str(tmp_path / "start.py"))
    assert isinstance(names["search"], BasicVariantGenerator)
    tuner = tune.Tuner(
        lambda config: {"loss": config["lr"]},
        param_space=names["space"],
        tune_config=tune.TuneConfig(search_alg=names["search"], num_samples=5, max_concurrent_trials=1),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    )
    found = [dict(result.config) for result in tuner.fit()]
    assert found[:4] == points.configs
    assert len(found) == 5
    obeys(task, found)
