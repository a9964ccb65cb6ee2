from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from tunewright.errors import SpaceError
from tunewright.integrations.define_by_run import learn, widest
from tunewright.parameters import Choice, Float, Int

LR = FloatDistribution(1e-5, 1e-1, log=True)
MODEL = CategoricalDistribution(["svm", "forest", "net"])
KERNEL = CategoricalDistribution(["rbf", "linear"])


def row(given: dict[str, tuple[Any, Any]], state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    return create_trial(
        state=state,
        value=1.0 if state == TrialState.COMPLETE else None,
        params={name: value for name, (value, _) in given.items()},
        distributions={name: d for name, (_, d) in given.items()},
    )


def when(learned: Any, name: str) -> dict[str, tuple[Any, ...]]:
    return dict(learned.space[name].when)


def test_nothing_is_known_before_the_first_suggestion() -> None:
    assert learn([]) is None
    assert learn([row({})]) is None


def test_each_distribution_has_its_parameter() -> None:
    given = {
        "lr": (0.01, LR),
        "layer/units-1": (32, IntDistribution(16, 64, step=16)),
        "layer/units_1": (3, IntDistribution(1, 1000, log=True)),
        "drop": (0.25, FloatDistribution(0.0, 0.5, step=0.25)),
        "depth": (None, CategoricalDistribution([None, 4, "auto"])),
        "fixed": (7, IntDistribution(7, 7)),
    }
    learned = learn([row(given)])
    assert learned is not None
    assert list(learned.space) == [
        Float("lr", 1e-5, 1e-1, log=True),
        Int("layer_units_1", 16, 64, step=16),
        Int("layer_units_1_2", 1, 1000, log=True),
        Float("drop", 0.0, 0.5, step=0.25),
        Choice("depth", ["None", "4", "auto"]),
    ]
    config = learned.config({name: value for name, (value, _) in given.items()})
    assert config == {"lr": 0.01, "layer_units_1": 32, "layer_units_1_2": 3, "drop": 0.25, "depth": "None"}
    assert learned.params(config) == {name: value for name, (value, _) in given.items() if name != "fixed"}


def test_a_branch_becomes_a_condition_nested_ones_too() -> None:
    svm = {"model": ("svm", MODEL), "kernel": ("rbf", KERNEL), "gamma": (0.1, LR), "c": (0.1, LR)}
    linear = {"model": ("svm", MODEL), "kernel": ("linear", KERNEL), "c": (0.1, LR)}
    forest = {"model": ("forest", MODEL), "trees": (10, IntDistribution(1, 99))}
    learned = learn([row(svm), row(forest)])
    assert [when(learned, n) for n in ("kernel", "gamma", "c")] == [{"model": ("svm",)}] * 3
    learned = learn([row(svm), row(forest), row(linear)])
    assert learned is not None
    assert when(learned, "gamma") == {"kernel": ("rbf",)}
    assert when(learned, "trees") == {"model": ("forest",)}
    for r in (svm, forest, linear):  # what each trial had is just what the space says is there
        config = learned.config({name: value for name, (value, _) in r.items()})
        assert set(learned.space.active(config)) == set(config)


def test_a_parameter_of_two_branches_depends_on_both_of_their_values() -> None:
    rows = [row({"model": (m, MODEL)} | ({"lr": (0.1, LR)} if m != "forest" else {})) for m in ("svm", "forest", "net")]
    assert when(learn(rows), "lr") == {"model": ("svm", "net")}


def test_a_condition_on_two_choices() -> None:
    rows = [
        row({"model": (m, MODEL), "kernel": (k, KERNEL)} | ({"lr": (0.1, LR)} if (m, k) == ("svm", "rbf") else {}))
        for m in ("svm", "net")
        for k in ("rbf", "linear")
    ]
    assert when(learn(rows), "lr") == {"model": ("svm",), "kernel": ("rbf",)}


def test_layers_in_a_loop_depend_on_their_number() -> None:
    n_layers = IntDistribution(1, 6)
    rows = [row({"n": (n, n_layers)} | {f"units{i}": (8, IntDistribution(4, 64)) for i in range(n)}) for n in (1, 3, 5)]
    learned = learn(rows)
    assert when(learned, "units0") == {}
    assert when(learned, "units2") == {"n": (2, 3, 4, 5, 6)}  # 2 is as near to 3, which had it, as to 1
    assert when(learned, "units4") == {"n": (4, 5, 6)}


def test_what_no_choice_explains_is_left_out() -> None:
    rows = [row({"lr": (v, LR)} | ({"m": (0.1, LR)} if v > 0.01 else {})) for v in (0.001, 0.05)]
    learned = learn(rows)
    assert learned is not None
    assert learned.space.names == ("lr",)
    assert "follows from no choice" in learned.left_out["m"]


def test_only_finished_trials_show_what_is_absent() -> None:
    rows = [row({"lr": (0.1, LR)}, state) for state in (TrialState.RUNNING, TrialState.FAIL, TrialState.PRUNED)]
    assert when(learn([*rows, row({"lr": (0.1, LR), "m": (0.1, LR)})]), "m") == {}


def test_moving_bounds_are_covered_and_moving_scales_are_left_out() -> None:
    assert widest([IntDistribution(1, 4), IntDistribution(2, 9)]) == IntDistribution(1, 9)
    with pytest.raises(SpaceError, match="different scales"):
        widest([FloatDistribution(1, 2), FloatDistribution(1, 2, log=True)])
    rows = [
        row({"a": (1, IntDistribution(1, 2)), "b": (1.0, FloatDistribution(1, 2, log=log))}) for log in (True, False)
    ]
    learned = learn(rows)
    assert learned is not None
    assert learned.space.names == ("a",)
    assert "different scales" in learned.left_out["b"]


def test_the_conditions_of_a_real_script_settle() -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("model", ["svm", "forest"]) == "svm":
            if trial.suggest_categorical("kernel", ["rbf", "poly"]) == "poly":
                trial.suggest_int("degree", 2, 5)
            return trial.suggest_float("c", 0.1, 10, log=True)
        return float(trial.suggest_int("trees", 1, 9))

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=30)
    learned = learn(study.trials)
    assert when(learned, "degree") == {"kernel": ("poly",)}
    assert when(learned, "trees") == {"model": ("forest",)}
