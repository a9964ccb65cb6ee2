"""The command of a card: which arguments it has, in which order, and which of them are a person's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.errors import CardError, did_you_mean
from tunewright.init.reading import Option, ScriptReading
from tunewright.parameters import Parameter

GIVEN = "given by you"


@dataclass(frozen=True)
class Item:
    """One option on its way to the card."""

    option: Option
    parameter: Parameter | None
    """Its range; None where nothing says what it could be."""
    origin: str
    """Where the range is from, in words."""
    reason: str = ""
    """Why it is not tuned; empty where it is."""

    @property
    def tuned(self) -> bool:
        """Whether it is a parameter of the card."""
        return not self.reason


@dataclass(frozen=True)
class Argument:
    """One argument of the command, and the option that it passes."""

    text: str
    item: Item | None = None

    @property
    def active(self) -> bool:
        """Whether it is part of the command as it stands."""
        return self.item is None or self.item.tuned


def choose_subcommand(reading: ScriptReading, wanted: str | None) -> str:
    """The subcommand that is tuned, empty where there is none; `CardError` where it is unknown or one of several."""
    commands = reading.commands
    if wanted is None:
        if len(commands) > 1:
            raise CardError(
                f"{reading.path} has the subcommands {', '.join(commands)}",
                f"say which one is tuned: --subcommand {commands[0]!r}",
            )
        return commands[0] if commands else ""
    if wanted not in commands:
        known = f"it has {', '.join(commands)}" if commands else "it has none that takes options"
        raise CardError(f"{reading.path} has no subcommand {wanted!r}", f"{did_you_mean(wanted, commands)}{known}")
    return wanted


def above(command: str) -> list[str]:
    """A subcommand and the ones that lead to it: `model`, `model fit`."""
    words = command.split()
    return [" ".join(words[: i + 1]) for i in range(len(words))]


def with_reason(option: Option, fixed: Sequence[str]) -> tuple[Option, str]:
    """An option with the reason why it is not tuned; a person's own argument for it is one."""
    for text in fixed:
        head = text.partition("=")[0]
        short = not head.startswith("--") and any(
            len(a) == 2 and a[0] == "-" and head.startswith(a) for a in option.aliases
        )
        if head in option.aliases or short:
            return option, GIVEN
    return option, option.held_back


def command(reading: ScriptReading, items: Sequence[Item], chosen: str, fixed: Sequence[str]) -> tuple[Argument, ...]:
    """The arguments in the order in which the script takes them; none where no program is known."""
    if not reading.runs:
        return ()
    arguments = [Argument("{python}"), Argument(_literal(reading.path))]
    for words in ("", *above(chosen)):
        if words:
            arguments.append(Argument(_literal(words.split()[-1])))
        here = [item for item in items if item.option.command == words and item.option.argument]
        arguments += [Argument(item.option.argument, item) for item in here if item.reason != GIVEN]
    return (*arguments, *(Argument(_literal(text)) for text in fixed))


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
