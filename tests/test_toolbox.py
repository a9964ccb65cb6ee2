"""From a card to the tool that runs it, and the limits of a run."""

from pathlib import Path
from typing import Any

import pytest
from toy import card

from tunewright.errors import CardError, ToolError
from tunewright.toolbox import limits, open_tool
from tunewright_tools.arguments import render
from tunewright_tools.base import Job
from tunewright_tools.command import CommandTool

DIGITS = [
    {"name": "learning_rate", "type": "float", "low": 1e-4, "high": 1.0, "log": True},
    {"name": "width", "type": "int", "low": 8, "high": 64},
]


def test_a_trainer_takes_fixed_options_beside_the_space() -> None:
    made = card(space=DIGITS, metric="val_accuracy", tool={"trainer": "torch_digits", "options": {"epochs": 2}})
    tool = open_tool(made)
    assert isinstance(tool, CommandTool)
    rendered = " ".join(render(tool.arguments, {"learning_rate": 0.1, "width": 8}, {}))
    assert "--epochs 2" in rendered
    assert "--width 8" in rendered


def test_an_option_that_the_trainer_lacks_or_that_is_tuned_is_refused() -> None:
    for options in ({"speed": 2}, {"width": 16}):
        made = card(space=DIGITS, metric="val_accuracy", tool={"trainer": "torch_digits", "options": options})
        with pytest.raises(ToolError, match=next(iter(options))):
            open_tool(made)


def test_options_beside_a_command_are_refused() -> None:
    with pytest.raises(CardError, match="options"):
        card(tool={"command": ["true"], "options": {"epochs": 2}})


def test_memory_caps_reach_the_run() -> None:
    made = card(budget={"gpu_memory_gb_per_trial": 1.5, "memory_gb_per_trial": 2.0})
    found = limits(made)
    assert (found.gpu_memory_bytes, found.memory_bytes) == (int(1.5 * 2**30), 2**31)


def test_more_gpus_than_there_are_is_said_before_any_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    made = card(space=DIGITS, metric="val_accuracy", tool={"trainer": "torch_digits"}, budget={"gpus_per_trial": 64})
    with pytest.raises(ToolError, match="wants 64 GPUs"):
        open_tool(made)


def test_the_grams_of_a_kilowatt_hour_come_from_the_stated_hardware() -> None:
    made = card(
        space=DIGITS, metric="val_accuracy", tool={"trainer": "torch_digits"}, hardware={"co2_g_per_kwh": 380.0}
    )
    tool = open_tool(made)
    assert isinstance(tool, CommandTool)
    assert tool.co2_g_per_kwh == 380.0


def test_the_best_of_a_callables_curve_counts_where_the_card_says_so(tmp_path: Path) -> None:
    def objective(config: dict[str, Any], ctx: Any) -> float:
        for step, value in enumerate([0.6, 0.9, 0.7]):
            ctx.report(step, loss=value)
        return 0.7

    made = card(best_of_curve=True, direction="maximize")
    outcome = open_tool(made, objective).run(Job(0, 1, {}, 0, tmp_path), lambda _: False)
    assert outcome.metrics == {"loss": 0.9}
