"""OpenAIChat on a real HTTP server: what is sent, tools, streams, cost, keys, the check."""

import json
import logging
import threading
import traceback
from typing import Any

import pytest
from openai_asking import SCHEMA, ask, chat_on, fail, run
from openai_server import KEY, Answer, OpenAIServer

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Message, ToolSpec
from tunewright.llm.extract import UNPARSED
from tunewright.llm.openai_chat import OpenAIChat

pytestmark = pytest.mark.usefixtures("no_model_environment")
TOOL = ToolSpec("run_trials", "run n trials", {"type": "object", "properties": {"n": {"type": "integer"}}})


def test_a_plain_reply_and_what_was_sent() -> None:
    messages = (Message("system", "be brief"), Message("user", "hi"))
    reply, server, chat = run(["hello"], ask(messages=messages, max_tokens=50, temperature=0.2, seed=7))
    assert isinstance(chat, Chat)
    assert chat.trusted_tools
    assert chat.name == "openai/toy"
    assert (reply.text, reply.data, reply.finish, reply.tokens_in, reply.tokens_out) == ("hello", None, "stop", 11, 7)
    assert reply.seconds > 0
    assert server.chats == [
        {
            "model": "toy",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
            "max_tokens": 50,
            "temperature": 0.2,
            "seed": 7,
        }
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(stream: bool) -> None:
    shown: list[str] = []
    answer = Answer("let me", tool_calls=[("run_trials", '{"n": 20}'), ("run_trials", "{n: twenty")])
    request = ask(tools=(TOOL,), on_text=shown.append if stream else None)
    reply, server, _ = run([answer], request)
    assert [call.arguments for call in reply.tool_calls] == [{"n": 20}, {UNPARSED: "{n: twenty"}]
    assert [call.id for call in reply.tool_calls] == ["call_0", "call_1"]
    assert reply.finish == "tool_calls"
    assert reply.text == "let me"
    assert server.chats[0]["tools"][0]["function"]["description"] == "run n trials"
    assert "".join(shown) == ("let me" if stream else "")


def test_a_conversation_with_calls_and_results_is_sent_in_full() -> None:
    called = run([Answer(tool_calls=[("run_trials", '{"n": 2}')])], ask(tools=(TOOL,)))[0]
    messages = (
        Message("user", "run two"),
        Message("assistant", "", tool_calls=called.tool_calls),
        Message("tool", "done", tool_call_id="call_0"),
    )
    _, server, _ = run(["fine"], ask(messages=messages, tools=(TOOL,)))
    assert server.chats[0]["messages"][1]["tool_calls"][0]["function"] == {
        "name": "run_trials",
        "arguments": '{"n": 2}',
    }
    assert server.chats[0]["messages"][2] == {"role": "tool", "content": "done", "tool_call_id": "call_0"}


def test_a_stream_arrives_in_pieces_in_the_callers_thread() -> None:
    pieces: list[tuple[str, threading.Thread]] = []
    request = ask(on_text=lambda text: pieces.append((text, threading.current_thread())), schema=SCHEMA)
    reply, server, _ = run([{"lr": 0.125}], request)
    assert "".join(text for text, _ in pieces) == reply.text == '{"lr": 0.125}'
    assert len(pieces) > 1
    assert {thread for _, thread in pieces} == {threading.main_thread()}
    assert reply.data == {"lr": 0.125}
    assert (reply.tokens_in, reply.tokens_out) == (11, 7)
    assert server.chats[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("fault", ["close", "no_finish"])
def test_a_broken_stream_is_not_tried_again_once_text_was_shown(fault: Any) -> None:
    shown: list[str] = []
    error, server = fail([Answer("half of it", fault=fault), "never reached"], ask(on_text=shown.append))
    assert shown
    assert len(server.chats) == 1
    assert error.retryable


def test_a_stream_that_broke_before_any_text_is_tried_again() -> None:
    shown: list[str] = []
    reply, server, _ = run([Answer("", fault="no_finish"), "hello"], ask(on_text=shown.append))
    assert reply.text == "".join(shown) == "hello"
    assert len(server.chats) == 2


def test_a_server_without_stream_options_leaves_the_tokens_uncounted() -> None:
    with OpenAIServer(["hello"], refuse=["stream_options"]) as server:
        chat = chat_on(server, prices={"openai/toy": {"in": 1, "out": 1}})
        reply = chat.complete(ask(on_text=lambda _: None))
        chat.close()
    assert chat.adapted == {"stream_options": None}
    assert reply.cost_usd is None


def test_cost_is_tokens_times_the_persons_price_or_unknown() -> None:
    assert run(["hello"])[0].cost_usd is None
    with OpenAIServer([Answer("hello", tokens=(1_000_000, 500_000)), Answer("hello", tokens=None)]) as server:
        chat = chat_on(server, prices={"openai/toy": {"in": 2.0, "out": 10.0}})
        assert chat.complete(ask()).cost_usd == pytest.approx(7.0)
        assert chat.complete(ask()).cost_usd is None  # the server counted nothing
        chat.close()


def test_a_published_price_does_not_hold_at_another_address() -> None:
    with OpenAIServer(["hello"]) as server:
        chat = chat_on(server, model="gpt-5")
        assert chat.complete(ask()).cost_usd is None
        chat.close()


@pytest.mark.parametrize("fault", [None, "error_in_200"])
def test_a_servers_words_cannot_move_the_cursor(fault: Any) -> None:
    error, _ = fail([Answer(status=400, fault=fault, error="no\x1b[2J such\x9b31m\u202e thing")] * 9)
    assert error.message.isprintable()
    assert "such" in error.message


def test_no_key_appears_in_any_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for status in (400, 401, 403, 429, 500):
        error, _ = fail(
            [Answer(status=status, error=f"bad key {KEY} and Bearer {KEY}, also sk-proj-abcdefgh12345678")] * 9
        )
        texts += [str(error), repr(error), "".join(traceback.format_exception(error))]
    wrong = "wrong-key-without-a-known-shape"
    with OpenAIServer(echo_key=True) as server:
        chat = chat_on(server, api_key=wrong, model=f"toy-{wrong}")
        for call in (chat.check, lambda: chat.complete(ask())):
            with pytest.raises(ModelError) as caught:
                call()
            texts += ["".join(traceback.format_exception(caught.value))]
        texts.append(chat.name)
        chat.close()
    everything = "\n".join(texts) + caplog.text
    assert "[key removed]" in everything
    for secret in (KEY, wrong, "sk-proj-abcdefgh12345678"):
        assert secret not in everything


def test_a_password_in_the_address_is_not_shown() -> None:
    with OpenAIServer() as server:
        port = server.url.split(":")[2]
    chat = OpenAIChat("toy", base_url=f"http://me:hunter22@127.0.0.1:{port}", api_key=KEY)
    with pytest.raises(ModelError) as caught:
        chat.check()
    chat.close()
    assert "hunter22" not in str(caught.value)


def test_check_without_a_key_names_the_variable() -> None:
    chat = OpenAIChat("toy")
    for call in (chat.check, lambda: chat.complete(ask())):
        with pytest.raises(ModelError, match="OPENAI_API_KEY"):
            call()


def test_key_and_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer(["hello"]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        chat = OpenAIChat("toy")
        chat.check()
        assert chat.complete(ask()).text == "hello"
        chat.close()
        chat.close()


@pytest.mark.parametrize("status", [200, 404, 405])
def test_check_passes_and_spends_nothing(status: int) -> None:
    with OpenAIServer(models_status=status) as server:
        chat = chat_on(server)
        chat.check()
        chat.close()
    assert [seen.path for seen in server.requests] == ["/v1/models"]
    assert server.chats == []


@pytest.mark.parametrize("status", [401, 403, 500, 502])
def test_check_fails(status: int) -> None:
    with OpenAIServer(models_status=status) as server:
        chat = chat_on(server)
        with pytest.raises(ModelError, match=f"HTTP {status}") as caught:
            chat.check()
        chat.close()
    assert caught.value.retryable == (status >= 500)
    assert len(server.requests) == 1


def test_check_lets_a_key_pass_that_may_only_chat() -> None:
    with OpenAIServer(models_status=403, models_error="Missing scopes: api.model.read") as server:
        chat = chat_on(server)
        chat.check()
        chat.close()


@pytest.mark.parametrize(
    "url", ["localhost:8000", "http://", "http://[::1/v1", "http://localhost:80OO/v1", "http://localhost:99999/v1"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ModelError, match="give an address such as") as caught:
        OpenAIChat("toy", base_url=url.replace("//", "//me:hunter22@"), api_key=KEY)
    assert repr(url.rpartition("//")[2]) in caught.value.message or repr(url) in caught.value.message
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("key", ["my\u2026secret", "пароль-секрет", "secret-one\nsecret-two", "secret\x00secret"])
def test_a_key_that_no_header_can_carry(key: str) -> None:
    chat = OpenAIChat("toy", base_url="http://127.0.0.1:1/v1", api_key=key)
    for call in (chat.check, lambda: chat.complete(ask())):
        with pytest.raises(ModelError, match="the key in OPENAI_API_KEY holds a character") as caught:
            call()
        assert "secret" not in str(caught.value)


def test_bytes_that_are_no_text() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return Answer("x", fault="no_text")

    with OpenAIServer(answer) as server:
        for changes in ({}, {"on_text": lambda text: None}):
            chat = chat_on(server)
            with pytest.raises(ModelError, match="no chat completion"):
                chat.complete(ask(**changes))
            chat.close()
    assert len(server.chats) == 2


def test_halves_of_characters_go_neither_in_nor_out() -> None:
    """JSON can write half of a character; no file, terminal or request can hold it."""
    half = json.loads('"\\ud83d"')
    with OpenAIServer(
        [f"smile {half}", Answer(tool_calls=[("run_trials", '{"why": "\\ud83d\\ude00 \\ud83d"}')])]
    ) as server:
        chat = chat_on(server)
        assert chat.complete(ask(messages=(Message("user", f"go {half}"),))).text == "smile \ufffd"
        assert chat.complete(ask(tools=(TOOL,))).tool_calls[0].arguments == {"why": "\U0001f600 \ufffd"}
        chat.close()
    assert server.chats[0]["messages"][0]["content"] == "go \ufffd"
