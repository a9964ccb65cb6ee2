"""The local model itself: real weights, a real server process."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Message, Reply, Request, ToolCall, ToolSpec
from tunewright.llm.local import LocalChat
from tunewright.llm.setup_local import find_weights


def _missing() -> str | None:
    if importlib.util.find_spec("xllamacpp") is None:
        return "the local extra is not installed"
    try:
        find_weights()
    except ModelError as error:
        return str(error)
    return None


_REASON = _missing()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")

PROPERTIES: dict[str, dict[str, Any]] = {
    "lr": {"type": "number", "minimum": 1e-5, "maximum": 1e-1},
    "weight_decay": {"type": "number", "minimum": 1e-6, "maximum": 1e-2},
    "dropout": {"type": "number", "minimum": 0.0, "maximum": 0.5},
    "offset": {"type": "number", "minimum": -3.5, "maximum": -0.5},
    "width": {"type": "integer", "minimum": 17, "maximum": 515},
    "depth": {"type": "integer", "minimum": 2, "maximum": 9},
    "optimizer": {"enum": ["adamw", "sgd"]},
    "momentum": {"anyOf": [{"type": "number", "minimum": 0.5, "maximum": 0.99}, {"type": "null"}]},
    "warmup": {"type": ["integer", "null"], "minimum": 10, "maximum": 1000},
}
SCHEMA = {
    "type": "object",
    "properties": PROPERTIES,
    "required": list(PROPERTIES),
    "additionalProperties": False,
}
TOOL = ToolSpec(
    "run_trials",
    "run n trials",
    {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 50}},
        "required": ["n"],
        "additionalProperties": False,
    },
)


@pytest.fixture(scope="module")
def chat() -> Iterator[LocalChat]:
    chat = LocalChat()
    yield chat
    chat.close()


def ask(text: str = "Propose a configuration. Reply as JSON.", **changes: Any) -> Request:
    return Request(
        **({"messages": (Message("user", text),), "deadline_s": 100.0, "seed": 1, "max_tokens": 300} | changes)
    )


def within(value: Any, schema: dict[str, Any]) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    if value is None:
        return "null" in str(schema)
    if "anyOf" in schema:
        return any(within(value, inner) for inner in schema["anyOf"])
    kinds = int if "integer" in schema["type"] else int | float
    return isinstance(value, kinds) and bool(schema["minimum"] <= value <= schema["maximum"])


def gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_ranges_hold_whatever_the_model_says(chat: LocalChat) -> None:
    assert isinstance(chat, Chat)
    assert (chat.name, chat.trusted_tools) == ("local", False)
    prompts = ["Propose a configuration. Reply as JSON.", 'Reply exactly {"lr": 5000000, "width": -4, "offset": 77}']
    for seed, prompt in enumerate(prompts):
        reply = chat.complete(ask(prompt, schema=SCHEMA, seed=seed, temperature=1.0))
        assert reply.finish == "stop", reply.text
        assert set(reply.data) == set(PROPERTIES)
        assert {name: value for name, value in reply.data.items() if not within(value, PROPERTIES[name])} == {}
        assert reply.tokens_in > 0
        assert reply.tokens_out > 30
        assert reply.cost_usd == 0.0


@pytest.mark.parametrize("value", [1e-4, 1.25e-5, 3e-2])
def test_a_float_on_a_log_scale_can_be_said(chat: LocalChat, value: float) -> None:
    # A range so narrow around the value that the grammar leaves only it and its neighbours, with the step of the whole.
    narrow = {"type": "number", "minimum": value * 0.98, "maximum": value * 1.02, "multipleOf": 1e-7}
    schema = {"type": "object", "properties": {"lr": narrow}, "required": ["lr"], "additionalProperties": False}
    assert chat.complete(ask(schema=schema)).data["lr"] == pytest.approx(value, rel=0.021)


def test_the_same_seed_says_the_same(chat: LocalChat) -> None:
    texts = [chat.complete(ask("Tell me about oceans.", seed=seed, max_tokens=24)).text for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_a_schema_that_the_engine_refuses_is_an_error_not_free_text(chat: LocalChat) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "number", "not": {"const": 3}}}, "required": ["a"]}
    with pytest.raises(ModelError, match="could not hold the reply to its schema"):
        chat.complete(ask(schema=schema, max_tokens=10))
    assert chat.complete(ask("hi", max_tokens=5)).text


def test_a_reply_that_is_cut_has_no_data(chat: LocalChat) -> None:
    reply = chat.complete(ask(schema=SCHEMA, max_tokens=12))
    assert (reply.data, reply.finish, reply.tokens_out) == (None, "length", 12)


def test_tools_become_a_call_or_a_text(chat: LocalChat) -> None:
    called = ToolCall("call_0", "run_trials", {"n": 3})
    messages = (
        Message("user", "run 3 trials"),
        Message("assistant", "", tool_calls=(called,)),
        Message("tool", "done", tool_call_id="call_0"),
        Message("user", "run 20 trials"),
    )
    reply: Reply = chat.complete(ask(messages=messages, tools=(TOOL,)))
    if reply.tool_calls:
        assert reply.finish == "tool_calls"
        assert reply.tool_calls[0].name == "run_trials"
        assert 1 <= reply.tool_calls[0].arguments["n"] <= 50
    else:
        assert reply.text
        assert not reply.text.startswith("{")


def test_streaming(chat: LocalChat) -> None:
    pieces: list[str] = []
    reply = chat.complete(ask("Say hello.", on_text=pieces.append, max_tokens=20))
    assert "".join(pieces) == reply.text
    assert len(pieces) > 1
    assert reply.tokens_out > 0


def test_a_prompt_that_is_too_long_is_named(chat: LocalChat) -> None:
    with pytest.raises(ModelError, match="context size"):
        chat.complete(ask("word " * 9000))


def test_a_late_reply_costs_the_process_and_the_next_one_comes(chat: LocalChat) -> None:
    chat.check()
    pid = chat.server_pid
    assert pid is not None
    with pytest.raises(ModelError, match="within the deadline") as caught:
        chat.complete(ask("Write a very long story.", max_tokens=4000, deadline_s=0.5))
    assert caught.value.retryable
    assert gone(pid)
    assert chat.complete(ask("hi", max_tokens=5)).text
    assert chat.server_pid not in (None, pid)


def test_a_server_that_died_is_started_again(chat: LocalChat) -> None:
    chat.check()
    pid = chat.server_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert chat.complete(ask("hi", max_tokens=5)).text
    assert chat.server_pid != pid


def test_two_callers_take_turns(chat: LocalChat) -> None:
    replies: list[Reply] = []
    threads = [
        threading.Thread(target=lambda: replies.append(chat.complete(ask("hi", max_tokens=8)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 3


def test_a_wrong_key_is_refused_and_the_right_one_is_in_no_list(chat: LocalChat) -> None:
    chat.check()
    child = chat._child
    assert child is not None
    stranger = openai.OpenAI(api_key="guess", base_url=f"{child.url}/v1", max_retries=0)
    with contextlib.closing(stranger), pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="local", messages=[{"role": "user", "content": "hi"}])
    process = psutil.Process(child.pid)
    assert child.key not in " ".join(process.cmdline())
    assert child.key not in json.dumps(process.environ())
    assert {connection.laddr.ip for connection in process.net_connections() if connection.status == "LISTEN"} == {
        "127.0.0.1"
    }


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    chat = LocalChat()
    try:
        assert chat.complete(ask("hi", max_tokens=5)).text
    finally:
        chat.close()


def test_close_ends_the_process() -> None:
    chat = LocalChat()
    chat.check()
    pid = chat.server_pid
    assert pid is not None
    chat.close()
    assert gone(pid)
    assert chat.server_pid is None
    chat.close()


@pytest.mark.parametrize("way", ["killed", "exits"])
def test_the_server_does_not_outlive_its_parent(way: str) -> None:
    code = (
        "import sys; from tunewright.llm.local import LocalChat\n"
        "chat = LocalChat(); chat.check(); print(chat.server_pid, flush=True); sys.stdin.readline()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        if way == "killed":
            parent.send_signal(signal.SIGKILL)
        else:
            parent.stdin.write("\n")
            parent.stdin.flush()
        parent.wait(10)
        assert gone(pid)


def test_weights_that_are_none_are_named_with_the_log(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    chat = LocalChat(weights=broken)
    with pytest.raises(ModelError, match="did not start"):
        chat.check()
    assert chat.server_pid is None


def test_each_missing_part_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import ctypes

    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        with pytest.raises(ModelError, match=r"tunewright setup-local.* --model none"):
            LocalChat().check()
    with monkeypatch.context() as patch:

        def no_library(name: str) -> None:
            raise OSError(name)

        patch.setattr(ctypes, "CDLL", no_library)
        patch.setattr(sys, "platform", "linux")
        with pytest.raises(ModelError, match=r"apt-get install libgomp1.* --model none"):
            LocalChat().check()
    real = importlib.util.find_spec
    with monkeypatch.context() as patch:
        patch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name == "xllamacpp" else real(name, *rest)
        )
        with pytest.raises(ModelError, match=r"pip install 'tunewright\[local\]'.* --model none"):
            LocalChat().check()
