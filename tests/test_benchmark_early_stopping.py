"""The replay of recorded curves counts what it should; nothing is claimed of pruners from made-up curves."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks is no installed package

from benchmarks.early_stopping import read, read_again, replay, table

from tunewright.pruning.base import Run
from tunewright_tools.base import Point

LAST = [0.5, 0.9, 0.3, 0.8, 0.7, 0.6, 0.4, 1.0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "curves.csv"
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["run", "step", "seconds", "val_loss", "lr", "optimizer", "batch"])
        for i, last in enumerate(LAST):
            for step in range(1, 11):
                kind = "sgd" if i % 2 else "adamw"
                rows.writerow([f"r{i}", step, 2 * step, last + 1 / step - 0.1, 10.0 ** (-1 - i % 4), kind, 64])
    return path


class StopAt:
    """Stops the runs of these numbers at a step."""

    def __init__(self, step: float, *numbers: int) -> None:
        self.step, self.numbers = step, numbers
        self.told: list[Run] = []

    def stop(self, number: int, point: Point) -> str | None:
        return "so" if number in self.numbers and point.step == self.step else None

    def tell(self, run: Run) -> None:
        self.told.append(run)


def test_curves_are_read_with_their_configurations(file: Path) -> None:
    curves = read(file, "val_loss")
    assert [c.name for c in curves] == [f"r{i}" for i in range(8)]
    assert curves[2].config == {"lr": 1e-3, "optimizer": "adamw", "batch": 64.0}
    assert curves[2].final("val_loss") == pytest.approx(0.3)


def test_a_replay_counts_seconds_and_loses_what_was_stopped(file: Path) -> None:
    curves = read(file, "val_loss")
    assert replay(curves, None, "val_loss", "minimize") == (160.0, curves[2])
    pruner = StopAt(4.0, 0, 2, 3)
    used, best = replay(curves, pruner, "val_loss", "minimize")
    assert used == 160 - 2 * 12  # the first run is never stopped
    assert best is curves[6]
    assert [run.final is None for run in pruner.told] == [i in (2, 3) for i in range(8)]
    assert len(pruner.told[2].curve) == 4
    assert replay(curves, StopAt(10.0, 2), "val_loss", "minimize") == (160.0, curves[2])
    assert replay(curves, None, "val_loss", "maximize")[1] is curves[7]


def test_the_table_pairs_the_orders(file: Path) -> None:
    nothing = {"name": "threshold", "options": {"upper": 99.0}}
    everything = {"name": "threshold", "options": {"upper": -99.0}}
    rows = table(read(file, "val_loss"), [nothing, everything], "val_loss", "minimize", orders=4)
    assert (rows[0]["saved"], rows[0]["lost"], rows[0]["kept_best"]) == (0.0, 0.0, 4)
    assert rows[1]["saved"] == pytest.approx(1 - (20 + 7 * 2) / 160)  # all but the first end at their first point
    assert rows[1]["kept_best"] < 4
    assert rows[1]["lost"] > 0
    (short,) = table(read(file, "val_loss"), [everything], "val_loss", "minimize", orders=4, runs=3)
    assert short["saved"] == pytest.approx(1 - (20 + 2 * 2) / 60)  # a study of three runs


def test_picks_are_compared_on_other_seeds(file: Path, tmp_path: Path) -> None:
    everything = {"name": "threshold", "options": {"upper": -99.0}}  # picks the first run of each order
    nothing = {"name": "threshold", "options": {"upper": 99.0}}  # picks r2
    again = tmp_path / "again.csv"
    ends = [f"r{i},{seed},done,{1.0 + seed / 10 if i == 2 else 3.0}" for i in range(8) for seed in (1, 2)]
    again.write_text("\n".join(["run,seed,status,val_loss", *ends]) + "\n")
    curves, values = read(file, "val_loss"), read_again(again, "val_loss")
    assert values["r2"] == [1.1, 1.2]
    same, worse = table(curves, [nothing, everything], "val_loss", "minimize", orders=4, again=values)
    assert same["lost_again"] == (0.0, 0.0, 0.0)
    mean, low, high = worse["lost_again"]
    assert mean == pytest.approx((4 - worse["kept_best"]) / 4 * 1.85)
    assert low <= mean <= high
    (better,) = table(curves, [everything], "val_loss", "maximize", orders=4, again={**values, "r7": [0.0]})
    assert better["lost_again"][0] < 0  # the pick of the search without a pruner was luck
    (unknown,) = table(curves, [everything], "val_loss", "minimize", orders=4, again={"r2": [1.0]})
    assert unknown["lost_again"] is None
    again.write_text("run,seed,status,val_loss\nr2,1,diverged,\n")
    with pytest.raises(ValueError, match=r"run r2 of .* has no val_loss with seed 1: diverged"):
        read_again(again, "val_loss")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("r9,1,2,nan,0.1,sgd,64", "not finite"),
        ("r0,11,22,0.5,0.7,sgd,64", "another configuration"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused(file: Path, line: str, said: str) -> None:
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ValueError, match=said):
        read(file, "val_loss")
    with pytest.raises(ValueError, match="no column accuracy"):
        read(file, "accuracy")


def test_the_command_prints_a_row_for_each_pruner(file: Path) -> None:
    command = [sys.executable, str(Path(__file__).parents[1] / "benchmarks" / "early_stopping.py"), str(file)]
    command += ["--metric", "val_loss", "--direction", "minimize", "--orders", "2", "--runs", "4", "8"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("8 runs of up to 10 steps, 2 orders\n")
    for name in ("curve", "median", "hyperband", "successive_halving"):
        assert f"\n| 4 | {name}" in said
        assert f"\n| 8 | {name}" in said
    refused = subprocess.run([*command[:-2], "9"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "has 8 full runs; choose 1 to 8" in refused.stderr


def test_configurations_as_json_and_runs_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "recorded.csv"
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["task", "run", "config", "status", "step", "seconds", "val_loss", "train_loss"])
        for i in range(4):
            config = {"arch": "vit" if i % 2 else "cnn", "lr": 0.1 / (i + 1), **({"heads": 2} if i % 2 else {})}
            status = "diverged" if i == 3 else "done"
            rows.writerow(["t", i, json.dumps(config), status, 1, 1.0, "nan" if i == 3 else 0.5, 0.4])
            rows.writerow(["t", i, "", status, 2, 2.0, 0.3, 0.2])
    curves = read(path, "val_loss")
    assert [c.name for c in curves] == ["0", "1", "2"]
    assert curves[1].config == {"arch": "vit", "lr": 0.05, "heads": 2.0}
    assert [len(c.points) for c in curves] == [2, 2, 2]
