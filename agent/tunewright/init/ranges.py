"""The range and scale of an option, from what is known of it: the script, a model, the textbook, a rule of thumb."""

import re
from dataclasses import dataclass
from typing import Literal

from tunewright.errors import SpaceError
from tunewright.init.reading import Option
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.textbook import entry_for, pointed_to
from tunewright.textbook_entries import Number, book

Scale = Literal["linear", "log", "logit"]

_SHARE = re.compile(r"(^|_)(dropout|ratio|fraction|frac|prob|probability|momentum|smoothing|quantile|p|subsample)$")
_SIZE = re.compile(
    r"(^|_)(batch|bs|batch_?size|hidden|hidden_(size|dim|units)|width|dim|d_model|n_?embd|embed_dim|units|channels)$"
)
_WIDE = 100  # a range this many times its lower end is searched on a log scale
_FEWEST_DIGITS = 6
_NEAR_ONE = 0.8  # momenta and decays: what counts is the distance to 1


@dataclass(frozen=True)
class Range:
    """A parameter, and where its range is from, in words."""

    parameter: Parameter
    origin: str


@dataclass(frozen=True)
class Suggestion:
    """What a model proposes for one option, already checked."""

    low: float
    high: float
    scale: Scale
    source: str
    """The model's name."""


def choose(option: Option, suggestion: Suggestion | None, about: str, words: str, *, model_first: bool) -> Range | None:
    """The range of an option from the first that has one: the script, the model, the textbook, a rule of thumb.

    Args:
        suggestion: a checked one, or None.
        about: the description that the card gets.
        words: what is known of the task, to tell a network's learning rate from a boosting machine's.
        model_first: whether the model comes before the textbook; a small one comes behind it.

    Returns:
        None where nothing says on what scale the option lives.
    """
    if option.kind == "bool":
        return Range(Choice(option.name, [True, False], default=option.default, about=about), "choices: true or false")
    if option.choices:
        return _choices(option, about)
    if option.kind == "text":
        return None
    entry = _entry(option, words)
    stated = _stated(option, entry, about)
    if stated is not None:
        return stated
    model = _made(option, suggestion.low, suggestion.high, suggestion.scale, about) if suggestion else None
    if model is not None and suggestion is not None and model_first:
        return Range(model, f"range: proposed by {suggestion.source}")
    known = _textbook(option, entry, about)
    if known is not None:
        return known
    if model is not None and suggestion is not None:
        return Range(model, f"range: proposed by {suggestion.source}")
    return _rule(option, about)


def _choices(option: Option, about: str) -> Range | None:
    numbers = [c for c in option.choices if isinstance(c, int | float) and not isinstance(c, bool)]
    ordered = len(numbers) == len(option.choices) and numbers == sorted(numbers)
    try:
        parameter = Choice(option.name, option.choices, ordered=ordered, default=option.default, about=about)
    except SpaceError:  # fewer than two, or a default that is none of them
        return None
    return Range(parameter, "choices: the script's own")


def _stated(option: Option, entry: Number | None, about: str) -> Range | None:
    """The script's own bounds, unless one of them only says what is valid: 0 for what lives on a log scale."""
    if option.low is None or option.high is None:
        return None
    scale: Scale = entry.scale if entry is not None else "log" if 0 < option.low * _WIDE <= option.high else "linear"
    if (scale != "linear" and option.low <= 0) or (scale == "logit" and option.high >= 1):
        return None
    parameter = _made(option, option.low, option.high, scale, about)
    whose = "textbook" if entry is not None else "assumed"
    return _range(parameter, f"range: the script's own bounds; {scale} scale: {whose}")


def _entry(option: Option, words: str) -> Number | None:
    """The textbook's entry on a number of this name; None where it has none, or cannot tell which is meant."""
    for probe in _near(option):
        found = entry_for(probe, words)
        if isinstance(found, Number) and found.kind == option.kind:
            return found
    # without a range near the default to compare, an entry counts only where words point to its family
    for probe in _wide(option):
        found = entry_for(probe, words)
        if isinstance(found, Number) and found.kind == option.kind:
            return found if pointed_to(found, f"{words} {option.help}") else None
    return None


def _near(option: Option) -> list[Parameter]:
    """What the option could be, going by its default: the rule's range, or a share."""
    rule = _rule(option, option.help)
    found: list[Parameter] = [] if rule is None else [rule.parameter]
    if option.kind == "float" and isinstance(option.default, float) and 0 <= option.default <= 1:
        found.append(Float(option.name, 0.0, 1.0, about=option.help))
    return found


def _wide(option: Option) -> list[Parameter]:
    """All that a number without a telling default could be."""
    if option.kind == "int":
        return [Int(option.name, 1, 10_000, log=True, about=option.help)]
    return [Float(option.name, 1e-6, 1.0, log=True, about=option.help), Float(option.name, 0.0, 1.0, about=option.help)]


def _textbook(option: Option, entry: Number | None, about: str) -> Range | None:
    """The textbook's usual interval, widened to hold the default and cut to what the script takes."""
    if entry is None:
        return None
    low, high, scale, said = entry.low, entry.high, entry.scale, ""
    value = option.default
    if isinstance(value, int | float):
        if not low <= value <= high:
            said = ", widened to hold the default"
        low, high = min(low, value), max(high, value)
    if (scale != "linear" and low <= 0) or (scale == "logit" and high >= 1):
        scale, said = "linear", f", linear because the default {value!r} has no place on a {entry.scale} scale"
    parameter = _made(option, *_inside(option, low, high), scale, about)
    title = book().families[entry.family].title
    return _range(parameter, f"range: textbook ({title}: {entry.source}){said}")


def _rule(option: Option, about: str) -> Range | None:
    """A range around the default alone; None for 0 and below, which say nothing about a scale."""
    value = option.default
    if not isinstance(value, int | float):
        return None
    if option.kind == "float" and 0 <= value <= 1 and _SHARE.search(option.name.split("__")[-1].lower()):
        parameter = _made(option, *_inside(option, 0.0, 1.0), "linear", about)
        return _range(parameter, "assumed: a share from 0 to 1, by its name")
    if value <= 0:
        return None
    if option.kind == "float" and _NEAR_ONE <= value < 1:
        low, high = max(0.5, _tidy(1 - 10 * (1 - value))), _tidy(1 - (1 - value) / 10)
        parameter = _made(option, *_inside(option, low, high), "logit", about)
        return _range(parameter, "assumed: ten times closer to 1 than the default, and as much further from it")
    if option.kind == "float":
        parameter = _made(option, *_inside(option, _tidy(value / 10), _tidy(value * 10)), "log", about)
        return _range(parameter, "assumed: a tenth to ten times the default")
    low, high = _inside(option, max(1, int(value) // 4), int(value) * 4)
    parameter = _made(option, low, high, "log" if high >= 10 * low else "linear", about)
    return _range(parameter, "assumed: a quarter to four times the default")


def _range(parameter: Parameter | None, origin: str) -> Range | None:
    return None if parameter is None else Range(parameter, origin)


def _tidy(value: float) -> float:
    return float(f"{value:.{_FEWEST_DIGITS}g}")


def _inside(option: Option, low: float, high: float) -> tuple[float, float]:
    """A range of ours cut to the bounds that the script states."""
    if option.low is not None and option.low > low:
        low = option.low
    if option.high is not None and option.high < high:
        high = option.high
    return low, high


def _made(option: Option, low: float, high: float, scale: Scale, about: str) -> Parameter | None:
    """The parameter with this range; None where it cannot be, or would not hold the default."""
    low, high = _closed(option, low, high)
    default = option.default if isinstance(option.default, int | float) else None
    try:
        if option.kind == "float":
            log, logit = scale == "log", scale == "logit"
            return Float(option.name, low, high, log=log, logit=logit, default=default, about=about)
        if option.kind != "int" or not (float(low).is_integer() and float(high).is_integer()):
            return None
        start = None if default is None else int(default)
        if low >= 1 and _power(option):
            return Int(option.name, int(low), int(high), rounding="power_of_two", default=start, about=about)
        return Int(option.name, int(low), int(high), log=scale == "log", default=start, about=about)
    except SpaceError:
        return None


def _power(option: Option) -> bool:
    """Whether it is a size, by its name, and its default a power of two."""
    value = option.default
    size = bool(_SIZE.search(option.name.split("__")[-1].lower()))
    return size and isinstance(value, int) and value >= 8 and value & (value - 1) == 0


def _closed(option: Option, low: float, high: float) -> tuple[float, float]:
    """The range without an end that the script refuses: a thousandth of the way inside it."""
    step = (high - low) / 1000
    if option.low_open and low == option.low:
        low = _tidy(low + step)
    if option.high_open and high == option.high:
        high = _tidy(high - step)
    return low, high
