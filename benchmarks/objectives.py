"""Several metrics at once: how much of the attainable hypervolume each searcher's feasible trials cover.

    python -m benchmarks.objectives --seeds 0 1 2          # run it again to go on
    python -m benchmarks.objectives --fast                 # does it work? under a minute

Results lie in benchmarks/results/objectives.jsonl.

| task | parameters | metrics | constraint |
| --- | --- | --- | --- |
| serving | 8 | loss, latency_ms | latency_ms <= 50 |
| sphere | 6 | f1, f2 (a quarter circle, as DTLZ2) | none |
| edge | 7 | error, latency_ms, energy | memory_mb <= 400 |
"""

import argparse
import itertools
import json
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.synthetic import OptunaSearch, Searcher, Task, Tunewright
from numpy.typing import NDArray

from tunewright.card import TaskCard
from tunewright.hypervolume import volume
from tunewright.space import Choice, Float, Int, Space
from tunewright_tools.base import Config, Outcome, Telemetry

RESULTS = Path(__file__).parent / "results"
METHODS = ("random", "tpe", "nsga2", "gp", "tunewright")
SHOWN = {"tpe": "Optuna TPE", "nsga2": "Optuna NSGA-II", "gp": "Optuna GPSampler", "tunewright": "tunewright, no model"}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem(Task):
    """A task with several metrics, all minimised; `best` is about the hypervolume of all that is attainable."""

    reference: tuple[float, ...] = ()
    """Results beyond it in any metric count for nothing."""
    attainable: Callable[[], list[dict[str, float]]] = list
    """Results that no recipe betters, on a grid of what decides the trade-off (`--attainable` makes `best` of it)."""

    def covered(self, results: list[dict[str, float]]) -> float:
        """Share of the attainable hypervolume that the feasible ones of these results cover."""
        rows = [[r[m.name] for m in self.card.metrics] for r in results if self.card.feasible(r)]
        return volume(np.array(rows).reshape(-1, len(self.reference)), np.array(self.reference)) / self.best


def _recipe(c: Config, best_lr: float) -> float:
    """What the recipe alone adds to the loss; 0 at its best."""
    return (
        0.2 * (math.log10(c["lr"]) - best_lr) ** 2
        + 0.05 * (math.log10(c["weight_decay"]) + 1.5) ** 2
        + 2.0 * (c["dropout"] - 0.1) ** 2
    )


def serving() -> Problem:
    """A bigger network is better and slower; the best learning rate falls with its width."""
    space = Space(
        Int("depth", 2, 48, log=True, default=8),
        Int("width", 64, 2048, log=True, default=256),
        Choice("attention", ["full", "grouped", "linear"], default="full"),
        Float("lr", 1e-5, 1e-1, log=True, default=1e-3),
        Float("weight_decay", 1e-5, 1.0, log=True, default=1e-2),
        Float("dropout", 0.0, 0.5, default=0.0),
        Int("batch", 8, 512, log=True, default=64),
        Float("warmup", 0.0, 0.3, default=0.0),
    )

    def of_size(depth: int, width: int, attention: str) -> dict[str, float]:
        loss = 1.8 + 9.0 * depth**-0.35 * width**-0.3 + {"full": 0.0, "grouped": 0.02, "linear": 0.12}[attention]
        latency = 0.5 + depth * (0.15 + (width / 512) ** 1.5 * {"full": 1.0, "grouped": 0.7, "linear": 0.5}[attention])
        return {"loss": loss, "latency_ms": latency}

    def run(c: Config) -> Outcome:
        found = of_size(c["depth"], c["width"], c["attention"])
        found["loss"] += _recipe(c, -1.0 - 0.8 * math.log10(c["width"]) + 0.3 * math.log10(c["batch"] / 64))
        found["loss"] += 0.04 * math.log2(c["batch"] / 64) ** 2 + 3.0 * (c["warmup"] - 0.06) ** 2
        return Outcome("done", found, telemetry=Telemetry(1.0))

    def attainable() -> list[dict[str, float]]:
        kinds = ("full", "grouped", "linear")
        return [of_size(d, w, a) for d in range(2, 49) for w in range(64, 2049, 8) for a in kinds]

    card = _card("serving", space, ["loss", "latency_ms"], ["latency_ms <= 50"])
    return Problem("serving", card, run, 25.074, (2.8, 50.0), attainable)


def sphere() -> Problem:
    """A quarter circle that is reached where five parameters have their best values, which follow the first."""
    space = Space(
        Float("mix", 0.0, 1.0, default=0.5),
        Float("lr", 1e-5, 1e-1, log=True, default=1e-4),
        Float("weight_decay", 1e-5, 1.0, log=True, default=1e-2),
        Float("momentum", 0.5, 1.0, default=0.9),
        Int("epochs", 1, 64, log=True, default=4),
        Float("clip", 0.1, 10.0, log=True, default=1.0),
    )

    def run(c: Config) -> Outcome:
        distance = 0.3 * (math.log10(c["lr"]) + 3.0 - c["mix"]) ** 2 + 0.1 * (math.log10(c["weight_decay"]) + 2.5) ** 2
        distance += 6.0 * (c["momentum"] - 0.85) ** 2 + 0.08 * (math.log2(c["epochs"]) - 4.0) ** 2
        distance += 0.2 * (math.log10(c["clip"]) - 0.4 + 0.8 * c["mix"]) ** 2
        angle = c["mix"] * math.pi / 2
        found = {"f1": (1 + distance) * math.cos(angle), "f2": (1 + distance) * math.sin(angle)}
        return Outcome("done", found, telemetry=Telemetry(1.0))

    def attainable() -> list[dict[str, float]]:
        return [{"f1": math.cos(a), "f2": math.sin(a)} for a in np.linspace(0, math.pi / 2, 2001)]

    return Problem("sphere", _card("sphere", space, ["f1", "f2"], []), run, 1.464, (1.5, 1.5), attainable)


def edge() -> Problem:
    """Error, latency and energy of a small network under a limit on memory; three parameters decide all of them."""
    space = Space(
        Int("channels", 8, 256, log=True, default=32),
        Int("blocks", 1, 24, log=True, default=4),
        Int("resolution", 64, 320, default=128),
        Float("lr", 1e-5, 1e-1, log=True, default=1e-3),
        Float("weight_decay", 1e-5, 1.0, log=True, default=1e-2),
        Float("dropout", 0.0, 0.5, default=0.0),
        Float("mixup", 0.0, 1.0, default=0.0),
    )

    def of_size(channels: int, blocks: int, resolution: int) -> dict[str, float]:
        error = 0.05 + 0.8 * channels**-0.35 * blocks**-0.2 + 0.15 * (1 - resolution / 320) ** 2
        work = channels**1.5 * blocks * resolution**2 / 4e6
        latency = 1.0 + 0.4 * blocks + 0.6 * work
        memory = 20 + channels * resolution**2 * (1 + 0.1 * blocks) / 3e4
        return {
            "error": error,
            "latency_ms": latency,
            "energy": 0.3 + 0.05 * work + 0.004 * memory,
            "memory_mb": memory,
        }

    def run(c: Config) -> Outcome:
        found = of_size(c["channels"], c["blocks"], c["resolution"])
        worse = _recipe(c, -1.6 - 0.6 * math.log10(c["channels"])) + 0.3 * (c["mixup"] - 0.3) ** 2
        found["error"] += 0.3 * worse
        return Outcome("done", found, telemetry=Telemetry(1.0))

    def attainable() -> list[dict[str, float]]:
        sizes = itertools.product((8 * 2 ** (i / 6) for i in range(31)), range(1, 25), range(64, 321, 16))
        return [of_size(round(c), b, r) for c, b, r in sizes]

    card = _card("edge", space, ["error", "latency_ms", "energy"], ["memory_mb <= 400"])
    return Problem("edge", card, run, 7.655, (0.4, 25.0, 2.5), attainable)


def _card(name: str, space: Space, metrics: list[str], constraints: list[str]) -> TaskCard:
    minimised = [{"name": metric, "direction": "minimize"} for metric in metrics]
    return TaskCard(name=name, goal=f"the front of {name}", space=space, metrics=minimised, constraints=constraints)


def _front_of(card: TaskCard, results: list[dict[str, float]]) -> list[dict[str, float]]:
    """Results that may be on the front: no result before them, in the order of their sums, beats them."""
    feasible = [r for r in results if card.feasible(r)]
    Y = np.array([[r[m.name] for m in card.metrics] for r in feasible])
    kept: list[int] = []
    for i in np.argsort((Y / Y.max(0)).sum(1), kind="stable"):
        if not kept or not (Y[kept] <= Y[i]).all(1).any():
            kept.append(int(i))
    return [feasible[i] for i in kept]


PROBLEMS = {"serving": serving, "sphere": sphere, "edge": edge}


class OptunaFront(OptunaSearch):
    """One of Optuna's samplers told every metric and how far each constraint is missed; the default goes first."""

    def __init__(self, problem: Problem, seed: int, sampler: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = optuna.samplers
        constraints = {"constraints_func": lambda t: t.user_attrs["excess"]} if problem.card.constraints else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = {
                "random": lambda: samplers.RandomSampler(seed=seed),
                "tpe": lambda: samplers.TPESampler(seed=seed, multivariate=True, **constraints),
                "nsga2": lambda: samplers.NSGAIISampler(seed=seed, population_size=20, **constraints),
                "gp": lambda: samplers.GPSampler(seed=seed, **constraints),
            }[sampler]()
        self._card, self._space = problem.card, problem.card.space
        self._study = optuna.create_study(sampler=made, directions=["minimize"] * len(problem.card.metrics))
        self._study.enqueue_trial(self._space.default())

    def tell(self, handle: Any, outcome: Outcome) -> None:
        handle.set_user_attr("excess", [c.excess(outcome.metrics[c.metric]) for c in self._card.constraints])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(handle, [outcome.metrics[m.name] for m in self._card.metrics])


def run(problem: Problem, method: str, seed: int, trials: int) -> dict[str, Any]:
    """One run: after each trial the share of the attainable hypervolume, and the searcher's seconds."""
    results: list[dict[str, float]] = []
    covered, seconds = [], []
    with tempfile.TemporaryDirectory(prefix="objectives-") as folder:
        found: Searcher
        found = Tunewright(problem, seed, folder) if method == "tunewright" else OptunaFront(problem, seed, method)
        for _ in range(trials):
            start = time.process_time()
            handle, config = found.ask()
            seconds.append(round(time.process_time() - start, 4))
            outcome = problem.run(config)
            results.append(outcome.metrics)
            covered.append(round(problem.covered(results), 5))
            found.tell(handle, outcome)
        found.close()
    broken = sum(not problem.card.feasible(r) for r in results)
    row = {"task": problem.name, "method": method, "seed": seed, "trials": trials}
    return {**row, "covered": covered, "broken": broken, "seconds": seconds}


def table(rows: list[dict[str, Any]], trials: int) -> str:
    """Markdown: mean over seeds with its standard error; then the paired difference to tunewright, all tasks."""
    half = trials // 2
    lines = [
        f"| task | method | seeds | covered at {half} | covered at {trials} | broke a constraint | s per trial |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    by = {(r["task"], r["method"], r["seed"]): r for r in rows}
    for task in PROBLEMS:
        for method in METHODS:
            found = [r for r in rows if (r["task"], r["method"]) == (task, method)]
            if found:
                cells = [_mean([r["covered"][n - 1] for r in found]) for n in (half, trials)]
                broken = np.mean([r["broken"] / trials for r in found])
                seconds = np.mean([np.mean(r["seconds"]) for r in found])
                lines.append(
                    f"| {task} | {SHOWN.get(method, method)} | {len(found)} | {cells[0]} | {cells[1]} "
                    f"| {broken:.0%} | {seconds:.2f} |"
                )
    lines += ["", f"| tunewright minus | pairs | at {half} | at {trials} |", "| --- | --- | --- | --- |"]
    for method in METHODS[:-1]:
        pairs = [(r, by[key]) for key, r in by.items() if key[1] == "tunewright"]
        pairs = [(r, by[r["task"], method, r["seed"]]) for r, _ in pairs if (r["task"], method, r["seed"]) in by]
        if pairs:
            cells = [
                _interval([(r["task"], r["covered"][n - 1] - o["covered"][n - 1]) for r, o in pairs])
                for n in (half, trials)
            ]
            lines.append(f"| {SHOWN.get(method, method)} | {len(pairs)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _mean(values: list[float]) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.3f} ({error:.3f})"


def _interval(differences: list[tuple[str, float]]) -> str:
    """Mean over tasks and its 95% bootstrap interval: 10,000 resamples of the seeds within each task."""
    rng = np.random.default_rng(0)
    tasks = sorted({task for task, _ in differences})
    drawn = np.zeros(10_000)
    for task in tasks:
        mine = np.array([d for name, d in differences if name == task])
        drawn += mine[rng.integers(len(mine), size=(10_000, len(mine)))].mean(1) / len(tasks)
    mean = np.mean([np.mean([d for name, d in differences if name == task]) for task in tasks])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--attainable", action="store_true", help="Compute `best` of each task anew.")
    given = parser.parse_args()
    if given.attainable:
        for name, make in PROBLEMS.items():
            made = make()
            print(f"{name}: {replace(made, best=1.0).covered(_front_of(made.card, made.attainable())):.4f}")
        return
    file = RESULTS / "objectives.jsonl"
    if given.fast:
        folder = Path(tempfile.mkdtemp(prefix="objectives-fast-"))
        given.seeds, given.trials, file = [100], 12, folder / "objectives.jsonl"
    file.parent.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    have = {(r["task"], r["method"], r["seed"], r["trials"]) for r in rows}
    problems = {name: make() for name, make in PROBLEMS.items()}
    for seed in given.seeds:
        for name, problem in problems.items():
            for method in given.methods:
                if (name, method, seed, given.trials) in have:
                    continue
                rows.append(run(problem, method, seed, given.trials))
                with file.open("a") as out:
                    out.write(json.dumps(rows[-1]) + "\n")
                print(f"{method} on {name}, seed {seed}: {rows[-1]['covered'][-1]:.3f}", file=sys.stderr, flush=True)
    print(table([r for r in rows if r["seed"] in given.seeds and r["trials"] == given.trials], given.trials))


if __name__ == "__main__":
    main()
