"""What trials of an earlier study bring, and what they cost where the tasks do not agree.

    python benchmarks/earlier.py [--seeds 10] [--trials 20] [--tasks none similar ...]

Each seed is a random function of five parameters (a rotated valley with ripples, and a choice); the earlier study holds
40 trials of it, of a relative of it, or of another function altogether: 15 evenly drawn, 25 random steps from the best.
No model is asked. The table has the mean loss of the best trial so far (standard error); all minima are near 0.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright import Choice, Float, Int, Space, TaskCard, Tuner
from tunewright.earlier import Earlier, Row, fitting

SPACE = Space(
    Float("lr", 1e-5, 1e-1, log=True, default=1e-4),
    Float("weight_decay", 1e-6, 1e-1, log=True, default=1e-6),
    Float("dropout", 0.0, 0.6, default=0.0),
    Int("width", 16, 512, log=True, default=32),
    Choice("optimizer", ["adam", "sgd", "lion"], default="sgd"),
)
CARD = TaskCard(goal="a benchmark", name="task", metric="loss", direction="minimize", space=SPACE)
AT = (4, 6, 8, 10, 14, 20)
Loss = Callable[[dict[str, Any]], float]


@dataclass(frozen=True)
class Kind:
    """How the earlier task differs: the optimum moved by `shift` of each scale, another seed, another scale or sign."""

    shift: float = 0.0
    other: int = 0
    scale: float = 1.0
    sign: int = 1


KINDS = {
    "none": None,
    "same": Kind(),
    "similar": Kind(shift=0.04, scale=5.0),
    "shifted": Kind(shift=0.2),
    "unrelated": Kind(other=7777),
    "contrary": Kind(sign=-1),
}


def task(seed: int, kind: Kind) -> Loss:
    rng = np.random.default_rng(seed + kind.other)
    centre = rng.uniform(0.2, 0.8, 4)
    turn = rng.normal(size=(4, 4)) * 0.4 + np.eye(4)
    penalty = rng.permutation([0.0, 0.15, 0.4])
    moved = np.clip(centre + kind.shift * np.sign(rng.normal(size=4)), 0.02, 0.98)

    def loss(config: dict[str, Any]) -> float:
        v = turn @ (SPACE.to_unit([config])[0, :4] - moved)
        chosen = penalty[["adam", "sgd", "lion"].index(config["optimizer"])]
        return float(kind.sign * kind.scale * (3 * v @ v + 0.05 * np.sin(9 * v).sum() ** 2 + chosen))

    return loss


def past(loss: Loss, seed: int) -> Earlier:
    rng = np.random.default_rng([seed, 1])
    configs = SPACE.sample(15, seed + 1000)
    for _ in range(25):
        best = min(configs, key=loss)
        unit = SPACE.to_unit([best])[0] + rng.normal(size=5) * 0.12
        configs.append(SPACE.from_unit(np.clip(unit, 0, 1)[None])[0])
    return fitting("earlier", CARD, [Row(c, {"loss": loss(c)}, "done") for c in configs])


def best_so_far(name: str, seed: int, trials: int) -> tuple[np.ndarray, float]:
    """Best value after each trial, and the mean weight of the earlier study."""
    kind = KINDS[name]
    sets = [] if kind is None else [past(task(seed, kind), seed)]
    loss = task(seed, Kind())
    with tempfile.TemporaryDirectory() as folder:
        result = Tuner(CARD, None, f"sqlite:///{folder}/study.db", seed, earlier=sets).run(loss, trials=trials)
    values = [t.outcome.metrics["loss"] for t in result.trials if t.outcome]
    weights = [w for t in result.trials for w in t.verdict.numbers.values()]
    return np.minimum.accumulate(values), float(np.mean(weights)) if weights else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--tasks", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    at = [n for n in AT if n <= given.trials]
    print("| earlier task | " + " | ".join(map(str, at)) + " | weight |")
    print("| --- |" + " --- |" * (len(at) + 1))
    for name in given.tasks:
        runs = [best_so_far(name, seed, given.trials) for seed in range(given.seeds)]
        curves = np.array([curve for curve, _ in runs])
        cells = [f"{curves[:, n - 1].mean():.3f} ({curves[:, n - 1].std() / len(curves) ** 0.5:.3f})" for n in at]
        print(f"| {name} | " + " | ".join(cells) + f" | {np.mean([w for _, w in runs]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
