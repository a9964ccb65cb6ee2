"""The MCP server over stdio, spoken to by the SDK's own client."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mcp_types as types
import psutil
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tunewright.errors import CardError
from tunewright.study import Study

SCRIPT = """\
import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3, help="learning rate")
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--nap", type=float, default=0.0)
given = parser.parse_args()
time.sleep(given.nap)
for epoch in range(3):
    print(f"epoch: {epoch} loss: {abs(given.lr - 0.01) * 10 + given.layers / 10 + 1 / (epoch + 1)}")
"""
SET_UP = {
    "script": "train.py",
    "name": "toy",
    "goal": "a toy",
    "metric": "loss",
    "direction": "minimize",
    "parameters": [{"name": "lr"}, {"name": "layers"}],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def server(project: Path, *options: str) -> Any:
    argv = ["-m", "tunewright.cli", "mcp", "--root", str(project), "--storage", storage(project), *options]
    return stdio_client(StdioServerParameters(command=sys.executable, args=argv, cwd=str(project)))


def storage(project: Path) -> str:
    return f"sqlite:///{project / 'tunewright.db'}"


def answering(said: str, heard: list[str]) -> Callable[..., Any]:
    async def answer(context: Any, params: Any) -> types.ElicitResult:
        heard.append(params.message)
        return types.ElicitResult(action="accept" if said != "cancel" else "cancel", content={"approve": said == "yes"})

    return answer


async def ok(client: Client, verb: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(verb, arguments)
    assert not result.is_error, result.content
    return dict(result.structured_content)


async def refused(client: Client, verb: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(verb, arguments)
    assert result.is_error
    return dict(result.structured_content)


@pytest.mark.parametrize("mode", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
def test_a_session_from_script_to_best(project: Path, mode: Any) -> None:
    """Set up, run with a person's yes, watch, pin, read plots: in the newest revision of the protocol and an older."""
    heard: list[str] = []
    progress: list[str] = []

    async def told(done: float, total: float | None, message: str | None) -> None:
        progress.append(message or "")

    async def talk() -> None:
        async with Client(server(project), elicitation_callback=answering("yes", heard), mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["show_best"].annotations.read_only_hint
            assert tools["delete_study"].annotations.destructive_hint
            assert "lr" in json.dumps(await ok(client, "look_at_script", script="train.py"))
            await ok(client, "set_up_study", **SET_UP)
            await ok(client, "pin", parameter="layers", value=2)
            assert (await ok(client, "run_trials", trials=3))["started"]
            waited = await client.call_tool("wait_for_run", {"seconds": 60}, progress_callback=told)
            assert waited.structured_content["ended"]
            assert waited.structured_content["trials"] == 3
            best = await ok(client, "show_best")
            assert best["ok"]
            uris = [str(r.uri) for r in (await client.list_resources()).resources]
            assert "tunewright://study/toy" in uris
            assert "tunewright://study/toy/plot/curves" in uris
            assert "tunewright://study/toy/plot/front" not in uris  # it has one metric
            record = (await client.read_resource("tunewright://study/toy")).contents[0]
            assert {t["config"]["layers"] for t in json.loads(record.text)["trials"]} == {2}
            plot = (await client.read_resource("tunewright://study/toy/plot/history")).contents[0]
            assert plot.mime_type == "image/png"
            prompts = [p.name for p in (await client.list_prompts()).prompts]
            assert prompts == ["set_up_tuning", "explain_study"]
            text = (await client.get_prompt("set_up_tuning", {"script": 'x"\n.py'})).messages[0].content.text
            assert '"x\\" .py"' in text

    asyncio.run(talk())
    assert any("run 3 trials of the study toy" in question and "train.py" in question for question in heard)
    assert progress
    assert progress[-1].startswith("toy: trial")


def test_wrong_arguments_unknown_studies_and_plots_say_what_is_accepted(project: Path) -> None:
    async def talk() -> None:
        async with Client(server(project)) as client:
            assert (await refused(client, "show_best", study="nix"))["faults"][0]["argument"] == "study"
            faults = (await refused(client, "run_trials", trials=-1, speed="fast"))["faults"]
            assert {f["argument"] for f in faults} == {"trials", "speed"}
            assert (await refused(client, "rm", path="/"))["faults"][0]["argument"] == "verb"
            outside = await refused(client, "look_at_script", script="../../etc/passwd")
            assert outside["faults"][0]["argument"] == "script"
            with pytest.raises(Exception, match="there is no"):
                await client.read_resource("tunewright://study/nix")
            with pytest.raises(Exception, match="prompts are"):
                await client.get_prompt("nix", {})

    asyncio.run(talk())


def test_a_key_on_a_card_with_a_mistake_is_not_told(project: Path) -> None:
    key = "sk-abcdefghijkl1234567"
    card = "goal: a toy\nmetric: loss\ndirection: minimize\nspace: {lr: {type: float, low: 0.1, high: 1}}\n"
    (project / "tune.yaml").write_text(f"{card}tool: {{command: [python, train.py], env: TRACKER={key}}}\n")

    async def talk() -> None:
        async with Client(server(project)) as client:
            result = await client.call_tool("set_up_study", {"card": "tune.yaml"})
            assert result.is_error
            said = result.model_dump_json()
            assert "[key removed]" in said
            assert key not in said

    asyncio.run(talk())


@pytest.mark.parametrize("said", ["no", pytest.param("cancel", marks=pytest.mark.slow)])
def test_without_a_yes_nothing_runs(project: Path, said: str) -> None:
    heard: list[str] = []

    async def talk() -> None:
        async with Client(server(project), elicitation_callback=answering(said, heard)) as client:
            await ok(client, "set_up_study", **SET_UP)
            assert (await refused(client, "run_trials", trials=3))["denied"]
            assert (await refused(client, "delete_study", study="toy"))["denied"]

    asyncio.run(talk())
    assert len(heard) == 2
    assert Study.load(storage(project), "toy").trials() == []


def test_a_client_that_cannot_ask_its_person_gets_no(project: Path) -> None:
    async def talk() -> None:
        async with Client(server(project)) as client:
            await ok(client, "set_up_study", **SET_UP)
            assert (await refused(client, "run_trials", trials=1))["denied"]
            forged = await client.call_tool("run_trials", {"trials": 1, "approve": True})
            assert forged.is_error

    asyncio.run(talk())
    assert Study.load(storage(project), "toy").trials() == []


def test_an_answer_counts_once_and_only_for_its_own_call() -> None:
    from tunewright.mcp_server.approval import Questions
    from tunewright.verbs.approval import ApprovalRequest

    questions, request = Questions(), ApprovalRequest("run_trials", "spend", "run 3 trials")
    token = questions.put("run_trials", '{"trials": 3}', request)
    assert questions.take("guess", "run_trials", '{"trials": 3}') is None
    assert questions.take(token, "run_trials", '{"trials": 300}') is None
    assert questions.take(token, "run_trials", '{"trials": 3}') is None
    token = questions.put("run_trials", '{"trials": 3}', request)
    assert questions.take(token, "run_trials", '{"trials": 3}') is request
    assert questions.take(token, "run_trials", '{"trials": 3}') is None


def test_two_servers_on_one_study_share_its_record(project: Path) -> None:
    async def talk() -> None:
        async with Client(server(project, "--yes")) as one, Client(server(project, "--yes")) as other:
            await ok(one, "set_up_study", **SET_UP)
            await ok(other, "use_study", study="toy")
            await ok(one, "run_trials", trials=3)
            await ok(other, "run_trials", trials=3)
            await ok(one, "wait_for_run", seconds=60)
            await ok(other, "wait_for_run", seconds=60)
            shown = await ok(other, "show_study")
            assert len(shown["trials"]) >= 3

    asyncio.run(talk())
    trials = Study.load(storage(project), "toy").trials()
    numbers = [t.number for t in trials]
    assert numbers == sorted(set(numbers))
    assert all(t.done for t in trials)
    keys = {json.dumps(t.config, sort_keys=True) for t in trials}
    assert len(keys) == len(trials)


def test_a_client_that_vanishes_in_mid_run_loses_no_finished_trial(project: Path) -> None:
    (project / "train.py").write_text(SCRIPT.replace("default=0.0", "default=0.3"))
    started: list[int] = []

    async def talk() -> None:
        before = {p.pid for p in psutil.Process().children()}
        client = Client(server(project, "--yes"))
        await client.__aenter__()
        started.extend({p.pid for p in psutil.Process().children()} - before)
        await ok(client, "set_up_study", **SET_UP)
        await ok(client, "run_trials", trials=50)
        while not any(t.done for t in Study.load(storage(project), "toy").trials()):
            await asyncio.sleep(0.2)
        for pid in started:  # as when the agent around the server is killed: no farewell, the pipes just close
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(BaseException):  # noqa: B017, PT011 (whatever the SDK says of a dead server)
            await asyncio.wait_for(client.call_tool("show_best", {}), 10)

    with contextlib.suppress(BaseExceptionGroup, OSError):  # the SDK's own clean-up of a dead server
        asyncio.run(asyncio.wait_for(talk(), 60))
    done = [t.number for t in Study.load(storage(project), "toy").trials() if t.done]
    assert done

    async def again() -> None:
        async with Client(server(project, "--yes")) as client:
            await ok(client, "run_trials", study="toy", trials=2)
            await ok(client, "wait_for_run", study="toy", seconds=60)

    asyncio.run(again())
    trials = Study.load(storage(project), "toy").trials()
    assert {t.number for t in trials if t.done} >= set(done)
    assert not any(t.running for t in trials)


def test_the_record_lies_in_the_project_wherever_a_client_starts_the_server(project: Path) -> None:
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    argv = ["-m", "tunewright.cli", "mcp", "--root", str(project), "--yes"]

    async def talk() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=argv, cwd=str(elsewhere))
        async with Client(stdio_client(parameters)) as client:
            await ok(client, "set_up_study", **SET_UP)
            await ok(client, "run_trials", trials=1)
            await ok(client, "wait_for_run", seconds=60)

    asyncio.run(talk())
    assert not list(elsewhere.iterdir())
    assert [t.status for t in Study.load(storage(project), "toy").trials()] == ["done"]
    assert (project / "runs" / "toy" / "00000-1" / "stdout.log").exists()


def test_the_server_ends_when_its_client_does(project: Path) -> None:
    import subprocess

    argv = [sys.executable, "-m", "tunewright.cli", "mcp", "--root", str(project)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=project) as process:
        out, _ = process.communicate(b"", timeout=30)
    assert process.returncode == 0
    assert out == b""


def test_the_skill_is_printed() -> None:
    from typer.testing import CliRunner

    from tunewright.cli import app

    shown = CliRunner().invoke(app, ["mcp", "--skill"])
    assert shown.exit_code == 0
    assert shown.output.startswith("---\nname: tunewright")


@pytest.mark.parametrize("missing", ["mcp", "mcp_types"])
def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    from typer.testing import CliRunner

    from tunewright.cli import app

    for name in [name for name in sys.modules if name.split(".")[0] == missing or "tunewright.mcp_server" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    error = CliRunner().invoke(app, ["mcp"]).exception
    assert isinstance(error, CardError)
    assert error.message == "the MCP server needs mcp"
    assert error.hint == "pip install 'tunewright[mcp]'"


@pytest.mark.slow
def test_the_session_of_the_chat_example_over_mcp(project: Path) -> None:
    """The PyTorch trainer from its script; a run in the background; a pin; an explanation; a kill; a resume; Optuna."""
    example = Path(__file__).parents[2] / "examples" / "chat" / "train.py"
    (project / "train.py").write_text(example.read_text())
    heard: list[str] = []
    servers: list[int] = []

    def client() -> Client:
        return Client(server(project), elicitation_callback=answering("yes", heard))

    async def first() -> None:
        before = {p.pid for p in psutil.Process().children()}
        talk = client()
        await talk.__aenter__()
        servers.extend({p.pid for p in psutil.Process().children()} - before)
        await ok(talk, "look_at_script", script="train.py")
        await ok(
            talk,
            "set_up_study",
            script="train.py",
            name="digits",
            goal="digits",
            metric="val_accuracy",
            direction="maximize",
            parameters=[{"name": "learning_rate"}, {"name": "batch_size"}, {"name": "optimizer"}],
        )
        await ok(talk, "run_trials", trials=6)
        await ok(talk, "pin", parameter="batch_size", value=32)
        while sum(t.done for t in Study.load(storage(project), "digits").trials()) < 2:
            await asyncio.sleep(0.3)
        assert "default" in json.dumps(await ok(talk, "why_trial", trial=0))
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(BaseException):  # noqa: B017, PT011 (whatever the SDK says of a dead server)
            await asyncio.wait_for(talk.call_tool("show_best", {}), 10)

    async def second() -> None:
        async with client() as talk:
            await ok(talk, "run_trials", study="digits", trials=2)
            assert (await ok(talk, "wait_for_run", study="digits", seconds=120))["ended"]
            exported = await ok(talk, "export", study="digits", target="optuna")
            compile(exported["text"], "points.py", "exec")

    with contextlib.suppress(BaseExceptionGroup, OSError):
        asyncio.run(asyncio.wait_for(first(), 100))
    done = [t.number for t in Study.load(storage(project), "digits").trials() if t.done]
    assert len(done) >= 2
    asyncio.run(second())
    trials = Study.load(storage(project), "digits").trials()
    assert {t.number for t in trials if t.done} >= set(done)
    assert trials[-1].config["batch_size"] == 32
    assert any("run 6 trials" in question for question in heard)
