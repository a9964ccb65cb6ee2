"""The grammar that holds the local model to a JSON schema, bounds of numbers included.

Of the ways that xllamacpp offers, only LLGuidance over `grammar` enforces the bounds of floats. Its limits, measured:
a float without `multipleOf` may run on digit by digit until the reply is cut; `multipleOf` below 1e-10 is refused;
together with a negative bound it leaves no number at all; and a grammar that is refused is ignored without a word to
the client. So each float gets a step here, or 100 to 1000 levels if it may be negative (without an upper or a lower
bound neither is possible), and the caller must look for a refusal in the server's log.
"""

import copy
import json
import math
from typing import Any

from tunewright.llm.base import ToolSpec

REFUSAL = "llg error: "
"""How the server's log begins its reason when a grammar could not be built or followed."""

_FINEST_EXPONENT = -10
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties")


def grammar_for(schema: dict[str, Any]) -> str:
    """Return the grammar (LLGuidance text) of the replies that follow `schema`."""
    import xllamacpp

    prepared = with_steps(schema)
    prepared["x-guidance"] = _COMPACT
    return str(xllamacpp.json_schema_to_grammar(json.dumps(prepared)))


def tools_schema(tools: tuple[ToolSpec, ...]) -> dict[str, Any]:
    """Return the schema of a reply that is either `{"tool": name, "arguments": {...}}` or `{"reply": text}`."""

    def record(properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    calls = [record({"tool": {"const": tool.name}, "arguments": tool.parameters}) for tool in tools]
    return {"anyOf": [*calls, record({"reply": {"type": "string"}})]}


def with_steps(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of `schema` in which every float has a step that keeps it short and leaves its scale reachable."""
    schema = copy.deepcopy(schema)
    _walk(schema)
    return schema


def float_step(low: float | None, high: float | None) -> float | None:
    """Return the `multipleOf` of a float between two bounds, a power of ten; None if 1e-10, the finest, is too coarse.

    At least a thousandth of the range and, if the range does not cross zero, a hundredth of its bound nearest to
    zero, rounded down to a power of ten: a learning rate in [1e-5, 0.1] gets 1e-7 and can be 1.25e-05 as well as 1e-4.
    Of [1e-12, 1] the part below 1e-10 stays out of reach.
    """
    low, high = low if low is not None else 0.0, high if high is not None else 1.0
    exponents = [-4]
    if high > low:
        exponents = [math.floor(math.log10(high - low)) - 3]
    if low > 0:
        exponents.append(math.floor(math.log10(low)) - 2)
    step = float(f"1e{max(min(exponents), _FINEST_EXPONENT)}")
    return step if step < high - low or high <= low else None


def _levels(low: float, high: float) -> list[Any]:
    """The bounds and the 100 to 1000 round numbers between them."""
    exponent = math.floor(math.log10(high - low)) - 2
    first, last = math.ceil(low / 10.0**exponent), math.floor(high / 10.0**exponent)
    return sorted({low, high} | {round(index * 10.0**exponent, -exponent) for index in range(first, last + 1)})


def _walk(schema: Any) -> None:
    if not isinstance(schema, dict):
        return
    _add_step(schema)
    for key in _MAPS:
        if isinstance(schema.get(key), dict):
            for inner in schema[key].values():
                _walk(inner)
    for key in _LISTS:
        for inner in schema.get(key) or []:
            _walk(inner)
    for key in _SINGLES:
        _walk(schema.get(key))


def _add_step(schema: dict[str, Any]) -> None:
    kinds = schema.get("type")
    if "number" not in (kinds if isinstance(kinds, list) else [kinds]) or "enum" in schema or "const" in schema:
        return
    low = _bound(schema, "minimum", "exclusiveMinimum")
    high = _bound(schema, "maximum", "exclusiveMaximum")
    if low is not None and low == high:
        for key in ("type", "minimum", "maximum", "multipleOf"):
            schema.pop(key, None)
        schema["enum"] = [low, None] if isinstance(kinds, list) and "null" in kinds else [low]
    elif low is not None and low < 0 and high is not None:
        # With a step no negative number could be said; without one the digits may run on.
        for key in ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
            schema.pop(key, None)
        schema["enum"] = _levels(low, high) + ([None] if isinstance(kinds, list) and "null" in kinds else [])
    elif low is None or low < 0:
        schema.pop("multipleOf", None)
    elif "multipleOf" not in schema and (step := float_step(low, high)) is not None:
        schema["multipleOf"] = step


def _bound(schema: dict[str, Any], *keys: str) -> float | None:
    values = [schema[key] for key in keys if isinstance(schema.get(key), int | float)]
    return float(values[0]) if values else None
