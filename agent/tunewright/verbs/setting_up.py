"""Verbs that start a study: look at a script and propose a space; set up a study from a script, a trainer or a card."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from tunewright.card import TaskCard
from tunewright.errors import CardError, did_you_mean
from tunewright.toolbox import open_tool
from tunewright.verbs.base import Answer, Arguments, verb
from tunewright.verbs.cards import load_card
from tunewright.verbs.context import calling
from tunewright.verbs.estimating import command_text
from tunewright.verbs.faults import ArgumentFault, WrongCall, fault
from tunewright.verbs.paths import Outside
from tunewright.verbs.scripts import Script, of_trainer, parameters, read
from tunewright.verbs.session import Session
from tunewright_tools.catalog import TRAINERS

_SCRIPT = "Path of a Python script (.py) inside the project, relative to its root."
_SUBCOMMAND = "Which subcommand of the script is tuned; needed where it has several."
_MOST_PARAMETERS = 100


class OfScript(Arguments):
    """A script."""

    script: str = Field(min_length=1, max_length=1000, description=_SCRIPT)
    subcommand: str | None = Field(default=None, max_length=100, description=_SUBCOMMAND)


@verb(OfScript, "look")
def look_at_script(session: Session, arguments: OfScript) -> Answer:
    """Look at a Python script without running it: its options, the metrics it prints, and a space to search.

    Each proposed range says where it is from: the script itself, the textbook, or a rule of thumb.
    """
    script = _script(session, "look_at_script", arguments)
    reading = script.reading
    options = [
        {
            "name": item.option.name,
            "label": item.option.label,
            "kind": item.option.kind,
            "default": item.option.default,
            "help": item.option.help,
            "choices": list(item.option.choices),
            "required": item.option.required,
            "where": item.option.where,
            "can_be_tuned": item.option.name in script.passable,
            "reason": item.reason,
        }
        for item in script.draft.items
    ]
    ranges = [(item.parameter, item.origin) for item in script.proposed.values() if item.parameter is not None]
    data = {
        "script": arguments.script,
        "description": reading.description,
        "subcommands": list(reading.commands),
        "options": options,
        "metrics": [{"name": m.name, "line": m.line, "curve": m.curve} for m in reading.metrics],
        "proposed_space": [{**parameter.to_json(), "origin": origin} for parameter, origin in ranges],
        "lacking": script.lacking(list(script.proposed)),
        "unread": [{"where": u.where, "what": u.what, "why": u.why} for u in reading.unread],
        "hints": list(script.draft.notes),
    }
    lines = [f"{arguments.script}: {reading.description}".rstrip(": ")]
    lines += [f"  {parameter.name}: {parameter.accepts()}  ({origin})" for parameter, origin in ranges]
    lines += [f"  not tuned: {item.option.label}: {item.reason}" for item in script.draft.items if item.reason]
    lines += [f"prints: {', '.join(dict.fromkeys(m.name for m in reading.metrics)) or 'no metric that can be seen'}"]
    lines += [f"not read: {u.where}: {u.what}: {u.why}" for u in reading.unread]
    return Answer(data, "\n".join([*lines, *script.draft.notes]))


def _script(session: Session, name: str, arguments: "OfScript | SetUp") -> Script:
    text = str(arguments.script)
    try:
        path = session.file(text, "script", ".py")
        goal = arguments.goal if isinstance(arguments, SetUp) else None
        return read(path, session.root, goal=goal, subcommand=arguments.subcommand)
    except Outside as e:
        raise WrongCall(name, [e.fault]) from None
    except CardError as e:
        argument = "subcommand" if "subcommand" in e.message else "script"
        raise WrongCall(name, [fault(argument, getattr(arguments, argument), f"{e.hint} ({e.message})")]) from e


class ParameterChoice(Arguments):
    """One parameter to search; whatever is left out is as look_at_script proposes it."""

    name: str = Field(description="Name of an option, as look_at_script gives it.")
    low: int | float | None = Field(default=None, description="Lower bound, in the option's own unit.")
    high: int | float | None = Field(default=None, description="Upper bound, in the option's own unit.")
    scale: Literal["linear", "log", "logit"] | None = Field(default=None, description="On which scale it is searched.")
    step: int | float | None = Field(default=None, gt=0, description="Grid of its values, in the option's own unit.")
    rounding: Literal["power_of_two"] | None = Field(default=None, description="Powers of two only, of a whole number.")
    choices: list[bool | int | float | str] | None = Field(
        default=None, min_length=2, max_length=100, description="Of a choice: which of the script's own values to try."
    )
    default: bool | int | float | str | None = Field(default=None, description="The value that trial 0 runs.")
    unit: str | None = Field(default=None, max_length=30, description="Unit of its values, such as tokens or seconds.")
    about: str | None = Field(default=None, max_length=160, description="What it is, in a line.")


class SetUp(Arguments):
    """What is tuned."""

    script: str | None = Field(default=None, max_length=1000, description=f"{_SCRIPT} Or give trainer, or card.")
    subcommand: str | None = Field(default=None, max_length=100, description=_SUBCOMMAND)
    trainer: str | None = Field(default=None, description=f"A built-in trainer: {', '.join(TRAINERS)}.")
    card: str | None = Field(
        default=None, max_length=1000, description="Path of a card (.yaml) inside the project; it says all the rest."
    )
    goal: str | None = Field(default=None, max_length=1000, description="What is tuned and what for, in a sentence.")
    name: str | None = Field(
        default=None, max_length=64, description="Name of the study; made from the goal unless given."
    )
    metric: str | None = Field(default=None, description="The metric that counts, as the script prints it.")
    direction: Literal["minimize", "maximize"] | None = Field(
        default=None, description="Whether it should be small or large."
    )
    parameters: list[ParameterChoice] | None = Field(
        default=None,
        min_length=1,
        max_length=_MOST_PARAMETERS,
        description="What to search; the space that look_at_script proposes unless given.",
    )
    trials: int | None = Field(default=None, ge=1, le=10_000, description="Budget: trials in all, a whole number.")
    hours: float | None = Field(default=None, gt=0, le=10_000, description="Budget: wall-clock hours of trials.")
    usd: float | None = Field(default=None, ge=0, le=100_000, description="Budget: US dollars (USD) for model calls.")
    seconds_per_trial: float | None = Field(
        default=None, gt=0, le=10_000_000, description="Wall-clock seconds after which a trial is ended."
    )


_NEEDED = ("goal", "metric", "direction")
_OF_A_CARD = (*_NEEDED, "name", "subcommand", "parameters", "trials", "hours", "usd", "seconds_per_trial")


@verb(SetUp, "change")
def set_up_study(session: Session, arguments: SetUp) -> Answer:
    """Set up a study from a script of the project, a built-in trainer, or a card file of the project. Runs nothing.

    The command is made from the script's own options; it cannot be given. run_trials shows it before it runs.
    """
    given = [key for key in ("script", "trainer", "card") if getattr(arguments, key) is not None]
    if len(given) != 1:
        accepted = "exactly one of script, trainer and card"
        raise WrongCall(
            "set_up_study", [ArgumentFault("script", " and ".join(given) + " together" if given else "", accepted)]
        )
    card = _card(session, arguments) if arguments.card is not None else _made(session, arguments)
    _check_new(session, card)
    open_tool(card)
    study = session.open(card)
    command = command_text(card)
    if calling() == "person" and command is not None:
        session.known_commands.add(command)
    data: dict[str, Any] = {
        "study": study.name,
        "command": command,
        "metrics": [{"name": m.name, "direction": m.direction} for m in card.metrics],
        "space": card.space.to_json(),
        "budget": card.budget.model_dump(exclude_none=True),
        "trials_on_record": len(study.trials()),
    }
    lines = [f"The study {study.name} is set up and current.", f"Each trial runs: {command}"]
    lines += [f"  {p.name}: {card.space.accepts(p.name)}" for p in card.space]
    return Answer(data, "\n".join(lines))


def _card(session: Session, arguments: SetUp) -> TaskCard:
    extra = [key for key in _OF_A_CARD if getattr(arguments, key) is not None]
    if extra:
        accepted = "nothing: the card says it"
        raise WrongCall("set_up_study", [fault(key, getattr(arguments, key), accepted) for key in extra])
    text = str(arguments.card)
    try:
        return load_card(session.root, session.file(text, "card", ".yaml", ".yml"), own=calling() == "person")
    except Outside as e:
        raise WrongCall("set_up_study", [e.fault]) from None
    except CardError as e:
        raise WrongCall("set_up_study", [fault("card", text, f"{e.hint} ({e.message})")]) from e


def _made(session: Session, arguments: SetUp) -> TaskCard:
    missing = [key for key in _NEEDED if getattr(arguments, key) is None]
    fields = SetUp.model_fields
    if missing:
        raise WrongCall("set_up_study", [ArgumentFault(key, "", str(fields[key].description)) for key in missing])
    script, tool = _program(session, arguments)
    printed = list(dict.fromkeys(m.name for m in script.reading.metrics))
    if printed and arguments.metric not in printed:
        accepted = f"{did_you_mean(arguments.metric, printed)}a number that it prints: {', '.join(printed)}"
        raise WrongCall("set_up_study", [fault("metric", arguments.metric, accepted)])
    wanted = None if arguments.parameters is None else [p.model_dump(exclude_none=True) for p in arguments.parameters]
    space = parameters("set_up_study", script, wanted)
    names = [p.name for p in space]
    if lacking := script.lacking(names):
        accepted = f"a script that starts with {', '.join(names)} alone; this one also needs {'; '.join(lacking)}"
        raise WrongCall("set_up_study", [fault("script", arguments.script, accepted)], "write a card and give that")
    budget = {
        key: value
        for key in ("trials", "hours", "usd", "seconds_per_trial")
        if (value := getattr(arguments, key)) is not None
    }
    try:
        return TaskCard(
            goal=str(arguments.goal),
            name=arguments.name,
            metric=arguments.metric,
            direction=arguments.direction,
            space=space,
            tool=tool or {"command": script.argv(names), "cwd": str(session.root)},
            budget=budget,
        )
    except CardError as e:
        argument = str(e.path[0]) if e.path and str(e.path[0]) in fields else "parameters"
        raise WrongCall(
            "set_up_study", [fault(argument, getattr(arguments, argument), f"{e.hint} ({e.message})")]
        ) from e


def _program(session: Session, arguments: SetUp) -> tuple[Script, Mapping[str, Any] | None]:
    """What is read for its options, and the card's tool where that is no command."""
    if arguments.script is not None:
        return _script(session, "set_up_study", arguments), None
    name = str(arguments.trainer)
    if name not in TRAINERS:
        accepted = f"{did_you_mean(name, TRAINERS)}one of {', '.join(TRAINERS)}"
        raise WrongCall("set_up_study", [fault("trainer", name, accepted)])
    return of_trainer(TRAINERS[name], goal=arguments.goal), {"trainer": name}


def _check_new(session: Session, card: TaskCard) -> None:
    """Only a person changes a study that is there: a model could put another command under its name."""
    if card.name in session.names():
        session.refuse_second_run(card.name)
        if calling() == "model":
            accepted = "a name that no study has yet; use_study goes on with this one"
            raise WrongCall("set_up_study", [fault("name", card.name, accepted)])
