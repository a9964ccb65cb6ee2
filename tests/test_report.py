import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from toy import card, config, done, objective
from typer.testing import CliRunner

from tunewright import TaskCard, Tuner
from tunewright.cli import app
from tunewright.live import JsonLines
from tunewright.llm.scripted import Scripted
from tunewright.plots import plot
from tunewright.report import arguments, card_json, front_json, model_line, report, spent, to_json
from tunewright.space import Choice, Float, Int, Space
from tunewright.tables import front_table


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


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        (
            (0.02, 0.05, 0.09),
            "The first feasible result is the model's; none of its proposals improved on an earlier one.",
        ),
        ((0.09, 0.02, 1e-5), "The model's proposals account for 0.82 of the 0.82 by which loss improved."),
        ((1e-5, 2e-5, 3e-5), "The model contributed nothing: none of its proposals became the best so far."),
    ],
)
def test_beside_a_default_that_breaks_a_constraint_the_model_is_credited_with_the_first_result(
    tmp_path: Path, rates: tuple[float, ...], verdict: str
) -> None:
    bound = card(constraints=["lr_seen >= 0.01"])
    with Tuner(bound, proposing(*rates), storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs") as tuner:
        tuner.run(lambda c: {"loss": objective(c), "lr_seen": c["lr"]}, trials=4)
        assert report(tuner.study).verdict == verdict


def test_without_a_model_nothing_is_claimed(tmp_path: Path) -> None:
    made = study(tmp_path, None)
    assert report(made).verdict == "No model was asked."
    assert spent(made) == ""


def test_a_study_is_plain_json(tmp_path: Path) -> None:
    made = study(tmp_path, proposing(0.01, 7.0))
    data = json.loads(json.dumps(to_json(made), allow_nan=False, default=str))
    assert len(data["trials"]) == 4
    assert (data["card"]["name"], data["card"]["space"]) == ("toy", card().space.to_json())
    assert data["calls"][0]["proposals"][0]["config"]["lr"] == 0.01
    assert any(t["refused"] for t in data["trials"])


def test_arguments_quote_what_a_shell_would_take_apart(tmp_path: Path) -> None:
    trial = study(tmp_path, None, trials=1).trials()[0]
    assert arguments(card(), trial) == "--lr 0.001 --optimizer adamw --width 64"


def test_values_near_the_end_of_the_floats_make_json_that_any_parser_reads(tmp_path: Path, capsys) -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "size", "direction": "minimize"}]
    space = {"x": {"type": "float", "low": 0, "high": 4}}
    large = TaskCard(goal="g", name="large", space=space, metrics=metrics)
    asked = ["large", "--storage", f"sqlite:///{tmp_path}/study.db", "--json"]
    with Tuner(large, None, storage=asked[2], folder=tmp_path / "runs") as tuner:
        JsonLines().show(tuner.events(lambda c: {"loss": 1e300 * c["x"], "size": 1e300 * (4 - c["x"])}, trials=7))
    lines = capsys.readouterr().out.splitlines()
    shown = [CliRunner().invoke(app, [name, *asked]) for name in ("show", "best")]
    assert [result.exit_code for result in shown] == [0, 0]
    read = [json.loads(text, parse_constant=pytest.fail) for text in (*lines, *(result.stdout for result in shown))]
    assert read[-3]["event"] == "stopped"
    assert read[-1]["hypervolume"] is None


def command(*arguments: str, **more: Any) -> dict[str, Any]:
    return {"command": ["python", "train.py", *arguments], **more}


def test_arguments_are_spelled_as_the_cards_command_spells_them() -> None:
    two_forms = Choice("amp", ["amp", "no-amp"], default="no-amp")
    free = Space(
        Float("lr", 1e-4, 1e-1, log=True, default=1e-3), two_forms, Choice("fast", [True, False]), Int("k", 1, 9)
    )
    tool = command("--epochs", "3", "--lr", "{lr}", "--{amp}", "--verbose", "--fast={fast}", "--out={trial_dir}/{k}")
    told = card(space=free, tool=tool)
    trial = done(0, {"lr": 0.01, "amp": "no-amp", "fast": True, "k": 4}, 1.0)
    assert arguments(told, trial) == "--lr 0.01 --no-amp --fast=True --k 4"


def test_arguments_of_an_inactive_parameter_are_left_out() -> None:
    told = card(tool=command("--momentum", "{momentum}", "{optimizer}", "--rate={lr}", "-w", "{width}"))
    assert arguments(told, done(0, config(0.01), 1.0)) == "adamw --rate=0.01 -w 64"
    sgd = {**config(0.01), "optimizer": "sgd", "momentum": 0.9}
    assert arguments(told, done(0, sgd, 1.0)) == "--momentum 0.9 sgd --rate=0.01 -w 64"


def test_arguments_of_a_trainer_are_its_own_options() -> None:
    free = Space(Float("learning_rate", 1e-4, 1e-1, log=True))
    told = card(space=free, metric="val_loss", tool={"trainer": "torch_digits", "options": {"epochs": 2}})
    assert arguments(told, done(0, {"learning_rate": 0.01}, 1.0)) == "--learning-rate 0.01"


def test_the_json_holds_the_card_without_keys_and_without_rows_of_the_data() -> None:
    data = {
        "rows": 100,
        "features": 2,
        "target": "price",
        "feature_names": ["a", "b"],
        "share_content": True,
        "sample": ["a 17.25, b Zanzibar, price 3"],
    }
    key = "sk-proj-abcdef0123456789abcdef"
    tool = command(
        "--lr={lr}", f"--key={key}", "{optimizer}", "{momentum}", "{width}", env={"SERVICE_PASS": "hunter22"}
    )
    told = card(goal=f"tune with {key}", tool=tool, data=data)
    shown = card_json(told)
    text = json.dumps(shown, allow_nan=False)
    assert (key in text, "hunter22" in text, "Zanzibar" in text) == (False, False, False)
    assert shown["tool"]["env"] == {"SERVICE_PASS": "[key removed]"}
    assert (shown["data"]["rows"], shown["data"]["feature_names"]) == (100, ["a", "b"])
    assert shown["space"] == told.space.to_json()
    assert "data" not in card_json(card(data={**data, "context": "none", "share_content": False, "sample": []}))


def test_of_several_metrics_the_front_and_its_hypervolume_are_reported(tmp_path: Path) -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "width", "direction": "maximize"}]
    several = TaskCard(goal="g", name="two", space={"x": {"type": "float", "low": 0, "high": 4}}, metrics=metrics)
    tuner = Tuner(several, None, storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs")
    assert report(tuner.study).front is None
    tuner.run(lambda c: {"loss": c["x"] ** 2, "width": c["x"] if c["x"] < 3 else 0.0}, trials=6)
    rep = report(tuner.study)
    assert rep.front is not None
    assert rep.front.trials == tuple(tuner.study.front())
    assert len(rep.front.trials) > 1
    values = [tuple(t.outcome.metrics[name] for name in ("loss", "width")) for t in rep.front.trials if t.outcome]
    assert rep.front.reference["loss"] > max(loss for loss, _ in values)
    assert rep.front.reference["width"] < min(width for _, width in values)
    # by hand: from the widest down, each adds a strip
    volume, high = 0.0, rep.front.reference["width"]
    for loss, width in sorted(values):
        volume += (rep.front.reference["loss"] - loss) * (width - high)
        high = width
    assert rep.front.hypervolume == pytest.approx(volume)
    data = json.loads(json.dumps(to_json(tuner.study), allow_nan=False, default=str))
    assert len(data["report"]["front"]["trials"]) == len(values)
    assert len(front_json(rep.front)["front"]) == len(values)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(front_table(rep.front))
    assert f"{len(values)} trials" in console.export_text()
    assert plot(tuner.study, "front").startswith(b"\x89PNG")
    tuner.close()
    asked = ["best", "two", "--storage", f"sqlite:///{tmp_path}/study.db"]
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert told["hypervolume"] == pytest.approx(volume)
    assert [t["trial"] for t in told["front"]] == [t.number for t in rep.front.trials]
    assert CliRunner().invoke(app, asked).stdout.count("front: trial") == len(values)
