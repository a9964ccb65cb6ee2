"""Which range an option gets: the script's, then the model's, then the textbook's, then a rule of thumb."""

from typing import Any

import pytest

from tunewright.init.ask import fault_of
from tunewright.init.ranges import Range, Suggestion, choose
from tunewright.init.reading import Option
from tunewright.parameters import Choice, Float, Int


def option(name: str, default: Any, kind: str = "float", **more: Any) -> Option:
    return Option(name, f"--{name}", kind, "argparse", 1, default, argument=f"--{name}={{{name}}}", **more)  # type: ignore[arg-type]


def ranged(one: Option, suggestion: Suggestion | None = None, words: str = "", model_first: bool = True) -> Range:
    made = choose(one, suggestion, "", words, model_first=model_first)
    assert made is not None
    return made


def bounds(made: Range) -> tuple[float, float, str]:
    p = made.parameter
    assert isinstance(p, Float | Int)
    return p.low, p.high, "log" if p.log else "logit" if getattr(p, "logit", False) else "linear"


MODEL = Suggestion(0.01, 0.5, "linear", "openai/toy")


def test_the_scripts_choices_come_first() -> None:
    made = ranged(option("optimizer", "sgd", "text", choices=("adamw", "sgd")), MODEL)
    assert isinstance(made.parameter, Choice)
    assert (made.parameter.default, made.origin) == ("sgd", "choices: the script's own")
    sizes = ranged(option("heads", 2, "int", choices=(1, 2, 4))).parameter
    assert isinstance(sizes, Choice)
    assert sizes.ordered


def test_the_scripts_bounds_come_before_the_model() -> None:
    made = ranged(option("curvature", 0.2, low=0.1, high=0.9), MODEL)
    assert bounds(made) == (0.1, 0.9, "linear")
    assert made.origin.startswith("range: the script's own bounds")
    assert bounds(ranged(option("curvature", 2, "int", low=1, high=1000)))[2] == "log"


def test_a_bound_of_zero_on_a_log_scale_only_says_what_is_valid() -> None:
    made = ranged(option("lr", 1e-3, low=0.0, high=1.0), words="torch AdamW")
    assert "textbook" in made.origin
    assert bounds(made) == (1e-4, 5e-3, "log")


def test_an_open_bound_is_not_proposed() -> None:
    low, high, _ = bounds(ranged(option("curvature", 0.2, low=0.0, high=1.0, low_open=True, high_open=True)))
    assert 0 < low < 0.2
    assert 0.2 < high < 1


def test_then_the_model_then_the_textbook() -> None:
    one = option("dropout", 0.1)
    assert ranged(one, MODEL).origin == "range: proposed by openai/toy"
    assert bounds(ranged(one, MODEL)) == (0.01, 0.5, "linear")
    assert ranged(one).origin.startswith("range: textbook (neural networks")
    assert ranged(one, MODEL, model_first=False).origin.startswith("range: textbook")
    assert ranged(option("curvature", 0.1), MODEL, model_first=False).origin == "range: proposed by openai/toy"


def test_a_share_is_recognised_by_the_textbook_and_stays_below_one() -> None:
    made = ranged(option("beta1", 0.9))
    assert bounds(made) == (0.8, 0.97, "logit")
    assert "Adam" in made.origin


def test_a_textbook_range_is_widened_to_the_default_and_says_so() -> None:
    made = ranged(option("lr", 1e-5), words="AdamW")
    assert bounds(made) == (1e-5, 5e-3, "log")
    assert "widened to hold the default" in made.origin


def test_a_default_of_zero_makes_the_scale_linear_and_says_so() -> None:
    made = ranged(option("weight_decay", 0.0), words="AdamW")
    assert bounds(made)[0] == 0
    assert bounds(made)[2] == "linear"
    assert "no place on a log scale" in made.origin


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (option("curvature", 0.3), (0.03, 3.0, "log")),
        (option("curvature", 8, "int"), (2, 32, "log")),
        (option("curvature", 1, "int"), (1, 4, "linear")),
        (option("mask_ratio", 0.4), (0.0, 1.0, "linear")),
        (option("curvature", 0.3, low=0.1), (0.1, 3.0, "log")),
        (option("curvature", 0.99), (0.9, 0.999, "logit")),
        (option("curvature", 0.8), (0.5, 0.98, "logit")),
    ],
)
def test_then_a_rule_around_the_default(one: Option, expected: tuple[float, float, str]) -> None:
    made = ranged(one)
    assert bounds(made) == expected
    assert made.origin.startswith("assumed: ")


@pytest.mark.parametrize("default", [0.0, -0.5, None])
def test_nothing_is_made_up_where_nothing_says_on_what_scale(default: float | None) -> None:
    assert choose(option("curvature", default), None, "", "", model_first=True) is None


def test_a_size_with_a_power_of_two_keeps_to_powers_of_two() -> None:
    made = ranged(option("hidden_size", 64, "int"))
    assert isinstance(made.parameter, Int)
    assert made.parameter.rounding == "power_of_two"
    odd = ranged(option("hidden_size", 100, "int"))
    assert isinstance(odd.parameter, Int)
    assert odd.parameter.rounding is None


def test_every_range_holds_its_default() -> None:
    for name in ("lr", "batch_size", "dropout", "momentum", "beta2", "width", "depth", "curvature"):
        for default in (1e-6, 1e-3, 0.1, 0.5, 0.999, 1.0, 30.0):
            made = choose(option(name, default), None, "", "torch sgd", model_first=True)
            assert made is None or made.parameter.fault(default) is None
        for whole in (1, 2, 3, 8, 100, 4096):
            made = choose(option(name, whole, "int"), None, "", "torch sgd", model_first=True)
            assert made is None or made.parameter.default == whole


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"low": 1e-4, "high": 1e-1, "scale": "log"}, ""),
        ({"low": 0.01, "high": 1e-1, "scale": "log"}, "does not hold the default"),
        ({"low": 0.1, "high": 0.0001, "scale": "log"}, "is not below"),
        ({"low": 0, "high": 0.1, "scale": "log"}, "no place on a log scale"),
        ({"low": 1e-4, "high": 1.5, "scale": "logit"}, "no place on a logit scale"),
        ({"low": -1, "high": 0.1, "scale": "linear"}, "below 0"),
        ({"low": 1e-4, "high": 1e6, "scale": "linear"}, "too far"),
        ({"low": 1e-30, "high": 1, "scale": "log"}, "too far"),
        ({"low": "1e-4", "high": 0.1, "scale": "log"}, "not a number"),
        ({"low": True, "high": 0.1, "scale": "log"}, "not a number"),
        ({"low": float("nan"), "high": 0.1, "scale": "log"}, "not a number"),
        ({"low": 1e-4, "high": 10**400, "scale": "linear"}, "not a number"),
        ({"low": 1e-4, "high": 0.1, "scale": "exp"}, "scale is"),
        ({"high": 0.1, "scale": "log"}, "low is"),
    ],
)
def test_a_models_range_is_checked_and_never_moved(said: dict[str, Any], fault: str) -> None:
    seen = fault_of(option("lr", 1e-3), said)
    assert (fault in seen) if fault else not seen


def test_a_models_range_stays_inside_the_scripts_bounds() -> None:
    one = option("momentum", 0.9, low=0.0, high=1.0, high_open=True)
    assert "above what the script takes" in fault_of(one, {"low": 0.5, "high": 1.0, "scale": "linear"})
    assert "whole number" in fault_of(option("depth", 3, "int"), {"low": 1.5, "high": 8, "scale": "linear"})
