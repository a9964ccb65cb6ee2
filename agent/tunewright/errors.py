"""The errors a person sees: what was seen, what would be accepted, the next step, and an exit code for each kind.

A run's fault is never an error: it is an `Outcome` with a status (see `tunewright_tools.base`).
"""

import difflib
import operator
from collections.abc import Iterable
from typing import Any, Self


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

    def __reduce__(self) -> tuple[Any, ...]:
        # pickled by its fields: `args` holds the message alone, and errors cross processes
        return _rebuilt, (type(self), self.__dict__)

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message


class CardError(TunerError):
    """The card cannot be read: YAML mistakes, unknown keys, a placeholder without a parameter."""

    exit_code = 2
    path: tuple[str | int, ...] = ()
    """Where on the card it is, such as `("metrics", 0, "direction")`; empty where no key is to blame."""

    def at(self, *path: str | int) -> Self:
        """The same error, placed under these keys of the card."""
        self.path = (*path, *self.path)
        return self


class SpaceError(CardError):
    """A parameter or a relation that cannot be: log at 0, low above high, a default outside its bounds."""


class StudyError(TunerError):
    """The record cannot be opened or does not fit the card."""

    exit_code = 3


class ModelError(TunerError):
    """The model cannot be asked: no key, unreachable endpoint, weights that are not there.

    Args:
        retryable: whether the same request may succeed later (a busy server, a broken connection).
        no_credit: whether the account has nothing left to spend, so that no other request will be answered either.
    """

    exit_code = 4

    def __init__(self, message: str, hint: str, *, retryable: bool = False, no_credit: bool = False) -> None:
        super().__init__(message, hint)
        self.retryable = retryable
        self.no_credit = no_credit


class ToolError(TunerError):
    """What runs a configuration is broken, not the configuration: trial 0 crashed, the program is missing."""

    exit_code = 5


INTERRUPTED_EXIT_CODE = 130  # Ctrl-C, as shells count it: 128 + SIGINT


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The opening of a hint, "did you mean 'metrics'? ", for a word close to a known one; else nothing."""
    near = difflib.get_close_matches(str(word).lower(), list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""


def whole(value: Any, name: str, least: int) -> int:
    """The whole number that a value is, one of NumPy's too; raises `CardError` for anything else, and below `least`."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise CardError(f"{name} is {value!r:.80}", f"give a whole number of {least} or more")
    return number


def _rebuilt(kind: type[TunerError], fields: dict[str, Any]) -> TunerError:
    error = kind.__new__(kind, fields["message"])
    error.__dict__.update(fields)
    return error
