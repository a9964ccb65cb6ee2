"""The surrogate's libraries are loaded beside programs, beside an objective once it has run; and a failing import."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from tunewright.executors.local import LocalExecutor
from tunewright.preload import preload
from tunewright_tools.command import CommandTool
from tunewright_tools.function import FunctionTool

program = LocalExecutor(CommandTool([sys.executable, "-c", ""], metrics=[("loss", "minimize")]))
function = LocalExecutor(FunctionTool(lambda config: 0.0, metrics=["loss"]))
heavy = {"torch", "scipy", "tunewright.surrogate"}
preload(function, None)
preload(program, 5)
print(sorted(heavy & set(sys.modules)))
"""


def said(script: str, folder: Path | None = None) -> list[str]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_they_are_loaded_beside_programs_whose_study_goes_on_long_enough() -> None:
    loaded = "preload(program, 6)\nprint(sorted(heavy & set(sys.modules)))"
    assert said(SCRIPT + loaded) == ["[]", "['scipy', 'torch', 'tunewright.surrogate']"]


@pytest.mark.slow
def test_they_are_loaded_beside_an_objective_that_has_run() -> None:
    loaded = "preload(function, 6, ended=True)\nprint(sorted(heavy & set(sys.modules)))"
    assert said(SCRIPT + loaded) == ["[]", "['scipy', 'torch', 'tunewright.surrogate']"]


def test_they_are_not_loaded_for_a_study_that_a_stop_rule_ends_before_their_turn(tmp_path: Path) -> None:
    script = """
import sys
from tunewright import Float, Space, TaskCard, Tuner

tool = {"command": [sys.executable, "-c", "print('loss: {lr}')"]}
space = Space(Float("lr", 1e-4, 1e-1, log=True))
card = TaskCard(goal="two runs", metric="loss", direction="minimize", space=space, tool=tool, stop={"trials": 2})
print(len(Tuner(card, None).run().trials), "torch" in sys.modules)
"""
    assert said(script, tmp_path) == ["2 False"]


def test_an_import_that_fails_fails_where_it_is_needed() -> None:
    broken = """
sys.modules["torch"] = None
preload(program, None)
try:
    import tunewright.acquisition
except ImportError as e:
    print(e)
"""
    assert said(SCRIPT + broken) == ["[]", "import of torch halted; None in sys.modules"]
