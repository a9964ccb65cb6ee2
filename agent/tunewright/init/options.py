"""One option made of what a reader saw of it, with the reason where it cannot, or should not, be tuned."""

import re
from collections.abc import Sequence
from typing import Any

from tunewright.init.purpose import is_secret, why_not
from tunewright.init.reading import Kind, Option, Source, as_default, identifier, kind_of, one_line
from tunewright.init.syntax import UNKNOWN
from tunewright.parameters import Scalar

SWITCH = "a switch without a value: a placeholder cannot take it away; write it into the command, or give it two forms"
LIST = "it takes a list of values"
PATH = "a path or a name of data"
RUN_TIME = "its default is worked out at run time"
NO_DEFAULT = "without it the script decides by itself (default None)"
FREE_TEXT = "text, and the script does not say which values it takes"
_SHOWN_DEFAULT = re.compile(
    r"\s*[\[(]?\s*(by )?default( value)?( is)?\s*[:=]?\s*[\"']?(%\(default\)\w|%default)[\"']?\s*[\])]?"
)


def option(
    *,
    label: str,
    source: Source,
    line: int,
    kind: Kind | None,
    default: Any,
    argument: str,
    name: str = "",
    help: str = "",
    choices: Sequence[Any] | None = None,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    high_open: bool = False,
    command: str = "",
    required: bool = False,
    held: str = "",
    aliases: Sequence[str] = (),
    file: str = "",
) -> Option:
    """An option; `argument` may hold `{}` for the name of its own placeholder.

    Args:
        default: a value, None for none, or `UNKNOWN`.
        choices: the values that it takes; None where it takes any of its kind.
        held: the reader's own reason for not tuning it, which comes before all others but a credential's.
    """
    name = name or identifier(label)
    allowed = tuple(c for c in choices or () if isinstance(c, bool | int | float | str))
    told = kind or (kind_of(allowed[0]) if allowed else None)
    if told is None:
        told = kind_of(default) if isinstance(default, bool | int | float | str) else "text"
    value = _converted(default, told)
    usual = why_not(label, told)
    if is_secret(label):
        value, held = None, usual
    seen = held or usual or _fault(told, default, value, choices, allowed, low, high, required)
    return Option(
        name=name,
        label=one_line(label, 80),
        kind=told,
        source=source,
        line=line,
        default=value,
        help=one_line(_SHOWN_DEFAULT.sub("", help)),
        choices=allowed,
        low=low,
        high=high,
        low_open=low_open,
        high_open=high_open,
        argument=argument.replace("{}", f"{{{name}}}"),
        command=command,
        required=required,
        held_back=seen,
        aliases=tuple(dict.fromkeys([label, *aliases, *(f"--{c}" for c in allowed if argument == "--{}")])),
        file=file,
    )


def two_forms(on: str, off: str, default: Any) -> tuple[tuple[str, str], Any]:
    """The choices of a switch with two forms (`--amp/--no-amp` passed as `--{amp}`), and its default among them."""
    return (on, off), (on if default else off) if isinstance(default, bool) else default


def passed(flag: str) -> str:
    """The argument that passes an option's value: `--lr={}`, `-b{}`, or the value alone for a positional one."""
    literal = flag.replace("{", "{{").replace("}", "}}")
    if not flag.startswith("-"):
        return "{}"
    return f"{literal}{{}}" if len(flag) == 2 else f"{literal}={{}}"


def _converted(default: Any, kind: Kind) -> Scalar | None:
    if isinstance(default, str) and kind in ("int", "float"):  # argparse puts a default of text through `type`
        try:
            default = int(default[:30]) if kind == "int" else float(default[:30])
        except ValueError:
            return None
    if isinstance(default, float) and kind == "int" and default.is_integer():
        default = int(default)
    return as_default(default, kind)


def _fault(
    kind: Kind,
    stated: Any,
    value: Scalar | None,
    choices: Sequence[Any] | None,
    allowed: tuple[Scalar, ...],
    low: float | None,
    high: float | None,
    required: bool,
) -> str:
    """Why such an option cannot be tuned as it stands; empty where it can."""
    if choices is not None and len(set(map(repr, allowed))) < max(2, len(choices)):
        return "its choices are worked out at run time, or fewer than two"
    if stated is UNKNOWN:
        return RUN_TIME
    if kind == "text" and choices is None:
        return FREE_TEXT
    if stated is None:
        return "" if required else NO_DEFAULT
    if isinstance(stated, list | tuple):
        return LIST
    if value is None:
        return f"its default {one_line(repr(stated), 40)} is no usable {kind}"
    if choices is not None and repr(value) not in map(repr, allowed):
        return f"its default {one_line(repr(stated), 40)} is not among its choices"
    if isinstance(value, int | float) and ((low is not None and value < low) or (high is not None and value > high)):
        return f"its default {value!r} is outside its own range"
    return ""
