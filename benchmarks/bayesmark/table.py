"""Regret of runs, its mean by method with spread, and paired differences with bootstrap intervals."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.bayesmark import data
from benchmarks.bayesmark.methods import without_model_seed
from benchmarks.bayesmark.runs import Run
from benchmarks.bayesmark.tasks import TASKS, Task
from numpy.typing import NDArray

Pair = tuple[str, int]
"""(task, seed)"""
Curve = dict[int, float]
"""Trial -> regret."""
RESAMPLES = 10_000


def regret(task: Task, best_so_far: float) -> float:
    """(best so far - best) / (worst - best), best and worst as measured before; below 0 where a run beat that best."""
    best, worst = data.reference(task)
    return (best_so_far - best) / (worst - best) + 0.0  # never -0.0


def curve(task: Task, scores: Sequence[float | None], at: Sequence[int] = data.CHECKPOINTS) -> Curve:
    """Regret at each of these trials that the run reached."""
    found: Curve = {}
    best = task.failed
    for trial, score in enumerate(scores, 1):
        if score is not None:
            best = min(best, score) if task.regression else max(best, score)
        if trial in at:
            found[trial] = regret(task, best)
    return found


def curves(runs: Iterable[Run]) -> dict[str, dict[Pair, Curve]]:
    """Method -> (task, seed) -> regret; of runs that differ in nothing but the code, the latest.

    A played model's own seeds count as one run of their pair: their mean.
    """
    found: dict[str, dict[Pair, dict[str, Curve]]] = defaultdict(lambda: defaultdict(dict))
    for r in runs:
        pair = r.key.task, r.key.seed
        found[without_model_seed(r.key.method)][pair][r.key.method] = curve(TASKS[r.key.task], r.scores)
    return {m: {pair: _mean(list(own.values())) for pair, own in by_pair.items()} for m, by_pair in found.items()}


def _mean(several: Sequence[Curve]) -> Curve:
    return {t: float(np.mean([c[t] for c in several])) for t in several[0] if all(t in c for c in several)}


def model_turns(runs: Iterable[Run], last: int = 10) -> str:
    """Markdown: of the last trials of a run, the share that was the model's turn, and that its proposal ran."""
    shares: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for r in runs:
        if "turns" in r.notes:
            counted = [[s == "llm" for s in r.notes[kind]] for kind in ("turns", "sources")]
            shares[without_model_seed(r.key.method)].append(
                (float(np.mean(counted[0][-last:])), float(np.mean(counted[1][-last:])), float(sum(counted[1])))
            )
    lines = [row(["method", "runs", f"its turns, last {last}", f"its proposals that ran, last {last}", "ran in all"])]
    lines.append(row(["---"] * 5))
    for method, found in shares.items():
        turns, ran, whole = np.mean(found, axis=0)
        lines.append(row([method, str(len(found)), f"{turns:.0%}", f"{ran:.0%}", f"{whole:.1f}"]))
    return "\n".join(lines)


def recorded(method: str, pairs: Iterable[Pair]) -> dict[Pair, Curve]:
    """Regret of a method that is read, for those of the pairs that were recorded."""
    found: dict[Pair, Curve] = {}
    for name, seed in pairs:
        known = data.recorded_curve(method, TASKS[name], seed)
        if known is not None:
            found[name, seed] = {t: regret(TASKS[name], best) for t, best in known.items()}
    return found


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, each task weighing the same, with its standard error and a 95% interval."""

    mean: float
    error: float
    """Standard error of the mean over the seeds of these tasks; NaN where a task has a single run."""
    low: float
    high: float


def estimate(values: dict[Pair, float], seed: int = 0) -> Estimate:
    """Mean, standard error and percentile bootstrap interval: 10,000 resamples, of the seeds within each task.

    Values of a pair of methods' differences give a paired interval. With one seed a task nothing can be resampled: the
    interval is then the mean itself. It is too narrow with few: in simulations of ten tasks it holds the true mean in
    about 75% of cases with two seeds a task, 88% to 91% with five, and 94% with twenty.
    """
    by_task: dict[str, list[float]] = defaultdict(list)
    for (task, _), value in sorted(values.items()):
        by_task[task].append(value)
    groups = [np.array(group) for group in by_task.values()]
    mean = float(np.mean([g.mean() for g in groups]))
    variances = [g.var(ddof=1) / len(g) if len(g) > 1 else math.nan for g in groups]
    random = np.random.default_rng(seed)
    drawn: NDArray[np.float64] = np.zeros(RESAMPLES)
    for g in groups:
        drawn += g[random.integers(len(g), size=(RESAMPLES, len(g)))].mean(axis=1) / len(groups)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(mean, math.sqrt(sum(variances)) / len(groups), float(low), float(high))


def difference(a: dict[Pair, Curve], b: dict[Pair, Curve], trial: int) -> Estimate:
    """How much larger the regret of `a` is than that of `b` at a trial, over the pairs that both have."""
    shared = [p for p in a if p in b and trial in a[p] and trial in b[p]]
    if not shared:
        raise ValueError("the two methods share no task and seed")
    return estimate({p: a[p][trial] - b[p][trial] for p in shared})


def table(found: dict[str, dict[Pair, Curve]], against: str | None, seconds: dict[str, float]) -> str:
    """The tables as Markdown: mean regret by method, differences to one method, and regret by task at the last trial.

    Only pairs of task and seed that every method has are counted, so that all rows are over the same runs.

    Args:
        found: method -> (task, seed) -> regret.
        against: the method that the others are compared with; None leaves that table out.
        seconds: median of ask and tell by method, where known; the first trial of a process also imports libraries.
    """
    shared = sorted(set.intersection(*(set(c) for c in found.values())))
    if not shared:
        counts = ", ".join(f"{m} {len(c)}" for m, c in found.items())
        return f"No task and seed is shared by all methods (runs: {counts}): nothing can be compared."
    at = [t for t in data.CHECKPOINTS if all(t in c[p] for c in found.values() for p in shared)]
    tasks = sorted({task for task, _ in shared})
    seeds = sorted({seed for _, seed in shared})
    left_out = {m: len(set(c) - set(shared)) for m, c in found.items()}
    lines = [
        f"Mean regret (standard error) over {len(shared)} runs: {len(tasks)} tasks, "
        f"seeds {', '.join(map(str, seeds))}; lower is better.",
        "",
        row(["method", *map(str, at), "s per trial"]),
        row(["---"] * (len(at) + 2)),
    ]
    at_end = at[-1]
    order = sorted(found, key=lambda m: estimate({p: found[m][p][at_end] for p in shared}).mean)
    for m in order:
        cells = [with_error(estimate({p: found[m][p][t] for p in shared})) for t in at]
        lines.append(row([m, *cells, f"{seconds[m]:.2g}" if m in seconds else "-"]))
    if any(left_out.values()):
        lines += ["", "Runs not counted: " + ", ".join(f"{m} {n}" for m, n in left_out.items() if n) + "."]
    if against is not None:
        lines += ["", f"Regret minus that of {against}: mean [95% bootstrap interval, paired, seeds within tasks].", ""]
        lines += [row(["method", *map(str, at)]), row(["---"] * (len(at) + 1))]
        for m in (m for m in order if m != against):
            shown = [difference(_only(found[m], shared), _only(found[against], shared), t) for t in at]
            lines.append(row([m, *map(with_interval, shown)]))
    lines += ["", f"Mean regret by task at trial {at_end}.", "", row(["task", *order])]
    lines.append(row(["---"] * (len(order) + 1)))
    for task in tasks:
        means = [np.mean([found[m][p][at_end] for p in shared if p[0] == task]) for m in order]
        lines.append(row([task, *(f"{v:.3f}" for v in means)]))
    return "\n".join(lines)


def _only(found: dict[Pair, Curve], pairs: Sequence[Pair]) -> dict[Pair, Curve]:
    return {p: found[p] for p in pairs}


def with_error(e: Estimate) -> str:
    """The mean and, where there is one, its standard error."""
    return f"{e.mean:.3f}" if math.isnan(e.error) else f"{e.mean:.3f} ({e.error:.3f})"


def with_interval(e: Estimate) -> str:
    """The mean with its sign and the interval."""
    return f"{e.mean:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"


def row(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
