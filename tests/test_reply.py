import pytest
from toy import space

from tunewright.reply import parse


def test_the_shape_that_the_prompt_asks_for() -> None:
    parsed = parse({"proposals": [{"rationale": "why", "config": {"lr": 0.1, "momentum": None}}]}, space())
    assert parsed.configs == (({"lr": 0.1}, "why"),)


def test_the_shape_of_recorded_replies() -> None:
    parsed = parse({"configs": [{"lr": 0.1}, {"lr": 0.2}], "rationale": "both"}, space())
    assert parsed.configs == (({"lr": 0.1}, "both"), ({"lr": 0.2}, "both"))


@pytest.mark.parametrize(
    "data", [None, 3, "text", [], {}, {"proposals": 3}, {"proposals": [3, {"config": 4}]}, {"configs": {}}]
)
def test_garbage_holds_no_configuration(data: object) -> None:
    assert parse(data, space()).configs == ()


def test_values_that_json_or_a_database_cannot_hold_become_text_that_the_guard_refuses() -> None:
    ((values, _),) = parse(
        {"proposals": [{"config": {"lr": float("nan"), "width": 2**80, "optimizer": ["adamw"]}}]}, space()
    ).configs
    assert values == {"lr": "nan", "width": str(2**80), "optimizer": "['adamw']"}
    assert len(space().check(values).faults) == 3


def test_a_flood_is_cut() -> None:
    parsed = parse({"proposals": [{"config": {"lr": 0.1}, "rationale": "x" * 10_000}] * 10_000}, space())
    assert len(parsed.configs) <= 64
    assert len(parsed.configs[0][1]) <= 300


@pytest.mark.parametrize(
    ("view", "kept"),
    [
        ({"guess": 1e-3, "low": 1e-4, "high": 1e-2}, True),
        ({"guess": 1e-3, "low": 1e-9, "high": 1.0}, True),  # an interval may reach past the bounds, the guess may not
        ({"guess": 5.0, "low": 1e-4, "high": 10.0}, False),
        ({"guess": 1e-3, "low": 1e-2, "high": 1e-1}, False),
        ({"guess": "1e-3", "low": 0, "high": 1}, False),
        ({"guess": True, "low": 0, "high": 1}, False),
        ({"guess": float("inf"), "low": 0, "high": float("inf")}, False),
        ({"guess": 1e-3}, False),
        ("small", False),
    ],
)
def test_a_prior_is_kept_only_where_it_makes_sense(view: object, kept: bool) -> None:
    prior = parse({"proposals": [], "prior": {"lr": view, "optimizer": view, "nonsense": view}}, space()).prior
    assert ("lr" in prior) is kept
    assert set(prior) <= {"lr"}
