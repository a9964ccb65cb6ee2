"""How a trainer ends where it cannot train: the exit code says whether another configuration would do."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import NoReturn

EXIT_CONFLICT = 1


class TrainingError(Exception):
    """Something given that cannot be trained on, whatever the configuration; the message says what would do."""


class ConflictError(TrainingError):
    """Values that are fine one by one, but not together or with this data; another configuration is."""


def conflict(options: argparse.ArgumentParser, message: str) -> NoReturn:
    """End with 1 and the message alone: with argparse's 2 and its usage, the command itself would be at fault."""
    options.exit(EXIT_CONFLICT, f"{options.prog}: error: {message}\n")


@contextlib.contextmanager
def told(options: argparse.ArgumentParser) -> Iterator[None]:
    """Ends the program with a message where the block raises: with 1 for `ConflictError`, else with 2."""
    try:
        yield
    except ConflictError as error:
        conflict(options, str(error))
    except TrainingError as error:
        options.error(str(error))
