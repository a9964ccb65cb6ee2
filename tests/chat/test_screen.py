"""The chat on a real pseudo-terminal."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai_server import Answer, OpenAIServer
from terminal import Terminal
from verbs.conftest import SCRIPT, toy_card

from tunewright.card_yaml import read
from tunewright.study import Study

CHAT = [sys.executable, "-m", "tunewright.cli", "chat"]
ENV = {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(finished, folder)
    return folder


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda body: Answer("one two three")) as made:
        yield made


def with_model(server: OpenAIServer) -> list[str]:
    return [*CHAT, "--model", "openai/toy", "--base-url", server.url]


def settled(t: Terminal) -> None:
    """Wait until no turn is going on."""
    deadline = time.monotonic() + 20
    while "nothing runs" not in t.rows()[-1] or "thinking" in t.rows()[-1]:
        assert time.monotonic() < deadline, t.text()
        t.read()


def slow_study(folder: Path, seconds: float) -> None:
    (folder / "train.py").write_text(SCRIPT)
    Study.open(toy_card(folder, seconds=seconds), f"sqlite:///{folder / 'tunewright.db'}").close()


def test_commands_questions_and_leaving(project: Path) -> None:
    with Terminal([*CHAT, "--model", "local"], project, ENV) as t:
        t.wait_for("study toy: 6 trials on record")
        t.wait_for("A larger model talks better")
        t.wait_for("study toy, nothing runs")  # the status line
        t.enter("what is the best so far?")
        t.wait_for("best: trial")
        settled(t)
        t.type("half a sen")
        t.type("\x03")  # nothing to cancel: the line is let go
        t.wait_for("nothing to cancel")
        t.enter("/pin width 64")
        t.wait_for("width is pinned at 64")
        settled(t)
        t.type("\x04")
        assert t.end() == 0
    assert b"\x1b]0;" not in t.raw


@pytest.mark.slow
def test_runs_in_the_background_and_leaving_asks(tmp_path: Path) -> None:
    slow_study(tmp_path, 8.0)
    with Terminal([*CHAT, "--model", "none"], tmp_path, ENV) as t:
        t.wait_for("study toy: no trial yet")
        t.enter("run 2 trials")
        t.wait_for("each trial runs:")
        t.wait_for("Do it? [y/N]")
        t.enter("")
        t.wait_for("not approved; nothing was done")
        t.enter("run 2 trials")
        t.wait_for("Do it? [y/N]", times=2)
        t.enter("y")
        t.wait_for("toy: 0 of 2 trials, trial 0")
        t.enter("/show")  # the prompt is there while a trial runs
        t.wait_for("running")
        t.type("\x04")
        t.wait_for("Leave? [y/N]")
        t.enter("n")
        t.wait_for("toy: 0 of 2 trials, trial 0")
        t.enter("/quit")
        t.wait_for("Leave? [y/N]", times=2)
        t.enter("y")
        assert t.end() == 0
        assert "ending the runs" in t.text()


@pytest.mark.slow
def test_a_reply_streams_and_is_shown_before_it_is_whole(project: Path, server: OpenAIServer) -> None:
    with Terminal(with_model(server), project, {**ENV, "OPENAI_API_KEY": server.key}) as t:
        t.wait_for("openai/toy")
        t.enter("hello")
        t.wait_for("one two three")
        settled(t)
        t.type("\x04")
        assert t.end() == 0
    assert server.key.encode() not in t.raw


def test_ctrl_c_ends_the_turn_and_the_talk_goes_on(project: Path, server: OpenAIServer) -> None:
    answers = iter([Answer(fault="hang"), Answer("back again")])
    server._always = lambda body: next(answers)
    with Terminal(with_model(server), project, {**ENV, "OPENAI_API_KEY": server.key}) as t:
        t.wait_for("openai/toy")
        t.enter("hello")
        t.wait_for("thinking (Ctrl-C cancels)")
        deadline = time.monotonic() + 30
        while not server.chats and time.monotonic() < deadline:
            t.read()
        t.type("\x03")
        t.wait_for("cancelled; runs go on")
        t.enter("hello?")
        t.wait_for("back again")
        settled(t)
        t.type("\x04")
        assert t.end() == 0


@pytest.mark.slow
def test_what_was_typed_before_a_question_does_not_answer_it(project: Path, server: OpenAIServer) -> None:
    asked = threading.Event()

    def reply(body: dict[str, object]) -> Answer:
        asked.wait(30)
        return Answer(tool_calls=[("run_trials", '{"trials": 1}')]) if len(server.chats) == 1 else Answer("fine")

    server._always = reply
    with Terminal(with_model(server), project, {**ENV, "OPENAI_API_KEY": server.key}) as t:
        t.wait_for("openai/toy")
        t.enter("do something")
        t.wait_for("thinking")
        t.type("y")
        t.wait_for("> y")
        asked.set()
        t.wait_for("Do it? [y/N]")
        t.wait_for("asked for by the model")
        t.enter("")  # the y that stood there is put aside
        t.wait_for("not approved; nothing was done")
        t.wait_for("fine")
        t.wait_for("> y")  # and is there again
        settled(t)
        t.type("\x03")
        t.wait_for("nothing to cancel")
        t.type("\x04")
        assert t.end() == 0


def test_a_card_that_does_not_fit_ends_with_its_error(project: Path) -> None:
    (project / "bad.yaml").write_text("goal: nothing else\n")
    assert read(project / "bad.yaml")
    with Terminal([*CHAT, "bad.yaml", "--model", "none"], project, ENV) as t:
        assert t.end() == 2
        assert "->" in t.text()


def test_a_long_command_is_shown_whole_before_it_is_approved(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60)
    folder.mkdir()
    slow_study(folder, 0.0)
    with Terminal([*CHAT, "--model", "none"], folder, ENV, columns=50) as t:
        t.wait_for("study toy: no trial yet")
        t.enter("/run 1")
        t.wait_for("Do it? [y/N]")
        t.wait_for("{optimizer}")
        t.enter("n")
        t.wait_for("not approved; nothing was done")
        t.enter("/help")  # what is typed before the prompt is there again may be lost
        t.wait_for("/best")
        settled(t)
        t.type("\x04")
        assert t.end() == 0
