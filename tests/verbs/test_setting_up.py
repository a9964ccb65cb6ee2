from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewright.verbs import ApprovalRequest, Ask, Denied, Session, Within, WrongCall, call

Open = Callable[..., Session]
TOY = {"script": "train.py", "goal": "a toy", "name": "mine", "metric": "loss", "direction": "minimize"}


def faults(session: Session, **arguments: Any) -> dict[str, str]:
    with pytest.raises(WrongCall) as e:
        call(session, "set_up_study", arguments, by="model")
    assert session.names() == []
    return {f.argument: f.accepted for f in e.value.faults}


def test_a_script_is_looked_at_without_being_run(root: Path, opened: Open) -> None:
    (root / "train.py").write_text((root / "train.py").read_text() + "\nopen('ran', 'w')\n")
    data = call(opened(root), "look_at_script", {"script": "train.py"}, by="model").data
    assert {o["name"]: o["can_be_tuned"] for o in data["options"]} == {
        "lr": True,
        "width": True,
        "optimizer": True,
        "seconds": True,
        "data": False,
    }
    proposed = {p["name"]: p for p in data["proposed_space"]}
    assert proposed["lr"]["low"] <= 1e-4 <= proposed["lr"]["high"]
    assert proposed["optimizer"]["choices"] == ["adamw", "sgd"]
    assert all(p["origin"] for p in proposed.values())
    assert [m["name"] for m in data["metrics"]] == ["loss"]
    assert not (root / "ran").exists()


def test_a_script_that_cannot_be_read_is_a_fault(root: Path, opened: Open) -> None:
    session = opened(root)
    (root / "broken.py").write_text("def (:\n")
    for script in ("broken.py", "../train.py", "none.py"):
        with pytest.raises(WrongCall, match="script is"):
            call(session, "look_at_script", {"script": script}, by="model")


def test_a_study_is_set_up_from_a_script_and_runs(root: Path, opened: Open) -> None:
    asked: list[ApprovalRequest] = []
    session = opened(root, approver=Ask(lambda request: asked.append(request) is None))
    wanted = [
        {"name": "lr", "low": 1e-4, "high": 1e-1, "scale": "log", "default": 1e-3},
        {"name": "width", "high": 512},
        {"name": "optimizer"},
    ]
    data = call(session, "set_up_study", {**TOY, "parameters": wanted, "trials": 4}, by="model").data
    assert asked == []
    assert session.current == "mine"
    assert data["command"].endswith(f"--lr={{lr}}' '--width={{width}}' '--optimizer={{optimizer}}'  (in {root})")
    space = session.study().card.space
    assert (space["lr"].low, space["lr"].log, space["lr"].default) == (1e-4, True, 1e-3)  # type: ignore[attr-defined]
    assert space["width"].rounding == "power_of_two"  # type: ignore[attr-defined]
    call(session, "run_trials", {"trials": 2}, by="model")
    list(session.events())
    assert [t.status for t in session.study().trials()] == ["done", "done"]
    assert asked[0].command == data["command"]
    assert "never been run or approved" in asked[0].needs_person
    assert (
        asked[0].text().startswith("run 2 trials of the study mine: 2 trials, time unknown, 0 USD\neach trial runs: ")
    )


def test_every_fault_of_a_set_up_is_named(root: Path, opened: Open) -> None:
    session = opened(root)
    assert "exactly one" in faults(session)["script"]
    assert "exactly one" in faults(session, script="train.py", trainer="torch_digits")["script"]
    assert set(faults(session, script="train.py")) == {"goal", "metric", "direction"}
    assert "loss" in faults(session, **{**TOY, "metric": "los"})["metric"]
    assert "inside the project" in faults(session, **{**TOY, "script": "/bin/true.py"})["script"]
    assert "up to 64" in faults(session, **{**TOY, "name": "../x"})["name"]
    assert (
        "torch_digits"
        in faults(session, **{k: v for k, v in TOY.items() if k != "script"}, trainer="digits")["trainer"]
    )
    found = faults(
        session,
        **TOY,
        parameters=[
            {"name": "data", "choices": ["/etc/passwd", "x"]},
            {"name": "optimizer", "choices": ["sgd", "$(rm -rf /)"]},
            {"name": "lr", "low": 0.0, "scale": "log"},
            {"name": "seconds"},
        ],
    )
    assert "an option that can be tuned" in found["parameters[0].name"]
    assert "choices of the script: 'adamw', 'sgd'" in found["parameters[1].choices"]
    assert "above 0" in found["parameters[2]"]
    assert "nothing is known of the range" in found["parameters[3].low"]
    assert "is there twice" in faults(session, **TOY, parameters=[{"name": "lr"}, {"name": "lr"}])["parameters"]


def test_a_model_gives_no_command_no_environment_and_no_folder(root: Path, opened: Open) -> None:
    found = faults(opened(root), **TOY, command=["sh", "-c", "id"], env={"A": "b"}, cwd="/", tool={"command": ["id"]})
    assert set(found) == {"command", "env", "cwd", "tool"}


def test_a_script_that_needs_more_than_parameters_is_refused(root: Path, opened: Open) -> None:
    (root / "train.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"
        "p.add_argument('--data', required=True)\na = p.parse_args()\nprint(f'loss: {a.lr}')\n"
    )
    assert "--data" in faults(opened(root), **TOY)["script"]


def test_a_trainer_is_set_up_by_its_name(root: Path, opened: Open) -> None:
    session = opened(root)
    arguments = {
        "trainer": "torch_digits",
        "goal": "digits",
        "metric": "val_accuracy",
        "direction": "maximize",
        "parameters": [{"name": "learning_rate"}, {"name": "dropout", "low": 0.0, "high": 0.5}],
    }
    data = call(session, "set_up_study", arguments, by="model").data
    assert data["command"] == "the built-in trainer torch_digits"
    assert session.study().card.tool.trainer == "torch_digits"  # type: ignore[union-attr]
    assert session.study().card.space["learning_rate"].log  # type: ignore[attr-defined]
    wrong = {**arguments, "name": "x", "parameters": [{"name": "device", "choices": ["cpu", "cuda"]}, {"name": "seed"}]}
    with pytest.raises(WrongCall, match="an option that can be tuned: arch, width"):
        call(session, "set_up_study", wrong, by="model")


def test_a_subcommand_is_part_of_the_command(root: Path, opened: Open) -> None:
    (root / "train.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\ns = p.add_subparsers(dest='what')\n"
        "a = s.add_parser('fit')\na.add_argument('--lr', type=float, default=0.1)\n"
        "b = s.add_parser('test')\nb.add_argument('--batch', type=int, default=8)\n"
        "g = p.parse_args()\nprint(f'loss: {g.lr}')\n"
    )
    session = opened(root)
    assert "fit, test" in faults(session, **TOY)["subcommand"]
    data = call(session, "set_up_study", {**TOY, "subcommand": "fit"}, by="model").data
    assert "train.py fit '--lr={lr}'" in data["command"]
    call(session, "run_trials", {"trials": 1}, by="person")
    list(session.events())
    assert session.study().trials()[0].done


CARD = """\
name: carded
goal: a toy
metric: loss
direction: minimize
tool: {{command: [python, train.py, --lr, "{{lr}}"]{tool}}}
space: [{{name: lr, type: float, low: 1e-5, high: 0.1, log: true, default: 1e-3}}]
{extra}
"""


def test_a_card_of_the_project_is_set_up(root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    session = opened(root)
    (root / "tune.yaml").write_text(CARD.format(tool="", extra=""))
    assert set(faults(session, card="tune.yaml", goal="another", trials=3)) == {"goal", "trials"}
    call(session, "set_up_study", {"card": "tune.yaml"}, by="model")
    assert session.names() == ["carded"]
    with pytest.raises(WrongCall, match="a name that no study has yet"):
        call(session, "set_up_study", {"card": "tune.yaml"}, by="model")
    (root / "tune.yaml").write_text(CARD.format(tool="", extra="known: [a fact]"))
    call(session, "set_up_study", {"card": "tune.yaml"}, by="person")
    assert session.study().card.known == ("a fact",)


@pytest.mark.parametrize(
    ("tool", "extra"),
    [
        (", cwd: /", ""),
        (", cwd: ..", ""),
        ("", "data: {csv: /etc/passwd, target: x}"),
        ("", "earlier: [../past.csv]"),
        ("", "earlier: [{csv: /etc/passwd}]"),
        ("", "earlier: ['sqlite:////tmp/old.db']"),
        ("", "earlier: ['x@sqlite:////tmp/old.db']"),
        ("", "earlier: ['sqlite:///file:../old.db?uri=true']"),
        ("", "earlier: ['sqlite:///~nobody-at-all/../../old.db']"),
        ("", "earlier: ['postgresql://host/db']"),
    ],
)
def test_a_card_that_points_outside_is_for_a_person_to_set_up(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, tool: str, extra: str
) -> None:
    monkeypatch.chdir(root)
    (root / "tune.yaml").write_text(CARD.format(tool=tool, extra=extra))
    assert "outside the project" in faults(opened(root), card="tune.yaml")["card"]


def test_the_text_of_other_files_does_not_come_back(root: Path, opened: Open) -> None:
    session = opened(root)
    (root / ".env").write_text("PASSWORD: hunter22\n\t- x")
    (root / "keys.txt").write_text("PASSWORD: hunter22\n\t- x")
    for name in (".env", "keys.txt", "../copy/.env"):
        for argument in ("card", "script"):
            with pytest.raises(WrongCall) as e:
                call(session, "set_up_study", {**TOY, "script": None, argument: name}, by="model")
            assert "hunter22" not in str(e.value)


def test_a_command_that_a_person_brought_is_covered_by_a_budget(root: Path, opened: Open) -> None:
    session = opened(root, approver=Within(trials=3))
    call(session, "set_up_study", {**TOY, "name": "theirs"}, by="model")
    with pytest.raises(Denied, match="never been run or approved"):
        call(session, "run_trials", {"trials": 1}, by="model")
    call(session, "set_up_study", {**TOY, "name": "mine"}, by="person")
    call(session, "run_trials", {"trials": 1}, by="model")
    list(session.events())
    assert len(session.study("mine").trials()) == 1
