"""Runs a long command in the folder given, and is killed by the test that started it: leaves an orphan."""

import sys
from pathlib import Path

from tunewright_tools.base import Job
from tunewright_tools.command import CommandTool

folder = Path(sys.argv[1])
tool = CommandTool([sys.executable, *sys.argv[2:]], [("val_loss", "minimize")])
tool.run(Job(0, 0, {}, 0, folder), lambda point: False)
