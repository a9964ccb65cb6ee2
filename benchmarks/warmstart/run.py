"""The command: get points from each source, score them, run optimizers from them, print the tables."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bayesmark import data, methods, runs
from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.run import RESULTS, say, work
from benchmarks.bayesmark.run import seeds as listed
from benchmarks.bayesmark.tasks import SATURATED, TASKS, Task, select
from benchmarks.warmstart import report, sources

from tunewright.errors import ModelError

OPTIMIZERS = ("tpe", "gp", "smac")
INITIAL = ("", "+recorded", "+textbook")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.warmstart",
        description="Points chosen before any run on the 25 Bayesmark tasks, alone and as the start of an optimizer. "
        "Nothing on record is repeated.",
    )
    parser.add_argument("--tasks", nargs="+", default=["all"], help="dev, report, saturated, fast, all, or names")
    parser.add_argument("--part", choices=["points", "runs", "both"], default="both")
    parser.add_argument("--sources", nargs="*", default=list(sources.SOURCES), choices=sources.SOURCES)
    parser.add_argument("--seeds", type=int, default=10, help="draws of the random and the textbook's points")
    parser.add_argument("--optimizers", nargs="*", default=list(OPTIMIZERS), choices=OPTIMIZERS)
    parser.add_argument("--run-seeds", type=listed, default=[0, 1], help="of the optimizers: 0-4, or 100 and up")
    parser.add_argument(
        "--trials", type=int, default=data.TRIALS, help="of an optimizer's run, initial points included"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    parser.add_argument("--fast", action="store_true", help="a small check that all works, without the local model")
    parser.add_argument("--only-table", action="store_true", help="measure nothing, print what is on record")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.fast:
        args.tasks, args.seeds, args.run_seeds, args.trials = ["wine/DecisionTree", "diabetes/SVM"], 2, [100], 10
        args.sources, args.optimizers = ["recorded", "textbook", "random"], ["tpe"]
        with tempfile.TemporaryDirectory(prefix="warmstart-fast-") as folder:
            args.results = Path(folder)  # a check must measure, not read what an earlier one measured
            return _run(args, select(args.tasks))
    try:
        tasks = select(args.tasks)
        for seed in args.run_seeds:
            data.design(tasks[0], seed)
        if not args.only_table:
            for method in _methods(args):
                methods.installed(method)
    except ValueError as e:
        parser.error(f"{e}; or leave it out, see --help")
    try:
        return _run(args, sorted(tasks, key=lambda t: t.name in SATURATED))
    except ModelError as e:
        parser.error(f"{e}\nor leave the local model out with --sources")


def _methods(args: argparse.Namespace) -> list[str]:
    return [f"{o}{start}" for o in args.optimizers for start in INITIAL] if args.part != "points" else []


def _run(args: argparse.Namespace, tasks: Sequence[Task]) -> int:
    if not args.only_table:
        evaluations = Evaluations(args.results / "evaluations.db")
        try:
            if args.part != "runs":
                _get_points(args, list(tasks), evaluations)
            _do_runs(args, tasks)
        finally:
            evaluations.close()
    print(_tables(args, tasks))
    return 0


def _get_points(args: argparse.Namespace, tasks: list[Task], evaluations: Evaluations) -> None:
    file = args.results / "points.jsonl"
    left = sources.missing(tasks, args.sources, args.seeds, sources.read(file))
    say(f"{len(left)} sets of points to get")
    for i, key in enumerate(left, 1):
        made = sources.make(key)
        for config in made.configs:
            evaluations.score(TASKS[key.task], config)
        runs.append(file, made)
        say(f"[{i}/{len(left)}] {key.source} {key.task} seed {key.seed}: from {', '.join(made.filled_by)}")


def _do_runs(args: argparse.Namespace, tasks: Sequence[Task]) -> None:
    done = runs.read(args.results / "runs.jsonl")
    wanted = _methods(args)
    # seed by seed: what is cut short leaves complete ones
    keys = [runs.Key(t.name, m, s, args.trials, methods.code(m)) for s in args.run_seeds for t in tasks for m in wanted]
    left = [k for k in keys if k not in done]
    say(f"{len(keys) - len(left)} of {len(keys)} runs are on record, {len(left)} to go")
    for i, key in enumerate(left, 1):
        say(f"[{i}/{len(left)}] {work(args.results, key)}")


def _tables(args: argparse.Namespace, tasks: Sequence[Task]) -> str:
    parts: list[str] = []
    if args.part != "runs":
        found = list(sources.read(args.results / "points.jsonl").values())
        evaluations = Evaluations(args.results / "evaluations.db")
        try:
            parts += report.points(found, args.sources, args.seeds, tasks, evaluations)
        finally:
            evaluations.close()
    if args.part != "points" and args.optimizers:
        on_record = runs.read(args.results / "runs.jsonl")
        telling = [t for t in tasks if t.name not in SATURATED]
        groups = {"All tasks asked for": tasks} | (
            {"Without the saturated tasks": telling} if len(telling) < len(tasks) else {}
        )
        for title, some in groups.items():
            parts += report.runs_from(on_record, title, _methods(args), args.run_seeds, some, args.trials)
    return "\n".join(parts)
