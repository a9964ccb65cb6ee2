"""The whole way, card to report, over real HTTP, real processes and a real SQLite file."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from openai_server import KEY, Answer, OpenAIServer
from quick import card_file, good_reply

from tunewright import TaskCard, Tuner
from tunewright.llm.litellm_chat import LiteLLMChat
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.study import Study


def openai_chat(server: OpenAIServer) -> OpenAIChat:
    return OpenAIChat("toy", base_url=server.url, api_key=server.key)


def litellm_chat(server: OpenAIServer) -> LiteLLMChat:
    return LiteLLMChat("hosted_vllm/toy", base_url=server.url, api_key=server.key)


BACKENDS = [
    pytest.param(openai_chat, id="openai"),
    pytest.param(litellm_chat, id="litellm", marks=pytest.mark.litellm),
]


def study_with(backend: Any, replies: Any, folder: Path, trials: int = 8, **server: Any) -> tuple[Tuner, OpenAIServer]:
    with OpenAIServer(replies, **server) as running:
        chat = backend(running)
        card = TaskCard.load(card_file(folder))
        with Tuner(card, chat, storage=f"sqlite:///{folder}/study.db", folder=folder / "runs") as tuner:
            tuner.run(trials=trials)
    return tuner, running


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_good_model_is_asked_runs_and_is_credited(backend: Any, tmp_path: Path) -> None:
    tuner, server = study_with(backend, good_reply, tmp_path)
    result = tuner.result()
    assert [t.source for t in result.trials[:6]] == ["default", *["llm"] * 5]
    assert all(t.done for t in result.trials)
    totals = result.ledger.totals()
    assert totals.calls == len(server.chats)
    assert (totals.tokens_in, totals.tokens_out) == (11 * totals.calls, 7 * totals.calls)
    llm = next(s for s in totals.sources if s.source == "llm")
    assert llm.gain > 0
    assert result.best.outcome.metrics["loss"] < result.default.outcome.metrics["loss"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_faults_of_the_wire_are_retried_and_the_study_is_the_same(backend: Any, tmp_path: Path) -> None:
    for name in ("calm", "stormy"):
        (tmp_path / name).mkdir()
    faults = [
        Answer(status=429, headers={"Retry-After": "0"}),
        Answer(status=500),
        Answer("half of", fault="close"),
        Answer(status=503),
    ]

    def stormy(body: dict[str, Any]) -> Any:
        return faults.pop() if faults else good_reply(body)

    calm, _ = study_with(backend, good_reply, tmp_path / "calm", trials=6)
    storm, server = study_with(backend, stormy, tmp_path / "stormy", trials=6)
    assert [t.config for t in storm.result().trials] == [t.config for t in calm.result().trials]
    assert len(server.chats) == len(storm.result().ledger.calls()) + 4


BAD_REPLIES: dict[str, Any] = {
    "prose": "I cannot help with that.",
    "out of range": {"proposals": [{"config": {"lr": 99, "width": 64}}]},
    "the same row": {"proposals": [{"config": {"lr": 1e-4, "width": 16}}]},  # the default
    "truncated": Answer('{"proposals": [{"config": {"lr": 0.0', finish="length"),
    "html": Answer(fault="garbage"),
    "an error in a 200": Answer(fault="error_in_200"),
    "nothing at all": Answer(fault="no_choices"),
    "another task": {"proposals": [{"config": {"dropout": 0.5}}]},
    "orders": {"proposals": [{"config": {"lr": "$(reboot)", "width": "__import__('os')"}}]},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", BAD_REPLIES)
def test_whatever_a_model_says_the_study_ends_as_planned(name: str, backend: Any, tmp_path: Path) -> None:
    tuner, _ = study_with(backend, lambda body: BAD_REPLIES[name], tmp_path, trials=7)
    trials = tuner.result().trials
    assert [t.status for t in trials] == ["done"] * 7
    assert not any(t.source == "llm" for t in trials)
    assert len({tuner.card.space.key(t.config) for t in trials}) == 7


@pytest.mark.parametrize("refuse", [["response_format"], ["response_format", "tools"]])
def test_an_endpoint_without_structured_replies_is_met_where_it_is(refuse: list[str], tmp_path: Path) -> None:
    tuner, _ = study_with(openai_chat, good_reply, tmp_path, trials=4, refuse=refuse, refusal="'{name}' is not known")
    assert [t.source for t in tuner.result().trials] == ["default", "llm", "llm", "llm"]


def test_no_key_is_on_record_or_in_the_logs(tmp_path: Path) -> None:
    def leaky(body: dict[str, Any]) -> Any:
        config = {"lr": 0.01, "width": 64}
        return {"proposals": [{"rationale": f"your key is {KEY}", "config": config}]}

    study_with(openai_chat, leaky, tmp_path, trials=3, echo_key=True)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_a_bad_endpoint_is_found_before_the_first_trial(tmp_path: Path) -> None:
    card_file(tmp_path)
    command = [sys.executable, "-m", "tunewright.cli", "run", "tune.yaml", "--model", "openai/toy", "--base-url"]
    env = {**os.environ, "OPENAI_API_KEY": KEY}
    result = subprocess.run([*command, "http://127.0.0.1:9/v1"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 4
    assert "127.0.0.1:9" in result.stderr
    with OpenAIServer(good_reply, key="another") as server:
        result = subprocess.run([*command, server.url], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 4
    assert KEY not in result.stderr
    assert not (tmp_path / "runs").exists()


# -- kill -9 -------------------------------------------------------------------------------------------------------


def story(folder: Path) -> list[dict[str, Any]]:
    """All of a study but its times: what was asked, what ran, who chose it, what came of it."""
    trials = Study.load(f"sqlite:///{folder}/tunewright.db").trials()
    return [
        {
            "number": t.number,
            "config": t.config,
            "asked": t.asked,
            "source": t.source,
            "turn": t.turn,
            "seed": t.seed,
            "status": t.status,
            "metrics": t.outcome.metrics if t.outcome else None,
            "refused": [(r.proposal.config, r.verdict.reason) for r in t.refused],
            "call": (t.call_id, t.call_index),
            "predicted": t.predicted,
        }
        for t in trials
    ]


def run_until(folder: Path, url: str, trials: int, seconds: float | None) -> tuple[int, set[int]]:
    """Run the study; kill -9 it after some seconds. Its exit code and the trials it acknowledged as finished."""
    command = [sys.executable, "-m", "tunewright.cli", "run", "tune.yaml", "--model", "openai/toy", "--base-url", url]
    env = {**os.environ, "OPENAI_API_KEY": KEY, "OMP_NUM_THREADS": "1", "QUICK_LOG": str(folder / "ran.txt")}
    with subprocess.Popen(
        [*command, "--trials", str(trials), "--json"], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        if seconds is not None:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    acknowledged = set()
    for line in lines:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut by the kill
        if event["event"] == "finished":
            acknowledged.add(event["trial"]["number"])
    return process.returncode, acknowledged


def killed_as_often(folder: Path, kills: int, trials: int) -> None:
    for name in ("calm", "killed"):
        (folder / name).mkdir()
        card_file(folder / name)
    rng = random.Random(kills)
    with OpenAIServer(good_reply) as server:
        assert run_until(folder / "calm", server.url, trials, None)[0] == 0
        finished: set[int] = set()
        for k in range(kills):
            # early kills fall into the start, late ones into the middle of trials, asks and writes
            code, acknowledged = run_until(folder / "killed", server.url, min(k + 2, trials), rng.uniform(0.3, 5.0))
            assert code in (0, -signal.SIGKILL)
            assert not finished & acknowledged, "a finished trial ran again"
            finished |= acknowledged
        code, acknowledged = run_until(folder / "killed", server.url, trials, None)
    assert code == 0
    assert not finished & acknowledged
    assert story(folder / "killed") == story(folder / "calm")


def test_three_kills(tmp_path: Path) -> None:
    killed_as_often(tmp_path, kills=3, trials=8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_kills(tmp_path: Path) -> None:
    killed_as_often(tmp_path, kills=30, trials=30)


def test_the_study_opens_in_optunas_dashboard(tmp_path: Path) -> None:
    import socket
    import urllib.request

    pytest.importorskip("optuna_dashboard", reason="the dashboard extra is not installed")
    card = TaskCard.load(card_file(tmp_path))
    with Tuner(card, None, storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs") as tuner:
        tuner.run(trials=3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "optuna-dashboard"
    command = [str(program), f"sqlite:///{tmp_path}/study.db", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as dashboard:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=5) as answer:
                        studies = json.load(answer)["study_summaries"]
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the dashboard did not come up"
                    time.sleep(0.2)
            study_id = studies[0]["study_id"]
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/api/studies/{study_id}?after=0", timeout=10
            ) as answer:
                trials = json.load(answer)["trials"]
        finally:
            dashboard.terminate()
    assert studies[0]["study_name"] == "quick"
    assert [t["state"] for t in trials] == ["Complete"] * 3
