"""Single parameters: bounds that cannot be, values, rounding, the unit interval, 10,000 draws of each kind."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.errors import SpaceError
from tunewright.parameters import Choice, Float, Int, Parameter, parameter_from_json

few = settings(max_examples=60, deadline=None)


def make(kind: type[Parameter], *args: Any, **fields: Any) -> Parameter:
    return kind("x", *args, **fields)


# -- what cannot be ----------------------------------------------------------------------------------------------

IMPOSSIBLE = [
    (Float, (0, 1), {"log": True}, "log: true and low 0"),
    (Float, (-1, 1), {"log": True}, "log: true and low -1"),
    (Int, (0, 8), {"log": True}, "log: true and low 0"),
    (Float, (2, 1), {}, "low 2 and high 1"),
    (Float, (1, 1), {}, "low 1 and high 1"),
    (Int, (5, 5), {}, "low 5 and high 5"),
    (Float, (math.nan, 1), {}, "not a finite number"),
    (Float, (0, math.inf), {}, "not a finite number"),
    (Float, (-math.inf, 0), {}, "not a finite number"),
    (Float, (False, True), {}, "not a finite number"),
    (Int, (True, 4), {}, "not a finite number"),
    (Float, ("1e-5", 1), {}, "not a finite number"),
    (Float, (None, 1), {}, "not a finite number"),
    (Float, (0, 10**400), {}, "beyond 1e+300"),
    (Float, (-1.7e308, 1.7e308), {}, "beyond 1e+300"),
    (Int, (0, 10**400), {}, "beyond 1e+13"),
    (Int, (-(10**18), 0), {}, "beyond 1e+13"),
    (Float, (2**53, 2**53 + 1), {}, "equal bounds"),
    (Int, (0.5, 4), {}, "not a whole number"),
    (Int, (0, 4), {"step": 1.5}, "not a whole number"),
    (Float, (0, 1), {"default": 2}, "default 2 of 'x' is outside"),
    (Float, (0, 1), {"default": True}, "default True"),
    (Float, (0, 1), {"default": math.nan}, "default nan"),
    (Int, (0, 4), {"default": 10**400}, "outside"),
    (Int, (0, 4), {"default": 1.5}, "not a whole number"),
    (Choice, (["a", "b"],), {"default": "c"}, "default 'c'"),
    (Choice, ([1, 2],), {"default": True}, "default True"),
    (Float, (0, 1), {"step": 0}, "step 0"),
    (Float, (0, 1), {"step": -0.1}, "step -0.1"),
    (Float, (0, 1), {"step": 2}, "step 2"),
    (Float, (0, 1), {"step": True}, "step True"),
    (Float, (0, 1), {"step": 1e-12}, "1e+09 values"),
    (Float, (1, 2), {"step": 0.1, "log": True}, "both log and step"),
    (Float, (0, 0.5), {"logit": True}, "inside|logit: true"),
    (Float, (0.5, 1), {"logit": True}, "logit: true"),
    (Float, (0.1, 0.9), {"logit": True, "log": True}, "beside"),
    (Float, (1e15, 1e15 + 1), {"log": True}, "too close together"),
    (Float, (0.5, 0.5 + 1e-12), {"logit": True}, "too close together"),
    (Float, (1, 2), {"log": "no"}, "log of 'x' is 'no'"),
    (Float, (0.1, 0.2), {"logit": 1}, "logit of 'x' is 1"),
    (Choice, (["a", "b"],), {"ordered": "false"}, "ordered of 'x' is 'false'"),
    (Float, (1, 2), {"about": 3}, "about of 'x' is 3"),
    (Float, (1, 2), {"unit": ["s"]}, "unit of 'x'"),
    (Float, (1, 2), {"when": "sgd"}, "when of 'x' is 'sgd'"),
    (Float, (1, 2), {"when": {"opt": []}}, "no value at all"),
    (Int, (33, 63), {"rounding": "power_of_two"}, "no power of two lies from 33 to 63"),
    (Int, (-8, 0), {"rounding": "power_of_two"}, "no power of two"),
    (Int, (1, 8), {"rounding": "powers"}, "rounding 'powers'"),
    (Int, (1, 8), {"rounding": "power_of_two", "step": 2}, "both rounding and step"),
    (Choice, ("adamw",), {}, "not a list"),
    (Choice, ([],), {}, "two or more"),
    (Choice, (["a"],), {}, "two or more"),
    (Choice, (["a", "a"],), {}, "two or more"),
    (Choice, ([1, 1.0],), {}, "two or more"),
    (Choice, ([True, 2, 1],), {}, "hold True and 1, which are equal in Python"),
    (Choice, (["a", 0.0, False],), {}, "hold False and 0, which are equal in Python"),
    (Choice, ([None, 1],), {}, "not a plain value"),
    (Choice, ([math.nan, 1],), {}, "not a plain value"),
    (Choice, ([[1], [2]],), {}, "not a plain value"),
]


@pytest.mark.parametrize(("kind", "args", "fields", "message"), IMPOSSIBLE)
def test_impossible_parameters_are_refused(
    kind: type[Parameter], args: tuple[Any, ...], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpaceError, match=message.replace("+", r"\+")) as caught:
        make(kind, *args, **fields)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["", "a b", "a-b", "1a", 3, None, "x\n"])
def test_names_are_identifiers(name: Any) -> None:
    with pytest.raises(SpaceError, match="not an identifier"):
        Float(name, 0, 1)


@pytest.mark.parametrize("value", [True, "0.5", None, math.nan, math.inf, [0.5], 1.5, -0.1, 10**400])
def test_values_that_a_float_refuses(value: Any) -> None:
    assert Float("x", 0, 1).fault(value)


@pytest.mark.parametrize("value", [True, "3", None, math.nan, 2.5, 9, -(10**400), {}])
def test_values_that_an_int_refuses(value: Any) -> None:
    assert Int("x", 0, 8).fault(value)


@pytest.mark.parametrize("value", [True, 1.5, "1", None, [1], {}, math.nan])
def test_values_that_a_choice_refuses(value: Any) -> None:
    assert Choice("x", [1, 2]).fault(value)


def test_true_is_not_one_in_a_choice() -> None:
    mixed = Choice("x", [True, 2, "1"])
    assert [mixed.index(v) for v in (True, 2, 2.0, "1", 1, False)] == [0, 1, 1, 2, None, None]
    assert mixed.round(True) is True


# -- round trips -------------------------------------------------------------------------------------------------


@st.composite
def floats(draw: st.DrawFn) -> Float:
    scale = draw(st.sampled_from(["plain", "log", "logit", "step"]))
    if scale == "log":
        low = 10.0 ** draw(st.floats(-299, 298))
        return Float("x", low, low * draw(st.floats(1 + 1e-6, 100)), log=True)
    if scale == "logit":
        low, high = sorted(draw(st.lists(st.floats(1e-12, 1 - 1e-12), min_size=2, max_size=2)))
        return Float("x", low, max(high, min(low * 1.01 + 1e-9, 1 - 1e-13)), logit=low < 0.98)
    low = draw(st.floats(-1e6, 1e6))
    width = 10.0 ** draw(st.floats(-3, 6))
    if scale == "step":
        high = low + width
        return Float("x", low, high, step=(high - low) / draw(st.floats(1, 5000)))
    return Float("x", low, low + width)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    scale = draw(st.sampled_from(["plain", "log", "step", "power_of_two"]))
    if scale == "plain":
        low = draw(st.integers(-(10**12), 10**12))
        return Int("x", low, low + draw(st.integers(1, 10**12)))
    low = draw(st.integers(1, 10**6))
    if scale == "log":
        return Int("x", low, low + draw(st.integers(1, 10**12)), log=True)
    if scale == "step":
        high = low + draw(st.integers(1, 10**6))
        return Int("x", low, high, step=draw(st.integers(1, high - low)))
    return Int("x", low, 2 * low + draw(st.integers(0, 10**6)), rounding="power_of_two")


scalars = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8))
choices = st.builds(
    lambda values, ordered: Choice("x", values, ordered=ordered),
    st.lists(
        scalars, min_size=2, max_size=8, unique_by=lambda v: (type(v) if isinstance(v, bool | str) else float, str(v))
    ).filter(lambda values: len(set(values)) == len(values)),
    st.booleans(),
)
parameters = st.one_of(floats(), ints(), choices)
units = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)


@few
@given(parameters, units)
def test_every_position_gives_a_value_that_is_accepted_and_tidy(p: Parameter, u: np.ndarray) -> None:
    for value in p.from_unit(np.concatenate([u, [0.0, 1.0]])):
        assert p.fault(value) is None
        assert p.round(value) == value
        assert p.tidy(value) == value
        assert isinstance(p, Choice) or type(value) is (float if isinstance(p, Float) else int)


@few
@given(parameters, units)
def test_value_to_unit_to_value(p: Parameter, u: np.ndarray) -> None:
    values = p.from_unit(u)
    back = p.to_unit(values)
    assert back.shape == u.shape
    assert ((back >= 0) & (back <= 1)).all()
    again = p.from_unit(back)
    if isinstance(p, Float) and p.step is None:
        assert np.abs(p.to_unit(again) - back).max() < 1e-3  # rounding errors may move the last of the four digits
    else:
        assert again == values


@few
@given(parameters, units)
def test_unit_to_value_to_unit_stays_in_its_cell(p: Parameter, u: np.ndarray) -> None:
    gap = np.abs(p.to_unit(p.from_unit(u)) - u).max()
    match p:
        case Float(step=None):
            assert gap < 1e-3  # four digits of the range
        case Float():
            assert gap <= 0.5 / p._grid() + 1e-9
        case Int(rounding="power_of_two"):
            assert gap <= 0.5 / len(p.powers) + 1e-9
        case Int(log=True):
            widest = math.log((p.low + 0.5) / (p.low - 0.5)) / math.log((p.high + 0.5) / (p.low - 0.5))
            assert gap <= widest
        case Int():
            assert gap <= 0.5 / ((p.high - p.low) // (p.step or 1) + 1) + 1e-9
        case Choice():
            assert gap <= 0.5 / len(p.choices) + 1e-9
        case _:
            raise AssertionError(p)


@few
@given(parameters)
def test_json_gives_an_equal_parameter(p: Parameter) -> None:
    again = parameter_from_json(json.loads(json.dumps(p.to_json())))
    assert again == p
    assert again.to_json() == p.to_json()


@few
@given(parameters)
def test_start_is_the_default_or_the_middle(p: Parameter) -> None:
    assert p.assumed
    assert p.fault(p.start) is None
    stated = dataclasses.replace(p, default=p.start)  # type: ignore[type-var]
    assert stated.start == p.start
    assert not stated.assumed


@few
@given(floats() | ints(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_rounding_a_value_between_the_bounds_stays_between_them(p: Any, shares: list[float]) -> None:
    for share in shares:
        value: float = min(max(p.low + share * (p.high - p.low), p.low), p.high)
        value = round(value) if isinstance(p, Int) else value
        assert p.fault(value) is None
        assert p.low <= p.round(value) <= p.high
        assert p.round(p.round(value)) == p.round(value)
        assert p.tidy(p.tidy(value)) == p.tidy(value)
        assert 0 <= p.to_unit([value])[0] <= 1  # also a value off the grid


# -- known cases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "value", "tidy"),
    [
        (Float("x", 1e-5, 0.1, log=True), 0.00123456789, 0.0012346),
        (Float("x", 0, 1), 0.123456789, 0.1235),
        (Float("x", 1e6, 1e9, log=True), 12345678.9, 12346000.0),
        (Float("x", 0.5, 0.999999, logit=True), 0.99912345678, 0.9991235),
        (Float("x", -3, 3), -1.23456789, -1.235),
        (Float("x", 0, 1, step=0.1), 0.30000000000000004, 0.3),
        (Float("x", 0.12345678, 1), 0.12345678, 0.1235),
    ],
)
def test_tidy_keeps_four_digits_of_the_scale(p: Float, value: float, tidy: float) -> None:
    assert p.tidy(value) == tidy


@pytest.mark.parametrize(
    "p",
    [
        Float("x", 1000, 1000.001),
        Float("x", 1000, 1000.001, log=True),
        Float("x", 1e-300, 1e300, log=True),
        Float("x", 1e-12, 1 - 1e-12, logit=True),
        Float("x", 0.5, 0.5001, logit=True),
        Float("x", 0.999999, 0.9999999, logit=True),
        Float("x", -1000.001, -1000),
        Float("x", -1e300, 1e300),
        Float("x", 5e-324, 1, log=True),
    ],
)
def test_odd_ranges_keep_a_thousand_values_apart(p: Float) -> None:
    values = p.from_unit(np.linspace(0, 1, 1000))
    assert len(set(values)) > 900
    assert sorted(values) == values
    assert all(p.fault(v) is None for v in values)


@pytest.mark.parametrize(
    "p",
    [
        Float("x", 1e-5, 0.1, log=True),
        Float("x", 1e-12, 1e12, log=True),
        Float("x", 2e-4, 2e-2, log=True),
        Float("x", 5e-324, 1.0, log=True),
        Float("x", 1e-6, 1 - 1e-6, logit=True),
        Float("x", 0, 0.3),
        Float("x", -1, 0),
        Float("x", -0.0, 0.25),
        Float("x", 0, 20_000),
        Float("x", 1e12, 1e12 + 1),
        Float("x", 0, 1e300),
        Float("x", 0, 2e-20),
        Float("x", -math.pi, math.e),
    ],
    ids=repr,
)
def test_many_values_at_once_are_tidied_as_one_by_one_to_the_last_bit(p: Float) -> None:
    drawn = np.array(p.from_unit(np.random.default_rng(0).random(2000)))
    distance = np.minimum(drawn, 1 - drawn) if p.logit else drawn if p.log else np.full(2000, p.high - p.low)
    with np.errstate(divide="ignore", over="ignore"):
        half = drawn + 0.5 * 10.0 ** np.floor(np.log10(np.minimum(distance, p.high - p.low) / 2e3))
    ties = [half, np.nextafter(half, -np.inf), np.nextafter(half, np.inf)]
    powers = np.concatenate([10.0 ** np.arange(-12, 13), 2 * 10.0 ** np.arange(-12, 13)])
    x = np.clip(np.concatenate([drawn, drawn * 1.000001, *ties, powers]), p.low, p.high)
    assert list(map(repr, p._tidied(x).tolist())) == list(map(repr, map(p.tidy, x.tolist())))


def test_a_step_grid_stays_inside_bounds_that_it_does_not_meet() -> None:
    assert Float("x", 0, 1, step=0.3).from_unit(np.array([0.0, 0.3, 0.6, 1.0])) == [0.0, 0.3, 0.6, 0.9]
    off = Float("x", 0, 1, step=0.6)
    assert off.round(1.0) == 0.6
    assert off.to_unit([1.0]) == off.to_unit([0.6])
    short = Float("x", 0, 0.29999999999, step=0.1)  # the last value of the grid lies a rounding error above the bound
    assert all(short.fault(v) is None for v in short.from_unit(np.linspace(0, 1, 50)))
    crooked = Float("x", 0.12345672, 1, step=0.1)
    assert crooked.round(0.12345672) >= crooked.low


def test_powers_of_two() -> None:
    p = Int("x", 5, 600, rounding="power_of_two")
    assert [p.round(v) for v in (5, 8, 11, 12, 100, 600)] == [8, 8, 8, 16, 128, 512]
    assert ((p.to_unit([5, 600]) > 0) & (p.to_unit([5, 600]) < 1)).all()
    assert Int("x", 64, 64 + 1, rounding="power_of_two").from_unit(np.array([0.0, 1.0])) == [64, 64]


def test_positions_beyond_the_unit_interval_are_its_ends() -> None:
    for p in (Float("x", 1, 2), Int("x", 1, 4), Int("x", 1, 4, log=True), Choice("x", ["a", "b"])):
        assert p.from_unit(np.array([-0.1, 1.1])) == p.from_unit(np.array([0.0, 1.0]))


def test_start_of_a_choice() -> None:
    assert Choice("x", ["a", "b", "c"]).start == "a"
    assert Choice("x", [1, 2, 3], ordered=True).start == 2
    assert Choice("x", [False, True], default=False).start is False
    assert not Choice("x", [False, True], default=False).assumed


# -- ten thousand draws ------------------------------------------------------------------------------------------

N = 10_000
DRAWS = np.random.default_rng(7).random(N)


@pytest.mark.parametrize(
    ("p", "scale"),
    [
        (Float("x", -2, 3), lambda v: (v + 2) / 5),
        (Float("x", 1e-5, 0.1, log=True), lambda v: np.log(v / 1e-5) / np.log(1e4)),
        (Float("x", 0.01, 0.999, logit=True), None),
        (Float("x", 0, 1, step=0.01), None),
        (Int("x", -1000, 1000), lambda v: (v + 1000.5) / 2001),
        (Int("x", 100, 10**6, log=True), lambda v: np.log(v / 100) / np.log(1e4)),
    ],
)
def test_draws_are_uniform_on_the_scale(p: Any, scale: Any) -> None:
    values = p.from_unit(DRAWS)
    assert all(p.fault(v) is None for v in values)
    x = np.array(values)
    if scale is None:
        scale = (lambda v: v) if p.step else (lambda v: (_logit(v) - _logit(0.01)) / (_logit(0.999) - _logit(0.01)))
    counts, _ = np.histogram(np.clip(scale(x), 0, 1), bins=10, range=(0, 1))
    assert (np.abs(counts / N - 0.1) < 0.02).all()


def _logit(v: Any) -> Any:
    return np.log(v) - np.log1p(-v)


@pytest.mark.parametrize(
    ("p", "grid"),
    [
        (Float("x", 0.1, 0.9, step=0.1), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        (Float("x", -1, 1, step=0.3), [-1, -0.7, -0.4, -0.1, 0.2, 0.5, 0.8]),
        (Int("x", -3, 3), list(range(-3, 4))),
        (Int("x", 8, 50, step=8), [8, 16, 24, 32, 40, 48]),
        (Int("x", 3, 300, rounding="power_of_two"), [4, 8, 16, 32, 64, 128, 256]),
        (Int("x", 0, 9, rounding="power_of_two"), [1, 2, 4, 8]),
        (Choice("x", ["a", "b", 3, True]), ["a", "b", 3, True]),
        (Choice("x", [1, 2, 4, 8, 100], ordered=True), [1, 2, 4, 8, 100]),
    ],
)
def test_draws_reach_every_value_of_a_grid_about_equally(p: Parameter, grid: list[Any]) -> None:
    values = p.from_unit(DRAWS)
    counts = [sum(v is g or (v == g and type(v) is type(p.round(g))) for v in values) for g in grid]
    assert sum(counts) == N
    assert all(abs(c / N - 1 / len(grid)) < 0.02 for c in counts)


def test_draws_of_a_log_int_reach_every_value_as_the_scale_says() -> None:
    p = Int("x", 1, 16, log=True)
    values = np.array(p.from_unit(DRAWS))
    for k in range(1, 17):
        expected = math.log((k + 0.5) / (k - 0.5)) / math.log(16.5 / 0.5)
        assert abs((values == k).mean() - expected) < 0.02
        assert (values == k).any()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"name": "a", "type": "floatt", "low": 0, "high": 1}, "type 'floatt'"),
        ({"name": "a", "low": 0, "high": 1}, "no type"),
        ({"name": "a", "type": ["float"]}, r"type \['float'\]"),
        ({"name": "a", "type": "float", "low": 0}, "no 'high'"),
        ({"name": "a", "type": "choice"}, "no 'choices'"),
        ({"name": "a", "type": "float", "low": 0, "high": 1, "lgo": True}, "a key 'lgo'"),
        ({"name": "a", "type": "float", "low": 0, "high": 1, 3: True}, "a key 3"),
        ({"type": "float", "low": 0, "high": 1}, "name None"),
        ("a", "not a mapping"),
        (None, "not a mapping"),
    ],
)
def test_broken_parameter_records_are_refused(record: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as caught:
        parameter_from_json(record)
    assert caught.value.hint


def test_a_near_miss_is_named() -> None:
    with pytest.raises(SpaceError, match="did you mean 'float'"):
        parameter_from_json({"name": "a", "type": "floatt", "low": 0, "high": 1})
    with pytest.raises(SpaceError, match="did you mean 'default'"):
        parameter_from_json({"name": "a", "type": "float", "low": 0, "high": 1, "default_": 1})


@pytest.mark.parametrize(
    ("written", "place", "said", "hint"),
    [
        ({"name": "lr", "typ": "float"}, ("typ",), "parameter 'lr' has a key 'typ'", "did you mean 'type'?"),
        ({"name_": "n", "type": "int"}, ("name_",), "a parameter has a key 'name_'", "did you mean 'name'?"),
        ({"name": "lr"}, ("type",), "parameter 'lr' has no type", "the types are float, int, choice"),
    ],
)
def test_a_misspelt_name_or_type_of_a_parameter_is_named(
    written: dict[str, Any], place: tuple[str, ...], said: str, hint: str
) -> None:
    with pytest.raises(SpaceError) as e:
        parameter_from_json({**written, "low": 1, "high": 9})
    assert (e.value.path, e.value.message) == (place, said)
    assert e.value.hint.startswith(hint)
