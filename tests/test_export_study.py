import csv
import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from test_cli import tunewright
from toy import card, config, done, failed

from tunewright.errors import StudyError, TunerError
from tunewright.export.study import best_first, study_to
from tunewright.space import Space
from tunewright_tools.base import Outcome, Telemetry

TRIALS = [
    done(0, config(), 1.0, source="default"),
    done(1, config(lr=0.01, optimizer="sgd", momentum=0.9), 0.25),
    failed(2, config(lr=0.1)),
]


def test_the_best_comes_first() -> None:
    assert [p.config for p in best_first(card(), TRIALS)] == [TRIALS[1].config, TRIALS[0].config]
    assert best_first(card(direction="maximize"), TRIALS)[0].config == TRIALS[0].config
    assert best_first(card(), TRIALS)[0].rationale == "trial 1: loss = 0.25"


def test_csv_has_a_row_for_each_trial() -> None:
    rows = list(csv.DictReader(study_to("csv", card(), TRIALS).splitlines()))
    assert [row["status"] for row in rows] == ["done", "done", "oom"]
    assert [row["source"] for row in rows] == ["default", "surrogate", "surrogate"]
    assert [row["params_momentum"] for row in rows] == ["", "0.9", ""]
    assert [row["metrics_loss"] for row in rows] == ["1.0", "0.25", ""]
    assert float(rows[1]["params_lr"]) == 0.01
    assert rows[2]["seconds"] == "1.0"


def test_the_seconds_are_those_that_the_run_took() -> None:
    outcome = Outcome("done", {"loss": 1.0}, telemetry=Telemetry(0.25))
    trial = replace(done(0, config(), 1.0), started=10.0, finished=15.0, outcome=outcome)
    assert next(csv.DictReader(study_to("csv", card(), [trial]).splitlines()))["seconds"] == "0.25"
    assert json.loads(study_to("json", card(), [trial]))["trials"][0]["seconds"] == 0.25


def test_json_has_points_space_and_every_trial() -> None:
    record = json.loads(study_to("json", card(), TRIALS))
    assert [t["number"] for t in record["trials"]] == [0, 1, 2]
    assert record["trials"][2]["metrics"] == {}
    assert record["points"][0]["config"] == TRIALS[1].config
    assert Space.from_json(record["space"]) == card().space


def test_what_cannot_be_exported_says_why() -> None:
    with pytest.raises(TunerError, match=r"did you mean 'optuna'\? the targets are csv, json, optuna"):
        study_to("optna", card(), TRIALS)
    with pytest.raises(StudyError, match="no trial of the study has a value"):
        study_to("optuna", card(), TRIALS[2:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from quick import card_file

    made = tmp_path_factory.mktemp("export")
    card_file(made)
    assert tunewright(made, "run", "tune.yaml", "--model", "none", "--trials", "3").returncode == 0
    return made


def test_the_command_writes_a_study_for_optuna(folder: Path) -> None:
    result = tunewright(folder, "export", "quick", "--to", "optuna", "--out", "start.py")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "wrote quick to start.py\n"
    names = runpy.run_path(str(folder / "start.py"))
    best = json.loads(tunewright(folder, "best", "--json").stdout)
    assert names["points"][0][0] == best["config"]
    assert len(names["points"]) == 3


def test_the_command_prints_csv_and_refuses_a_missing_folder(folder: Path) -> None:
    rows = list(csv.DictReader(tunewright(folder, "export", "--to", "csv").stdout.splitlines()))
    assert [row["number"] for row in rows] == ["0", "1", "2"]
    refused = tunewright(folder, "export", "--to", "csv", "--out", "nowhere/t.csv")
    assert refused.returncode == 2
    assert "whose folder does not exist" in refused.stderr
    unknown = tunewright(folder, "export", "--to", "smak")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "did you mean 'smac'?" in unknown.stderr
