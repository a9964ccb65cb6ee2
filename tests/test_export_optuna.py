import runpy
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from toy import card, config, done, failed, objective, space

from tunewright import Tuner, warmstart
from tunewright.errors import SpaceError, StudyError
from tunewright.export import to
from tunewright.export.optuna import enqueue, tell
from tunewright.export.optuna import space as optuna_space
from tunewright.points import Point
from tunewright.space import Choice, Float, Int, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    found: dict[str, Any] = {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"]),
    }
    if found["optimizer"] == "sgd":
        found["momentum"] = trial.suggest_float("momentum", 0.5, 0.99)
    found["width"] = trial.suggest_categorical("width", [16, 32, 64, 128, 256, 512])
    return found


@pytest.mark.parametrize("sampler", [optuna.samplers.TPESampler, optuna.samplers.GPSampler])
def test_the_points_come_out_first_whatever_the_sampler(sampler: Any) -> None:
    points = warmstart(card(), n=5, model=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=sampler(seed=0))
    points.to_optuna(study)
    study.optimize(lambda trial: objective(suggest(trial)), n_trials=7)
    assert [t.params for t in study.trials[:5]] == points.configs
    assert [t.user_attrs["source"] for t in study.trials[:5]] == [p.source for p in points.items]
    assert study.trials[0].user_attrs["rationale"] == points.items[0].rationale
    assert len(study.trials) == 7
    assert all(t.state == TrialState.COMPLETE for t in study.trials)


def test_a_point_is_put_in_line_once() -> None:
    study = optuna.create_study()
    for _ in range(2):
        enqueue([Point(config(), "llm")], study)
    assert len(study.trials) == 1


def test_the_trials_of_a_study_are_known_to_an_optuna_study(tmp_path: Path) -> None:
    with Tuner(card(), None, f"sqlite:///{tmp_path}/t.db", folder=tmp_path) as tuner:
        tuner.run(objective, trials=6)
        trials = tuner.study.trials()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    assert tell(card(), trials, study) == 6
    assert [t.params for t in study.trials] == [t.config for t in trials]
    assert study.best_value == min(t.outcome.metrics["loss"] for t in trials if t.outcome)
    study.optimize(lambda trial: objective(suggest(trial)), n_trials=6)  # the same names, suggested on top of them
    assert len(study.trials) == 12


def test_failures_are_told_without_a_value_and_lost_trials_are_not() -> None:
    limited = card(constraints=["memory <= 10"])
    over = done(0, config(), 1.0)
    assert over.outcome is not None
    over.outcome.metrics["memory"] = 12.0
    trials = [over, failed(1, config(lr=0.1)), failed(2, config(lr=0.01), "lost", fault="host")]
    study = optuna.create_study()
    assert tell(limited, trials, study) == 2
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    assert study.trials[1].value is None
    assert study.trials[1].user_attrs["status"] == "oom"
    assert study.trials[0].constraints == {"memory <= 10": 2.0}


def test_ones_own_distributions_are_used_where_they_differ() -> None:
    study = optuna.create_study()
    tell(card(), [done(0, config(), 1.0)], study, {"width": optuna.distributions.IntDistribution(16, 512)})
    study.optimize(lambda trial: float(trial.suggest_int("width", 16, 512)), n_trials=1)
    assert study.trials[0].distributions["width"] == study.trials[1].distributions["width"]


def test_directions_must_agree() -> None:
    with pytest.raises(StudyError, match=r"create it with \['minimize'\]"):
        tell(card(), [], optuna.create_study(direction="maximize"))


def test_the_text_runs_conditions_included(tmp_path: Path) -> None:
    points = warmstart(card(), n=4, model=None)
    (tmp_path / "start.py").write_text(to("optuna", points, card()))
    names = runpy.run_path(str(tmp_path / "start.py"))
    study = names["study"]
    study.optimize(lambda trial: objective(names["suggest"](trial)), n_trials=20)
    assert [t.params for t in study.trials[:4]] == points.configs
    for trial in study.trials:
        assert card().space.check(trial.params).faults == ()
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "sgd")


def test_text_of_nested_conditions_and_steps(tmp_path: Path) -> None:
    deep = card(
        space=Space(
            Float("c", 0.0, 1.0, step=0.25, when={"b": [2, 3]}),
            Int("b", 1, 3, when={"a": "x"}),
            Choice("a", ["x", "y"]),
            Int("d", 2, 10, step=4),
            Float("e", 0.0, 3.0, step=1.0),
        )
    )
    (tmp_path / "start.py").write_text(to("optuna", [Point(deep.space.default(), "default", 'a "quote"\n')], deep))
    names = runpy.run_path(str(tmp_path / "start.py"))
    drawn = 200
    names["study"].optimize(lambda trial: float(len(names["suggest"](trial))), n_trials=1 + drawn)
    seen = [t.params for t in names["study"].trials]
    for params in seen:
        checked = deep.space.check(params)
        assert checked.config == params
        assert not checked.faults
    assert {len(params) for params in seen} == {3, 4, 5}


def test_the_space_as_distributions() -> None:
    found = optuna_space(card(space=Space(*(p for p in space() if not p.when))))
    assert found["lr"] == optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)
    assert found["width"] == optuna.distributions.CategoricalDistribution([16, 32, 64, 128, 256, 512])


@pytest.mark.parametrize(
    ("what", "name", "nearest"),
    [
        (Space(Float("p", 0.1, 0.9, logit=True)), "p: a logit scale", r"FloatDistribution\(0.1, 0.9\)"),
        (Space(Int("a", 1, 8), Int("b", 1, 8), relations=["a % b == 0"]), "a and b: a % b == 0", "TrialPruned"),
        (space(), "momentum: its condition", "suggest"),
    ],
)
def test_what_optuna_has_no_form_for_is_named_with_the_nearest_thing(what: Space, name: str, nearest: str) -> None:
    with pytest.raises(SpaceError, match=name) as caught:
        optuna_space(card(space=what))
    assert caught.match(nearest)


def test_the_text_keeps_the_points_and_says_why_the_space_is_left_out(tmp_path: Path) -> None:
    squeezed = card(space=Space(Float("p", 0.1, 0.9, logit=True)))
    points = warmstart(squeezed, n=3, model=None)
    text = to("optuna", points, squeezed)
    assert "# The space is left out: Optuna has no form for p: a logit scale" in text
    (tmp_path / "start.py").write_text(text)
    study = runpy.run_path(str(tmp_path / "start.py"))["study"]
    study.optimize(lambda trial: trial.suggest_float("p", 0.1, 0.9), n_trials=3)
    assert [t.params for t in study.trials] == points.configs
