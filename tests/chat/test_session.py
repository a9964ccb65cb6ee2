"""The example of a whole talk: set up, run, pin, killed, resumed, explained, exported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_the_whole_session_on_a_pseudo_terminal(tmp_path: Path) -> None:
    page = tmp_path / "chat.md"
    command = [sys.executable, str(ROOT / "examples" / "chat" / "session.py"), "--transcript", str(page)]
    ran = subprocess.run([*command, "--folder", str(tmp_path / "project")], capture_output=True, text=True, timeout=480)
    assert ran.returncode == 0, ran.stderr
    text = page.read_text()
    first, second = text.split("After the kill")
    assert "Do it? [y/N] y" in first
    assert "digits: trial 1 val_accuracy=" in first
    assert "digits: 0 of 5 trials, trial 0" in first
    assert "messages of an earlier talk" in second
    assert "Trial" in second
    assert "is the best: val_accuracy" in second
    assert "digits: the run has ended" in second
    exported = tmp_path / "project" / "runs" / "digits" / "exports" / "digits-optuna.py"
    made = subprocess.run([sys.executable, str(exported)], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert made.returncode == 0, made.stderr


def test_the_page_of_the_documentation_is_what_the_example_writes() -> None:
    page = (ROOT / "docs" / "chat.md").read_text()
    template = (ROOT / "examples" / "chat" / "page.md").read_text()
    for part in template.replace("[first]", "\0").replace("[second]", "\0").replace("[status]", "\0").split("\0"):
        assert part in page, "write it again: python examples/chat/session.py --transcript docs/chat.md"
    assert str(ROOT) not in page
