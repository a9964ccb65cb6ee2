"""Several workers with unequal run times, simulated: regret against wall-clock, and the share of worker time waited.

    python -m benchmarks.parallel --seeds 0 1 2            # about 15 minutes; run it again to go on
    python -m benchmarks.parallel --fast

Runs take no time here; their length is drawn (log-normal, a factor of about three between short and long ones) and
passes on a simulated clock. What is real is the searcher: the seconds that each `ask` and `tell` took are added to that
clock, and no other worker is served meanwhile. Results lie in benchmarks/results/parallel.jsonl.
"""

import argparse
import heapq
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.synthetic import METHODS, TASKS, searcher

RESULTS = Path(__file__).parent / "results"
TASK = "memory"
MEAN_S = 60.0
SHARES = (0.25, 0.5, 1.0)


def run(method: str, workers: int, seed: int, trials: int) -> dict[str, Any]:
    """One run: when each trial ended on the simulated clock, its loss, and the share of time that workers waited."""
    task = TASKS[TASK]()
    lengths = np.random.default_rng([seed, 7]).lognormal(np.log(MEAN_S), 0.5, size=trials)
    now = waited = 0.0
    free = [0.0] * workers  # when each idle worker fell idle
    running: list[tuple[float, int, Any, Any]] = []
    ends: list[tuple[float, float | None]] = []
    started = 0
    keys = []
    with tempfile.TemporaryDirectory(prefix="parallel-") as folder:
        found = searcher(method, task, seed, folder, workers)
        while len(ends) < trials:
            while free and started < trials:
                before = time.perf_counter()
                handle, config = found.ask()
                now += time.perf_counter() - before
                waited += now - free.pop(0)
                keys.append(task.card.space.key(config))
                heapq.heappush(running, (now + lengths[started], started, handle, task.run(config)))
                started += 1
            end, _, handle, outcome = heapq.heappop(running)
            now = max(now, end)  # it may have ended while the searcher was thinking
            before = time.perf_counter()
            found.tell(handle, outcome)
            now += time.perf_counter() - before
            ends.append((end, outcome.metrics.get("loss")))
            free.append(end)
        found.close()
    whole = max(end for end, _ in ends)
    return {
        "method": method,
        "workers": workers,
        "seed": seed,
        "trials": trials,
        "ends": ends,
        "waiting": waited / (workers * whole),
        "repeats": len(keys) - len(set(keys)),
        "hours": whole / 3600,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: the gap to the best at shares of each run's own length, mean over seeds."""
    best = TASKS[TASK]().best
    lines = [
        "| workers | method | seeds | hours | "
        + " | ".join(f"gap at {s:.0%}" for s in SHARES)
        + " | waiting | repeats |",
        "| --- " * (6 + len(SHARES)) + "|",
    ]
    for workers in sorted({r["workers"] for r in rows}):
        for method in METHODS:
            found = [r for r in rows if (r["workers"], r["method"]) == (workers, method)]
            if not found:
                continue
            hours = float(np.mean([r["hours"] for r in found]))
            gaps = []
            for share in SHARES:
                ends = [[v for e, v in r["ends"] if v is not None and e <= share * r["hours"] * 3600] for r in found]
                at = [min(values, default=np.nan) - best for values in ends]
                gaps.append(f"{np.nanmean(at):.3f} ({np.nanstd(at) / np.sqrt(len(at)):.3f})")
            waiting = float(np.mean([r["waiting"] for r in found]))
            repeats = sum(r["repeats"] for r in found)
            lines.append(
                f"| {workers} | {method} | {len(found)} | {hours:.2f} | {' | '.join(gaps)} "
                f"| {waiting:.1%} | {repeats} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "parallel.jsonl"
    if given.fast:
        given.seeds, given.trials, given.workers = [100], 12, [4]
        file = Path(tempfile.mkdtemp(prefix="parallel-fast-")) / "parallel.jsonl"
    file.parent.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    for seed in given.seeds:
        for workers in given.workers:
            for method in given.methods:
                key = (method, workers, seed, given.trials)
                if any((r["method"], r["workers"], r["seed"], r["trials"]) == key for r in rows):
                    continue
                rows.append(run(*key))
                with file.open("a") as out:
                    out.write(json.dumps(rows[-1]) + "\n")
                print(f"{method}, {workers} workers, seed {seed}: done", file=sys.stderr, flush=True)
    print(table([r for r in rows if r["seed"] in given.seeds and r["trials"] == given.trials]))


if __name__ == "__main__":
    main()
