"""What can be wrong with a call of a verb, as errors that name each argument."""

from collections.abc import Iterable
from dataclasses import dataclass

from tunewright.errors import TunerError
from tunewright.redact import redact

_LONGEST = 80


@dataclass(frozen=True)
class ArgumentFault:
    """One wrong argument."""

    argument: str
    """Its name; of a nested one the path, such as `values[1]`."""
    seen: str
    """What was given, as one line without keys; empty where nothing was."""
    accepted: str
    """What would be accepted, with its unit."""

    def __str__(self) -> str:
        return f"{self.argument} is {self.seen or 'missing'}; accepted: {self.accepted}"


def fault(argument: str, seen: object, accepted: str) -> ArgumentFault:
    """The fault of an argument whose value was seen; what is accepted may quote a card."""
    text = redact(" ".join(repr(seen).split()))
    return ArgumentFault(argument, text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...", redact(accepted))


class WrongCall(TunerError):  # noqa: N818 (named for what it is to the caller)
    """A call that cannot be carried out as it was made; nothing has been changed.

    Args:
        verb: the name that was called.
        faults: each wrong argument.
        hint: the next step; the faults name what is accepted, unless this says more.
    """

    exit_code = 2

    def __init__(
        self, verb: str, faults: Iterable[ArgumentFault], hint: str = "mend what is named and call it again"
    ) -> None:
        self.verb = verb
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)), hint)


class Denied(TunerError):  # noqa: N818 (named for what it is to the caller)
    """The person (or the budget that stands in for them) did not allow a call; nothing has been changed."""
