"""The tool that a card names, ready to run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright.card import TaskCard
from tunewright.card_parts import GIB
from tunewright.errors import ToolError
from tunewright.signs import companions
from tunewright_tools.base import Limits, Tool, ToolSetupError


def open_tool(card: TaskCard, tool: "Tool | Callable[..., Any] | None" = None) -> Tool:
    """The given tool or callable, else what the card names.

    Raises:
        ToolError: the card names none, a program is missing, a placeholder has no parameter or the reverse.
    """
    from tunewright_tools.command import CommandTool
    from tunewright_tools.function import FunctionTool

    try:
        if isinstance(tool, Tool):
            chosen: Tool = tool
        elif callable(tool):
            extra = [c.metric for c in card.constraints]
            beside = companions(card.primary.name)
            best = {m.name: m.direction for m in card.metrics} if card.best_of_curve else {}
            names = [m.name for m in card.metrics]
            chosen = FunctionTool(tool, names, extra_names=extra, beside=beside, best_of_curve=best)
        elif tool is not None:
            raise ToolError(f"{tool!r:.80} is neither a function nor a tool", "give a function of one configuration")
        elif card.tool is None:
            raise ToolError(
                f"the card {card.name!r} names no tool",
                "add `tool: {command: [python, train.py, ...]}`, or from Python give a callable (objective=train)",
            )
        else:
            chosen = CommandTool(
                command_of(card),
                metrics=[(m.name, m.direction) for m in card.metrics],
                extra_names=[c.metric for c in card.constraints],
                best_of_curve=card.best_of_curve,
                env=card.tool.env,
                cwd=card.tool.cwd,
                beside=companions(card.primary.name),
                gpus_per_run=card.budget.gpus_per_trial,
                co2_g_per_kwh=card.stated_hardware.co2_g_per_kwh if card.stated_hardware else None,
            )
        chosen.check({p.name: p.start for p in card.space})
    except ToolSetupError as e:
        raise ToolError(e.message, e.hint) from e
    return chosen


def command_of(card: TaskCard) -> list[str]:
    """The command that a trial runs, with placeholders; empty where the card names no tool.

    Raises:
        ToolSetupError: there is no such trainer, or it does not take the card's options or parameters.
    """
    from tunewright_tools.catalog import trainer

    if card.tool is None:
        return []
    if card.tool.trainer is not None:
        return trainer(card.tool.trainer).argv((p.name for p in card.space), card.tool.options)
    return list(card.tool.command or [])


def folder_of(tool: Tool) -> Path | None:
    """The folder in which the tool's program runs, absolute; None for a tool that is no program."""
    from tunewright_tools.command import CommandTool

    return (tool.cwd or Path()).absolute() if isinstance(tool, CommandTool) else None


def limits(card: TaskCard) -> Limits:
    """What one run may use, from the card's budget."""
    memory, gpu = card.budget.memory_gb_per_trial, card.budget.gpu_memory_gb_per_trial
    return Limits(
        seconds=card.budget.seconds_per_trial,
        memory_bytes=int(memory * GIB) if memory is not None else None,
        gpu_memory_bytes=int(gpu * GIB) if gpu is not None else None,
    )
