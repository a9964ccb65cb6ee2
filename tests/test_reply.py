from typing import Any

import pytest
from toy import card, space

from tunewright.card import TaskCard
from tunewright.reply import parse, sound_derived
from tunewright.space import Choice, Float, Space


def test_the_shape_that_the_prompt_asks_for() -> None:
    parsed = parse({"proposals": [{"rationale": "why", "config": {"lr": 0.1, "momentum": None}}]}, space())
    assert parsed.configs == (({"lr": 0.1}, "why"),)


def test_the_shape_of_recorded_replies() -> None:
    parsed = parse({"configs": [{"lr": 0.1}, {"lr": 0.2}], "rationale": "both"}, space())
    assert parsed.configs == (({"lr": 0.1}, "both"), ({"lr": 0.2}, "both"))


@pytest.mark.parametrize(
    "data",
    [None, 3, "text", [], {}, {"proposals": 3}, {"proposals": [3, {"config": 4}]}, {"configs": {}}, {"configs": [3]}],
)
def test_garbage_holds_no_configuration(data: object) -> None:
    assert parse(data, space()).configs == ()


def test_values_that_json_or_a_database_cannot_hold_become_text_that_the_guard_refuses() -> None:
    ((values, _),) = parse(
        {"proposals": [{"config": {"lr": float("nan"), "width": 2**80, "optimizer": ["adamw"]}}]}, space()
    ).configs
    assert values == {"lr": "nan", "width": str(2**80), "optimizer": "['adamw']"}
    assert len(space().check(values).faults) == 3


def test_a_configuration_of_many_parameters_is_read_whole() -> None:
    wide = Space(*(Float(f"x{i}", 0, 1) for i in range(300)))
    config = wide.default()
    flood = {f"unknown{i}": 1 for i in range(10_000)}
    ((values, _),) = parse({"proposals": [{"config": {**config, **flood}}]}, wide).configs
    assert wide.check(values).faults == ()
    assert len(values) == 500


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
        ({"guess": 1e-3, "low": 1e-4, "high": float("inf")}, False),
        ({"guess": 1e-3, "low": False, "high": 1.0}, False),
        ({"guess": 1e-3, "low": 1e-3, "high": 1e-2}, True),
        ({"guess": 1e-3, "low": 1e-4, "high": 1e-3}, True),
        ({"guess": 1e-3}, False),
        ("small", False),
    ],
)
def test_a_prior_is_kept_only_where_it_makes_sense(view: object, kept: bool) -> None:
    prior = parse({"proposals": [], "prior": {"lr": view, "optimizer": view, "nonsense": view}}, space()).prior
    assert ("lr" in prior) is kept
    assert set(prior) <= {"lr"}


def test_a_choice_between_numbers_has_no_interval() -> None:
    batch = Space(Choice("batch", [16, 32]), Float("lr", 0.0, 1.0))
    view = {"guess": 16, "low": 16, "high": 32}
    assert parse({"proposals": [], "prior": {"batch": view}}, batch).prior == {}


def derived(stated: Any, given: TaskCard | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    return sound_derived(parse({"proposals": [], "derived": stated}, space()).derived, given or card())


def test_a_derived_quantity_that_a_card_could_hold_is_kept() -> None:
    sound, refused = derived({"cost": {"width": 10, "lr": -0.5}})
    assert sound == {"cost": {"width": 10.0, "lr": -0.5}}
    assert refused == {}
    assert card(derived=sound).derived == sound


@pytest.mark.parametrize(
    ("name", "powers", "reason"),
    [
        ("cost", {"momentum": 1}, "'momentum' is there only under a condition"),
        ("cost", {"optimizer": 1}, "'optimizer' is not numeric"),
        ("cost", {"depth": 1}, "'depth' is not in the space"),
        ("cost", {"width": 0}, "its power is 0"),
        ("cost", {"width": 11}, "the power of 'width' is 11"),
        ("cost", {"width": "2"}, "the power of 'width' is '2'"),
        ("cost", {"width": True}, "the power of 'width' is True"),
        ("cost", {"width": float("nan")}, "the power of 'width' is 'nan'"),
        ("cost", {}, "is empty"),
        ("cost", "width * depth", "is 'width * depth'"),
        ("cost", None, "is 'None'"),
        ("loss", {"width": 1}, "a name already taken"),
        ("lr", {"width": 1}, "a name already taken"),
        ("known", {"width": 1}, "a name already taken"),
        ("my cost", {"width": 1}, "is no name"),
        ("import os\n", {"width": 1}, "is no name"),
    ],
)
def test_one_that_a_card_could_not_hold_is_refused_with_the_cards_own_reason(
    name: str, powers: Any, reason: str
) -> None:
    sound, refused = derived({name: powers, "fine": {"width": 1}}, card(derived={"known": {"width": 3}}))
    assert sound == {"fine": {"width": 1.0}}
    assert reason in refused[name]


@pytest.mark.parametrize("stated", [None, 3, "text", [], {}, [{"a": 1}]])
def test_no_derived_quantities(stated: Any) -> None:
    assert derived(stated) == ({}, {})


def test_a_flood_of_derived_quantities_is_cut() -> None:
    sound, refused = derived({f"q{i}" + "x" * 1000: {f"p{j}": 1 for j in range(1000)} for i in range(100)})
    assert len(sound) + len(refused) <= 8
    assert all(len(name) <= 64 for name in refused)
