"""The examples of `warmstart` for other optimizers: short, and those whose optimizer is installed run."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tunewright.export import TARGETS

FOLDER = Path(__file__).parent.parent / "examples" / "warmstart"
LONGEST = 15


def name(path: Path) -> str:
    return path.stem.removesuffix("_warmstart")


def test_every_optimizer_has_an_example() -> None:
    assert {name(path) for path in FOLDER.glob("*.py")} == {target for target in TARGETS if target != "json"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=name)
def test_an_example_is_short_and_runs(path: Path, tmp_path: Path) -> None:
    assert len([line for line in path.read_text().splitlines() if line.strip()]) <= LONGEST
    if find_spec(name(path)) is None:
        pytest.skip(f"{name(path)} is not installed: run `make test-exporters`")
    env = {**os.environ, "HOME": str(tmp_path)}  # Ray keeps results in the home folder
    result = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=110
    )
    assert result.returncode == 0, result.stderr
