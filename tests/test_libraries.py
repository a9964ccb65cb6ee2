"""A Ctrl-C while the surrogate's libraries are loaded leaves a process that can go on."""

import subprocess
import sys

SCRIPT = """
import os, signal, sys
from tunewright.libraries import load

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "torch.functional":  # its compiled part is there already, and cannot be loaded twice
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
try:
    load()
except KeyboardInterrupt:
    print("interrupted")
load()
from tunewright.acquisition import suggest
print(suggest.__name__)
"""


def test_a_ctrl_c_in_the_middle_of_an_import_ends_the_wait_and_not_the_import() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["interrupted", "suggest"], "")
