"""A verb: one typed function for the model's tool calls, the MCP server and slash commands; and how it is called."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tunewright.card_parts import key_path
from tunewright.errors import did_you_mean
from tunewright.llm.base import ToolSpec
from tunewright.redact import redact
from tunewright.verbs.approval import ApprovalRequest, By
from tunewright.verbs.context import caller, granted
from tunewright.verbs.faults import ArgumentFault, Denied, WrongCall, fault
from tunewright.verbs.grounding import grounded
from tunewright.verbs.plain import plain
from tunewright.verbs.session import Session

Effect = Literal["look", "change", "spend", "delete"]
"""look: reads; change: writes the record; spend: uses GPU time or money; delete: removes for good."""


class Arguments(BaseModel):
    """Base of the arguments of a verb: strict, no unknown names, no NaN; each field says what it is and its unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Nothing(Arguments):
    """No arguments."""


@dataclass(frozen=True)
class Answer:
    """What a verb gives back."""

    data: dict[str, Any]
    """For programs and models: plain JSON data without NaN; `notes` says what was left out."""
    text: str
    """For people."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", plain(self.data))
        object.__setattr__(self, "text", redact(self.text))


A = TypeVar("A", bound=Arguments)
Run = Callable[[Session, Any], Answer]
Asks = Callable[[Session, Any], ApprovalRequest | None]


@dataclass(frozen=True)
class Verb:
    """A function of the registry."""

    name: str
    about: str
    """Its docstring: what a model, a client and a help page are told."""
    arguments: type[Arguments]
    effect: Effect
    run: Run = field(repr=False)
    asks: Asks | None = field(default=None, repr=False)
    """What a person is asked first; None as a result means that this very call spends nothing."""
    alone: bool = True
    """Whether no other change is made meanwhile. What waits for a model keeps nobody from stopping a run."""


_LONGEST = 300

VERBS: dict[str, Verb] = {}
"""Every verb by name. Filled when `tunewright.verbs` is imported."""


def verb(
    arguments: type[A],
    effect: Effect,
    asks: Callable[[Session, A], ApprovalRequest | None] | None = None,
    *,
    alone: bool = True,
) -> Callable[[Callable[[Session, A], Answer]], Callable[[Session, A], Answer]]:
    """A decorator that puts a function into `VERBS` under its own name.

    Args:
        arguments: its argument model.
        effect: what it does to the world; "spend" and "delete" must say what a person is asked.
        asks: makes the request for approval; it also checks all that can be checked before anything is spent.
        alone: see `Verb`.
    """
    if (effect in ("spend", "delete")) != (asks is not None):
        raise TypeError("a verb that spends or deletes asks, and no other does")

    def register(function: Callable[[Session, A], Answer]) -> Callable[[Session, A], Answer]:
        name = function.__name__
        VERBS[name] = Verb(name, inspect.getdoc(function) or "", arguments, effect, function, asks, alone)
        return function

    return register


def call(session: Session, name: str, raw: Mapping[str, Any], *, by: By) -> Answer:
    """What a verb answers, its arguments checked and, where it spends or deletes, approved.

    Args:
        name: of the verb.
        raw: its arguments as they came, unchecked.
        by: who calls: a person (a slash command) or a model.

    Raises:
        WrongCall: no such verb, or wrong arguments; nothing was done.
        Denied: it was not approved, or this model may not spend; nothing was done.
        TunerError: what the verb itself could not do.
    """
    found = lookup(name)
    arguments = checked(found, raw)
    if found.effect == "look":
        return found.run(session, arguments)
    if found.asks is None:
        if by == "model" and not said_by_person(session, found, arguments):
            _ask_about_change(session, found, arguments)
        with session.changing, caller(by):
            return found.run(session, arguments)
    if by == "model" and not session.trusted_tools:
        raise Denied(f"{name} was called by a model that may not spend or delete", f"a person can do it with /{name}")
    with caller(by):
        request = found.asks(session, arguments)
    if request is not None and getattr(arguments, "study", request.study) is None:
        # what was approved is done, also when another study becomes the current one meanwhile
        arguments = arguments.model_copy(update={"study": request.study})
    # asked outside the lock: a person who thinks about it must not keep others from stopping a run
    if request is not None and not session.approver.approve(request):
        raise Denied(f"not approved: {request.text()}", "nothing was done; change the request, or ask the person")
    try:
        with session.changing if found.alone else nullcontext(), granted(request):
            return found.run(session, arguments)
    except BaseException:
        _give_back(session, request)
        raise


def _give_back(session: Session, request: ApprovalRequest | None) -> None:
    """Return what was granted to a call that came to nothing."""
    meter = None if request is None else session.approver.meter(request)
    if meter is not None and request is not None and request.estimate is not None:
        meter.give_back(request.estimate.trials)


_INERT = ("set_up_study", "use_study", "enqueue_trial")
"""Changes that alter nothing that is there and run nothing by themselves."""


def said_by_person(session: Session, found: Verb, arguments: Arguments) -> bool:
    """Whether a model may make this change without a question: it is inert, or the person's own words name it."""
    stated = arguments.model_dump(exclude_unset=True, exclude_none=True)
    if found.name in _INERT or (found.name == "export" and "save" not in stated):
        return True
    if "study" in type(arguments).model_fields:
        # meant is the study that the person sees as the current one, also where the model has moved to another since
        stated.setdefault("study", session.current)
        if stated["study"] == session.spoken_of:
            del stated["study"]
    return session.words is not None and grounded(session.words, found.name, stated)


def _ask_about_change(session: Session, found: Verb, arguments: Arguments) -> None:
    stated = arguments.model_dump(exclude_unset=True, exclude_none=True)
    if session.current is not None and "study" in type(arguments).model_fields:
        stated.setdefault("study", session.current)  # a person who is asked is to know of which
    line = ", ".join(f"{name} = {value!r}" for name, value in stated.items())
    what = " ".join(redact(f"{found.name} {line}").split())
    request = ApprovalRequest(
        found.name,
        "change",
        what if len(what) <= _LONGEST else f"{what[: _LONGEST - 3]}...",
        by="model",
        study=stated.get("study") or session.current,
        needs_person="the person's own words do not ask for it",
    )
    if not session.approver.approve(request):
        raise Denied(f"not approved: {request.text()}", "nothing was done; ask the person, or let them do it")


def lookup(name: str) -> Verb:
    """The verb of that name; raises `WrongCall`."""
    if name not in VERBS:
        raise WrongCall(
            name,
            [fault("verb", name, ", ".join(sorted(VERBS)))],
            f"{did_you_mean(name, VERBS)}call one of the verbs that are listed",
        )
    return VERBS[name]


def checked(found: Verb, raw: Mapping[str, Any]) -> Arguments:
    """The arguments of a verb; raises `WrongCall` with every fault."""
    if not isinstance(raw, Mapping):
        raise WrongCall(found.name, [fault("arguments", raw, "a mapping of names to values")])
    try:
        return found.arguments.model_validate(dict(raw))
    except ValidationError as e:
        raise WrongCall(found.name, _faults(found, e)) from None


def tool_specs() -> tuple[ToolSpec, ...]:
    """Every verb as a tool definition, by name: for `Request.tools`, and for the list of an MCP server."""
    return tuple(ToolSpec(v.name, v.about, _schema(v)) for _, v in sorted(VERBS.items()))


def _schema(found: Verb) -> dict[str, Any]:
    made: dict[str, Any] = _untitled(found.arguments.model_json_schema())
    made.pop("description", None)  # that of the class; the verb has its own
    return {**made, "properties": made.get("properties", {})}


def _untitled(value: Any) -> Any:
    """A schema without the titles that pydantic makes of the names: they say nothing new."""
    if isinstance(value, dict):
        return {k: _untitled(v) for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return [_untitled(v) for v in value] if isinstance(value, list) else value


# -- faults ------------------------------------------------------------------------------------------------------

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of names to values",
    "null": "nothing",
}
_BOUNDS = (
    ("minimum", "from {:g}"),
    ("exclusiveMinimum", "above {:g}"),
    ("maximum", "to {:g}"),
    ("exclusiveMaximum", "below {:g}"),
    ("minLength", "of at least {} characters"),
    ("maxLength", "of at most {} characters"),
    ("minItems", "of at least {} items"),
    ("maxItems", "of at most {} items"),
)


def _faults(found: Verb, e: ValidationError) -> list[ArgumentFault]:
    root = _schema(found)
    faults: dict[str, ArgumentFault] = {}
    for error in e.errors():
        path, field = _located(error["loc"], root)
        place = key_path(path) or "arguments"
        if error["type"] == "extra_forbidden":
            name, known = str(error["loc"][-1]), list(field.get("properties", {}))
            accepted = f"{did_you_mean(name, known)}the arguments are {', '.join(known) or 'none'}"
            place = key_path((*path, name))
            faults[place] = ArgumentFault(place, "not an argument", accepted)
            continue
        about = field.get("description", "")
        accepted = f"{accepts(field, root)}{f' ({about.rstrip(chr(46))})' if about else ''}"
        # a fault inside a union comes once for each member: the first one speaks for the argument
        seen = "" if error["type"] == "missing" else fault(place, error["input"], "").seen
        faults.setdefault(place, ArgumentFault(place, seen, accepted))
    return list(faults.values())


def _located(loc: tuple[str | int, ...], root: Mapping[str, Any]) -> tuple[tuple[str | int, ...], Mapping[str, Any]]:
    """The path of a fault without pydantic's names for members of unions, and the schema of what is there."""
    field: Mapping[str, Any] = root
    path: list[str | int] = []
    for part in loc:
        for inner in _members(field, root):
            if isinstance(part, int) and "items" in inner:
                field = inner["items"]
            elif isinstance(part, str) and part in inner.get("properties", {}):
                field = inner["properties"][part]
            elif isinstance(part, str) and isinstance(inner.get("additionalProperties"), Mapping):
                field = inner["additionalProperties"]
            else:
                continue
            path.append(part)
            break
    resolved = _members(field, root)
    return tuple(path), resolved[0] if len(resolved) == 1 and "properties" in resolved[0] else field


def _members(field: Mapping[str, Any], root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a field may be: the members of a union, references followed."""
    members = field.get("anyOf", [field])
    return [root["$defs"][m["$ref"].rpartition("/")[2]] if "$ref" in m else m for m in members]


def accepts(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """What a field's JSON schema lets pass, in words."""
    if "$ref" in schema:
        return accepts(root.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], {}), root)
    if "anyOf" in schema:
        members = [member for member in schema["anyOf"] if member.get("type") != "null"]
        return " or ".join(dict.fromkeys(accepts(member, root) for member in members))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return repr(schema["const"])
    words = _KINDS.get(schema.get("type", ""), "a value")
    bounds = [text.format(schema[key]) for key, text in _BOUNDS if key in schema]
    return " ".join([words, *bounds])
