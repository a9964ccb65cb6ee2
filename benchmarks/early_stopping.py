"""Early stopping on recorded curves: seconds used and the final value found, for each pruner, over many orders of runs.

    python benchmarks/early_stopping.py curves.csv --metric val_loss --direction minimize [--orders 20] [--runs 32 96]
        [--again again.csv]

The file has a row for each point of each run: `run`, `step`, `seconds` (since the run began), the metric, and the
configuration: a column `config` of JSON, as `record_curves.py` writes it (empty: as in the run's first row), or else a
column for each parameter. Runs whose `status` is not `done` are left out; all others must have gone to their end. Each
order of the runs is one replay, the same orders for all pruners; the first run is never stopped, as trial 0 in a study.
With `--runs` a replay is a study of that many runs, the first of its order; a longer study has more to compare with.
Random orders stand for a search that does not learn: how a stopped run changes what is proposed next is not seen.

The best of many runs is partly luck, which a search without a pruner has most of. `--again` takes a file of what runs
end with on other seeds (`run`, `seed`, the metric; `record_curves.py --again` makes it), and compares the picks there.
"""

import argparse
import csv
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.card import TaskCard
from tunewright.card_parts import Direction
from tunewright.pruning import open_pruner
from tunewright.pruning.base import Pruner, Run
from tunewright.space import Float, Space
from tunewright_tools.base import Point

_FIXED = ("run", "step", "seconds")
_RESAMPLES = 10_000
_SPACE = Space(Float("any", 0.0, 1.0))
"""What a card needs and no pruner looks at."""
Again = dict[str, list[float]]
"""What a run, by its name, ends with on other seeds."""


@dataclass(frozen=True)
class Curve:
    """One run that went to its end."""

    name: str
    config: dict[str, Any]
    points: tuple[Point, ...]

    def final(self, metric: str) -> float:
        """The metric at the end."""
        return self.points[-1].metrics[metric]


def read(path: Path, metric: str) -> list[Curve]:
    """The runs of a file, in the order in which they begin there.

    Raises:
        ValueError: a column is missing, a value is no finite number, or a run's configuration changes.
    """
    points: dict[str, list[Point]] = {}
    configs: dict[str, dict[str, Any]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        if missing := [c for c in (*_FIXED, metric) if c not in columns]:
            raise ValueError(f"{path} has no column {', '.join(missing)}; it has {', '.join(columns)}")
        for i, row in enumerate(reader, 2):
            if row.get("status", "done") != "done":
                continue
            numbers = {c: float(row[c]) for c in ("step", "seconds", metric)}
            if not all(map(math.isfinite, numbers.values())):
                raise ValueError(f"{path}, line {i}: {numbers} is not finite; a run that diverged is none to replay")
            if row.get("config") == "" and row["run"] in configs:
                config = configs[row["run"]]
            elif "config" in columns:
                config = {name: _plain(value) for name, value in json.loads(row["config"]).items()}
            else:
                config = {c: _value(row[c]) for c in columns if c not in (*_FIXED, "status", metric)}
            if configs.setdefault(row["run"], config) != config:
                raise ValueError(f"{path}, line {i}: run {row['run']} has another configuration than before")
            points.setdefault(row["run"], []).append(
                Point(numbers["step"], {metric: numbers[metric]}, numbers["seconds"])
            )
    return [Curve(name, configs[name], tuple(found)) for name, found in points.items()]


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def read_again(path: Path, metric: str) -> Again:
    """The ends on other seeds, by run.

    Raises:
        ValueError: a run has no value for a seed.
    """
    ends: Again = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row[metric]:
                raise ValueError(f"run {row['run']} of {path} has no {metric} with seed {row['seed']}: {row['status']}")
            ends.setdefault(row["run"], []).append(float(row[metric]))
    return ends


def replay(curves: Sequence[Curve], pruner: Pruner | None, metric: str, direction: Direction) -> tuple[float, Curve]:
    """(seconds used, the run with the best final value) of these, one after the other; the first is never stopped.

    Args:
        curves: in the order in which they run.
        pruner: a new one; None stops nothing.
    """
    used, ended = 0.0, []
    for number, curve in enumerate(curves):
        seen = []
        stopped = False
        for point in curve.points:
            seen.append(point)
            if pruner is not None and number > 0 and pruner.stop(number, point):
                stopped = True
                break
        # a stop at the last point saves nothing, and the value was there
        final = None if stopped and len(seen) < len(curve.points) else curve.final(metric)
        used += seen[-1].seconds
        if final is not None:
            ended.append(curve)
        if pruner is not None:
            pruner.tell(Run(number, tuple(seen), final))
    sign = 1 if direction == "minimize" else -1
    return used, min(ended, key=lambda curve: sign * curve.final(metric))


def table(
    curves: Sequence[Curve],
    pruners: Sequence[Any],
    metric: str,
    direction: Direction,
    orders: int,
    runs: int | None = None,
    again: Again | None = None,
) -> list[dict[str, Any]]:
    """For each pruner: share of the time saved and loss of the best value against no pruner, paired over orders.

    Args:
        pruners: as on a card.
        orders: seeds 0, 1, ... of the permutations.
        runs: how many runs a study has, the first of each order; None for all.
        again: to compare what the runs that were picked end with on other seeds (`lost_again`, see `_lost_again`).
    """
    permuted = [[curves[i] for i in np.random.default_rng(s).permutation(len(curves))[:runs]] for s in range(orders)]
    plain = [replay(order, None, metric, direction) for order in permuted]
    rows = []
    for named in pruners:
        card = TaskCard(goal="replay", space=_SPACE, metric=metric, direction=direction, pruner=named)
        found = [replay(order, open_pruner(card), metric, direction) for order in permuted]
        saved = [1 - used / full for (used, _), (full, _) in zip(found, plain, strict=True)]
        sign = 1 if direction == "minimize" else -1
        picked = [(best, ideal) for (_, best), (_, ideal) in zip(found, plain, strict=True)]
        worse = [sign * (best.final(metric) - ideal.final(metric)) for best, ideal in picked]
        rows.append(
            {
                "pruner": named if isinstance(named, str) else f"{named['name']} {named['options']}",
                "saved": statistics.fmean(saved),
                "saved_std": statistics.stdev(saved) if len(saved) > 1 else 0.0,
                "lost": statistics.fmean(worse),
                "lost_max": max(worse),
                "kept_best": sum(w == 0 for w in worse),
                "orders": orders,
                "lost_again": None if again is None else _lost_again(picked, again, sign),
            }
        )
    return rows


def _lost_again(picked: Sequence[tuple[Curve, Curve]], again: Again, sign: int) -> tuple[float, float, float] | None:
    """How much worse the first of each pair is than the second on other seeds: mean, and its 95% interval.

    The interval is of a bootstrap over orders and, within each run, over seeds. None where a run has no other seed.
    """
    names = sorted({curve.name for pair in picked for curve in pair})
    if any(name not in again for name in names):
        return None
    random = np.random.default_rng(0)
    pairs = np.array([[names.index(curve.name) for curve in pair] for pair in picked])
    drawn = [random.choice(again[name], (_RESAMPLES, len(again[name]))).mean(axis=1) for name in names]
    means = np.stack(drawn, axis=1)
    orders = pairs[random.integers(len(pairs), size=(_RESAMPLES, len(pairs)))]
    at = np.arange(_RESAMPLES)[:, None]
    resampled = sign * (means[at, orders[:, :, 0]] - means[at, orders[:, :, 1]]).mean(axis=1)
    true = np.array([statistics.fmean(again[name]) for name in names])
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(sign * (true[pairs[:, 0]] - true[pairs[:, 1]]).mean()), float(low), float(high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("curves", type=Path)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--direction", choices=("minimize", "maximize"), required=True)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--runs", type=int, nargs="+", help="runs in a study; without it all that the file has")
    parser.add_argument("--again", type=Path, help="what runs end with on other seeds")
    given = parser.parse_args()
    curves = read(given.curves, given.metric)
    longest = int(max(c.points[-1].step for c in curves))
    hyperband = {"name": "hyperband", "options": {"min_resource": 1, "max_resource": longest}}
    bold = [{"name": "curve", "options": {"threshold": threshold}} for threshold in (0.02, 0.05, 0.2)]
    pruners = ["curve", *bold, "median", hyperband, "successive_halving"]
    again = read_again(given.again, given.metric) if given.again else None
    lengths = given.runs or [len(curves)]
    if wrong := [n for n in lengths if not 1 <= n <= len(curves)]:
        parser.error(f"--runs {wrong[0]}, but {given.curves} has {len(curves)} full runs; choose 1 to {len(curves)}")
    print(f"{len(curves)} runs of up to {longest} steps, {given.orders} orders")
    print("| runs | pruner | time saved (std) | best value lost, mean (max) | best kept | on other seeds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for runs in lengths:
        for row in table(curves, pruners, given.metric, given.direction, given.orders, runs, again):
            lost = "-" if row["lost_again"] is None else "{:+.4f} [{:+.4f}, {:+.4f}]".format(*row["lost_again"])
            print(
                f"| {runs} | {row['pruner']} | {row['saved']:.1%} ({row['saved_std']:.1%}) | {row['lost']:.4g} "
                f"({row['lost_max']:.4g}) | {row['kept_best']} of {row['orders']} | {lost} |"
            )


if __name__ == "__main__":
    main()
