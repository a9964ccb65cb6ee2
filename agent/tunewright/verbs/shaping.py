"""Verbs that change where a study searches: pin, unpin, narrow, widen a parameter."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import Field

from tunewright.card import TaskCard
from tunewright.errors import CardError
from tunewright.parameters import Choice, Int, Parameter
from tunewright.space import Space
from tunewright.study import Study
from tunewright.verbs.base import Answer, verb
from tunewright.verbs.common import OfStudy, parameter_of, study_of, taken_up, value_fault
from tunewright.verbs.faults import ArgumentFault, WrongCall, fault
from tunewright.verbs.session import Session

Value = bool | int | float | str

_PARAMETER = "Name of a parameter of the study."
_GRID = "in the parameter's own unit and on its own grid, such as powers of two"


class OfParameter(OfStudy):
    """One parameter."""

    parameter: str = Field(description=_PARAMETER)


class Pin(OfParameter):
    """Where to hold it."""

    value: Value = Field(description=f"The value that every new trial takes, {_GRID}.")


@verb(Pin, "change")
def pin(session: Session, arguments: Pin) -> Answer:
    """Pin a parameter: every new trial takes this one value. Earlier trials keep theirs. unpin lets it go again."""
    study = study_of(session, "pin", arguments)
    p = parameter_of(study, "pin", arguments.parameter)
    _refuse("pin", value_fault(p, arguments.value, "value"))
    card = _with_space(study.card, "pin", "value", arguments.value, lambda s: s.with_held({p.name: [arguments.value]}))
    return _revised(session, study, card, f"{p.name} is pinned at {p.round(arguments.value)!r}", p.name)


@verb(OfParameter, "change")
def unpin(session: Session, arguments: OfParameter) -> Answer:
    """Let a pinned parameter, or a choice narrowed to some values, vary over its whole range again."""
    study = study_of(session, "unpin", arguments)
    p = parameter_of(study, "unpin", arguments.parameter)
    if p.name not in study.card.space.held:
        held = ", ".join(study.card.space.held) or "none is held now"
        raise WrongCall("unpin", [fault("parameter", p.name, f"a parameter that is held: {held}")])
    card = _with_space(study.card, "unpin", "parameter", p.name, lambda s: s.with_held({p.name: None}))
    return _revised(session, study, card, f"{p.name} varies again: {card.space.accepts(p.name)}", p.name)


class Bounds(OfParameter):
    """New bounds."""

    low: int | float | None = Field(default=None, description=f"The new lower bound, {_GRID}; unchanged unless given.")
    high: int | float | None = Field(default=None, description=f"The new upper bound, {_GRID}; unchanged unless given.")


class Narrow(Bounds):
    """Where to search from now on."""

    values: list[Value] | None = Field(
        default=None, min_length=1, max_length=100, description="Of a choice: the values to keep, as a list."
    )
    default: int | float | None = Field(
        default=None, description="A new default inside the new bounds; needed where they leave the old one out."
    )


@verb(Narrow, "change")
def narrow(session: Session, arguments: Narrow) -> Answer:
    """Narrow a parameter: new bounds inside the present ones or, for a choice, the values to keep.

    Earlier trials outside the new bounds stay on record and still teach the surrogate.
    """
    study = study_of(session, "narrow", arguments)
    p: Any = parameter_of(study, "narrow", arguments.parameter)
    if isinstance(p, Choice):
        _only("narrow", arguments, p, ("values",))
        values = arguments.values or []
        faults = [value_fault(p, v, f"values[{i}]") for i, v in enumerate(values)]
        _refuse("narrow", *faults)
        card = _with_space(study.card, "narrow", "values", values, lambda s: s.with_held({p.name: values}))
        return _revised(session, study, card, f"{p.name} is {card.space.accepts(p.name)}", p.name)
    _only("narrow", arguments, p, ("low", "high"))
    low, high = _bounds("narrow", arguments, p)
    _refuse(
        "narrow",
        fault("low", low, f"at least the present lower bound {p.low:g}; widen goes below it") if low < p.low else None,
        fault("high", high, f"at most the present upper bound {p.high:g}; widen goes above it")
        if high > p.high
        else None,
    )
    _refuse("narrow", None if low < high else fault("low", low, f"a bound below the upper one, {high:g}"))
    default = p.default if arguments.default is None else arguments.default
    if default is not None and not low <= default <= high:
        seen = arguments.default
        accepted = f"a value from {low:g} to {high:g}; the present default {p.default!r} lies outside the new bounds"
        raise WrongCall("narrow", [fault("default", seen, accepted) if seen is not None else _missing(accepted)])
    return _bounded(session, study, p, "narrow", low, high, default)


@verb(Bounds, "change")
def widen(session: Session, arguments: Bounds) -> Answer:
    """Widen a numeric parameter: new bounds outside the present ones. A narrowed choice is let go by unpin."""
    study = study_of(session, "widen", arguments)
    p: Any = parameter_of(study, "widen", arguments.parameter)
    if isinstance(p, Choice):
        accepted = "a numeric parameter; unpin lets a narrowed choice go, and new choices need a study of their own"
        raise WrongCall("widen", [fault("parameter", p.name, accepted)])
    _only("widen", arguments, p, ("low", "high"))
    low, high = _bounds("widen", arguments, p)
    _refuse(
        "widen",
        fault("low", low, f"at most the present lower bound {p.low:g}; narrow goes above it") if low > p.low else None,
        fault("high", high, f"at least the present upper bound {p.high:g}; narrow goes below it")
        if high < p.high
        else None,
    )
    return _bounded(session, study, p, "widen", low, high, p.default)


def _bounds(name: str, arguments: Bounds, p: Any) -> tuple[float, float]:
    """The bounds as asked for, each of the parameter's own kind; raises `WrongCall`."""
    unit = f", in {p.unit}" if p.unit else ""
    faults: list[ArgumentFault | None] = []
    for key in ("low", "high"):
        value = getattr(arguments, key)
        if value is None or not isinstance(p, Int):
            continue
        if int(value) != value:
            faults.append(fault(key, value, f"a whole number{unit}"))
        elif p.rounding == "power_of_two" and (value < 1 or int(value) & (int(value) - 1)):
            faults.append(fault(key, value, f"a power of two{unit}: 1, 2, 4, 8, ..."))
    _refuse(name, *faults)
    low = p.low if arguments.low is None else arguments.low
    high = p.high if arguments.high is None else arguments.high
    return low, high


def _bounded(session: Session, study: Study, p: Any, name: str, low: float, high: float, default: Any) -> Answer:
    if (low, high, default) == (p.low, p.high, p.default):
        raise WrongCall(name, [fault("low", low, "bounds that differ from the present ones")])
    try:
        changed: Parameter = replace(p, low=low, high=high, default=default)
    except CardError as e:
        raise WrongCall(name, [fault("low" if low != p.low else "high", (low, high), f"{e.hint} ({e.message})")]) from e
    card = _with_space(study.card, name, "low and high", (low, high), lambda s: _replaced(s, changed))
    return _revised(session, study, card, f"{p.name} takes {card.space.accepts(p.name)}", p.name)


def _replaced(space: Space, changed: Parameter) -> Space:
    parameters = [changed if p.name == changed.name else p for p in space]
    record = {**space.to_json(), "parameters": [p.to_json() for p in parameters]}
    return Space.from_json(record)


def _only(name: str, arguments: Bounds, p: Parameter, allowed: tuple[str, ...]) -> None:
    """Raise `WrongCall` for arguments that this kind of parameter has no use for, and where none is given."""
    given = [key for key in ("low", "high", "values", "default") if getattr(arguments, key, None) is not None]
    extra = [key for key in given if key not in allowed and not (key == "default" and "low" in allowed)]
    accepted = f"nothing: {p.name} is a {p.kind}, give {' or '.join(allowed)}"
    _refuse(name, *(fault(key, getattr(arguments, key), accepted) for key in extra))
    if not any(key in given for key in allowed):
        raise WrongCall(name, [ArgumentFault(allowed[0], "", f"{' or '.join(allowed)}; {p.name} takes {p.accepts()}")])


def _missing(accepted: str) -> ArgumentFault:
    return ArgumentFault("default", "", accepted)


def _refuse(name: str, *faults: ArgumentFault | None) -> None:
    found = [f for f in faults if f is not None]
    if found:
        raise WrongCall(name, found)


def _with_space(card: TaskCard, name: str, argument: str, seen: Any, change: Callable[[Space], Space]) -> TaskCard:
    """The card with a changed space; what the space or the card refuses is the argument's fault."""
    try:
        return TaskCard.from_json({**card.to_json(), "space": change(card.space).to_json()})
    except CardError as e:
        raise WrongCall(name, [fault(argument, seen, f"{e.hint} ({e.message})")]) from e


def _revised(session: Session, study: Study, card: TaskCard, what: str, parameter: str) -> Answer:
    """The card on record, and what that means for trials before and after it."""
    trials = study.trials()
    running = session.revise(study, card)
    outside = sum(bool(card.space.check(t.config).faults) for t in trials)
    text = [f"{what}."]
    text += [f"{outside} of {len(trials)} trials on record lie outside; they still count."] if outside else []
    effect, told = taken_up(study, running)
    text += told
    data = {
        "study": study.name,
        "parameter": parameter,
        "accepts": card.space.accepts(parameter),
        "trials_outside": outside,
        "takes_effect": effect,
    }
    return Answer(data, " ".join(text))
