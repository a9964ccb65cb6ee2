"""Spaces: what cannot be, conditions, checking, identity, the unit cube, draws under relations, JSON."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.errors import SpaceError
from tunewright.space import Choice, Float, Int, Parameter, Space

few = settings(max_examples=60, deadline=None)

NESTED = Space(
    Choice("optimizer", ["adamw", "sgd", "muon"], default="sgd"),
    Float("lr", 1e-5, 0.1, log=True, default=1e-3),
    Float("momentum", 0.5, 0.99, when={"optimizer": ["sgd", "muon"]}),
    Choice("nesterov", [True, False], when={"optimizer": "sgd"}),
    Float("decay", 0.1, 0.9, when={"nesterov": True, "momentum_kind": "ema"}),
    Choice("momentum_kind", ["ema", "heavy"], when={"optimizer": ["sgd", "muon"]}),
    Int("depth", 1, 8),
    Float("drop", 0, 0.5, when={"depth": [4, 8]}),
)


# -- what cannot be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "relations", "message"),
    [
        ((), (), "no parameters"),
        ((Float("a", 0, 1), Int("a", 0, 1)), (), "'a' is there twice"),
        (([Float("a", 0, 1)],), (), "is not a parameter"),
        (({"name": "a"},), (), "is not a parameter"),
        ((Float("a", 0, 1, when={"b": 1}),), (), "depends on 'b', which is not in the space"),
        ((Float("a", 0, 1, when={"a": 0.5}),), (), "ring"),
        (
            (
                Choice("a", [1, 2], when={"b": 1}),
                Choice("b", [1, 2], when={"c": 1}),
                Choice("c", [1, 2], when={"a": 1}),
            ),
            (),
            "ring: ",
        ),
        ((Choice("a", ["x", "y"]), Float("b", 0, 1, when={"a": "z"})), (), "when a is 'z'"),
        ((Choice("a", ["x", "y"]), Float("b", 0, 1, when={"a": ["x", True]})), (), "when a is True"),
        ((Int("a", 1, 4), Float("b", 0, 1, when={"a": 9})), (), "outside 1 to 4"),
        ((Float("a", 0, 1),), ("a < b",), "names 'b'"),
        ((Float("a", 0, 1),), ("a(",), "cannot be read"),
        ((Float("a", 0, 1),), ("a + 1",), "compares nothing"),
        ((Float("width", 0, 1),), "width <= 0.5", "relations is 'width <= 0.5', a text"),
    ],
)
def test_impossible_spaces_are_refused(parameters: tuple[Any, ...], relations: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as caught:
        Space(*parameters, relations=relations)
    assert caught.value.hint


@pytest.mark.parametrize("record", [None, [], {}, {"parameters": None}, {"parameters": "abc"}, {"parameters": {}}])
def test_broken_space_records_are_refused(record: Any) -> None:
    with pytest.raises(SpaceError):
        Space.from_json(record)


# -- conditions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "there"),
    [
        ({"optimizer": "adamw"}, {"optimizer", "lr", "depth"}),
        ({"optimizer": "muon"}, {"optimizer", "lr", "depth", "momentum", "momentum_kind"}),
        ({"optimizer": "sgd"}, {"optimizer", "lr", "depth", "momentum", "momentum_kind", "nesterov"}),
        (
            {"optimizer": "sgd", "nesterov": True, "momentum_kind": "ema"},
            {"optimizer", "lr", "depth", "momentum", "momentum_kind", "nesterov", "decay"},
        ),
        # nesterov is not there under muon, whatever the configuration says, and so neither is its child
        (
            {"optimizer": "muon", "nesterov": True, "momentum_kind": "ema"},
            {"optimizer", "lr", "depth", "momentum", "momentum_kind"},
        ),
        ({"optimizer": "sgd", "nesterov": 1, "momentum_kind": "ema"}, None),
        ({"optimizer": "adamw", "depth": 8}, {"optimizer", "lr", "depth", "drop"}),
        ({"optimizer": "adamw", "depth": 4.0}, {"optimizer", "lr", "depth", "drop"}),
        ({"optimizer": "adamw", "depth": 5}, {"optimizer", "lr", "depth"}),
        ({"optimizer": "adamw", "depth": True}, {"optimizer", "lr", "depth"}),
        ({}, {"optimizer", "lr", "depth"}),
    ],
)
def test_conditions(config: dict[str, Any], there: set[str] | None) -> None:
    active = NESTED.active(config)
    assert set(active) == (there or {"optimizer", "lr", "depth", "momentum", "momentum_kind", "nesterov"})
    assert list(active) == [n for n in NESTED.names if n in active]  # the space's order


def test_a_parent_on_a_grid_is_compared_on_the_grid() -> None:
    space = Space(Float("a", 0, 1, step=0.1), Float("b", 0, 1, when={"a": 0.3}))
    assert space.active({"a": 0.1 + 0.2}) == ("a", "b")


# -- checking one configuration ----------------------------------------------------------------------------------


def test_check_names_every_fault_and_moves_nothing_but_onto_the_grid() -> None:
    space = Space(
        Float("lr", 1e-5, 0.1, log=True), Int("batch", 16, 256, rounding="power_of_two"), Choice("o", ["a", "b"])
    )
    checked = space.check({"lr": 0.5, "batch": 100, "extra": 3, "gone": None})
    assert checked.config == {"batch": 128}
    assert [f.name for f in checked.faults] == ["lr", "o"]
    assert [str(f) for f in checked.faults] == [
        "lr = 0.5 is outside 1e-05 to 0.1",
        "o is missing; it takes one of 'a', 'b'",
    ]
    assert checked.ignored == ("extra",)
    fine = space.check({"lr": 0.0123456789, "batch": 16, "o": "b"})
    assert fine.config == {"lr": 0.0123456789, "batch": 16, "o": "b"}  # what was asked, every digit
    assert not fine.faults


def test_check_ignores_what_is_not_active_and_judges_relations_after_rounding() -> None:
    space = Space(
        Choice("o", ["a", "b"]),
        Float("m", 0, 1, when={"o": "b"}),
        Int("width", 64, 512, step=64),
        Int("heads", 1, 16),
        relations=["width % heads == 0", "m < 0.5"],
    )
    checked = space.check({"o": "a", "m": 7, "width": 100, "heads": 5})
    assert checked.ignored == ("m",)
    assert checked.config["width"] == 128
    assert [str(f) for f in checked.faults] == ["width % heads == 0 does not hold with heads = 5, width = 128"]
    assert [f.name for f in space.check({"o": "b", "m": 0.7, "width": 64, "heads": 4}).faults] == ["m < 0.5"]
    assert not space.check({"o": "b", "m": 0.3, "width": 64, "heads": 4}).faults


def test_keys_tell_configurations_apart_by_the_digits_that_matter() -> None:
    one = {"optimizer": "adamw", "lr": 0.00123456, "depth": 2}
    assert NESTED.key(one) == NESTED.key({**one, "lr": 0.00123457, "momentum": 0.9})  # momentum is not active
    assert NESTED.key(one) != NESTED.key({**one, "lr": 0.00125})
    assert NESTED.key(one) != NESTED.key({**one, "depth": 3})


@pytest.mark.parametrize("step", [None, 0.1])
def test_minus_zero_is_zero(step: float | None) -> None:
    space = Space(Float("x", -1, 1, step=step), Float("y", -1, 1), held={"y": [-0.0, 0.5]})
    assert space.key({"x": -0.0, "y": -0.0}) == space.key({"x": 0.0, "y": 0.0})
    around = space.from_unit(np.array([[0.49999, 0.5], [0.5, 0.5], [0.50001, 0.5]]))
    assert {repr(config["x"]) for config in around} == {"0.0"}
    assert len(set(space.keys(around))) == 1


@pytest.mark.parametrize(
    ("p", "outside", "bound"),
    [
        (Float("x", 0, 10), 20.0, 10.0),
        (Float("x", 1e-3, 1e-1, log=True), 1e-4, 1e-3),
        (Float("x", 0, 1, step=0.1), 1.5, 1.0),
        (Int("x", 16, 256, rounding="power_of_two"), 512, 256),
        (Int("x", 0, 10, step=2), 20, 10),
    ],
)
def test_what_ran_outside_moved_bounds_is_not_the_value_at_the_bound(p: Parameter, outside: Any, bound: Any) -> None:
    space = Space(p)
    assert space.key({"x": outside}) != space.key({"x": bound})
    assert space.key({"x": outside}) == space.key({"x": outside})


def test_the_key_of_a_configuration_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    space, worked, tidy = Space(Int("n", 0, 10_000)), [], Int.tidy
    monkeypatch.setattr(Int, "tidy", lambda self, value: worked.append(value) or tidy(self, value))
    assert space.key({"n": 1}) == space.key({"n": 1}) == "{'n': 1}"
    assert worked == [1]
    for n in range(10_000):  # those remembered are bounded, and each is still right
        assert space.key({"n": n}) == f"{{'n': {n}}}"
    assert len(space._tidied) <= 4096


def test_keys_of_held_values_that_have_more_digits_than_matter() -> None:
    held = NESTED.with_held({"lr": 0.00123456})
    configs = held.from_unit(np.full((1, len(held)), 0.5))
    assert configs[0]["lr"] == 0.00123456
    assert held.keys(configs) == [held.key(configs[0])] == [held.key({**configs[0], "lr": 0.00123457})]


def test_default_has_only_what_is_active() -> None:
    default = NESTED.default()
    assert default["lr"] == 1e-3
    assert tuple(default) == NESTED.active(default)
    assert "decay" in default  # sgd, nesterov and ema are the defaults
    assert "drop" not in default  # the middle depth is 5
    assert not NESTED.check(default).faults


# -- the unit cube -----------------------------------------------------------------------------------------------


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    parameters: list[Parameter] = []
    for i in range(draw(st.integers(1, 6))):
        when: dict[str, Any] = {}
        if parameters and draw(st.booleans()):
            parent = draw(st.sampled_from(parameters))
            when = {parent.name: draw(st.lists(st.sampled_from(parent.from_unit(np.linspace(0, 1, 7))), min_size=1))}
        kind = draw(st.sampled_from(["float", "log", "logit", "step", "int", "log_int", "two", "choice", "ordered"]))
        made: dict[str, Parameter] = {
            "float": Float(f"p{i}", -1, 2, when=when, about="a float", unit="m"),
            "log": Float(f"p{i}", 1e-6, 1, log=True, when=when),
            "logit": Float(f"p{i}", 0.01, 0.999, logit=True, when=when),
            "step": Float(f"p{i}", 0, 1, step=0.25, default=0.5, when=when),
            "int": Int(f"p{i}", -2, 2, when=when),
            "log_int": Int(f"p{i}", 1, 1000, log=True, default=10, when=when),
            "two": Int(f"p{i}", 1, 64, rounding="power_of_two", when=when),
            "choice": Choice(f"p{i}", ["a", 2, True], when=when),
            "ordered": Choice(f"p{i}", [1, 2, 4], ordered=True, when=when),
        }
        parameters.append(made[kind])
    return Space(*draw(st.permutations(parameters)))


@few
@given(spaces(), st.integers(0, 2**32 - 1))
def test_every_point_of_the_cube_is_a_whole_configuration(space: Space, seed: int) -> None:
    configs = space.from_unit(np.random.default_rng(seed).random((20, len(space))))
    activity = space.activity(configs)
    assert activity.shape == (20, len(space))
    for config, row in zip(configs, activity, strict=True):
        checked = space.check(config)
        assert checked.config == config
        assert not checked.faults
        assert not checked.ignored
        assert tuple(config) == space.active(config)
        assert [n for n, on in zip(space.names, row, strict=True) if on] == list(config)
    assert space.keys(configs) == [space.key(config) for config in configs]
    u = space.to_unit(configs)
    assert u.shape == (20, len(space))
    assert ((u >= 0) & (u <= 1)).all()
    assert np.abs(space.to_unit(space.from_unit(u)) - u).max() < 1e-3
    starts = space.to_unit([{}])[0]
    assert (np.where(activity, starts, u) == starts).all()  # an inactive parameter takes its start value


@few
@given(spaces())
def test_json_gives_an_equal_space(space: Space) -> None:
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert hash(again) == hash(space)
    assert again.default() == space.default()


def test_equality_is_of_values_and_types() -> None:
    assert Space(Float("a", 0, 1)) == Space(Float("a", 0.0, 1.0))
    assert hash(Space(Float("a", 0, 1))) == hash(Space(Float("a", 0.0, 1.0)))
    assert Space(Choice("a", [1, 2])) != Space(Choice("a", [True, 2]))
    assert Space(Float("a", 0, 1)) != Space(Float("a", 0, 1), relations=["a < 0.5"])
    assert Space(Float("a", 0, 1)).with_relations(["a < 0.5"]) == Space(Float("a", 0, 1), relations=["a < 0.5"])
    assert len(Space(Float("a", 0, 1), relations=["a < 0.5"]).with_relations(["a < 0.5", "a > 0"]).relations) == 2
    assert Space(Float("a", 0, 1)) != "a"


def test_json_keeps_conditions_and_relations() -> None:
    space = NESTED.with_relations(["depth < 9"])
    record = json.loads(json.dumps(space.to_json()))
    assert record["relations"] == ["depth < 9"]
    assert record["parameters"][2]["when"] == {"optimizer": ["sgd", "muon"]}
    assert record["parameters"][3]["when"] == {"optimizer": "sgd"}
    assert Space.from_json(record) == space


def test_no_configurations_are_no_rows() -> None:
    assert NESTED.to_unit([]).shape == (0, len(NESTED))
    assert NESTED.activity([]).shape == (0, len(NESTED))
    assert NESTED.from_unit(np.zeros((0, len(NESTED)))) == []


# -- draws -------------------------------------------------------------------------------------------------------


def test_sample_fulfils_relations_and_repeats_with_its_seed() -> None:
    space = Space(Int("width", 64, 1024, step=64), Int("heads", 1, 16), relations=["width % heads == 0", "heads > 2"])
    drawn = space.sample(200, seed=3)
    assert len(drawn) == 200
    assert all(space.fulfils(c) and not space.check(c).faults for c in drawn)
    assert drawn == space.sample(200, seed=3)
    assert drawn != space.sample(200, seed=4)
    assert {c["heads"] for c in drawn} >= {4, 8, 16}


def test_of_points_that_the_relations_drop_only_what_these_name_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    places = Choice.from_unit
    monkeypatch.setattr(Choice, "from_unit", lambda p, u: made.append(len(u)) or places(p, u))  # type: ignore[func-returns-value]
    space = Space(Float("a", 0, 1), Choice("o", ["x", "y"]), Float("b", 0, 1), relations=["a + b < 0.1"])
    drawn = space.sample(20, seed=0, fewest=0)
    assert len(drawn) == 20
    assert sum(made) < 100
    assert all(list(c) == ["a", "o", "b"] and c["a"] + c["b"] < 0.1 for c in drawn)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_sample_gives_as_many_as_asked(n: int) -> None:
    assert len(NESTED.sample(n, seed=0)) == n


def test_sample_spreads_over_every_parameter() -> None:
    drawn = NESTED.sample(256, seed=1)
    assert {c["optimizer"] for c in drawn} == {"adamw", "sgd", "muon"}
    assert {c["depth"] for c in drawn} == set(range(1, 9))
    counts, _ = np.histogram([np.log10(c["lr"]) for c in drawn], bins=8, range=(-5, -1))
    assert counts.min() > 256 / 8 * 0.7
    assert 0 < sum("decay" in c for c in drawn) < 256


def test_relations_that_nothing_fulfils_are_an_error() -> None:
    with pytest.raises(SpaceError, match="only 0 of the configurations") as caught:
        Space(Float("a", 0, 1), relations=["a > 1"]).sample(1, seed=0)
    assert "loosen" in caught.value.hint


def test_where_the_relations_leave_little_fewer_will_do():
    tight = Space(Float("a", 0, 1), Float("b", 0, 1), relations=["a <= 0.0001 * b"])
    found = tight.sample(2000, seed=0, fewest=1)
    assert 1 <= len(found) < 2000
    assert all(tight.fulfils(c) for c in found)
    with pytest.raises(SpaceError, match=f"only {len(found)} of the configurations"):
        tight.sample(2000, seed=0)
    assert Space(Float("a", 0, 1), relations=["a > 1"]).sample(1, seed=0, fewest=0) == []


def test_numpys_numbers_and_texts_are_pythons() -> None:
    space = Space(
        Float("lr", np.float64(1e-5), np.float32(0.125), log=True, default=np.float32(0.5**10)),
        Int("width", np.int64(16), np.int32(512), step=np.int64(16), default=np.int64(64)),
        Choice("act", list(np.array(["relu", "gelu"])), default=np.str_("relu")),
        Choice("k", list(np.array([1, 2, 4]))),
        Choice("bias", list(np.array([True, False])), when={"act": np.array(["gelu"])[0]}),
        held={"k": np.int64(2)},
    )
    plain = Space(
        Float("lr", 1e-5, 0.125, log=True, default=0.5**10),
        Int("width", 16, 512, step=16, default=64),
        Choice("act", ["relu", "gelu"], default="relu"),
        Choice("k", [1, 2, 4]),
        Choice("bias", [True, False], when={"act": "gelu"}),
        held={"k": 2},
    )
    assert json.dumps(space.to_json()) == json.dumps(plain.to_json())
    config = {"lr": 0.25**3, "width": 64, "act": "gelu", "k": 2, "bias": False}
    kinds = (np.float32, np.int64, np.str_, np.int64, np.bool_)
    checked = space.check({name: kind(config[name]) for name, kind in zip(config, kinds, strict=True)})
    assert (checked.objections(), json.dumps(checked.config)) == ([], json.dumps(config))
    assert space.check(config).config == config
    assert "act" in space.check({**config, "act": np.str_("tanh")}).objections()[0]
