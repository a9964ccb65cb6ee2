"""The argument list of a run: `{name}` replaced by the value, never through a shell.

Rules, all checked before the first run:

- `{name}` stands for a parameter, as a whole argument or as a part of one. `{{` and `}}` are literal braces.
- Beside parameters there are `{config}` (path of the JSON file with the configuration), `{trial_dir}`, `{seed}`,
  `{fidelity}`, `{checkpoint}` and `{python}` (the interpreter that runs the tuner).
- Either every parameter has its placeholder, or the program reads the JSON file: then the list holds `{config}`, or no
  parameter's placeholder at all (the file's path is also in TUNEWRIGHT_CONFIG).
- A parameter that is inactive in a configuration takes its argument away. An option right before it goes too:
  with `momentum` inactive, `["--momentum", "{momentum}"]` and `["--momentum={momentum}"]` both vanish. An option is an
  argument without a placeholder that starts with `-`, has no `=` and is not `-` or `--`. So a switch that takes no
  value must not stand right before a positional placeholder: write `--name={name}`, or move the switch.
  `{fidelity}` and `{checkpoint}` are inactive where a job has none.
- Values are written as Python writes them: `True`, `0.001`, `1e-05`, a string as it is. A program whose option parser
  takes `-1e-05` for an option wants `--name={name}`.
"""

import difflib
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .base import ToolSetupError

EXTRAS = ("config", "trial_dir", "seed", "fidelity", "checkpoint", "python")


@dataclass(frozen=True)
class Argument:
    """One argument as literal text and placeholder names in turn: `lr={lr}` is `(("lr=", "lr"),)`."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders in it."""
        return tuple(name for _, name in self.parts if name is not None)

    @property
    def literal(self) -> str:
        """Its text outside placeholders."""
        return "".join(text for text, _ in self.parts)

    def render(self, values: Mapping[str, str]) -> str:
        """The argument with its values in place."""
        return "".join(text + (values[name] if name is not None else "") for text, name in self.parts)


def parse(argv: Sequence[str]) -> tuple[Argument, ...]:
    """The argument list, taken apart.

    Raises:
        ToolSetupError: an empty list, an argument that is no text, stray braces, a format such as `{lr:.3f}`.
    """
    if isinstance(argv, str) or not argv:
        raise ToolSetupError(
            f"the command is {argv!r}", 'give a list of arguments, such as ["python", "train.py", "--lr", "{lr}"]'
        )
    return tuple(_parse_one(text) for text in argv)


def _parse_one(text: object) -> Argument:
    if not isinstance(text, str):
        raise ToolSetupError(f"the argument {text!r} is not text", "put it in quotes")
    hint = "write {name} for a parameter's value and {{ or }} for a brace itself"
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ToolSetupError(f"the argument {text!r} has stray braces: {error}", hint) from None
    for _, name, form, conversion in pieces:
        if name is not None and (not name.strip() or form or conversion):
            raise ToolSetupError(
                f"the argument {text!r} has the placeholder {{{name}...}}, which is empty or has a format", hint
            )
    return Argument(tuple((literal, name) for literal, name, _, _ in pieces))


def check(arguments: Sequence[Argument], parameters: Iterable[str]) -> None:
    """Make sure that each placeholder has a parameter and each parameter a way into the program.

    Raises:
        ToolSetupError: naming what does not fit.
    """
    parameters = list(parameters)
    if [name for name in arguments[0].names if name != "python"]:
        raise ToolSetupError("the program's own name holds a placeholder", "only {python} may stand there")
    used = {name for argument in arguments for name in argument.names}
    for name in sorted(used - set(parameters) - set(EXTRAS)):
        close = difflib.get_close_matches(name, [*parameters, *EXTRAS], 1)
        meant = f"did you mean {{{close[0]}}}? " if close else ""
        raise ToolSetupError(
            f"the command has {{{name}}}, but the space has no parameter of that name",
            f"{meant}parameters: {', '.join(parameters)}; also known: {', '.join(EXTRAS)}; a literal brace is {{{{",
        )
    if twice := sorted(used & set(parameters) & set(EXTRAS)):
        raise ToolSetupError(
            f"{{{twice[0]}}} in the command means both a parameter and what the tuner gives to each run",
            "give the parameter another name",
        )
    unused = [name for name in parameters if name not in used]
    if unused and "config" not in used and used & set(parameters):
        raise ToolSetupError(
            f"the command never uses the parameter{'s' if len(unused) > 1 else ''} {', '.join(unused)}",
            f"add {' '.join(f'{{{name}}}' for name in unused)} to it; or let the program read the JSON file: pass its "
            "path with {config}, or drop all placeholders and read the path from TUNEWRIGHT_CONFIG",
        )


def render(arguments: Sequence[Argument], config: Mapping[str, Any], extras: Mapping[str, Any]) -> list[str]:
    """The argument list for one configuration; what belongs to an inactive parameter is left out."""
    values = {name: str(value) for name, value in extras.items() if value is not None}
    values["python"] = sys.executable
    values |= {name: as_text(value) for name, value in config.items()}
    rendered: list[str] = []
    before: Argument | None = None
    for argument in arguments:
        if all(name in values for name in argument.names):
            rendered.append(argument.render(values))
            before = argument
            continue
        if before is not None and _is_option(before) and not argument.literal.startswith("-"):
            rendered.pop()
        before = None
    return rendered


def as_text(value: Any) -> str:
    """A value as Python writes it; a float with as many digits as give the same float back."""
    return repr(float(value)) if isinstance(value, float) else str(value)


def _is_option(argument: Argument) -> bool:
    text = argument.literal
    return not argument.names and text.startswith("-") and "=" not in text and text not in ("-", "--")
