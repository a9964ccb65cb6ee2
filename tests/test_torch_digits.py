"""The shipped trainer as a program under the command tool, its catalog entry and its example card."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunewright_tools import torch_digits
from tunewright_tools.base import Job, Limits, Outcome, ToolSetupError
from tunewright_tools.catalog import TRAINERS, trainer
from tunewright_tools.command import CommandTool

DIGITS = trainer("torch_digits")
CARD = Path(__file__).parent.parent / "examples" / "digits" / "tune.yaml"


def go(folder: Path, config: dict[str, Any], **fixed: bool | int | float | str) -> Outcome:
    folder.mkdir()
    fixed = {"device": "cpu"} | fixed
    tool = CommandTool(DIGITS.argv([*config, "momentum"], fixed), DIGITS.metrics)
    tool.check(dict(config) | {"momentum": 0.9})
    return tool.run(Job(0, 0, config, 3, folder, limits=Limits(60)), lambda _: False)


def test_the_default_learns_and_leaves_room_above_it(tmp_path: Path) -> None:
    outcome = go(tmp_path / "a", {})
    assert outcome.status == "done", outcome.detail
    assert 0.92 < outcome.metrics["val_accuracy"] < 0.965
    assert [point.step for point in outcome.curve] == list(range(1, 16))
    assert outcome.metrics == outcome.curve[-1].metrics


@pytest.mark.slow
def test_the_same_seed_gives_the_same_curve_and_another_does_not(tmp_path: Path) -> None:
    # Seed 3 comes from TUNEWRIGHT_SEED in the first two runs.
    first, second = (go(tmp_path / name, {"dropout": 0.2}, epochs=3) for name in "ab")
    third, fourth = (go(tmp_path / str(seed), {"dropout": 0.2}, epochs=3, seed=seed) for seed in (3, 4))
    assert first.metrics == second.metrics == third.metrics
    assert [point.metrics for point in first.curve] == [point.metrics for point in second.curve]
    assert fourth.metrics["val_loss"] != first.metrics["val_loss"]


@pytest.mark.slow
def test_good_configurations_are_better_than_the_default(tmp_path: Path) -> None:
    config = {"arch": "cnn", "optimizer": "adamw", "learning_rate": 0.005, "depth": 3, "batch_size": 16, "dropout": 0.3}
    assert go(tmp_path / "a", config).metrics["val_accuracy"] > 0.98


def test_a_learning_rate_that_is_too_high_diverges(tmp_path: Path) -> None:
    outcome = go(tmp_path / "a", {"learning_rate": 1e20, "arch": "mlp"}, epochs=2)
    assert (outcome.status, outcome.fault) == ("diverged", "config")
    assert "reported status: diverged" in outcome.detail


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--optimizer", "adamw", "--momentum", "0.9"], "--momentum is for --optimizer sgd"),
        (["--width", "0"], "--width must be at least 1, not 0"),
        (["--dropout", "1"], "--dropout must be at least 0 and below 1"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--weight-decay", "nan"], "--weight-decay at least 0, and both finite"),
        (["--data-seed", "-1"], "--data-seed must be at least 0 and below 2**32, not -1"),
        (["--learning_rates", "1"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_end_it_with_a_message(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        torch_digits.arguments(argv)
    assert said in capsys.readouterr().err


def test_the_architectures_have_the_shapes_asked_for() -> None:
    import torch

    for arch in ("mlp", "cnn"):
        for depth in (1, 2, 3, 5):
            model = torch_digits.network(arch, 8, depth, 0.1)
            assert model(torch.zeros(4, 64)).shape == (4, 10)
            assert sum(1 for parameter in model.parameters() if parameter.dim() > 1) == depth + 1


def test_argument_list_of_a_trainer() -> None:
    assert DIGITS.argv(["learning_rate", "momentum"], {"epochs": 3})[1:] == [
        *["-m", "tunewright_tools.torch_digits", "--learning-rate", "{learning_rate}"],
        *["--momentum", "{momentum}", "--epochs", "3"],
    ]
    with pytest.raises(ToolSetupError, match="has no option 'learning_rat'") as raised:
        DIGITS.argv(["learning_rat"])
    assert raised.value.hint.startswith("did you mean learning_rate? its options: arch, width")
    with pytest.raises(ToolSetupError, match="both a parameter of the space and fixed to 3"):
        DIGITS.argv(["epochs"], {"epochs": 3})
    with pytest.raises(ToolSetupError, match="there is no trainer 'resnet'"):
        trainer("resnet")


def test_the_example_card_runs(tmp_path: Path) -> None:
    card = yaml.safe_load(CARD.read_text())
    metrics = [(metric["name"], metric["direction"]) for metric in card["metrics"]]
    config = {parameter["name"]: parameter["default"] for parameter in card["space"]}
    assert set(config) <= set(DIGITS.options)
    tool = CommandTool([*card["tool"]["command"], "--epochs=1"], metrics)
    tool.check(config)
    assert all(parameter["about"] for parameter in card["space"])
    # The parameter that is conditional on sgd is absent, so its argument goes; the trainer refuses it with adamw.
    config["optimizer"] = "adamw"
    del config["momentum"]
    outcome = tool.run(Job(0, 0, config, 0, tmp_path), lambda _: False)
    assert outcome.status == "done", outcome.detail


@pytest.mark.parametrize("name", TRAINERS)
def test_every_trainer_starts_where_python_drops_docstrings(name: str) -> None:
    command = [sys.executable, "-OO", "-m", TRAINERS[name].module, "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
