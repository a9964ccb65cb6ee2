"""Spaces where a large part fails: how often each searcher fails, and how good the best of what does not fail is.

    python -m benchmarks.failures --seeds 0 1 2 3 4        # about 10 minutes; run it again to go on
    python -m benchmarks.failures --fast                   # does it work? under a minute

A failed run is told as one, never as a number. Results lie in benchmarks/results/failures.jsonl.
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


def table(rows: list[dict[str, Any]], trials: int) -> str:
    """Markdown: failures and the gap to the best, mean over seeds with its standard error."""
    half = trials // 2
    lines = [
        f"| task | method | seeds | failed | failed of the last {half} | gap at {half} | gap at {trials} |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task_name, make in TASKS.items():
        best = make().best
        for method in METHODS:
            found = [r["losses"] for r in rows if (r["task"], r["method"]) == (task_name, method)]
            if not found:
                continue
            failed = np.array([[v is None for v in losses] for losses in found])
            gaps = [
                [min((v for v in losses[:n] if v is not None), default=np.nan) - best for losses in found]
                for n in (half, trials)
            ]
            shown = [f"{np.mean(g):.3f} ({np.std(g, ddof=1) / np.sqrt(len(g)) if len(g) > 1 else 0:.3f})" for g in gaps]
            lines.append(
                f"| {task_name} | {method} | {len(found)} | {failed.mean():.0%} | {failed[:, half:].mean():.0%} "
                f"| {shown[0]} | {shown[1]} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "failures.jsonl"
    if given.fast:
        given.seeds, given.trials, file = [100], 10, Path(tempfile.mkdtemp(prefix="failures-fast-")) / "failures.jsonl"
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
