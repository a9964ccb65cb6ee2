"""The errors a person sees: what was seen, what would be accepted, the next step, and an exit code for each kind.

A run's fault is never an error: it is an `Outcome` with a status (see `tunewright_tools.base`).
"""


class TunerError(Exception):
    """Base of all errors that Tunewright raises on purpose.

    Args:
        message: what is wrong, with the value that was seen.
        hint: what would be accepted, or the next step. Required: an error without a way on is half an error.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message


class CardError(TunerError):
    """The card cannot be read: YAML mistakes, unknown keys, a placeholder without a parameter."""

    exit_code = 2


class SpaceError(CardError):
    """A parameter or a relation that cannot be: log at 0, low above high, a default outside its bounds."""


class StudyError(TunerError):
    """The record cannot be opened or does not fit the card."""

    exit_code = 3


class ModelError(TunerError):
    """The model cannot be asked: no key, unreachable endpoint, weights that are not there.

    Args:
        retryable: whether the same request may succeed later (a busy server, a broken connection).
    """

    exit_code = 4

    def __init__(self, message: str, hint: str, *, retryable: bool = False) -> None:
        super().__init__(message, hint)
        self.retryable = retryable


class ToolError(TunerError):
    """What runs a configuration is broken, not the configuration: trial 0 crashed, the program is missing."""

    exit_code = 5


INTERRUPTED_EXIT_CODE = 130  # Ctrl-C, as shells count it: 128 + SIGINT
