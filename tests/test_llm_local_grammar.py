"""Steps for floats, and what is left alone."""

from typing import Any

import pytest

from tunewright.llm.base import ToolSpec
from tunewright.llm.local_grammar import float_step, tools_schema, with_steps


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [
        (1e-5, 0.1, 1e-7),
        (1e-6, 10, 1e-8),
        (0.5, 0.99, 1e-4),
        (0.0, 1.0, 1e-3),
        (0.0, 1e-3, 1e-6),
        (100.0, 5000.0, 1.0),
        (10.0, 10.5, 1e-4),
        (1e-12, 1.0, 1e-10),
        (1e-13, 1e-11, None),
        (None, None, 1e-3),
        (0.0, None, 1e-3),
        (5.0, None, 1e-4),
    ],
)
def test_steps(low: float | None, high: float | None, step: float | None) -> None:
    assert float_step(low, high) == step


def test_1e_4_is_reachable_on_the_scale_of_a_learning_rate() -> None:
    step = float_step(1e-5, 1e-1)
    assert step is not None
    for value in (1e-5, 1e-4, 1.25e-5, 3e-4, 0.1):
        assert value / step == pytest.approx(round(value / step))


def test_every_float_of_a_nested_schema_gets_one_and_the_original_none() -> None:
    number = {"type": "number", "minimum": 0.5, "maximum": 0.99}
    schema = {
        "type": "object",
        "$defs": {"d": {"properties": {"x": dict(number)}}},
        "properties": {
            "plain": dict(number),
            "nullable": {"type": ["number", "null"], "minimum": 0.5, "maximum": 0.99},
            "either": {"anyOf": [dict(number), {"type": "null"}]},
            "list": {"type": "array", "items": dict(number)},
            "own": number | {"multipleOf": 0.01},
            "type": {"type": "integer", "minimum": 1, "maximum": 9},
            "choice": {"enum": [0.1, 0.2]},
        },
    }
    done = with_steps(schema)
    properties: dict[str, Any] = done["properties"]
    assert properties["plain"]["multipleOf"] == 1e-4
    assert properties["nullable"]["multipleOf"] == 1e-4
    assert properties["either"]["anyOf"][0]["multipleOf"] == 1e-4
    assert properties["list"]["items"]["multipleOf"] == 1e-4
    assert done["$defs"]["d"]["properties"]["x"]["multipleOf"] == 1e-4
    assert properties["own"]["multipleOf"] == 0.01
    assert properties["type"] == {"type": "integer", "minimum": 1, "maximum": 9}
    assert properties["choice"] == {"enum": [0.1, 0.2]}
    assert "multipleOf" not in str(schema["properties"]["plain"])  # type: ignore[index]


def test_floats_that_may_be_negative_become_levels() -> None:
    done = with_steps({"type": ["number", "null"], "minimum": -1, "maximum": 1})
    assert set(done) == {"enum"}
    assert {-1.0, -0.99, 0.0, 0.5, 1.0, None} <= set(done["enum"])
    assert 100 <= len(done["enum"]) <= 1001
    levels = with_steps({"type": "number", "minimum": -5.123, "maximum": -1})["enum"]
    assert levels[0] == -5.123
    assert levels[-1] == -1.0
    assert levels == sorted(levels)


def test_a_single_value_and_an_open_range() -> None:
    assert with_steps({"type": "number", "minimum": 0.1, "maximum": 0.1}) == {"enum": [0.1]}
    assert with_steps({"type": "number", "maximum": 3}) == {"type": "number", "maximum": 3}


def test_tools_become_one_choice_of_records() -> None:
    parameters = {"type": "object", "properties": {"n": {"type": "integer"}}}
    call, reply = tools_schema((ToolSpec("run_trials", "run", parameters),))["anyOf"]
    assert call["properties"] == {"tool": {"const": "run_trials"}, "arguments": parameters}
    assert reply["properties"] == {"reply": {"type": "string"}}
