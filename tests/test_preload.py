"""The surrogate's libraries are loaded beside programs, beside an objective once it has run; and a failing import."""

import subprocess
import sys

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


def said(script: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_they_are_loaded_beside_programs_whose_study_goes_on_long_enough() -> None:
    loaded = "preload(program, 6)\nprint(sorted(heavy & set(sys.modules)))"
    assert said(SCRIPT + loaded) == ["[]", "['scipy', 'torch', 'tunewright.surrogate']"]


@pytest.mark.slow
def test_they_are_loaded_beside_an_objective_that_has_run() -> None:
    loaded = "preload(function, 6, ended=True)\nprint(sorted(heavy & set(sys.modules)))"
    assert said(SCRIPT + loaded) == ["[]", "['scipy', 'torch', 'tunewright.surrogate']"]


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
