"""What was recorded elsewhere: initial designs, best and worst scores, published curves, a frontier model's reply."""

import csv
import functools
import json
import zlib
from pathlib import Path
from typing import Any

from benchmarks.bayesmark.tasks import Task, known

from tunewright_tools.base import Config

FOLDER = Path(__file__).parents[1] / "data"
CHECKPOINTS = (5, 10, 15, 20, 25)
"""Trials at which regret is shown."""
INITIAL = 5
"""Points that every method starts from."""
TRIALS = CHECKPOINTS[-1]
"""Of a run, as stated on the card."""
FIRST_OWN_SEED = 100
_CURVES = {
    "llambo-recorded": ("llambo_recorded.csv", "llambo-gpt3.5 (recorded)"),
    "smac-recorded": ("peers.csv", "smac"),
    "random-recorded": ("peers.csv", "random"),
    "tpe-recorded": ("peers.csv", "optuna-tpe"),
    "gp-recorded": ("peers.csv", "optuna-gp"),
    "botorch-recorded": ("peers.csv", "botorch-logei"),
}
RECORDED = tuple(_CURVES)
"""Methods that are read, not run."""


@functools.cache
def _json(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def pairs(task: Task) -> list[tuple[Config, float]]:
    """25 configurations and the score that the task gave elsewhere."""
    return [(p["config"], p["score"]) for seed in _json("designs.json")[_swapped(task)] for p in seed]


def design(task: Task, seed: int) -> list[Config]:
    """The five configurations that all methods start from: published ones for seeds 0 to 4, random ones from 100 up.

    Raises:
        ValueError: a seed in between.
    """
    import numpy as np

    recorded = _json("designs.json")[_swapped(task)]
    if 0 <= seed < len(recorded):
        return [p["config"] for p in recorded[seed]]
    if seed < FIRST_OWN_SEED:
        raise ValueError(
            f"seed {seed} has no initial design: take 0 to {len(recorded) - 1} or {FIRST_OWN_SEED} and above"
        )
    random = np.random.default_rng([seed, zlib.crc32(task.name.encode())])
    return task.space.from_unit(random.random((INITIAL, len(task.space))))


def recorded_reply(task: Task) -> dict[str, Any]:
    """What a frontier model answered without having seen a result: `configs`, `prior`, `rationale`; as it was."""
    reply: dict[str, Any] = _json("warmstart.json")[_swapped(task)]
    return reply


def recorded_design(task: Task) -> list[Config]:
    """The recorded reply's configurations, without the names that are not in the space."""
    return [known(task, c) for c in recorded_reply(task)["configs"]]


def reference(task: Task) -> tuple[float, float]:
    """(best, worst) score of the task over everything measured before."""
    found = _json("reference.json")[task.name]
    return found["best"], found["worst"]


def recorded_curve(method: str, task: Task, seed: int) -> dict[int, float] | None:
    """Best so far by trial, of a run recorded elsewhere; None where there is none.

    Args:
        method: one of `RECORDED`.
    """
    return _curves(method).get((task.name, seed))


@functools.cache
def _curves(method: str) -> dict[tuple[str, int], dict[int, float]]:
    name, label = _CURVES[method]
    with (FOLDER / name).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == label]
    return {
        (f"{r['dataset']}/{r['model']}", int(r["seed"])): {t: float(r[str(t)]) for t in CHECKPOINTS if r[str(t)]}
        for r in rows
    }


def _swapped(task: Task) -> str:
    return f"{task.model}/{task.dataset}"
