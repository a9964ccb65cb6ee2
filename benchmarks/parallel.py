"""Several workers with unequal run times: how far they are after how many trials, and how long they wait.

    python -m benchmarks.parallel --seeds 0 1 2             # run it again to go on
    python -m benchmarks.parallel --methods tunewright --workers 1 8 --seeds $(seq 0 19)
    python -m benchmarks.parallel --real                    # waiting, with a model: some 7 minutes of sleep
    python -m benchmarks.parallel --fast

Runs take no time here; their length is drawn (log-normal with a mean of 30 s, a factor of about three between short and
long ones) and passes on a simulated clock. What is real is the searcher: the seconds that each `ask` and `tell` took,
and what it does ahead while all workers are busy, are added to that clock, and no worker is served meanwhile.

A model answers in a thread of the tuner's own, which knows no simulated clock. `--real` therefore lets the runs sleep
on the machine's own clock: `Tuner.run` as a person would start it, with a played model that answers after 5 s.
Results lie in benchmarks/results/parallel.jsonl.
"""

import argparse
import heapq
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.synthetic import METHODS, TASKS, Task, searcher

from tunewright import Tuner
from tunewright.llm.base import Reply, Request
from tunewright_tools.base import Job, OnPoint, Outcome

RESULTS = Path(__file__).parent / "results"
TASK = "memory"
MEAN_S = 30.0
SPREAD = 0.5
"""Standard deviation of the log of the run lengths."""
MODEL_S = 5.0
SHARES = (0.25, 0.5, 1.0)
WITHIN, ALONE = 100, 80
"""The goal: within so many trials several workers have what one has after so many."""

Row = dict[str, Any]


def lengths(seed: int, trials: int, mean_s: float) -> list[float]:
    """Seconds of each run, in the order in which they start."""
    drawn = np.random.default_rng([seed, 7]).lognormal(np.log(mean_s) - SPREAD**2 / 2, SPREAD, size=trials)
    return [float(s) for s in drawn]


def run(method: str, workers: int, seed: int, trials: int) -> Row:
    """One simulated run: when each trial ended, its loss, and the share of time that workers waited."""
    task = TASKS[TASK]()
    long = lengths(seed, trials, MEAN_S)
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
                heapq.heappush(running, (now + long[started], started, handle, task.run(config)))
                started += 1
            if started < trials:
                before = time.perf_counter()
                found.busy()
                now += time.perf_counter() - before
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
        "clock": "simulated",
        "method": method,
        "workers": workers,
        "seed": seed,
        "trials": trials,
        "ends": ends,
        "waiting": waited / (workers * whole),
        "repeats": len(keys) - len(set(keys)),
        "hours": whole / 3600,
    }


# -- the real clock, with a model ------------------------------------------------------------------------------------


class Played:
    """A `Chat` that answers after `seconds` with points halfway between the default and anywhere."""

    name = "played"
    trusted_tools = True

    def __init__(self, task: Task, seconds: float) -> None:
        self.space = task.card.space
        self.seconds = seconds

    def check(self) -> None:
        """Nothing can be missing."""

    def complete(self, request: Request) -> Reply:
        """As many configurations as were asked for, drawn anew for each request."""
        time.sleep(self.seconds)
        rng = np.random.default_rng(request.seed)
        units = rng.random((request.n_expected, len(self.space)))
        halfway = np.where(rng.random(units.shape) < 0.5, units, self.space.to_unit([self.space.default()]))
        data = {"proposals": [{"config": c} for c in self.space.from_unit(halfway)]}
        return Reply(text=json.dumps(data), data=data, seconds=self.seconds)

    def close(self) -> None:
        """Nothing to let go of."""


class Sleeping:
    """A `Tool` whose runs sleep before they end as the task says; notes when each began and ended."""

    def __init__(self, task: Task, long: list[float]) -> None:
        self.task = task
        self.long = long
        self.spans: list[tuple[float, float]] = []
        self._ended = threading.Event()

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Any parameters will do."""

    def run(self, job: Job, on_point: OnPoint) -> Outcome:
        """Sleep as long as this run takes."""
        began = time.monotonic()
        if self._ended.wait(self.long[job.number]):
            return Outcome("cancelled")
        self.spans.append((began, time.monotonic()))
        return self.task.run(job.config)

    def cancel(self) -> None:
        """End every run now."""
        self._ended.set()


def run_real(workers: int, seed: int, trials: int, mean_s: float, model_s: float) -> Row:
    """One run on the machine's clock: the share of time that workers waited before the last trial started."""
    task = TASKS[TASK]()
    tool = Sleeping(task, lengths(seed, trials, mean_s))
    with tempfile.TemporaryDirectory(prefix="parallel-") as folder:
        began = time.monotonic()
        storage = f"sqlite:///{folder}/study.db"
        with Tuner(task.card, Played(task, model_s), storage, seed, workers=workers, tool=tool, folder=folder) as tuner:
            found = tuner.run(trials=trials).trials
    last = max(start for start, _ in tool.spans)
    busy = sum(min(end, last) - start for start, end in tool.spans)
    return {
        "clock": "real",
        "workers": workers,
        "seed": seed,
        "trials": trials,
        "mean_s": mean_s,
        "model_s": model_s,
        "waiting": 1 - busy / (workers * (last - began)),
        "repeats": trials - len({task.card.space.key(t.config) for t in found}),
        "from_model": sum(t.source == "llm" for t in found),
        "minutes": (last - began) / 60,
    }


# -- what is printed -------------------------------------------------------------------------------------------------


def curve(row: Row) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The best loss after each trial, in the order in which they ended; infinite before the first value."""
    return np.minimum.accumulate([np.inf if value is None else value for _, value in row["ends"]])


def reached(rows: list[Row], target: float) -> int | None:
    """Trials after which the median over these runs is no worse than the target; None where it never is."""
    median = np.median([curve(r) for r in rows], axis=0)
    at = np.flatnonzero(median <= target)
    return int(at[0]) + 1 if len(at) else None


def table(rows: list[Row]) -> str:
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


def goal(rows: list[Row]) -> str:
    """For each method and number of workers: after how many trials it has what one worker has after `ALONE`."""
    best = TASKS[TASK]().best
    lines = []
    for method in METHODS:
        alone = [r for r in rows if (r["workers"], r["method"]) == (1, method) and r["trials"] >= ALONE]
        if not alone:
            continue
        target = float(np.median([curve(r)[ALONE - 1] for r in alone]))
        for workers in sorted({r["workers"] for r in rows if r["method"] == method} - {1}):
            found = [r for r in rows if (r["workers"], r["method"]) == (workers, method)]
            after = reached(found, target)
            last = float(np.median([curve(r)[-1] for r in found])) - best
            ends = f"after {after} trials" if after else f"not in {found[0]['trials']} trials (gap {last:.4f})"
            lines.append(
                f"{method}, {workers} workers ({len(found)} seeds): {ends} as far as one worker ({len(alone)} seeds) "
                f"after {ALONE} (gap {target - best:.4f}; medians; the goal is {WITHIN})"
            )
    return "\n".join(lines)


def real_table(rows: list[Row]) -> str:
    """Markdown: waiting on the machine's own clock."""
    lines = [
        "| workers | seed | trials | mean run | model | minutes | of the model | waiting | repeats |",
        "| --- " * 9 + "|",
    ]
    lines += [
        f"| {r['workers']} | {r['seed']} | {r['trials']} | {r['mean_s']:g} s | {r['model_s']:g} s | {r['minutes']:.1f} "
        f"| {r['from_model']} | {r['waiting']:.1%} | {r['repeats']} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 0 1 2; of --real: 0")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--workers", type=int, nargs="+", help="default: 1 4 8; of --real: 8")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--real", action="store_true", help="sleep instead, with a model that answers in 5 s")
    parser.add_argument("--fast", action="store_true", help="a few short runs, kept nowhere")
    given = parser.parse_args()
    seeds = given.seeds or ([0] if given.real else [0, 1, 2])
    workers = given.workers or ([8] if given.real else [1, 4, 8])
    trials, mean_s, model_s = given.trials, MEAN_S, MODEL_S
    file = RESULTS / "parallel.jsonl"
    if given.fast:
        seeds, trials, workers, mean_s, model_s = [100], 12, [4], MEAN_S / 30, MODEL_S / 30
        file = Path(tempfile.mkdtemp(prefix="parallel-fast-")) / "parallel.jsonl"
    file.parent.mkdir(exist_ok=True)
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    rows: list[Row] = []
    clock = "real" if given.real else "simulated"
    for seed in seeds:
        for n in workers:
            for method in ["tunewright"] if given.real else given.methods:
                key = {"clock": clock, "workers": n, "seed": seed, "trials": trials}
                key |= {"mean_s": mean_s, "model_s": model_s} if given.real else {"method": method}
                row = next((r for r in known if key.items() <= r.items()), None)
                if row is None:
                    row = run_real(n, seed, trials, mean_s, model_s) if given.real else run(method, n, seed, trials)
                    with file.open("a") as out:
                        out.write(json.dumps(row) + "\n")
                    print(f"{method}, {n} workers, seed {seed}: done", file=sys.stderr, flush=True)
                rows.append(row)
    if given.real:
        print(real_table(rows))
    else:
        print("\n\n".join(filter(None, [table(rows), goal(rows)])))


if __name__ == "__main__":
    main()
