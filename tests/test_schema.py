from toy import space

from tunewright.schema import config_schema, reply_schema
from tunewright.space import Int, Space


def test_bounds_choices_and_grids_are_in_the_schema() -> None:
    properties = config_schema(space())["properties"]
    assert properties["lr"] == {"type": "number", "minimum": 1e-5, "maximum": 1e-1}
    assert properties["optimizer"] == {"enum": ["adamw", "sgd"]}
    assert properties["width"] == {"enum": [16, 32, 64, 128, 256, 512]}


def test_a_parameter_with_a_condition_may_be_null() -> None:
    assert config_schema(space())["properties"]["momentum"]["anyOf"][1] == {"type": "null"}


def test_every_value_of_an_odd_power_of_two_grid_can_run() -> None:
    s = Space(Int("batch", 3, 100, rounding="power_of_two"))
    assert config_schema(s)["properties"]["batch"]["enum"] == [4, 8, 16, 32, 64]
    s = Space(Int("batch", -5, 9, rounding="power_of_two"))
    assert config_schema(s)["properties"]["batch"]["enum"] == [1, 2, 4, 8]


def test_a_lean_reply_has_neither_reasons_nor_a_prior() -> None:
    schema = reply_schema(space(), 1, prior=False, rationale=False)
    assert list(schema["properties"]) == ["proposals"]
    assert list(schema["properties"]["proposals"]["items"]["properties"]) == ["config"]


def test_a_full_reply_asks_a_prior_of_numeric_parameters() -> None:
    schema = reply_schema(space(), 3, prior=True, rationale=True)
    assert schema["properties"]["prior"]["additionalProperties"]["required"] == ["guess", "low", "high"]
    assert schema["properties"]["proposals"]["minItems"] == 3


def test_derived_quantities_and_bounds_are_there_only_when_asked_for() -> None:
    small = reply_schema(space(), 1, prior=False, rationale=False)
    assert "derived" not in small["properties"]
    large = reply_schema(space(), 1, prior=True, rationale=True, derived=True, bounds=False)
    assert large["properties"]["derived"]["additionalProperties"]["additionalProperties"] == {"type": "number"}
    values = large["properties"]["proposals"]["items"]["properties"]["config"]["properties"]
    assert values["lr"] == {"type": "number"}
    assert values["width"] == {"enum": [16, 32, 64, 128, 256, 512]}
    assert values["optimizer"] == {"enum": ["adamw", "sgd"]}
    assert values["momentum"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
