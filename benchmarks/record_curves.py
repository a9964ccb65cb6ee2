"""Records learning curves of a shipped trainer, for studying early stopping without training anew.

    python -m benchmarks.record_curves lm vision [--runs 96] [--jobs 1]
    python -m benchmarks.record_curves lm vision --check
    python -m benchmarks.record_curves lm vision --again 4 [--best 24]

The card `curves/TASK.yaml` says what is trained; its configurations are the first of a scrambled Sobol sequence of its
space (seed 0, numbers rounded to four digits), so that a larger --runs goes on with the same sequence.
`data/curves_TASK.csv` gets the runs that it does not have yet, each when it has ended, with one row a point: task, run,
config (JSON, in the run's first row alone), status (done or diverged), step, seconds of training, and what it printed.
A run that fails in another way ends the recording.

`--again K` trains the runs with the best ends, by each metric, with K seeds more and keeps what they end with in
`data/again_TASK.csv`: a search picks the luckiest of its runs, and what the pick is worth shows on seeds that it was
not picked by.

`--check` trains nothing. It says how far the best run fell in the last fifth of its steps: curves that are flat by then
say nothing about early stopping.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch

import argparse
import csv
import io
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tunewright.card import TaskCard
from tunewright_tools.base import Job
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool

HERE = Path(__file__).parent
TASKS = ("lm", "vision")
SEED = 0
BESIDE = {"lm": ("train_loss", "seconds"), "vision": ("val_accuracy", "train_loss", "seconds")}
Row = dict[str, str]


METRICS = {"lm": {"val_bpb": 1}, "vision": {"val_loss": 1, "val_accuracy": -1}}
"""By which runs are the best; the sign makes smaller better."""


def read(task: str, folder: Path = HERE / "data", *, kind: str = "curves") -> list[Row]:
    """The rows recorded so far."""
    path = folder / f"{kind}_{task}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(task: str, rows: list[Row], folder: Path, *, kind: str = "curves", order: str = "step") -> None:
    """All rows in the order of runs; the old file stays until the new one is whole."""
    path = folder / f"{kind}_{task}.csv"
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(rows, key=lambda row: (int(row["run"]), float(row[order]))))
    half_written = path.with_suffix(".part")
    half_written.write_text(text.getvalue())
    half_written.replace(path)


def rounded(config: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in config.items()}


def record(task: str, number: int, config: dict[str, Any], card: TaskCard, options: dict[str, Any]) -> list[Row]:
    """Train one configuration.

    Raises:
        RuntimeError: the run neither ended well nor diverged.
    """
    shipped = trainer(str(card.tool.trainer))
    argv = shipped.argv((p.name for p in card.space), options)
    metric = card.primary
    tool = CommandTool(argv, [(metric.name, metric.direction)], beside=BESIDE[task])
    with tempfile.TemporaryDirectory() as folder:
        outcome = tool.run(Job(number, 0, config, SEED, Path(folder)), lambda _: False)
    if outcome.status not in ("done", "diverged"):
        raise RuntimeError(f"{task} run {number} is {outcome.status}: {outcome.detail}; its configuration: {config}")
    same = {"task": task, "run": str(number), "status": outcome.status}
    names = ("seconds", metric.name, *(name for name in BESIDE[task] if name != "seconds"))
    return [
        same
        | {"config": "" if i else json.dumps(config), "step": f"{point.step:g}"}
        | {name: f"{point.metrics[name]:g}" for name in names}
        for i, point in enumerate(outcome.curve)
    ]


def fill(task: str, runs: int, jobs: int, folder: Path, changes: dict[str, Any], say: Callable[[str], None]) -> None:
    """Record what the file lacks of the first `runs` configurations."""
    card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
    options = {**(card.tool.options or {}), **changes}
    rows, lock = read(task, folder), threading.Lock()
    have = {int(row["run"]) for row in rows}

    def one(number: int, config: dict[str, Any]) -> None:
        made = record(task, number, config, card, options)
        if not made:
            say(f"{task} run {number} diverged before its first point; it has no curve")
            return
        with lock:
            rows.extend(made)
            write(task, rows, folder)
        last = made[-1]
        say(f"{task} run {number} {last['status']}: {len(made)} points, {last[card.primary.name]}, {last['seconds']} s")

    drawn = enumerate(card.space.sample(runs, SEED))
    _each(one, [(number, rounded(config)) for number, config in drawn if number not in have], jobs)


def again(
    task: str, best: int, seeds: int, jobs: int, folder: Path, changes: dict[str, Any], say: Callable[[str], None]
) -> None:
    """Train the best runs of the file with seeds 1, 2, ... where that was not done yet, and keep what they end with."""
    card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
    rows, lock = read(task, folder, kind="again"), threading.Lock()
    have = {(int(row["run"]), int(row["seed"])) for row in rows}
    configs = {int(row["run"]): json.loads(row["config"]) for row in read(task, folder) if row["config"]}

    def one(number: int, seed: int) -> None:
        options = {**(card.tool.options or {}), **changes, "seed": seed}
        made = record(task, number, configs[number], card, options)
        last = made[-1] if made else {"status": "diverged"}
        ends = {metric: last.get(metric, "") if last["status"] == "done" else "" for metric in METRICS[task]}
        with lock:
            rows.append({"task": task, "run": str(number), "seed": str(seed), "status": last["status"], **ends})
            write(task, rows, folder, kind="again", order="seed")
        say(f"{task} run {number} with seed {seed} {last['status']}: {ends}")

    wanted = [(number, seed) for seed in range(1, seeds + 1) for number in best_runs(task, best, folder)]
    _each(one, [each for each in wanted if each not in have], jobs)


def best_runs(task: str, best: int, folder: Path = HERE / "data") -> list[int]:
    """The runs that are among the `best` by one of the metrics, in the order of their numbers."""
    ends = {int(row["run"]): row for row in read(task, folder) if row["status"] == "done"}
    found: set[int] = set()
    for metric, sign in METRICS[task].items():
        found |= set(sorted(ends, key=lambda number: sign * float(ends[number][metric]))[:best])
    return sorted(found)


def _each(one: Callable[..., None], arguments: list[tuple[Any, ...]], jobs: int) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(one, *each) for each in arguments]
        try:
            for future in waiting:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def check(task: str, folder: Path = HERE / "data") -> str:
    """How much the run with the best end improved in the last fifth of its steps, and what else was recorded."""
    card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
    name, sign = card.primary.name, 1 if card.primary.direction == "minimize" else -1
    curves: dict[int, list[tuple[float, float]]] = {}
    diverged = set()
    for row in read(task, folder):
        number = int(row["run"])
        curves.setdefault(number, []).append((float(row["step"]), float(row[name])))
        if row["status"] == "diverged":
            diverged.add(number)
    full = {number: sorted(curve) for number, curve in curves.items() if number not in diverged}
    best = min(full, key=lambda number: sign * full[number][-1][1])
    steps, end = full[best][-1]
    early = [value for step, value in full[best] if step <= 0.8 * steps][-1]
    points = sorted(len(curve) for curve in curves.values())
    ends = sorted((curve[-1][1] for curve in full.values()), key=lambda value: sign * value)
    return (
        f"{task}: {len(curves)} runs, {len(diverged)} diverged, {points[0]} to {points[-1]} points a run; best is run "
        f"{best}: {name} {early:g} at 80% of its steps, {end:g} at the end ({sign * (early - end) / abs(early):.1%} "
        f"better); median end {statistics.median(ends):g}, worst {ends[-1]:g}"
    )


def main(argv: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("tasks", nargs="+", choices=TASKS)
    options.add_argument("--runs", type=int, default=96)
    options.add_argument("--jobs", type=int, default=1, help="runs at a time")
    options.add_argument("--folder", type=Path, default=HERE / "data", help="where the CSV files are")
    options.add_argument("--again", type=int, metavar="K", help="train the best runs again, with K other seeds")
    options.add_argument("--best", type=int, default=24, help="how many, by each metric")
    options.add_argument("--check", action="store_true", help="only say what is recorded")
    given = options.parse_args(argv)

    def say(text: str) -> None:
        print(text, flush=True)

    for task in given.tasks:
        if given.again:
            again(task, given.best, given.again, given.jobs, given.folder, {}, say)
            continue
        if not given.check:
            fill(task, given.runs, given.jobs, given.folder, {}, say)
        print(check(task, given.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
