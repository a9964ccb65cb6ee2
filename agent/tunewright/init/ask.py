"""Ask a model, once, for ranges, scales and descriptions of a script's options; check each before it is used."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from tunewright.errors import ModelError
from tunewright.init.ranges import Scale, Suggestion
from tunewright.init.reading import LARGEST, Option, ScriptReading, one_line
from tunewright.llm.base import Chat, Message, Reply, Request
from tunewright.parameters import Scalar
from tunewright.render import render

MOST_ASKED = 60
_SCALES: tuple[Scale, ...] = ("linear", "log", "logit")
_DEADLINE_S = 120.0
_FAR = 1e4  # how many times the default a bound may be
_LONGEST_ABOUT = 160
_MOST_CHOICES = 30


@dataclass(frozen=True)
class Answer:
    """What a model said of the options, checked."""

    model: str
    ranges: dict[str, Suggestion] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    """Each suggestion that cannot be used, with the reason."""
    error: str = ""
    """Why no reply came; empty where one did."""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    prompt: str = ""


def ask(reading: ScriptReading, options: Sequence[Option], chat: Chat, goal: str) -> Answer:
    """One request about these options (the first 60 of them); a reply that does not come is told in `error`.

    A small model (not `trusted_tools`) is asked for ranges alone: it copies the question's words as descriptions.
    """
    describe = chat.trusted_tools
    asked = [option for option in options if describe or _numeric(option)][:MOST_ASKED]
    rendered = render(
        "ranges",
        script=PurePath(reading.path).name,
        goal=goal,
        description=reading.description,
        options=[_told(option) for option in asked],
        describe=describe,
    )
    request = Request(
        messages=(Message("system", render("system").text), Message("user", rendered.text)),
        schema=_schema(asked, describe),
        max_tokens=200 + 90 * len(asked),
        temperature=0.2,
        seed=0,
        deadline_s=_DEADLINE_S,
        purpose="first_round",
    )
    try:
        reply = chat.complete(request)
    except ModelError as e:
        return Answer(chat.name, error=one_line(str(e)), prompt=rendered.text)
    return _answer(chat.name, asked, reply, rendered.text, describe)


def _told(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "kind": {"int": "a whole number", "float": "a number", "bool": "true or false", "text": "text"}[option.kind],
        "default": _short(option.default),
        "help": option.help,
        "choices": [_short(choice) for choice in option.choices[:_MOST_CHOICES]],
        "low": option.low,
        "high": option.high,
    }


def _short(value: Scalar | None) -> Scalar | None:
    return one_line(value, 80) if isinstance(value, str) else value


def _numeric(option: Option) -> bool:
    return option.kind in ("int", "float") and not option.choices


def _schema(options: Sequence[Option], describe: bool) -> dict[str, Any]:
    properties = {}
    for option in options:
        fields: dict[str, Any] = {}
        if _numeric(option):
            number: dict[str, Any] = {"type": "integer" if option.kind == "int" else "number"}
            if isinstance(option.default, int | float) and option.default > 0:
                number |= {"minimum": 0, "maximum": math.ceil(option.default * _FAR)}
            fields = {"low": number, "high": number, "scale": {"enum": list(_SCALES)}}
        if describe:
            fields["about"] = {"type": "string", "maxLength": _LONGEST_ABOUT}
        properties[option.name] = _object(fields)
    return _object({"parameters": _object(properties)})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _answer(model: str, options: Sequence[Option], reply: Reply, prompt: str, describe: bool) -> Answer:
    said = reply.data.get("parameters") if isinstance(reply.data, dict) else None
    ranges: dict[str, Suggestion] = {}
    about: dict[str, str] = {}
    refused: list[str] = []
    if not isinstance(said, dict):
        refused.append("the reply does not have the shape that was asked for")
        said = {}
    known = {option.name: option for option in options}
    for name in [name for name in said if name not in known][:MOST_ASKED]:
        refused.append(f"{one_line(name, 40)}: the script has no such option, or it is not tuned")
    for name, option in known.items():
        item = said.get(name)
        if not isinstance(item, dict):
            continue
        if describe and isinstance(item.get("about"), str) and item["about"].strip():
            about[name] = one_line(item["about"], _LONGEST_ABOUT)
        if _numeric(option):
            fault = fault_of(option, item)
            if fault:
                refused.append(f"{name}: {fault}")
            else:
                ranges[name] = Suggestion(item["low"], item["high"], item["scale"], model)
    return Answer(
        model,
        ranges,
        about,
        tuple(refused),
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        seconds=reply.seconds,
        cost_usd=reply.cost_usd,
        prompt=prompt,
    )


def fault_of(option: Option, item: dict[str, Any]) -> str:
    """Why a proposed range cannot be used; empty where it can. Nothing of it is moved to make it fit."""
    low, high, scale, default = item.get("low"), item.get("high"), item.get("scale"), option.default
    for key, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
            return f"{key} is {one_line(str(value), 40)!r}, not a number that can be searched"
        if option.kind == "int" and int(value) != value:
            return f"{key} {value!r} is not a whole number"
    if scale not in _SCALES:
        return f"scale is {one_line(repr(scale), 40)}, not {', '.join(_SCALES)}"
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if not low < high:
        return f"low {low!r} is not below high {high!r}"
    if isinstance(default, int | float) and not low <= default <= high:
        return f"{low!r} to {high!r} does not hold the default {default!r}"
    if scale != "linear" and low <= 0:
        return f"low {low!r} has no place on a {scale} scale"
    if scale == "logit" and (high >= 1 or option.kind == "int"):
        return f"{low!r} to {high!r} has no place on a logit scale"
    if option.low is not None and (low < option.low or (option.low_open and low == option.low)):
        return f"low {low!r} is below what the script takes ({option.low!r})"
    if option.high is not None and (high > option.high or (option.high_open and high == option.high)):
        return f"high {high!r} is above what the script takes ({option.high!r})"
    if isinstance(default, int | float) and default > 0:
        if low < 0:
            return f"low {low!r} is below 0, where the default is {default!r}"
        if high > default * _FAR or (scale == "log" and low < default / _FAR):
            return f"{low!r} to {high!r} is too far from the default {default!r}"
    return ""
