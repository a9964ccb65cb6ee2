"""OpenAIChat on a real HTTP server that misbehaves on purpose: what is tried again, and what is no answer."""

import time
from typing import Any

import pytest
from openai_asking import SCHEMA, ask, chat_on, fail, run
from openai_server import KEY, Answer, OpenAIServer

from tunewright.errors import ModelError
from tunewright.llm.openai_chat import OpenAIChat

pytestmark = pytest.mark.usefixtures("no_model_environment")


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


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=429, error=f"{QUOTA} Please retry in 3.1s.", code="429"),  # Gemini
        Answer(
            status=429, error="INSUFFICIENT QUOTA: You exceeded your current limit of concurrent requests."
        ),  # Scaleway
        Answer(
            status=429,  # Alibaba, of a minute's tokens
            error="Allocated quota exceeded, please increase your quota limit.",
            code="insufficient_quota",
        ),
    ],
)
def test_a_rate_limit_in_the_words_of_an_empty_account_is_tried_again(answer: Answer) -> None:
    reply, server, _ = run([answer, "hello"])
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
