"""The JSON schema that a structured reply should follow, made from the space."""

from typing import Any

from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.space import Space


def _value(p: Parameter) -> dict[str, Any]:
    match p:
        case Choice():
            return {"enum": list(p.choices)}
        case Int(rounding="power_of_two"):
            return {"enum": sorted({p.round(2**k) for k in range(p.low.bit_length() - 1, p.high.bit_length() + 1)})}
        case Int():
            return {"type": "integer", "minimum": p.low, "maximum": p.high}
        case Float():
            return {"type": "number", "minimum": p.low, "maximum": p.high}
    raise AssertionError(p)


def config_schema(space: Space) -> dict[str, Any]:
    """One configuration; a parameter that can be inactive may be null, which means absent."""
    properties: dict[str, Any] = {}
    for p in space:
        value = {"enum": list(space.held[p.name].values)} if p.name in space.held else _value(p)
        properties[p.name] = {"anyOf": [value, {"type": "null"}]} if p.when else value
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def reply_schema(space: Space, n: int, *, prior: bool, rationale: bool) -> dict[str, Any]:
    """A reply with n configurations.

    Args:
        prior: also a `{guess, low, high}` (80% interval) for each numeric parameter.
        rationale: also one line of reason for each configuration.
    """
    item: dict[str, Any] = {"config": config_schema(space)}
    if rationale:
        item = {"rationale": {"type": "string"}, **item}
    proposals = {
        "type": "array",
        "minItems": n,
        "maxItems": n,
        "items": {"type": "object", "properties": item, "required": list(item), "additionalProperties": False},
    }
    properties: dict[str, Any] = {"proposals": proposals}
    if prior:
        stated = {
            p.name: {
                "type": "object",
                "properties": {
                    key: {"type": "number", "minimum": p.low, "maximum": p.high}  # type: ignore[attr-defined]
                    for key in ("guess", "low", "high")
                },
                "required": ["guess", "low", "high"],
                "additionalProperties": False,
            }
            for p in space
            if not isinstance(p, Choice)
        }
        properties["prior"] = {"type": "object", "properties": stated, "required": [], "additionalProperties": False}
    return {"type": "object", "properties": properties, "required": ["proposals"], "additionalProperties": False}
