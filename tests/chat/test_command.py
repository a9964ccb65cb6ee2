import os
import subprocess
import sys
from pathlib import Path

import pytest


def chat(folder: Path, typed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and k != "OPENAI_BASE_URL"}
    command = [sys.executable, "-m", "tunewright.cli", "chat", *arguments]
    return subprocess.run(command, cwd=folder, input=typed, capture_output=True, text=True, timeout=100, env=own)


@pytest.mark.slow
def test_over_a_pipe(root: Path) -> None:
    typed = '/setup train.py goal="a toy" metric=loss direction=minimize\nrun 2 trials\n/wait 60\n/best\n'
    result = chat(root, typed, "--model", "none", "--budget-trials", "1")
    assert result.returncode == 0, result.stderr
    assert "Do it? [y/N]" in result.stdout  # two are more than the stated budget of one
    assert "not approved" in result.stdout
    again = chat(root, "run 1 trial\n", "--model", "none", "--yes")
    assert "study a-toy: no trial yet" in again.stdout
    assert "a-toy: trial 0 loss=" in again.stdout
    third = chat(root, "how is it going?\n", "--model", "none")
    assert "1 trial on record" in third.stdout
    assert "messages of an earlier talk" in third.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--yes", "--budget-trials", "3"], 2, "--yes and a budget"),
        (["nothing.yaml"], 2, "there is no card nothing.yaml"),
        (["--root", "nowhere"], 2, "which is no folder"),
        (["--model", "gpt-5"], 4, "did you mean openai/gpt-5?"),
        (["--storage", "nonsense"], 3, "nonsense"),
    ],
)
def test_options_that_cannot_be_used_say_what_can(root: Path, arguments: list[str], code: int, said: str) -> None:
    result = chat(root, "/best\n", *arguments)
    assert result.returncode == code
    assert said in result.stderr


def test_a_model_without_a_key_says_so_and_commands_still_work(root: Path) -> None:
    result = chat(root, "hello\n/studies\n", "--model", "openai/gpt-5")
    assert result.returncode == 0
    assert "set OPENAI_API_KEY" in result.stdout
    assert "There is no study yet." in result.stdout
