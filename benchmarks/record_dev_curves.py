"""Records the learning curves on which the curve pruner is developed, so that those of the report stay unseen.

    python -m benchmarks.record_dev_curves --tasks dev_lm --runs 34
    python -m benchmarks.record_dev_curves --tasks dev_digits dev_friedman dev_boosting --runs 40
    python -m benchmarks.record_dev_curves --again 4

Other problems than `record_curves.py` records, four CPU minutes in all: the runs are trained in one process, because
importing torch takes longer than one of them. Configurations are drawn as there, and `data/curves_TASK.csv` has the
same columns; `seconds` is the process's CPU time since the run began, and a run's configuration stands in its first row
alone. A file is written anew.

`--again K` trains every run of the files with K seeds more and keeps what they end with in `data/again_TASK.csv`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch

import argparse
import contextlib
import csv
import importlib
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record_curves import HERE, SEED, read, rounded

from tunewright.card import TaskCard
from tunewright_tools.base import Point
from tunewright_tools.catalog import trainer
from tunewright_tools.contract import Reader

TASKS = ("dev_lm", "dev_digits", "dev_friedman", "dev_boosting")


class _Printed(io.TextIOBase):
    """Reads a run's output as it is printed, and notes when."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._began = time.process_time()

    def write(self, text: str) -> int:
        self._reader.feed(text, time.process_time() - self._began)
        return len(text)


def data(task: str, folder: Path) -> list[str]:
    """The trainer's arguments for the data of a task, which may be a file made in this folder."""
    from sklearn import datasets

    if task == "dev_lm":
        texts = sorted((Path(datasets.__file__).parent / "descr").glob("*.rst"))
        (folder / "text.txt").write_bytes(b"".join(text.read_bytes() for text in texts))
        return ["--data", str(folder / "text.txt")]
    if task == "dev_digits":
        X, y = datasets.load_digits(return_X_y=True)
    else:
        X, y = datasets.make_friedman1(1200, noise=1.0, random_state=SEED)
    with (folder / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*(f"x{i}" for i in range(X.shape[1])), "y"])
        rows.writerows([*map(float, row), label] for row, label in zip(X, y, strict=True))
    return ["--data", str(folder / "table.csv"), "--target", "y"]


def boost(config: dict[str, Any], seed: int) -> None:
    """Train gradient boosting, the data split as ever; prints the scores of each stage."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import accuracy_score, log_loss
    from sklearn.model_selection import train_test_split

    X, X_held, y, held = train_test_split(*load_breast_cancer(return_X_y=True), test_size=0.4, random_state=SEED)
    model = GradientBoostingClassifier(n_estimators=1, warm_start=True, random_state=seed, **config)
    for stage in range(1, 41):
        model.n_estimators = stage
        model.fit(X, y)
        chances = model.predict_proba(X_held)
        right = accuracy_score(held, chances.argmax(1))
        print(f"step={stage} val_loss={log_loss(held, chances):.5f} val_accuracy={right:.5f}")


def record(
    task: str, config: dict[str, Any], card: TaskCard, given: list[str], seed: int = SEED
) -> tuple[str, tuple[Point, ...]]:
    """(status, curve) of one configuration; the status is done or diverged."""
    reader = Reader({metric.name: metric.direction for metric in card.metrics})
    with contextlib.redirect_stdout(_Printed(reader)):
        if card.tool.trainer is None:
            boost(config, seed)
            code = 0
        else:
            argv = trainer(card.tool.trainer).argv(config, {**(card.tool.options or {}), "seed": seed})[3:]
            filled = [word.format(**config) for word in argv]
            code = importlib.import_module(f"tunewright_tools.{card.tool.trainer}").main([*filled, *given])
    if code not in (0, 3):
        raise RuntimeError(f"{task} ended with {code}; its configuration: {config}")
    return ("diverged" if code else "done"), reader.values.curve()


def again(task: str, seeds: int, folder: Path) -> None:
    """Train every run of the file with seeds 1, 2, ... and keep what they end with."""
    card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
    names = [metric.name for metric in card.metrics]
    configs = {row["run"]: json.loads(row["config"]) for row in read(task, folder) if row["config"]}
    with tempfile.TemporaryDirectory() as made, (folder / f"again_{task}.csv").open("w", newline="") as file:
        given = [] if card.tool.trainer is None else data(task, Path(made))
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["task", "run", "seed", "status", *names])
        for run, config in configs.items():
            for seed in range(1, seeds + 1):
                status, curve = record(task, config, card, given, seed)
                ends = [f"{curve[-1].metrics[name]:g}" if status == "done" else "" for name in names]
                table.writerow([task, run, seed, status, *ends])


def main() -> None:
    """Record the files."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    options.add_argument("--runs", type=int, default=40)
    options.add_argument("--folder", type=Path, default=HERE / "data", help="where the CSV files go")
    options.add_argument("--again", type=int, metavar="K", help="train the runs of the files again, with K other seeds")
    chosen = options.parse_args()
    for task in chosen.tasks:
        if chosen.again:
            again(task, chosen.again, chosen.folder)
            continue
        card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
        names = [metric.name for metric in card.metrics]
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder, (chosen.folder / f"curves_{task}.csv").open("w", newline="") as f:
            given = [] if card.tool.trainer is None else data(task, Path(folder))
            table = csv.writer(f, lineterminator="\n")
            table.writerow(["task", "run", "config", "status", "step", "seconds", *names])
            drawn = [rounded(config) for config in card.space.sample(chosen.runs, SEED)]
            record(task, drawn[0], card, given)  # the first training also imports
            for number, config in enumerate(drawn):
                status, curve = record(task, config, card, given)
                said = json.dumps(config)
                for point in curve:
                    values = [f"{point.metrics[name]:g}" for name in names]
                    table.writerow([task, number, said, status, f"{point.step:g}", f"{point.seconds:.4f}", *values])
                    said = ""
        print(f"{task}: {time.process_time() - began:.0f} CPU seconds", flush=True)


if __name__ == "__main__":
    main()
