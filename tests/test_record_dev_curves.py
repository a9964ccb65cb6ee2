"""The curves for development are what their command says."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks is no installed package

from benchmarks.early_stopping import read  # noqa: E402
from benchmarks.record_curves import HERE, SEED, rounded  # noqa: E402
from benchmarks.record_dev_curves import TASKS, record  # noqa: E402

from tunewright.card import TaskCard  # noqa: E402

RUNS = {"dev_lm": 34, "dev_digits": 40, "dev_friedman": 40, "dev_boosting": 40}


@pytest.mark.parametrize("task", TASKS)
def test_the_recorded_curves_are_those_of_the_card(task: str) -> None:
    card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
    curves = {int(c.name): c for c in read(HERE / "data" / f"curves_{task}.csv", card.primary.name)}
    drawn = [rounded(config) for config in card.space.sample(RUNS[task], SEED)]
    assert sorted(curves) == list(range(RUNS[task]))
    assert all(curve.config == drawn[number] for number, curve in curves.items())
    assert len({len(curve.points) for curve in curves.values()}) == 1


def test_a_recording_repeats_but_for_its_seconds() -> None:
    card = TaskCard.load(HERE / "curves" / "dev_boosting.yaml")
    config = rounded(card.space.sample(1, SEED)[0])
    status, curve = record("dev_boosting", config, card, [])
    assert status == "done"
    then = read(HERE / "data" / "curves_dev_boosting.csv", "val_loss")[0].points
    assert [p.metrics["val_loss"] for p in curve] == pytest.approx([p.metrics["val_loss"] for p in then], abs=1e-4)
    assert curve[-1].seconds > 0
