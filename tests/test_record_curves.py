"""The recorded curves are what their command says, and recording goes on where it stopped."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks is no installed package

from benchmarks import record_curves  # noqa: E402
from benchmarks.record_curves import HERE, TASKS, again, best_runs, check, fill, read, rounded  # noqa: E402

from tunewright.card import TaskCard  # noqa: E402


@pytest.mark.parametrize("task", TASKS)
def test_the_recorded_curves_are_those_of_the_card(task: str) -> None:
    card = TaskCard.load(HERE / "curves" / f"{task}.yaml")
    drawn = [rounded(config) for config in card.space.sample(96, record_curves.SEED)]
    curves: dict[int, list[dict[str, str]]] = {}
    for row in read(task):
        curves.setdefault(int(row["run"]), []).append(row)
    assert sorted(curves) == list(range(96))
    for number, rows in curves.items():
        assert json.loads(rows[0]["config"]) == drawn[number]
        assert not any(row["config"] for row in rows[1:])
        assert not card.space.check(drawn[number]).faults
        steps = [float(row["step"]) for row in rows]
        assert steps == sorted(set(steps))
        assert 12 <= len(rows) <= 20 or rows[0]["status"] == "diverged"


def test_the_best_are_those_by_either_metric() -> None:
    ends = {int(row["run"]): row for row in read("vision")}
    by_loss = min(ends, key=lambda run: float(ends[run]["val_loss"]))
    by_accuracy = max(ends, key=lambda run: float(ends[run]["val_accuracy"]))
    assert best_runs("vision", 1) == sorted({by_loss, by_accuracy})
    assert len(best_runs("lm", 24)) == 24
    assert set(best_runs("lm", 5)) < set(best_runs("lm", 24))


@pytest.mark.parametrize("task", TASKS)
def test_the_best_curve_still_improves_in_its_last_fifth(task: str) -> None:
    better = float(check(task).split("at the end (")[1].split("%")[0])
    assert better > 1


@pytest.mark.parametrize("task", TASKS)
def test_the_readmes_row_is_what_is_recorded(task: str) -> None:
    (row,) = re.findall(rf"^\| `curves_{task}.csv` \|.*$", (HERE / "README.md").read_text(), re.MULTILINE)
    said = re.findall(r"\d+\.\d+", row)
    found = re.search(r"([\d.]+) at the end .*median end ([\d.]+), worst ([\d.]+)$", check(task))
    assert found
    assert [f"{float(value):.3f}" for value in found.groups()] == said[:3]


@pytest.mark.slow
def test_recording_goes_on_where_it_stopped(tmp_path: Path) -> None:
    said: list[str] = []
    for runs in (1, 2):
        fill("vision", runs, 1, tmp_path, {"epochs": 0.5, "evaluations": 2}, said.append)
    assert [text.split()[2] for text in said] == ["0", "1"]
    rows = read("vision", tmp_path)
    assert [row["run"] for row in rows] == ["0", "0", "1", "1"]
    assert [bool(row["config"]) for row in rows] == [True, False, True, False]
    assert all(float(row["val_loss"]) > 0 and float(row["seconds"]) >= 0 for row in rows)


@pytest.mark.slow
def test_the_best_are_trained_again_with_other_seeds(tmp_path: Path) -> None:
    few = {"epochs": 0.5, "evaluations": 2}
    fill("vision", 3, 1, tmp_path, few, print)
    (best,) = {min(read("vision", tmp_path), key=lambda row: float(row["val_loss"]))["run"]}
    said: list[str] = []
    for seeds in (1, 2):
        again("vision", 1, seeds, 1, tmp_path, few, said.append)
    rows = read("vision", tmp_path, kind="again")
    mine = [row for row in rows if row["run"] == best]
    assert [row["seed"] for row in mine] == ["1", "2"]
    assert len({row["val_loss"] for row in mine}) == 2
    assert len(said) == len(rows)  # none was trained twice


@pytest.mark.slow
def test_a_run_that_fails_ends_the_recording(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="vision run 0 is crashed"):
        fill("vision", 2, 1, tmp_path, {"validation_share": 0.001}, print)
    assert read("vision", tmp_path) == []
