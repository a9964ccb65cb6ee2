"""The surrogate's libraries, loaded while the first trials run: they take seconds, for which workers would wait."""

from tunewright.executors.base import Executor
from tunewright.executors.local import LocalExecutor
from tunewright.libraries import load
from tunewright.turns import INITIAL


def preload(executor: Executor, trials: int | None, *, ended: bool = False) -> None:
    """Load them and wait, where the surrogate's turn will come and what a trial itself loads is no matter.

    That is so where each trial is a process of its own. An objective in this process imports when it is first called,
    and two threads that import parts of one package at the same time may find it half loaded: after its first end.

    Args:
        executor: all its workers have something to do.
        trials: of the whole study; None for no limit.
        ended: whether a trial has ended in this process.
    """
    from tunewright_tools.command import CommandTool

    if trials is not None and trials <= INITIAL:
        return
    if ended or (isinstance(executor, LocalExecutor) and isinstance(executor.tool, CommandTool)):
        load()
