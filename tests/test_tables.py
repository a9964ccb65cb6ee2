"""What a person sees of a study."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from toy import card, done
from typer.testing import CliRunner

from tunewright import Tuner
from tunewright.cli import app
from tunewright.report import Front
from tunewright.space import Choice, Space
from tunewright.tables import front_table, trials_table
from tunewright_tools.base import Outcome


def test_tables_show_values_as_they_are_and_take_nothing_for_markup(tmp_path: Path) -> None:
    values = ["[relu]", "[/]", "a:key:b"]
    marked = card(space=Space(Choice("act", values, default="[relu]")))
    with Tuner(marked, None, storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs") as tuner:
        tuner.run(lambda c: values.index(c["act"]), trials=3)
    shown = CliRunner().invoke(app, ["show", "--storage", f"sqlite:///{tmp_path}/study.db"])
    assert shown.exit_code == 0, shown.exception
    assert all(f"act={value} " in shown.stdout for value in values)
    assert re.search(r"act +│ +\[relu\] │ +\[relu\] │", shown.stdout)


@pytest.mark.parametrize("start", ["none", "default"])
def test_a_study_without_a_best_trial_says_why_there_is_none(tmp_path: Path, start: str) -> None:
    bound = card(constraints=["ms <= 50"], start=start)
    with Tuner(bound, None, storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs") as tuner:
        tuner.run(lambda c: {"loss": 1.0, "ms": 60.0}, trials=2)
    shown = CliRunner().invoke(app, ["show", "--storage", f"sqlite:///{tmp_path}/study.db"]).stdout
    assert "No trial of toy has a value that keeps all constraints yet." in shown
    assert ("Best configuration of toy" in shown) == (start == "default")  # a column of nothing is left out
    assert "configurati\n" not in shown


def test_the_list_of_trials_has_every_metric_and_names_the_bounds_that_a_trial_breaks() -> None:
    two = card(
        metric=None,
        direction=None,
        metrics=[{"name": "loss", "direction": "minimize"}, {"name": "mb", "direction": "minimize"}],
        constraints=["ms <= 50", "acc >= 0.5"],
    )
    ended = [{"loss": 2.0, "mb": 7.0, "ms": 50.0, "acc": 0.5}, {"loss": 1.0, "mb": 8.0, "ms": 51.0, "acc": 0.5}]
    trials = [replace(done(i, {"x": i}, 1.0), outcome=Outcome("done", metrics)) for i, metrics in enumerate(ended)]
    trials.append(replace(done(2, {"x": 2}, 1.0), status="oom", outcome=Outcome("oom")))
    trials.append(replace(done(3, {"x": 3}, 1.0), outcome=Outcome("done", {"loss": 0.5, "mb": 1.0, "acc": 0.1})))
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(trials_table(two, trials))
    shown = re.sub(" +", " ", console.export_text())
    assert "┃ status ┃ loss ┃ mb ┃" in shown
    assert "│ 0 │ surrogate │ done │ 2 │ 7 │" in shown
    assert "│ 1 │ surrogate │ done, breaks ms <= 50 │ 1 │ 8 │" in shown
    assert "│ 2 │ surrogate │ oom │ │ │" in shown
    assert "│ 3 │ surrogate │ done, without ms, breaks acc >= 0.5 │" in shown


@pytest.mark.parametrize(("direction", "order"), [("maximize", ["2", "1", "0"]), ("minimize", ["0", "1", "2"])])
def test_the_front_is_listed_best_first_in_the_direction_of_the_first_metric(direction: str, order: list[str]) -> None:
    trials = tuple(
        replace(done(i, {"x": i}, 1.0), outcome=Outcome("done", {"acc": i / 10, "ms": float(i)})) for i in (1, 0, 2)
    )
    beyond = -0.1 if direction == "maximize" else 0.3
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(front_table(Front(trials, ("acc", "ms"), {"acc": beyond, "ms": 3.0}, 1.0)))
    assert re.findall(r"(?m)^│ +(\d) │", console.export_text()) == order
