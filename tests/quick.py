"""A study of real, very short processes; used by the tests of the command line and of the whole way."""

import random
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "programs" / "quick.py"


def card_file(folder: Path, *, seconds: float = 0.0, extra: str = "", program: Path = PROGRAM) -> Path:
    path = folder / "tune.yaml"
    path.write_text(f"""\
name: quick
goal: a toy training, best at a learning rate of 0.01 and a width of 128
metrics: [{{name: loss, direction: minimize}}]
tool:
  command: [{sys.executable}, {program}, --lr, "{{lr}}", --width, "{{width}}", --seconds, "{seconds}"]
space:
  - {{name: lr, type: float, low: 1e-5, high: 1e-1, log: true, default: 1e-4, about: peak learning rate}}
  - {{name: width, type: int, low: 16, high: 512, rounding: power_of_two, default: 16}}
{extra}
""")
    return path


def good_reply(body: dict[str, Any]) -> dict[str, Any]:
    """Sensible configurations, a function of the request's seed alone."""
    rng = random.Random(body.get("seed", 0))
    proposals = [
        {
            "rationale": "near the textbook value",
            "config": {"lr": 10 ** rng.gauss(-2.0, 0.3), "width": 2 ** rng.choice([6, 7, 8])},
        }
        for _ in range(5)
    ]
    return {"proposals": proposals, "prior": {"lr": {"guess": 0.01, "low": 0.003, "high": 0.03}}}
