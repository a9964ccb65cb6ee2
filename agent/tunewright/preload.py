"""The surrogate's libraries, loaded while the first trials run: they take seconds, for which workers would wait."""

from contextlib import suppress
from functools import cache

from tunewright.executors.base import Executor
from tunewright.executors.local import LocalExecutor
from tunewright.turns import INITIAL


def preload(executor: Executor, trials: int | None) -> None:
    """Load them in this thread, where the surrogate's turn will come and each trial is a process of its own.

    Not beside an objective in this process, and so not in a thread either: two threads that import parts of one package
    at the same time may find it half loaded.

    Args:
        executor: all its workers have something to do.
        trials: of the whole study; None for no limit.
    """
    from tunewright_tools.command import CommandTool

    if trials is not None and trials <= INITIAL:
        return
    if isinstance(executor, LocalExecutor) and isinstance(executor.tool, CommandTool):
        _load()


@cache
def _load() -> None:
    with suppress(Exception):  # the import where they are needed says what is wrong
        import tunewright.acquisition  # noqa: F401
