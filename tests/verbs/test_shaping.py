from typing import Any

from tunewright import Tuner
from tunewright.verbs import Session, call

from .conftest import faults


def test_a_pinned_parameter_takes_one_value_until_it_is_let_go(toy: Session) -> None:
    answer = call(toy, "pin", {"parameter": "width", "value": 64}, by="model")
    assert answer.data["accepts"] == "held at 64"
    assert answer.data["trials_outside"] == sum(t.config["width"] != 64 for t in toy.study().trials()) > 0
    space = toy.study().card.space
    assert {c["width"] for c in space.sample(20, 0)} == {64}
    call(toy, "unpin", {"parameter": "width"}, by="model")
    assert len({c["width"] for c in toy.study().card.space.sample(20, 0)}) > 1
    assert "none is held" in faults(toy, "unpin", parameter="width")["parameter"]


def test_a_run_outside_the_session_is_said_to_go_on_without_a_change(toy: Session) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("pin", {"parameter": "width", "value": 64}),
        ("add_constraint", {"text": "loss <= 50"}),
    ]
    with Tuner(toy.study().card, None, storage=toy.storage) as other:
        trial = other.ask()
        for verb, arguments in calls:
            answer = call(toy, verb, arguments, by="model")
            assert answer.data["takes_effect"] == "with the next run"
            assert "goes on without it" in answer.text
        other.tell(trial, 1.0)
    answer = call(toy, "unpin", {"parameter": "width"}, by="model")
    assert (answer.data["takes_effect"], "goes on" in answer.text) == ("with the next trial", False)


def test_the_words_of_a_parameter_are_checked(toy: Session) -> None:
    accepted = faults(toy, "pin", parameter="width", value=48)["value"]
    assert accepted == "a power of two from 16 to 512, in units; the nearest is 64"
    assert "in units" in faults(toy, "pin", parameter="width", value="64k")["value"]
    assert "in units" in faults(toy, "pin", parameter="width", value=1024)["value"]
    assert "from 1e-05 to 0.1" in faults(toy, "pin", parameter="lr", value="3e-4")["value"]
    assert "one of 'adamw', 'sgd'" in faults(toy, "pin", parameter="optimizer", value="rmsprop")["value"]
    assert "true or false" in faults(toy, "pin", parameter="width", value=float("nan"))["value"]
    assert "did you mean 'width'" in faults(toy, "pin", parameter="wwidth", value=64)["parameter"]


def test_narrowed_bounds_are_a_new_revision_and_earlier_trials_stay(toy: Session) -> None:
    answer = call(toy, "narrow", {"parameter": "lr", "high": 0.01}, by="model")
    study = toy.study()
    assert answer.data["trials_outside"] == sum(t.config["lr"] > 0.01 for t in study.trials()) > 0
    assert study.space_revision == 1
    assert len(study.trials()) == 6
    assert max(c["lr"] for c in study.card.space.sample(50, 0)) <= 0.01


def test_what_narrow_refuses(toy: Session) -> None:
    assert "widen goes below" in faults(toy, "narrow", parameter="lr", low=1e-6)["low"]
    assert "widen goes above" in faults(toy, "narrow", parameter="lr", high=1)["high"]
    assert "below the upper one" in faults(toy, "narrow", parameter="lr", low=0.1, high=0.1)["low"]
    assert "default 0.0001 lies outside" in faults(toy, "narrow", parameter="lr", low=1e-3)["default"]
    assert "from 0.001 to 0.1" in faults(toy, "narrow", parameter="lr", low=1e-3, default=1e-4)["default"]
    assert "low or high" in faults(toy, "narrow", parameter="lr")["low"]
    assert "give low or high" in faults(toy, "narrow", parameter="lr", values=[0.1])["values"]
    assert "give values" in faults(toy, "narrow", parameter="optimizer", low=1)["low"]
    assert "a power of two" in faults(toy, "narrow", parameter="width", high=100)["high"]
    assert "a whole number" in faults(toy, "narrow", parameter="width", high=100.5)["high"]
    found = faults(toy, "narrow", parameter="optimizer", values=["sgd", "lion", 3])
    assert set(found) == {"values[1]", "values[2]"}


def test_a_choice_is_narrowed_to_some_of_its_values(toy: Session) -> None:
    call(toy, "narrow", {"parameter": "optimizer", "values": ["sgd"]}, by="model")
    assert {c["optimizer"] for c in toy.study().card.space.sample(20, 0)} == {"sgd"}
    assert "unpin" in faults(toy, "widen", parameter="optimizer", high=3)["parameter"]


def test_widen_goes_outside_only(toy: Session) -> None:
    answer = call(toy, "widen", {"parameter": "width", "high": 1024}, by="model")
    assert answer.data["accepts"] == "a power of two from 16 to 1024"
    assert "narrow goes above" in faults(toy, "widen", parameter="lr", low=1e-3)["low"]
    assert "narrow goes below" in faults(toy, "widen", parameter="lr", high=1e-3)["high"]
    assert "log" in faults(toy, "widen", parameter="lr", low=0)["low"]
    assert "differ" in faults(toy, "widen", parameter="width", low=16)["low"]


def test_a_held_value_outside_new_bounds_is_named(toy: Session) -> None:
    call(toy, "pin", {"parameter": "width", "value": 512}, by="model")
    assert "held at 512" in faults(toy, "narrow", parameter="width", high=64)["low and high"]
