"""Slash commands: `/run_trials 12 workers=2` to a verb and its arguments, made from the verbs' argument models."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from tunewright.errors import did_you_mean
from tunewright.llm.base import ToolSpec
from tunewright.verbs.base import VERBS, accepts, tool_specs
from tunewright.verbs.faults import WrongCall, fault

SHORT = {
    "run": "run_trials",
    "stop": "stop_run",
    "cost": "estimate_cost",
    "best": "show_best",
    "study": "show_study",
    "trial": "show_trial",
    "curve": "show_curve",
    "log": "show_log",
    "why": "why_trial",
    "compare": "compare_trials",
    "importance": "parameter_importance",
    "studies": "list_studies",
    "use": "use_study",
    "rename": "rename_study",
    "delete": "delete_study",
    "rerun": "rerun_trial",
    "budget": "extend_budget",
    "constraint": "add_constraint",
    "drop": "drop_constraint",
    "setup": "set_up_study",
    "look": "look_at_script",
    "enqueue": "enqueue_trial",
    "wait": "wait_for_run",
    "scale": "scaling_rule",
}
OWN = {"help": "what can be said here; /help VERB for one of them", "quit": "leave; runs end with the session"}
"""Commands that are no verbs."""


def commands() -> list[str]:
    """Every command, without its slash; short names first."""
    return [*OWN, *SHORT, "show", *VERBS]


def parse(line: str) -> tuple[str, dict[str, Any]]:
    """The verb and the unchecked arguments of a slash command.

    Values stand in the order of the verb's arguments, needed ones first, or as `name=value`; text is quoted as in a
    shell where it holds spaces.

    Raises:
        WrongCall: no such command, an unpaired quote, or more values than arguments.
    """
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    if name.lower() == "quit":
        raise WrongCall(name, [fault("command", line.strip(), "it stands alone: /quit")], "leave out the rest")
    try:
        words = shlex.split(rest)
    except ValueError as e:
        raise WrongCall(name, [fault("line", rest, f"quotes in pairs ({e})")]) from None
    spec = _spec(_verb_of(name, words))
    return spec.name, _arguments(spec, words, rest.strip())


def written(verb: str, arguments: Mapping[str, Any]) -> str:
    """The slash command for a call, as `parse` reads it."""
    spec = _specs().get(verb)
    needed = spec.parameters.get("required", []) if spec is not None else []
    given = {k: v for k, v in arguments.items() if v is not None}
    words = [_word(given.pop(k)) for k in needed if k in given]
    return " ".join([f"/{verb}", *words, *(f"{k}={_word(v)}" for k, v in given.items())])


def help_text(name: str | None = None) -> str:
    """All commands, a line each; or one verb with its arguments and what they take."""
    if name is None:
        short = {verb: key for key, verb in SHORT.items()}
        rows = [
            (f"/{short.get(v.name, v.name)}", v.about.splitlines()[0])
            for v in sorted(VERBS.values(), key=lambda v: v.name)
        ]
        return "\n".join(f"{key:22} {about}" for key, about in [*rows, *((f"/{k}", v) for k, v in OWN.items())])
    found = _spec(_verb_of(name.removeprefix("/"), []))
    needed = found.parameters.get("required", [])
    lines = [f"/{found.name} {' '.join(k.upper() for k in needed)}".rstrip(), found.description, ""]
    for key, field in sorted(found.parameters["properties"].items(), key=lambda kv: kv[0] not in needed):
        about = field.get("description", "")
        optional = "" if key in needed else " (optional)"
        lines.append(f"  {key}{optional}: {accepts(field, found.parameters)}. {about}".rstrip())
    return "\n".join(lines)


@cache
def _specs() -> dict[str, ToolSpec]:
    return {spec.name: spec for spec in tool_specs()}


def _verb_of(name: str, words: list[str]) -> str:
    if name == "show":  # of a trial where a number follows, else of the study
        return "show_trial" if words and words[0].isdecimal() else "show_study"
    return SHORT.get(name, name)


def _spec(name: str) -> ToolSpec:
    if name in _specs():
        return _specs()[name]
    accepted = f"{did_you_mean(name, commands())}see /help"
    raise WrongCall(name, [fault("command", f"/{name}", accepted)], "see /help")


# -- arguments ---------------------------------------------------------------------------------------------------


def _arguments(spec: ToolSpec, words: list[str], rest: str) -> dict[str, Any]:
    fields: dict[str, Any] = spec.parameters["properties"]
    needed = list(spec.parameters.get("required", []))
    order = [*needed, *(k for k in fields if k not in needed and k != "study")]
    if order == ["text"]:  # one statement, signs and all
        return {"text": _unquoted(rest)} if rest else {}
    found: dict[str, Any] = {}
    loose: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key.startswith("--"):
            found[key[2:].replace("-", "_")] = _value(value, fields.get(key[2:], {}), spec) if equals else True
        elif equals and key in fields:
            found[key] = _value(value, fields[key], spec)
        elif equals and (mapping := _mapping(fields, spec)) is not None and re.fullmatch(r"\w+", key):
            found.setdefault(mapping, {})[key] = scalar(value)
        else:
            loose.append(word)
    free = [key for key in order if key not in found]
    while loose:
        word = loose.pop(0)
        while free and free[0] not in needed and not _takes(word, fields[free[0]], spec):
            free.pop(0)
        if not free:
            raise WrongCall(
                spec.name, [fault("value", word, f"the arguments are {_written_as(spec, order) or 'none'}")]
            )
        key = free.pop(0)
        if "array" in _kinds(fields[key], spec) and not word.startswith("["):
            found[key], loose = [scalar(w) for one in [word, *loose] for w in one.split(",") if w], []
        else:
            found[key] = _value(word, fields[key], spec)
    return found


def _written_as(spec: ToolSpec, order: list[str]) -> str:
    """A verb's arguments as they are written: those that stand in order, switches, and those that need their name."""
    fields: dict[str, Any] = spec.parameters["properties"]
    in_order = [f"--{key}" if _kinds(fields[key], spec) == {"boolean"} else key.upper() for key in order]
    return " ".join([*in_order, *(f"{key}=..." for key in fields if key not in order)])


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _kinds(field: Mapping[str, Any], spec: ToolSpec) -> set[str]:
    """The JSON types that a field may have."""
    if "$ref" in field:
        return _kinds(spec.parameters["$defs"][field["$ref"].rpartition("/")[2]], spec)
    if "anyOf" in field:
        return {kind for member in field["anyOf"] for kind in _kinds(member, spec)} - {"null"}
    return {field["type"]} if "type" in field else {"string"}


def _mapping(fields: Mapping[str, Any], spec: ToolSpec) -> str | None:
    return next((key for key, field in fields.items() if "object" in _kinds(field, spec)), None)


def _takes(word: str, field: Mapping[str, Any], spec: ToolSpec) -> bool:
    """Whether a value without a name is for this argument: one that only takes numbers is passed over by text."""
    kinds, value = _kinds(field, spec), scalar(word)
    if kinds <= {"integer", "number"}:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kinds != {"boolean"} or isinstance(value, bool)


def _value(word: str, field: Mapping[str, Any], spec: ToolSpec) -> Any:
    """A value of the field's own type; what does not fit stays text, and the verb says what it takes."""
    kinds = _kinds(field, spec)
    if kinds == {"string"}:
        return word
    if word[:1] in "[{" and kinds & {"array", "object"}:
        try:
            return json.loads(word)
        except json.JSONDecodeError:
            pass
    if "array" in kinds:
        return [scalar(part.strip()) for part in word.strip("[]").split(",") if part.strip()]
    return scalar(word)


def scalar(word: str) -> bool | int | float | str:
    """What a word stands for: true, 64, 3e-4, else itself."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", word, re.I):
            try:
                return kind(word)
            except ValueError:
                continue
    return word


def _word(value: Any) -> str:
    if isinstance(value, str):
        return shlex.quote(value)
    if isinstance(value, bool):
        return str(value).lower()
    return shlex.quote(json.dumps(value)) if isinstance(value, dict | list) else f"{value!r}"
