"""Every example that needs no key and no GPU is run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tunewright.card import TaskCard

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda p: str(p.relative_to(EXAMPLES)))
def test_every_card_loads(path: Path) -> None:
    card = TaskCard.load(path)
    assert not card.space.check(card.space.default()).faults


def test_the_demo_tunes_a_real_training(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "demo" / "demo.py"), "--model", "none", "--trials", "2"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert result.returncode == 0, result.stderr
    assert "trial 1 val_accuracy=" in result.stdout
    assert "What each source did" in result.stdout
    assert (tmp_path / "demo.db").exists()
