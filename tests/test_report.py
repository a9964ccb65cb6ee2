import json
from pathlib import Path
from typing import Any

from toy import card, config, objective

from tunewright import Tuner
from tunewright.llm.scripted import Scripted
from tunewright.report import arguments, model_line, report, spent, to_json


def study(folder: Path, model: Any, trials: int = 4) -> Any:
    tuner = Tuner(card(), model, storage=f"sqlite:///{folder}/study.db", folder=folder / "runs")
    tuner.run(objective, trials=trials)
    return tuner.study


def proposing(*rates: float) -> Scripted:
    proposals = [{"config": {**config(lr), "momentum": None}} for lr in rates]
    return Scripted([{"proposals": proposals}], repeat_last=True)


def test_a_model_that_helps_is_credited_with_what_it_gained(tmp_path: Path) -> None:
    rep = report(study(tmp_path, proposing(0.01, 0.05, 0.001)))
    assert rep.best is not None
    assert rep.best.source == "llm"
    gain = rep.default.outcome.metrics["loss"] - rep.best.outcome.metrics["loss"]
    assert rep.verdict.startswith(f"The model's proposals account for {gain:.4g} of the {gain:.4g}")


def test_a_model_that_does_not_help_is_said_to_have_contributed_nothing(tmp_path: Path) -> None:
    rep = report(study(tmp_path, proposing(1e-5, 2e-5, 3e-5)))
    assert rep.verdict.startswith("The model contributed nothing over the default")
    assert "1 calls" in model_line(rep)


def test_without_a_model_nothing_is_claimed(tmp_path: Path) -> None:
    made = study(tmp_path, None)
    assert report(made).verdict == "No model was asked."
    assert spent(made) == ""


def test_a_study_is_plain_json(tmp_path: Path) -> None:
    made = study(tmp_path, proposing(0.01, 7.0))
    data = json.loads(json.dumps(to_json(made), allow_nan=False, default=str))
    assert len(data["trials"]) == 4
    assert data["calls"][0]["proposals"][0]["config"]["lr"] == 0.01
    assert any(t["refused"] for t in data["trials"])


def test_arguments_quote_what_a_shell_would_take_apart(tmp_path: Path) -> None:
    trial = study(tmp_path, None, trials=1).trials()[0]
    assert arguments(card(), trial) == "--lr 0.001 --optimizer adamw --width 64"
