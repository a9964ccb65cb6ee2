"""The command: run methods on tasks, resume what was cut short, print the tables."""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.bayesmark import data, methods, runs, table
from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.tasks import REPORT, Task, select
from benchmarks.bayesmark.truth import truth

RESULTS = Path(__file__).parents[1] / "results"
_DEFAULT_METHODS = ("random", "tpe", "gp", "botorch", "tunewright:silent")
_FAST_METHODS = ("random", "tpe", "tunewright:none", "tunewright:recorded")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def seeds(text: str) -> list[int]:
    """`100-104,110` -> the seeds."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.partition("-")
        try:
            found += range(int(low), int(high) + 1) if dash else [int(low)]
        except ValueError as e:
            raise argparse.ArgumentTypeError(f"{part!r}: write seeds as 100-104 or 0,1,2") from e
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bayesmark",
        description="Run optimizers on the 25 Bayesmark tasks. Runs on record are not repeated.",
    )
    parser.add_argument("--tasks", nargs="+", default=["dev"], help="dev, report, saturated, fast, all, or names")
    parser.add_argument("--seeds", type=seeds, default=[100, 101], help="0-4 have published designs; 100 and up")
    parser.add_argument(
        "--methods", nargs="+", default=list(_DEFAULT_METHODS), help="see benchmarks/bayesmark/methods.py"
    )
    parser.add_argument("--trials", type=int, default=25, help="of each run, initial points included")
    parser.add_argument("--model-seeds", type=int, default=1, help="of played models that draw; tables take their mean")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--against", help="method that the others are compared with (default: the last one)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    parser.add_argument("--code", help="label of the project's code in place of a digest of its source")
    parser.add_argument("--fast", action="store_true", help="a small check that all works: 3 tasks, 2 seeds, 10 trials")
    parser.add_argument("--only-table", action="store_true", help="run nothing, print what is on record")
    parser.add_argument("--only-truth", action="store_true", help="measure the truth tables and stop")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.fast:
        with tempfile.TemporaryDirectory(prefix="bayesmark-fast-") as folder:
            args.tasks, args.seeds, args.methods, args.trials = ["fast"], [100, 101], list(_FAST_METHODS), 10
            args.results = Path(folder)  # a check must measure, not read what an earlier one measured
            return _run(args)
    try:
        select(args.tasks)
        for method in [*args.methods, *([args.against] if args.against else [])]:
            methods.check(method)
            if not args.only_table:
                methods.installed(method)
        for seed in args.seeds:
            data.design(select(args.tasks)[0], seed)
    except ValueError as e:
        parser.error(str(e))
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    tasks = select(args.tasks)
    to_run = [v for m in args.methods if m not in data.RECORDED for v in methods.with_model_seeds(m, args.model_seeds)]
    if args.only_truth:
        _in_processes(args.jobs, [partial(_measure_truth, args.results, t) for t in tasks])
        return 0
    if any(seed < data.FIRST_OWN_SEED for seed in args.seeds) and any(t.name in REPORT for t in tasks):
        say("report tasks with published designs: for reporting, not for making choices")
    file = args.results / "runs.jsonl"
    if not args.only_table:
        done = runs.read(file)
        keys = [runs.Key(t.name, m, s, args.trials, _code(m, args)) for t in tasks for s in args.seeds for m in to_run]
        left = [k for k in keys if k not in done]
        say(f"{len(keys) - len(left)} of {len(keys)} runs are on record, {len(left)} to go")
        _in_processes(args.jobs, [partial(work, args.results, k) for k in left])
    print(report(args, tasks, runs.read(file)))
    return 0


def _code(method: str, args: argparse.Namespace) -> str:
    return args.code if args.code and method.startswith("tunewright") else methods.code(method)


def report(args: argparse.Namespace, tasks: Sequence[Task], on_record: dict[runs.Key, runs.Run]) -> str:
    """The tables of what was asked for, from what is on record; the latest code of each method counts."""
    names = {t.name for t in tasks}
    variants = {v for m in args.methods for v in methods.with_model_seeds(m, args.model_seeds)}
    latest = {
        replace(k, code=""): r
        for k, r in on_record.items()
        if k.task in names and k.seed in args.seeds and k.trials == args.trials and k.method in variants
        if not (args.code and k.method.startswith("tunewright")) or k.code == args.code
    }
    wanted = list(latest.values())
    found = dict(table.curves(wanted))
    pairs = [(t.name, s) for t in tasks for s in args.seeds]
    for method in args.methods:
        if method in data.RECORDED:
            found[method] = table.recorded(method, pairs)
    absent = [m for m in args.methods if not found.get(m)]
    if absent:
        return f"Nothing is on record for {', '.join(absent)}."
    seconds = {
        m: median(s for r in wanted if methods.without_model_seed(r.key.method) == m for s in r.seconds)
        for m in found
        if m not in data.RECORDED
    }
    codes = sorted({f"{methods.without_model_seed(r.key.method)} {r.key.code}" for r in wanted if r.key.code != "1"})
    text = table.table(found, args.against or args.methods[-1], seconds)
    if any("turns" in r.notes for r in wanted):
        text += f"\n\n{table.model_turns(wanted)}"
    return f"{text}\n\n{args.trials} trials a run. Code: {', '.join(codes)}."


def work(folder: Path, key: runs.Key) -> str:
    evaluations = Evaluations(folder / "evaluations.db")
    try:
        made = runs.run(key, evaluations, say)
    finally:
        evaluations.close()
    runs.append(folder / "runs.jsonl", made)
    end = table.curve(select([key.task])[0], made.scores)
    last = f"regret {end[max(end)]:.3f} at {max(end)}" if end else "no checkpoint reached"
    return f"{key.method} {key.task} seed {key.seed}: {last}, {sum(made.seconds):.1f} s in ask and tell"


def _measure_truth(folder: Path, task: Task) -> str:
    evaluations = Evaluations(folder / "evaluations.db")
    try:
        scores = truth(task, evaluations, say).scores
    finally:
        evaluations.close()
    return f"{task.name}: {len(scores)} points, {sum(s is None for s in scores)} failed"


def _in_processes(count: int, jobs: Sequence[Callable[[], str]]) -> None:
    """Do all jobs, in this process or in several, and say how far it is."""
    if count == 1:
        for i, job in enumerate(jobs, 1):
            say(f"[{i}/{len(jobs)}] {job()}")
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        for i, future in enumerate(as_completed([pool.submit(job) for job in jobs]), 1):
            say(f"[{i}/{len(jobs)}] {future.result()}")
