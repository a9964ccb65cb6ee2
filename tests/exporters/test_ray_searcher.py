import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from foreign import needed

os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
needed("ray.tune")

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.search import ConcurrencyLimiter, Searcher, SearchGenerator  # noqa: E402

from tunewright.errors import CardError, SpaceError, StudyError  # noqa: E402
from tunewright.integrations.ray import TunewrightSearcher  # noqa: E402
from tunewright.integrations.ray_space import read_param_space  # noqa: E402
from tunewright.llm.scripted import Scripted  # noqa: E402
from tunewright.parameters import Choice, Float, Int  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "drop_in" / "ray_searcher.py"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", _node_ip_address="127.0.0.1")
    yield
    ray.shutdown()


def searcher(**changes: Any) -> TunewrightSearcher:
    given = {"model": None, "seed": 0, "space": toy.space(), "metric": "loss", "mode": "min"}
    return TunewrightSearcher(**{k: v for k, v in {**given, **changes}.items() if v is not None or k == "model"})


def run(mine: Any, n: int, first: int = 0) -> list[dict[str, Any]]:
    configs = []
    for i in range(first, first + n):
        config = mine.suggest(f"t{i}")
        mine.on_trial_complete(f"t{i}", {"loss": toy.objective(config), "training_iteration": 1, "time_total_s": 1.0})
        configs.append(config)
    return configs


def test_it_finds_a_good_point() -> None:
    mine = searcher()
    configs = run(mine, 14)
    trials = mine._opened().study.trials()
    assert [t.source for t in trials[:2]] == ["default", "sobol"]
    assert trials[-1].source == "surrogate"
    assert configs == [t.config for t in trials]
    assert configs[0] == toy.space().default()
    assert min(map(toy.objective, configs)) < 0.15
    mine.close()


def test_the_models_points_run() -> None:
    config = {"lr": 0.01, "optimizer": "adamw", "width": 128}
    chat = Scripted([{"proposals": [{"rationale": "usual", "config": config}], "prior": {}}], repeat_last=True)
    mine = searcher(model=chat, goal="a toy")
    assert run(mine, 3)[2] == config  # after the default and the textbook's guess
    mine.close()
    with pytest.raises(CardError, match="no goal"):
        searcher(model=chat)


def test_each_end_of_a_trial_is_told_apart() -> None:
    mine = searcher(max_t=9)
    for i in range(6):
        mine.suggest(f"t{i}")
    mine.on_trial_complete("t0", {"loss": 1.0, "training_iteration": 9})
    mine.on_trial_complete("t1", error=True)
    mine.on_trial_complete("t2")
    mine.on_trial_complete("t3", {"loss": 1.0, "training_iteration": 3})  # stopped by the scheduler
    mine.on_trial_complete("t4", {"loss": float("nan"), "training_iteration": 9})
    mine.on_trial_complete("t5", {"loss": None, "training_iteration": 9})  # reported without having been measured
    mine.on_trial_complete("t1", error=True)  # told twice: nothing happens
    trials = mine._opened().study.trials()
    assert [t.status for t in trials] == ["done", "crashed", "pruned", "pruned", "diverged", "pruned"]
    assert trials[1].outcome is not None
    assert trials[1].outcome.fault == "config"
    mine.close()


def test_trials_at_once_differ_and_a_limiter_holds() -> None:
    mine = searcher()
    limited = ConcurrencyLimiter(mine, max_concurrent=3)
    configs = [limited.suggest(f"t{i}") for i in range(4)]
    assert configs[3] is None
    assert len({repr(c) for c in configs[:3]}) == 3
    limited.on_trial_complete("t0", {"loss": 1.0})
    assert limited.suggest("t4") is not None
    mine.close()


def test_the_space_ends() -> None:
    mine = searcher(space=[Choice("a", ["x", "y"])])
    mine.suggest("t0")
    mine.suggest("t1")
    assert mine.suggest("t2") == Searcher.FINISHED
    mine.close()


@pytest.mark.parametrize("stored", [False, True])
def test_save_and_restore(tmp_path: Path, stored: bool) -> None:
    storage = f"sqlite:///{tmp_path}/s.db" if stored else None
    whole = searcher()
    wanted = run(whole, 8)
    whole.close()
    mine = searcher(storage=storage)
    assert run(mine, 5) == wanted[:5]
    running = mine.suggest("t5")
    mine.save(str(tmp_path / "state"))
    again = pickle.loads(pickle.dumps(mine))
    mine.close()
    again.restore(str(tmp_path / "state"))
    assert again.suggest("t5") == running  # Ray runs it again: the same trial
    again.on_trial_complete("t5", {"loss": toy.objective(running), "time_total_s": 1.0})
    assert [running, *run(again, 2, first=6)] == wanted[5:]
    again.close()
    other = searcher(storage=None if stored else f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(StudyError, match="give the searcher the storage"):
        other.restore(str(tmp_path / "state"))


def test_a_restored_trial_may_end_before_another_is_suggested(tmp_path: Path) -> None:
    def limited() -> SearchGenerator:
        return SearchGenerator(ConcurrencyLimiter(searcher(), max_concurrent=2))

    before = limited()
    running = [before.searcher.suggest(f"t{i}") for i in range(2)]
    before.save_to_dir(str(tmp_path), "session")
    after = limited()
    after.restore_from_dir(str(tmp_path))
    mine = after.searcher.searcher
    assert after.searcher.suggest("t2") is None  # the limiter's answer: ours is not asked
    after.on_trial_result("t1", {"loss": 3.0})
    after.on_trial_complete("t0", {"loss": 1.0})
    trials = mine._opened().study.trials()
    assert [(t.config, t.status) for t in trials] == [(running[0], "done"), (running[1], "running")]
    mine.close()
    before.searcher.searcher.close()


def test_each_domain_has_its_parameter() -> None:
    space = {
        "a": tune.uniform(0, 2),
        "b": tune.loguniform(1e-3, 1),
        "c": tune.quniform(0.25, 1.0, 0.25),
        "d": tune.randint(1, 9),
        "e": tune.lograndint(1, 9),
        "f": tune.qrandint(5, 31, 10),
        "model": {"kind": tune.choice(["x", None]), "layers": 3},
        "g": tune.randint(np.int64(0), np.int64(4)),
        "weights": {0: 1.0, 1: 5.0, "a/b": 2},
        "batch": {"size": tune.choice([64])},
    }
    found, fixed = read_param_space(space)
    assert fixed == {"batch/size": 64}
    assert [f.parameter for f in found] == [
        Float("a", 0, 2),
        Float("b", 1e-3, 1, log=True),
        Float("c", 0.25, 1.0, step=0.25),
        Int("d", 1, 8),
        Int("e", 1, 8, log=True),
        Int("f", 10, 30, step=10),
        Choice("model_kind", ["x", "None"]),
        Int("g", 0, 3),
    ]
    mine = TunewrightSearcher(model=None, seed=0)
    assert mine.set_search_properties("loss", "min", space)
    config = mine.suggest("t0")
    assert isinstance(config, dict)
    assert config["model"] == {"kind": "x"}
    assert config["batch"] == {"size": 64}
    assert not mine.set_search_properties("loss", "min", space)
    mine.close()


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (tune.randn(), "without bounds"),
        (tune.grid_search([1, 2]), "grid search"),
        (tune.sample_from(lambda: 1), "without bounds"),
        (tune.qloguniform(2, 8, 2), "steps on a log scale"),
        ([3, tune.uniform(0, 1)], "'a/1' is in a list"),
        ({"x/y": tune.uniform(0, 1)}, "a slash"),
        (tune.choice([{"kind": "sgd", "momentum": tune.uniform(0, 1)}, {"kind": "adamw"}]), "holds a domain itself"),
    ],
)
def test_what_cannot_be_searched_is_refused(domain: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        read_param_space({"a": domain})


def test_what_is_missing_is_asked_for() -> None:
    with pytest.raises(CardError, match="no space"):
        TunewrightSearcher(model=None).suggest("t0")
    with pytest.raises(CardError, match="metric is None"):
        TunewrightSearcher(toy.space(), model=None).suggest("t0")
    with pytest.raises(CardError, match="beside"):
        TunewrightSearcher(toy.space(), card=toy.card(), model=None)


@pytest.mark.slow
def test_ray_runs_it(cluster: None, tmp_path: Path) -> None:
    def train(config: dict[str, Any]) -> None:  # in here, so that Ray's workers need no module of the tests
        if config["width"] > 256:
            raise RuntimeError("too wide")
        tune.report({"loss": abs(config["lr"] - 0.01)})

    mine = TunewrightSearcher(card=toy.card(), model=None, seed=0)
    settings = tune.TuneConfig(search_alg=mine, num_samples=6, max_concurrent_trials=2)
    here = tune.RunConfig(storage_path=str(tmp_path), name="run")
    results = tune.Tuner(train, tune_config=settings, run_config=here).fit()
    trials = mine._opened().study.trials()
    assert len(results) == len(trials) == 6
    assert [t.done for t in trials] == [t.config["width"] <= 256 for t in trials]
    assert list((tmp_path / "run").glob("searcher-state-*.pkl"))
    mine.close()


@pytest.mark.slow
def test_the_example_is_short_and_runs(tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text().strip().splitlines()) <= 15
    here = {**os.environ, "HOME": str(tmp_path)}  # Ray keeps its results there
    command = [sys.executable, str(EXAMPLE)]
    ended = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, timeout=110)
    assert ended.returncode == 0, ended.stderr
    assert "{'learning_rate': " in ended.stdout
