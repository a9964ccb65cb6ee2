"""What was found in a script before anything ran: its options, the metrics it prints, what could not be read."""

import keyword
import re
from dataclasses import dataclass
from typing import Literal

from tunewright.parameters import Scalar
from tunewright.redact import redact

Kind = Literal["float", "int", "bool", "text"]
Source = Literal["argparse", "click", "typer", "dataclass", "function", "hydra", "omegaconf", "constant", "config"]

TAKEN = ("config", "trial_dir", "seed", "fidelity", "checkpoint", "python")
"""Placeholders that mean something else in a command: no parameter can be passed under such a name."""
_LONGEST = 300
LARGEST = 1e12
"""Size of a number beyond which nothing is searched."""


@dataclass(frozen=True)
class Option:
    """One value that the script takes, as its source says."""

    name: str
    """An identifier: the name on the card."""
    label: str
    """As a person of the script knows it: `--lr`, `optimizer.lr`, `LEARNING_RATE`."""
    kind: Kind
    source: Source
    line: int
    default: Scalar | None = None
    help: str = ""
    choices: tuple[Scalar, ...] = ()
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    """Whether `low` itself is refused by the script."""
    high_open: bool = False
    argument: str = ""
    """The argument that passes it, with its placeholder: `--lr={lr}`; empty where no argument can."""
    command: str = ""
    """The subcommand that it belongs to; empty for the whole program's own."""
    required: bool = False
    """Whether the script refuses to start without it."""
    held_back: str = ""
    """Why it is not tuned unless a person says so; empty where it is."""
    aliases: tuple[str, ...] = ()
    """Every form in which a person may pass it: `-l`, `--lr`, `--no-amp`."""
    file: str = ""
    """Where it stands, if not in the script itself: a configuration file."""

    @property
    def where(self) -> str:
        """`line 12`, or `conf/config.yaml:3`."""
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


@dataclass(frozen=True)
class Printed:
    """A number that the script prints in a form that counts as a metric."""

    name: str
    line: int
    curve: bool
    """Whether `step` or `epoch` stands on the same line, which makes each one a point of a curve."""


@dataclass(frozen=True)
class Unread:
    """Something in the script that could not be read, or that counts for nothing here, and why."""

    line: int
    what: str
    why: str
    file: str = ""

    @property
    def where(self) -> str:
        """`line 12`, or `conf/config.yaml:3`."""
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


@dataclass(frozen=True)
class ScriptReading:
    """All that was read of a script. Everything in it comes from the file; nothing was run."""

    path: str
    """As the person gave it."""
    options: tuple[Option, ...]
    metrics: tuple[Printed, ...] = ()
    unread: tuple[Unread, ...] = ()
    commands: tuple[str, ...] = ()
    """Subcommands that options belong to."""
    description: str = ""
    """What the script says of itself: the parser's description, or the first line of its docstring."""
    words: str = ""
    """Names of what it imports and calls, which help to tell a network from a forest."""
    runs: bool = True
    """Whether `path` is a program; False for a configuration file read on its own."""
    needs_config: bool = False
    """Whether values have no way into the script as it is, but would through TUNEWRIGHT_CONFIG."""


def one_line(text: object, limit: int = _LONGEST) -> str:
    """Foreign text as one line without control characters and without keys, cut to `limit` characters."""
    line = "".join(c for c in " ".join(redact(str(text)[: 10 * limit]).split()) if c.isprintable())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def identifier(label: str) -> str:
    """The name on the card for an option: `--weight-decay` is `weight_decay`, `optimizer.lr` is `optimizer__lr`."""
    name = re.sub(r"\W", "_", label.lstrip("-").replace(".", "__"), flags=re.ASCII)
    if not name or name[0].isdigit() or keyword.iskeyword(name) or name in TAKEN:
        name = f"{name}_" if name and not name[0].isdigit() else f"p_{name}"
    return name


def kind_of(value: Scalar) -> Kind:
    """The kind that a default shows."""
    if isinstance(value, bool):
        return "bool"
    return "int" if isinstance(value, int) else "float" if isinstance(value, float) else "text"


def as_default(value: object, kind: Kind) -> Scalar | None:
    """The value if it is one of this kind that can be run; None where it is not (a whole number is a float too)."""
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, bool | int | float | str) or kind_of(value) != kind:
        return None
    if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:  # also NaN and infinity
        return None
    return value
