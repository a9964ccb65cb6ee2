"""Spaces where a large part fails: how often each searcher fails, and how good the best of what does not fail is.

    python -m benchmarks.failures --seeds 0 1 2 3 4        # some minutes a seed; run it again to go on
    python -m benchmarks.failures --fast                   # does it work? under a minute

A failed run is told as one, never as a number. Results lie in benchmarks/results/failures.jsonl. Gaps are compared at
equal numbers of trials and at equal numbers of trials that succeeded; who has not as many is not compared there.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.synthetic import METHODS, TASKS, searcher

RESULTS = Path(__file__).parent / "results"


def run(task_name: str, method: str, seed: int, trials: int) -> dict[str, Any]:
    """One run: the loss of each trial, null where it failed."""
    task = TASKS[task_name]()
    losses: list[float | None] = []
    with tempfile.TemporaryDirectory(prefix="failures-") as folder:
        found = searcher(method, task, seed, folder)
        for _ in range(trials):
            handle, config = found.ask()
            outcome = task.run(config)
            losses.append(outcome.metrics.get("loss"))
            found.tell(handle, outcome)
        found.close()
    return {"task": task_name, "method": method, "seed": seed, "trials": trials, "losses": losses}


Losses = list[float | None]


def gap(losses: Losses, best: float, trials: int | None = None, successes: int | None = None) -> float:
    """Best loss among the first trials, or the first successes, minus `best`; NaN where there are not as many."""
    done = [v for v in losses[:trials] if v is not None]
    if not done or len(done) < (successes or 0):
        return np.nan
    return min(done[:successes]) - best


def _marks(trials: int) -> dict[str, dict[str, int]]:
    """Where gaps are read, by the name of the column."""
    quarter, half = max(trials // 4, 1), max(trials // 2, 1)
    at = {f"gap at {n}": {"trials": n} for n in (quarter, half, trials)}
    return at | {f"gap at success {n}": {"successes": n} for n in (quarter, half)}


def _mean(values: list[float]) -> str:
    """Mean and standard error of what is known, and over how many runs where some are not."""
    known = [v for v in values if not np.isnan(v)]
    if not known:
        return "never got there"
    error = f" ({np.std(known, ddof=1) / np.sqrt(len(known)):.3f})" if len(known) > 1 else ""
    missing = f", {len(known)} of {len(values)}" if len(known) < len(values) else ""
    return f"{np.mean(known):.3f}{error}{missing}"


def _difference(ours: dict[int, Losses], theirs: dict[int, Losses], best: float, mark: dict[str, int]) -> str:
    """Our gap minus theirs, paired by seed, with a 95% bootstrap interval over the seeds."""
    both = sorted(set(ours) & set(theirs))
    paired = np.array([gap(ours[s], best, **mark) - gap(theirs[s], best, **mark) for s in both])
    paired = paired[~np.isnan(paired)]
    if len(paired) < 2:
        return f"{len(paired)} pairs"
    draws = np.random.default_rng(0).integers(len(paired), size=(10_000, len(paired)))
    low, high = np.quantile(paired[draws].mean(1), (0.025, 0.975))
    return f"{paired.mean():+.3f} [{low:+.3f}, {high:+.3f}], {len(paired)} pairs"


def table(rows: list[dict[str, Any]], trials: int) -> str:
    """Markdown: failures and gaps to the best, then the gap of the last method minus that of each other one."""
    marks, early = _marks(trials), trials // 4
    head = ["task", "method", "seeds", "failed", f"failed of the last {trials - early}", *marks]
    first, second = [head], [["task", "minus", *marks]]
    for task_name, make in TASKS.items():
        best = make().best
        found = {
            method: {r["seed"]: r["losses"] for r in rows if (r["task"], r["method"]) == (task_name, method)}
            for method in METHODS
        }
        for method, runs in found.items():
            if not runs:
                continue
            failed = np.array([[v is None for v in losses] for losses in runs.values()])
            gaps = [_mean([gap(losses, best, **mark) for losses in runs.values()]) for mark in marks.values()]
            late = failed[:, early:].mean()
            first.append([task_name, method, str(len(runs)), f"{failed.mean():.0%}", f"{late:.0%}", *gaps])
        ours = found[METHODS[-1]]
        for method in METHODS[:-1]:
            if ours and found[method]:
                shown = [_difference(ours, found[method], best, mark) for mark in marks.values()]
                second.append([task_name, method, *shown])
    return (
        f"{_markdown(first)}\n\nGap of {METHODS[-1]} minus that of each other, paired by seed:\n\n{_markdown(second)}"
    )


def _markdown(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "failures.jsonl"
    if given.fast:
        given.seeds, given.trials, file = (
            [100, 101],
            8,
            Path(tempfile.mkdtemp(prefix="failures-fast-")) / "failures.jsonl",
        )
    file.parent.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    for seed in given.seeds:
        for task_name in TASKS:
            for method in given.methods:
                key = (task_name, method, seed, given.trials)
                if any((r["task"], r["method"], r["seed"], r["trials"]) == key for r in rows):
                    continue
                rows.append(run(*key))
                with file.open("a") as out:
                    out.write(json.dumps(rows[-1]) + "\n")
                print(f"{method} on {task_name}, seed {seed}: done", file=sys.stderr, flush=True)
    print(table([r for r in rows if r["seed"] in given.seeds and r["trials"] == given.trials], given.trials))


if __name__ == "__main__":
    main()
