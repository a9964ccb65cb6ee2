"""OpenAIChat on a real HTTP server that misbehaves on purpose."""

import gc
import json
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import openai  # noqa: F401 (imported here, so that no test's deadline pays for it)
import pytest
from openai_server import KEY, Answer, OpenAIServer

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Message, Reply, Request, ToolSpec
from tunewright.llm.extract import UNPARSED
from tunewright.llm.openai_chat import OpenAIChat

SCHEMA = {
    "title": "proposals",
    "type": "object",
    "properties": {"lr": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["lr"],
}
TOOL = ToolSpec("run_trials", "run n trials", {"type": "object", "properties": {"n": {"type": "integer"}}})


def ask(**changes: Any) -> Request:
    return Request(**({"messages": (Message("user", "propose"),), "deadline_s": 20.0, "seed": 3} | changes))


def chat_on(server: OpenAIServer, **changes: Any) -> OpenAIChat:
    waits: list[float] = []
    chat = OpenAIChat(**({"model": "toy", "base_url": server.url, "api_key": KEY, "sleep": waits.append} | changes))
    chat.waits = waits  # type: ignore[attr-defined]
    return chat


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TUNEWRIGHT_PRICES"):
        monkeypatch.delenv(name, raising=False)
    yield
    gc.collect()  # a socket left open is a warning, and so a failure, here


def run(replies: Any, request: Request | None = None, **server_options: Any) -> tuple[Reply, OpenAIServer, OpenAIChat]:
    with OpenAIServer(replies, **server_options) as server:
        chat = chat_on(server)
        try:
            return chat.complete(request or ask()), server, chat
        finally:
            chat.close()


def fail(replies: Any, request: Request | None = None, **server_options: Any) -> tuple[ModelError, OpenAIServer]:
    with OpenAIServer(replies, **server_options) as server:
        chat = chat_on(server)
        with pytest.raises(ModelError) as caught:
            chat.complete(request or ask())
        chat.close()
        return caught.value, server


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


# --- retries -----------------------------------------------------------------------------------------------------


def test_429_then_500_then_200_are_three_requests() -> None:
    _, server, chat = run([Answer(status=429, headers={"Retry-After": "1"}), Answer(status=500), "hello"])
    assert len(server.chats) == 3
    assert chat.waits[0] == 1.0  # type: ignore[attr-defined]
    assert len(chat.waits) == 2  # type: ignore[attr-defined]


def test_retry_after_is_really_waited_for() -> None:
    with OpenAIServer([Answer(status=429, headers={"Retry-After": "0.4"}), "hello"]) as server:
        chat = chat_on(server, sleep=time.sleep)
        reply = chat.complete(ask())
        chat.close()
    assert server.requests[1].at - server.requests[0].at >= 0.4
    assert reply.seconds >= 0.4


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_the_callers_own_mistakes_are_not_tried_again(status: int) -> None:
    error, server = fail([Answer(status=status, error="no such thing"), "never reached"])
    assert len(server.chats) == 1
    assert f"HTTP {status}" in error.message
    assert "no such thing" in error.message
    assert not error.retryable
    assert error.hint


QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=429, error=QUOTA, code="insufficient_quota"),  # OpenAI
        Answer(status=402, error="Insufficient Balance"),  # DeepSeek, OpenRouter
        Answer(status=400, error="Your credit balance is too low to access the Anthropic API."),
        Answer(status=403, error="Your team has either used all available credits or reached its spending limit."),
    ],
)
def test_an_account_without_credit_is_not_asked_again(answer: Answer) -> None:
    error, server = fail([answer, "never reached"], ask(schema=SCHEMA))
    assert len(server.chats) == 1
    assert error.no_credit
    assert not error.retryable
    assert answer.error in error.message
    assert "no credit" in error.hint


def test_a_rate_limit_in_the_words_of_an_empty_account_is_tried_again() -> None:
    reply, server, _ = run([Answer(status=429, error=f"{QUOTA} Please retry in 3.1s.", code="429"), "hello"])  # Gemini
    assert (reply.text, len(server.chats)) == ("hello", 2)


def test_a_wrong_key_is_401_and_says_where_to_look() -> None:
    with OpenAIServer(["hello"], key="sk-another-key-entirely") as server:
        chat = chat_on(server)
        with pytest.raises(ModelError, match="OPENAI_API_KEY"):
            chat.complete(ask())
        chat.close()
    assert len(server.chats) == 1


def test_a_connection_cut_in_the_body_is_tried_again() -> None:
    reply, server, _ = run([Answer("lost", fault="close"), "hello"])
    assert reply.text == "hello"
    assert len(server.chats) == 2


def test_it_gives_up_with_the_number_of_requests() -> None:
    error, server = fail([Answer(status=503, error="overloaded")] * 9)
    assert len(server.chats) == 6
    assert error.retryable
    assert "overloaded" in error.message
    assert "gave up after 6 requests" in error.message


@pytest.mark.parametrize("fault", ["hang", "dribble"])
def test_the_deadline_holds_against_a_server_that_never_ends(fault: Any) -> None:
    started = time.monotonic()
    error, server = fail([Answer(fault=fault)], ask(deadline_s=1.0))
    assert 0.9 < time.monotonic() - started < 5.0
    assert "within the deadline" in error.message
    assert error.retryable
    assert len(server.chats) == 1


def test_the_deadline_is_shared_by_all_attempts() -> None:
    replies = [Answer(status=500), Answer(status=429, headers={"Retry-After": "5"}), "never reached"]
    with OpenAIServer(replies) as server:
        chat = chat_on(server, sleep=time.sleep)
        started = time.monotonic()
        with pytest.raises(ModelError, match="of 4 s"):
            chat.complete(ask(deadline_s=4.0))
        chat.close()
    assert time.monotonic() - started < 4.0  # the wait of 5 s would not have fitted: it was not begun
    assert len(server.chats) == 2


# --- answers that are none ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["garbage", "truncate"])
def test_an_answer_that_is_no_completion(fault: Any) -> None:
    error, server = fail([Answer("x" * 50, fault=fault), "never reached"])
    assert "no chat completion" in error.message
    assert "/v1" in error.hint
    assert len(server.chats) == 1


@pytest.mark.parametrize(("fault", "kind"), [("garbage", "text/html"), ("no_stream", "application/json")])
def test_what_is_no_stream_is_not_asked_for_again(fault: Any, kind: str) -> None:
    error, server = fail([Answer("whole", fault=fault), "never reached"], ask(on_text=lambda text: None))
    assert f"answered with {kind} in place of a stream" in error.message
    assert "/v1" in error.hint
    assert len(server.chats) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_without_end_is_no_reply(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunewright.llm.completions._LONGEST_REPLY", 1_000)
    shown: list[str] = []
    error, server = fail(["x" * 1_001, "never reached"], ask(on_text=shown.append if stream else None))
    assert "answered with more than 1,000 characters" in error.message
    assert len("".join(shown)) == (1_000 if stream else 0)
    assert len(server.chats) == 1
    assert len(run(["x" * 1_000])[0].text) == 1_000


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "answer", [Answer("hi", thought="x" * 1_000), Answer("hi", tool_calls=[("stop", "x" * 1_000)])]
)
def test_thoughts_and_arguments_without_end_are_no_reply(
    answer: Answer, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.llm.completions._LONGEST_REPLY", 1_001)
    error, server = fail([answer, "never reached"], ask(on_text=(lambda text: None) if stream else None))
    assert "answered with more than 1,001 characters" in error.message
    assert len(server.chats) == 1


def test_a_stream_that_only_thinks_is_left_at_the_deadline_and_not_read_on() -> None:
    shown: list[str] = []
    with OpenAIServer([Answer(fault="muse")]) as server:
        chat = chat_on(server)
        with pytest.raises(ModelError, match="within the deadline"):
            chat.complete(ask(deadline_s=0.5, on_text=shown.append))
        assert server.left.wait(20)
        chat.close()
    assert shown == []


def test_an_error_inside_a_200_is_judged_by_its_code() -> None:
    reply, server, _ = run([Answer(fault="error_in_200", error="upstream down"), "hello"])
    assert reply.text == "hello"
    assert len(server.chats) == 2


def test_tokens_of_an_empty_answer_are_counted() -> None:
    reply, _, _ = run([Answer(fault="no_choices", tokens=(100, 5))], ask(schema=SCHEMA))
    assert (reply.text, reply.data, reply.tokens_in, reply.tokens_out) == ("", None, 100, 5)


def test_no_server_there() -> None:
    with OpenAIServer() as server:
        url = server.url
    chat = OpenAIChat("toy", base_url=url, api_key=KEY, sleep=lambda _: None)
    for call in (chat.check, lambda: chat.complete(ask())):
        with pytest.raises(ModelError, match="no connection to http://127") as caught:
            call()
        assert caught.value.retryable
        assert "running" in caught.value.hint
    chat.close()


# --- structured replies ------------------------------------------------------------------------------------------


def test_json_schema_first() -> None:
    reply, server, chat = run([{"lr": 0.1}], ask(schema=SCHEMA))
    assert reply.data == {"lr": 0.1}
    assert chat.route == "json_schema"
    assert server.chats[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "proposals", "schema": SCHEMA, "strict": False},
    }


def test_a_refused_format_becomes_a_tool_call_once() -> None:
    by_tool = Answer(tool_calls=[("proposals", '{"lr": 0.2}')])
    with OpenAIServer([by_tool, by_tool], refuse=["response_format"]) as server:
        chat = chat_on(server)
        for _ in range(2):
            reply = chat.complete(ask(schema=SCHEMA))
            assert reply.data == {"lr": 0.2}
            assert reply.tool_calls == ()
            assert reply.finish == "stop"
            assert reply.text == '{"lr": 0.2}'
        chat.close()
    assert chat.route == "tool"
    assert len(server.chats) == 3  # the refusal came once and was remembered
    assert server.chats[1]["tools"][0]["function"]["parameters"] == SCHEMA
    assert server.chats[1]["tool_choice"] == {"type": "function", "function": {"name": "proposals"}}
    assert chat.waits == []  # type: ignore[attr-defined]


def test_refused_tools_become_text() -> None:
    fenced = 'Here you are:\n```json\n{"lr": 0.3}\n```'
    with OpenAIServer([fenced, 'bare: {"lr": 0.4}.'], refuse=["response_format", "tools"]) as server:
        chat = chat_on(server)
        assert chat.complete(ask(schema=SCHEMA)).data == {"lr": 0.3}
        assert chat.complete(ask(schema=SCHEMA)).data == {"lr": 0.4}
        chat.close()
    assert chat.route == "text"
    assert len(server.chats) == 4
    assert set(server.chats[-1]) == {"model", "messages", "max_tokens", "temperature", "seed"}


def test_a_404_that_no_server_of_the_model_takes_tools_is_a_change_of_form() -> None:
    def answer(body: dict[str, Any]) -> Any:
        words = "No endpoints found that support tool use. To learn more, visit the documentation."
        return Answer(status=404, error=words) if "tools" in body else {"lr": 0.3}

    reply, server, chat = run(answer, ask(schema=SCHEMA), refuse=["response_format"])
    assert (reply.data, chat.route, len(server.chats)) == ({"lr": 0.3}, "text", 3)


def test_a_change_of_form_may_still_be_retried() -> None:
    replies = [Answer(status=500), Answer(tool_calls=[("proposals", '{"lr": 0.2}')])]
    reply, server, _ = run(replies, ask(schema=SCHEMA), refuse=["response_format"])
    assert reply.data == {"lr": 0.2}
    assert len(server.chats) == 3


def test_a_400_for_another_reason_is_not_remembered_as_a_downgrade() -> None:
    refusals = [Answer(status=400, error="context too long")] * 3
    with OpenAIServer([*refusals, {"lr": 0.1}]) as server:
        chat = chat_on(server)
        with pytest.raises(ModelError, match="context too long"):
            chat.complete(ask(schema=SCHEMA))
        assert chat.route is None
        assert chat.complete(ask(schema=SCHEMA)).data == {"lr": 0.1}
        assert "response_format" in server.chats[-1]
        chat.close()


def test_a_garbled_reply_has_no_data_but_tokens() -> None:
    reply, _, _ = run([Answer('{"lr": 0.1', finish="length", tokens=(50, 9))], ask(schema=SCHEMA))
    assert reply.data is None
    assert reply.finish == "length"
    assert (reply.tokens_in, reply.tokens_out) == (50, 9)


def test_garbled_arguments_of_the_schemas_own_tool_are_no_data() -> None:
    reply, _, _ = run([Answer(tool_calls=[("proposals", '{"lr": ')])], ask(schema=SCHEMA), refuse=["response_format"])
    assert reply.data is None
    assert reply.text == '{"lr": '


# --- parameters that a model does not take -----------------------------------------------------------------------


def test_max_tokens_is_renamed_once() -> None:
    refusal = "Unsupported parameter: '{name}' is not supported with this model. Use 'max_completion_tokens' instead."
    with OpenAIServer(["a", "b"], refuse=["max_tokens"], refusal=refusal) as server:
        chat = chat_on(server)
        chat.complete(ask(max_tokens=99))
        chat.complete(ask(max_tokens=99))
        chat.close()
    assert chat.adapted == {"max_tokens": "max_completion_tokens"}
    assert ["max_tokens" in body for body in server.chats] == [True, False, False]
    assert server.chats[2]["max_completion_tokens"] == 99


def test_temperature_and_seed_are_left_out_and_the_format_is_kept() -> None:
    reply, server, chat = run([{"lr": 0.1}], ask(schema=SCHEMA), refuse=["temperature", "seed"])
    assert reply.data == {"lr": 0.1}
    assert chat.adapted == {"temperature": None, "seed": None} or chat.adapted == {"seed": None, "temperature": None}
    assert chat.route == "json_schema"
    assert len(server.chats) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        "Unsupported value: '{name}' does not support 0.7 with this model. Only the default (1) value is supported.",
        "invalid {name}: only 1 is allowed for this model",
        "`{name}` may only be set to 1 when thinking is enabled.",
        "{name} must be 1 for reasoning models",
    ],
)
def test_a_temperature_that_is_not_the_models_own_is_left_out(refusal: str) -> None:
    reply, server, chat = run([{"lr": 0.1}], ask(schema=SCHEMA), refuse=["temperature"], refusal=refusal)
    assert reply.data == {"lr": 0.1}
    assert (chat.adapted, chat.route) == ({"temperature": None}, "json_schema")
    assert len(server.chats) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        "max_tokens is too large: 2048. This model supports at most 1000 completion tokens, whereas you provided 2048.",
        "max_tokens: 2048 > 1000, which is the maximum allowed number of output tokens for toy",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 1000]",
        "This model's maximum context length is 2000 tokens. However, you requested 3000 tokens (952 in the messages, "
        "2048 in the completion). Please reduce the length of the messages or completion.",
    ],
)
@pytest.mark.parametrize("renamed", [False, True])
def test_more_tokens_than_a_model_can_write_are_left_to_the_server(refusal: str, renamed: bool) -> None:
    too_large = [Answer(status=400, error=refusal)]
    other = "Unsupported parameter: '{name}' is not supported with this model. Use 'max_completion_tokens' instead."
    refuse = ["max_tokens"] if renamed else []
    with OpenAIServer([*too_large, {"lr": 0.1}, {"lr": 0.2}], refuse=refuse, refusal=other) as server:
        chat = chat_on(server)
        assert [chat.complete(ask(schema=SCHEMA)).data for _ in range(2)] == [{"lr": 0.1}, {"lr": 0.2}]
        chat.close()
    assert (chat.adapted, chat.route) == ({"max_tokens": None}, "json_schema")
    assert len(server.chats) == 3 + renamed
    assert not {"max_tokens", "max_completion_tokens"} & set(server.chats[-1])


def test_a_prompt_that_is_too_long_is_an_error_not_a_change() -> None:
    words = "This model's maximum context length is 2000 tokens. However, your messages resulted in 3000 tokens."
    error, server = fail([Answer(status=400, error=words)] * 9)
    assert "3000 tokens" in error.message
    assert "a longer context" in error.hint
    assert "a longer context" in fail([Answer(status=413, error="Request Entity Too Large")])[0].hint
    assert len(server.chats) == 1


# --- tools and streams -------------------------------------------------------------------------------------------


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


# --- cost, keys, check -------------------------------------------------------------------------------------------


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
