from pathlib import Path
from typing import Any

import pytest

from tunewright.errors import StudyError
from tunewright.llm.scripted import Scripted
from tunewright.trial import Interval, Proposal, Refusal, Verdict
from tunewright.verbs import Session, WrongCall, call
from tunewright_tools.base import Outcome

from .conftest import toy_card


def test_why_a_trial_tells_what_was_expected_and_what_came(toy: Session) -> None:
    answer = call(toy, "why_trial", {"trial": 5}, by="model")
    assert answer.data["source"] == "surrogate"
    expected = answer.data["expected"]
    assert expected["low"] < expected["mean"] < expected["high"]
    assert answer.data["inside_interval"] == (expected["low"] <= answer.data["value"] <= expected["high"])
    assert "highest acquisition value" in answer.text
    assert call(toy, "why_trial", {"trial": 0}, by="model").data["expected"] is None


def test_why_a_trial_tells_of_refusals_and_the_call(toy: Session) -> None:
    study = toy.study()
    refusal = Refusal(
        Proposal({"lr": 7.0, "width": 16, "optimizer": "sgd"}, "llm", "a hunch"),
        Verdict(False, "invalid: lr = 7.0 is above 0.1", {"excess": float("inf")}),
    )
    trial = study.start(
        Proposal({"lr": 0.01, "width": 64, "optimizer": "sgd"}, "llm", "near the best", Interval(1.0, 0.5, 1.5)),
        number=6,
        seed=1,
        turn="llm",
        verdict=Verdict(True, "promising", {"gain": 0.2}, ignored=("depth",)),
        asked={"lr": 0.01, "width": 60, "optimizer": "sgd", "depth": 3},
        refused=[refusal],
    )
    study.finish(trial, Outcome("oom", detail="out of memory", fault="config"))
    data = call(toy, "why_trial", {"trial": 6}, by="model").data
    assert data["rounded"] == {"width": [60, 64]}
    assert data["ignored_names"] == ["depth"]
    assert data["verdict"] == {"reason": "promising", "numbers": {"gain": 0.2}}
    assert (data["status"], data["value"], data["inside_interval"]) == ("oom", None, None)
    assert data["refused"][0]["reason"] == "invalid: lr = 7.0 is above 0.1"
    assert data["refused"][0]["numbers"] == {"excess": None}
    assert any("excess is not a finite number" in note for note in data["notes"])


def test_why_names_the_model_call(root: Path, opened: Any) -> None:
    point = {"rationale": "the usual rate", "config": {"lr": 0.01, "width": 128, "optimizer": "sgd"}}
    session = opened(root, model=Scripted([{"proposals": [point]}], repeat_last=True))
    session.open(toy_card(root))
    call(session, "run_trials", {"trials": 3}, by="person")
    list(session.events())
    data = call(session, "why_trial", {"trial": 2}, by="model").data
    assert data["rationale"] == "the usual rate"
    assert data["call"]["model"] == "scripted"
    assert data["call"]["template"] == "first_round"


def test_two_trials_side_by_side(toy: Session) -> None:
    data = call(toy, "compare_trials", {"first": 0, "second": 1}, by="model").data
    assert set(data["differs"]) == {"lr", "width"}
    assert data["same"] == {"optimizer": "adamw"}
    assert data["metrics"]["loss"]["better"] == 1
    assert data["metrics"]["loss"]["difference"] < 0
    with pytest.raises(WrongCall, match="second is 99"):
        call(toy, "compare_trials", {"first": 0, "second": 99}, by="model")
    with pytest.raises(WrongCall, match="another trial"):
        call(toy, "compare_trials", {"first": 1, "second": 1}, by="model")


def test_importances_add_up_and_name_the_parameters(toy: Session) -> None:
    answer = call(toy, "parameter_importance", {}, by="model")
    assert sum(answer.data["importance"].values()) == pytest.approx(1)
    assert set(answer.data["importance"]) == {"lr", "width", "optimizer"}
    assert "mostly noise" in answer.data["notes"][0]
    assert call(toy, "parameter_importance", {}, by="model").data == answer.data
    with pytest.raises(WrongCall, match="metric is 'accuracy'; accepted: one of loss"):
        call(toy, "parameter_importance", {"metric": "accuracy"}, by="model")


def test_importances_after_the_bounds_moved(toy: Session) -> None:
    call(toy, "widen", {"parameter": "width", "high": 1024}, by="model")
    study = toy.study()
    trial = study.start(
        Proposal({"lr": 0.01, "width": 1024, "optimizer": "sgd"}, "user"),
        number=6,
        seed=1,
        turn="user",
        verdict=Verdict(True),
        asked={},
    )
    study.finish(trial, Outcome("done", {"loss": 9.0}))
    answer = call(toy, "parameter_importance", {}, by="model")
    assert set(answer.data["importance"]) == {"lr", "width", "optimizer"}
    assert answer.data["unrated"] == []


def test_importances_stay_the_same_when_only_the_bounds_moved(toy: Session) -> None:
    """Four trials whose loss `lr` decides: narrowing it between them does not take it out of the ranking."""
    study = toy.study()
    for number, lr in enumerate((1e-4, 1e-2, 1e-3, 3e-3), start=6):
        if number == 8:
            call(toy, "narrow", {"parameter": "lr", "low": 1e-4, "high": 1e-2}, by="person")
            study = toy.study()
        config = {"lr": lr, "width": 16, "optimizer": "adamw"}
        trial = study.start(
            Proposal(config, "user"), number=number, seed=1, turn="user", verdict=Verdict(True), asked={}
        )
        study.finish(trial, Outcome("done", {"loss": 1e6 * lr}))
    answer = call(toy, "parameter_importance", {}, by="model")
    assert next(iter(answer.data["importance"])) == "lr"
    assert "not rated" not in answer.text


def test_importances_need_values(root: Path, opened: Any) -> None:
    session = opened(root)
    session.open(toy_card(root))
    with pytest.raises(StudyError, match="0 trials of 'toy' have a value"):
        call(session, "parameter_importance", {}, by="model")
