"""JSON out of a model's text: bare, in a fenced block, or with words around it."""

import json
import re
from typing import Any

_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\r?\n?(.*?)```", re.DOTALL)
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)

UNPARSED = "__unparsed__"
"""Key under which the raw text of a tool call's arguments is kept when they are no JSON object."""


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# NaN and Infinity are Python's additions to JSON, and nothing downstream could store them.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def extract_json(text: str, schema: dict[str, Any] | None = None) -> Any:
    """Return the JSON object or array in a reply, or None when there is none that is whole.

    Looked for in this order: the whole text, fenced blocks, then the first place from which an object (or an array,
    if `schema` asks for one) can be read to its end. Nothing is completed or corrected: of a reply that is cut or
    broken in the middle of its JSON, no inner piece is taken. Thoughts are left out: see `without_thoughts`.
    """
    text = without_thoughts(text)
    for block in (text, *_FENCE.findall(text)):
        value = _whole(block)
        if value is not None:
            return value
    opener = "[" if (schema or {}).get("type") == "array" else "{"
    position = text.find(opener)
    while position >= 0:
        try:
            return _DECODER.raw_decode(text, position)[0]
        except json.JSONDecodeError as error:
            # Go on behind the mistake, not behind the bracket: what lies between is a piece of the broken value.
            position = text.find(opener, max(error.pos, position + 1))
        except (ValueError, RecursionError):
            return None
    return None


def without_thoughts(text: str) -> str:
    """The text without what stands between `<think>` tags, where a model drafts answers that it does not give.

    One of the tags may be missing: several chat templates hold the first one themselves, and a reply that was cut has
    no second one.
    """
    said = _THINKING.sub("", text)
    return said.rpartition("</think>")[2].partition("<think>")[0]


def parse_arguments(text: str) -> dict[str, Any]:
    """Return a tool call's arguments; text that is no JSON object is kept as `{"__unparsed__": text}`, not guessed at.

    An empty text means no arguments: several servers send it for functions that take none.
    """
    if not text.strip():
        return {}
    value = _whole(text)
    return value if isinstance(value, dict) else {UNPARSED: text}


def _whole(text: str) -> Any:
    """The value, if the text is one JSON object or array from end to end."""
    stripped = text.strip()
    try:
        value, end = _DECODER.raw_decode(stripped)
    except (ValueError, RecursionError):
        return None
    return value if end == len(stripped) and isinstance(value, dict | list) else None
