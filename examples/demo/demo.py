"""The main job from end to end: the local model and the surrogate tune a real PyTorch training for 12 trials.

    make demo            # or: python examples/demo/demo.py [--model openai/NAME --base-url URL] [--trials N]

It leaves the study in demo.db beside the folder `runs`; look at it with
`tunewright show --storage sqlite:///demo.db` or `optuna-dashboard sqlite:///demo.db`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CARD = Path(__file__).parent.parent / "digits" / "tune.yaml"


def main() -> int:
    """Run the command that a person would type, and show it first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="local")
    parser.add_argument("--base-url")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--storage", default="sqlite:///demo.db")
    given = parser.parse_args()
    command = [sys.executable, "-m", "tunewright.cli", "run", str(CARD)]
    command += ["--model", given.model, "--trials", str(given.trials), "--storage", given.storage]
    if given.base_url:
        command += ["--base-url", given.base_url]
    print("$ tunewright", *command[3:], flush=True)
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
