"""`tunewright init` as people run it: from a script to a study; and scripts that take what the card passes."""

import json
import subprocess
from pathlib import Path

import pytest
from openai_server import OpenAIServer
from scripts_here import SCRIPTS, tunewright

from tunewright.card import TaskCard
from tunewright.init import card_from_reading, read_script
from tunewright_tools import arguments


def test_from_a_script_to_a_study(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text((SCRIPTS / "with_argparse.py").read_text())
    made = tunewright(tmp_path, "init", "train.py", "--goal", "a toy network on toy data", "--", "--epochs=2")
    assert made.returncode == 0, made.stderr
    assert "wrote tune.yaml: 8 parameters of train.py" in made.stdout
    assert "metric: val_loss, minimize (assumed from the name)" in made.stdout
    assert "to do" not in made.stdout
    ran = tunewright(tmp_path, "run", "tune.yaml", "--model", "none", "--trials", "3", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    finished = [e["trial"] for e in events if e["event"] == "finished"]
    assert [t["outcome"]["status"] for t in finished] == ["done"] * 3
    assert finished[0]["config"]["lr"] == 0.001  # trial 0 is the script as it is
    assert len({t["outcome"]["metrics"]["val_loss"] for t in finished}) > 1


def test_a_dry_run_of_the_card(tmp_path: Path) -> None:
    assert tunewright(tmp_path, "init", str(SCRIPTS / "with_typer.py")).returncode == 0
    shown = tunewright(tmp_path, "run", "tune.yaml", "--dry-run", "--model", "none")
    assert shown.returncode == 0, shown.stderr
    assert '"hidden_size": 64' in shown.stdout


def test_a_card_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tune.yaml").write_text("mine")
    refused = tunewright(tmp_path, "init", str(SCRIPTS / "with_argparse.py"))
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "tune.yaml").read_text() == "mine"
    forced = tunewright(tmp_path, "init", str(SCRIPTS / "with_argparse.py"), "--force", "--json")
    record = json.loads(forced.stdout)
    assert record["out"] == "tune.yaml"
    assert record["complete"]
    assert TaskCard.load(tmp_path / "tune.yaml").space.names == tuple(p["name"] for p in record["parameters"])


@pytest.mark.parametrize(
    ("arguments", "code", "seen", "next_step"),
    [
        (["nowhere.py"], 2, "nowhere.py", "Python script"),
        (["broken.py"], 2, "broken.py:1", "valid Python"),
        ([str(SCRIPTS / "with_subcommands.py")], 2, "train, evaluate", "--subcommand"),
        ([str(SCRIPTS / "with_argparse.py"), "--direction", "up"], 2, "'up'", "minimize"),
        ([str(SCRIPTS / "with_argparse.py"), "--metric", "a b"], 2, "a b", "letters"),
        ([str(SCRIPTS / "with_argparse.py"), "--out", "no/such/tune.yaml"], 2, "no/such", "folder"),
        ([str(SCRIPTS / "with_argparse.py"), "--model", "gpt-5"], 4, "gpt-5", "openai/gpt-5"),
        ([str(SCRIPTS / "with_argparse.py"), "--model", "openai/gpt-5"], 4, "key", "OPENAI_API_KEY"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], code: int, seen: str, next_step: str
) -> None:
    (tmp_path / "broken.py").write_text("def f(:\n")
    result = tunewright(tmp_path, "init", *arguments)
    assert result.returncode == code, result.stderr
    assert seen in result.stderr
    assert next_step in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "tune.yaml").exists()


def test_a_script_without_a_metric_says_what_to_do(tmp_path: Path) -> None:
    result = tunewright(tmp_path, "init", str(SCRIPTS / "mixed.py"))
    assert result.returncode == 0
    assert "to do: name the metric" in result.stdout
    run = tunewright(tmp_path, "run", "tune.yaml", "--dry-run", "--model", "none")
    assert run.returncode == 2
    assert "no metric" in run.stderr


def test_a_model_behind_a_server_proposes_ranges(tmp_path: Path) -> None:
    said = {"parameters": {"lr": {"low": 2e-4, "high": 2e-2, "scale": "log", "about": "x"}}}
    with OpenAIServer([said]) as server:
        result = tunewright(
            tmp_path, "init", str(SCRIPTS / "with_argparse.py"), "--model", "openai/toy", "--base-url", server.url,
            OPENAI_API_KEY="sk-test-0123456789abcdef",
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        (asked,) = (request for request in server.requests if request.method == "POST")
        assert "sk-" not in json.dumps(asked.body)
    card = TaskCard.load(tmp_path / "tune.yaml")
    assert card.space["lr"].to_json()["high"] == 2e-2
    assert "range: proposed by openai/toy" in (tmp_path / "tune.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("with_argparse.py", {}),
        ("with_subcommands.py", {"subcommand": "train", "direction": "maximize"}),
        ("with_click.py", {"fixed": ["--alpha=0.5"]}),
        ("with_click_group.py", {"subcommand": "train"}),
        ("with_click_group.py", {"subcommand": "score"}),
        ("with_typer.py", {}),
    ],
)
def test_the_script_takes_what_the_card_passes(name: str, more: dict[str, object]) -> None:
    card = card_from_reading(read_script(SCRIPTS / name), goal="a toy", **more)  # type: ignore[arg-type]
    assert card.tool is not None
    assert card.tool.command is not None
    parsed = arguments.parse(card.tool.command)
    for config in [card.space.default(), *card.space.sample(2, seed=0)]:
        argv = arguments.render(parsed, config, {})
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, f"{argv}: {ran.stderr}"
        assert card.primary.name in ran.stdout
