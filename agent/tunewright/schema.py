"""The JSON schema that a structured reply should follow, made from the space."""

from typing import Any

from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.space import Space

_NUMBER = {"type": "number"}


def _value(p: Parameter) -> dict[str, Any]:
    match p:
        case Choice():
            return {"enum": list(p.choices)}
        case Int(rounding="power_of_two"):
            return {"enum": list(p.powers)}
        case Int():
            return {"type": "integer", "minimum": p.low, "maximum": p.high}
        case Float():
            return {"type": "number", "minimum": p.low, "maximum": p.high}
    raise AssertionError(p)


def config_schema(space: Space, *, bounds: bool = True) -> dict[str, Any]:
    """One configuration; a parameter that can be inactive may be null, which means absent.

    Args:
        bounds: with the bounds of numbers; the prompt states them too, and every value is checked.
    """
    properties: dict[str, Any] = {}
    for p in space:
        value = {"enum": list(space.held[p.name].values)} if p.name in space.held else _value(p)
        if not bounds:
            value = {key: inner for key, inner in value.items() if key not in ("minimum", "maximum")}
        properties[p.name] = {"anyOf": [value, {"type": "null"}]} if p.when else value
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def reply_schema(
    space: Space, n: int, *, prior: bool, rationale: bool, derived: bool = False, bounds: bool = True
) -> dict[str, Any]:
    """A reply with n configurations.

    Args:
        prior: also a `{guess, low, high}` (80% interval) for each numeric parameter.
        rationale: also one line of reason for each configuration.
        derived: also products of powers of parameters, {name: {parameter: power}}.
        bounds: see `config_schema`.
    """
    item: dict[str, Any] = {"config": config_schema(space, bounds=bounds)}
    if rationale:
        item = {"rationale": {"type": "string"}, **item}
    proposals = {
        "type": "array",
        "minItems": n,
        "maxItems": n,
        "items": {"type": "object", "properties": item, "required": list(item), "additionalProperties": False},
    }
    properties: dict[str, Any] = {"proposals": proposals}
    # names and bounds of these two are checked when the reply is read: here they would double the tokens
    if prior:
        one = {"type": "object", "additionalProperties": _NUMBER, "required": ["guess", "low", "high"]}
        properties["prior"] = {"type": "object", "additionalProperties": one}
    if derived:
        powers = {"type": "object", "additionalProperties": _NUMBER}
        properties["derived"] = {"type": "object", "additionalProperties": powers}
    return {"type": "object", "properties": properties, "required": ["proposals"], "additionalProperties": False}
