"""Where the scripts of these tests are, and the command line as a subprocess."""

import os
import subprocess
import sys
from pathlib import Path

from tunewright.init.reading import Option, ScriptReading

SCRIPTS = Path(__file__).parent / "scripts"


def tunewright(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    own = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and k != "OPENAI_BASE_URL"}
    command = [sys.executable, "-m", "tunewright.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, env={**own, **env})


def tunable(reading: ScriptReading) -> list[Option]:
    """The options that become parameters of a card."""
    return [option for option in reading.options if not option.held_back]
