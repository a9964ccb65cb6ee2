"""LiteLLMChat on the same misbehaving server. Importing litellm takes seconds, once."""

import gc
import importlib.util
import inspect
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from openai_server import KEY, Answer, OpenAIServer

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Message, Reply, Request, ToolSpec
from tunewright.llm.extract import UNPARSED
from tunewright.llm.litellm_chat import LiteLLMChat, load_litellm

pytestmark = [
    pytest.mark.litellm,
    pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="the litellm extra is not installed"),
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _closed_connections() -> Iterator[None]:
    """litellm keeps its clients for the life of the process; left to the collector they would warn in another test."""
    load_litellm()  # its import takes seconds: no test's deadline should pay for it
    yield
    clients = load_litellm().in_memory_llm_clients_cache.cache_dict
    for client in clients.values():
        if not inspect.iscoroutinefunction(getattr(client, "close", None)):
            getattr(client, "close", lambda: None)()
    clients.clear()
    gc.collect()


SCHEMA = {"title": "proposals", "type": "object", "properties": {"lr": {"type": "number"}}, "required": ["lr"]}
TOOL = ToolSpec("run_trials", "run n trials", {"type": "object", "properties": {"n": {"type": "integer"}}})


def ask(**changes: Any) -> Request:
    return Request(**({"messages": (Message("user", "propose"),), "deadline_s": 30.0, "seed": 3} | changes))


def chat_on(server: OpenAIServer, **changes: Any) -> LiteLLMChat:
    waits: list[float] = []
    options = {"model": "openai/toy", "base_url": server.url, "api_key": KEY, "sleep": waits.append} | changes
    chat = LiteLLMChat(**options)
    chat.waits = waits  # type: ignore[attr-defined]
    return chat


def run(replies: Any, request: Request | None = None, **server_options: Any) -> tuple[Reply, OpenAIServer, LiteLLMChat]:
    with OpenAIServer(replies, **server_options) as server:
        chat = chat_on(server)
        try:
            return chat.complete(request or ask()), server, chat
        finally:
            chat.close()


def test_a_plain_reply_and_what_was_sent() -> None:
    reply, server, chat = run(["hello"], ask(max_tokens=50, temperature=0.2, seed=7))
    assert isinstance(chat, Chat)
    assert (reply.text, reply.finish, reply.tokens_in, reply.tokens_out) == ("hello", "stop", 11, 7)
    assert reply.cost_usd is None
    sent = server.chats[0]
    assert (sent["model"], sent["max_tokens"], sent["temperature"], sent["seed"]) == ("toy", 50, 0.2, 7)


def test_429_then_500_then_200_are_three_requests() -> None:
    _, server, chat = run([Answer(status=429, headers={"Retry-After": "1"}), Answer(status=500), "hello"])
    assert len(server.chats) == 3
    assert chat.waits[0] == 1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_the_callers_own_mistakes_are_not_tried_again(status: int) -> None:
    replies = [Answer(status=status, error="no such thing"), "never reached"]
    with OpenAIServer(replies) as server, pytest.raises(ModelError, match="no such thing") as caught:
        chat_on(server).complete(ask())
    assert len(server.chats) == 1
    assert not caught.value.retryable


def test_a_connection_cut_in_the_body_is_tried_again() -> None:
    assert len(run([Answer("lost", fault="close"), "hello"])[1].chats) == 2


def test_the_deadline_holds() -> None:
    started = time.monotonic()
    with OpenAIServer([Answer(fault="hang")]) as server:
        with pytest.raises(ModelError, match="within the deadline") as caught:
            chat_on(server).complete(ask(deadline_s=0.6))
        assert time.monotonic() - started < 6.0
    assert caught.value.retryable


def test_a_proxys_page_in_place_of_anthropics_answer_is_not_asked_for_again() -> None:
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>a login page</html>")

        def log_message(self, format: str, *args: Any) -> None:
            """No log."""

    with HTTPServer(("127.0.0.1", 0), Page) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        chat = LiteLLMChat("anthropic/claude-sonnet-4-5", base_url=address, api_key=KEY, sleep=lambda _: None)
        try:
            with pytest.raises(ModelError, match="no chat completion") as caught:
                chat.complete(ask(seed=None))
        finally:
            proxy.shutdown()
            thread.join()
    assert "/v1" in caught.value.hint
    assert asked == ["/v1/messages"]


@pytest.mark.parametrize("fault", ["garbage", "truncate"])
def test_an_answer_that_is_no_completion(fault: Any) -> None:
    with OpenAIServer([Answer("x" * 50, fault=fault)] * 9) as server, pytest.raises(ModelError):
        chat_on(server).complete(ask())


def test_structured_by_schema_then_tool_then_text() -> None:
    reply, _, chat = run([{"lr": 0.1}], ask(schema=SCHEMA))
    assert (reply.data, chat.route) == ({"lr": 0.1}, "json_schema")
    by_tool = Answer(tool_calls=[("proposals", '{"lr": 0.2}')])
    reply, server, chat = run([by_tool], ask(schema=SCHEMA), refuse=["response_format"])
    assert (reply.data, chat.route, len(server.chats)) == ({"lr": 0.2}, "tool", 2)
    with OpenAIServer(['```json\n{"lr": 0.3}\n```'] * 2, refuse=["response_format", "tools"]) as server:
        chat = chat_on(server)
        assert [chat.complete(ask(schema=SCHEMA)).data for _ in range(2)] == [{"lr": 0.3}] * 2
    assert (chat.route, len(server.chats)) == ("text", 4)


def test_max_tokens_is_renamed() -> None:
    refusal = "Unsupported parameter: '{name}' is not supported with this model. Use 'max_completion_tokens' instead."
    _, server, chat = run(["a"], ask(max_tokens=99), refuse=["max_tokens"], refusal=refusal)
    assert chat.adapted == {"max_tokens": "max_completion_tokens"}
    assert server.chats[-1]["max_completion_tokens"] == 99


def test_a_parameter_that_litellm_itself_refuses_is_left_out() -> None:
    with OpenAIServer(["hello"]) as server:
        chat = chat_on(server, model="anthropic/claude-sonnet-4-5", base_url=server.url.removesuffix("/v1"))
        with pytest.raises(ModelError):  # this server speaks no Anthropic; what counts is that the request was made
            chat.complete(ask(seed=5))
    assert chat.adapted == {"seed": None}
    assert [seen.path for seen in server.requests] == ["/v1/messages"]


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_and_streams(stream: bool) -> None:
    shown: list[str] = []
    answer = Answer("let me", tool_calls=[("run_trials", '{"n": 20}'), ("run_trials", "{n: twenty")])
    reply, _, _ = run([answer], ask(tools=(TOOL,), on_text=shown.append if stream else None))
    assert [call.arguments for call in reply.tool_calls] == [{"n": 20}, {UNPARSED: "{n: twenty"}]
    assert reply.text == "let me"
    assert "".join(shown) == ("let me" if stream else "")
    assert (reply.tokens_in, reply.tokens_out) == (11, 7)


def test_a_broken_stream_is_not_tried_again_once_text_was_shown() -> None:
    shown: list[str] = []
    replies = [Answer("half of it", fault="close"), "never reached"]
    with OpenAIServer(replies) as server, pytest.raises(ModelError) as caught:
        chat_on(server).complete(ask(on_text=shown.append))
    assert shown
    assert len(server.chats) == 1
    assert caught.value.retryable


def test_cost_is_from_our_table_not_from_litellm() -> None:
    with OpenAIServer([Answer("hello", tokens=(1_000_000, 500_000))]) as server:
        chat = chat_on(server, prices={"openai/toy": {"in": 2.0, "out": 10.0}})
        assert chat.complete(ask()).cost_usd == pytest.approx(7.0)


def test_no_key_appears_in_any_error(capfd: pytest.CaptureFixture[str]) -> None:
    texts = []
    for key, server_key in ((KEY, KEY), ("wrong-key-without-a-known-shape", KEY)):
        for status in (400, 401, 429, 500):
            server = OpenAIServer([Answer(status=status, error="refused")] * 9, key=server_key, echo_key=True)
            with server, pytest.raises(ModelError) as caught:
                chat_on(server, api_key=key).complete(ask())
            texts += ["".join(traceback.format_exception(caught.value))]
    everything = "\n".join(texts) + "".join(capfd.readouterr())
    assert "[key removed]" in everything
    assert KEY not in everything
    assert "wrong-key-without-a-known-shape" not in everything


@pytest.mark.parametrize(
    ("model", "variable"),
    [("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"), ("gemini/gemini-2.5-pro", " or GEMINI_API_KEY")],
)
def test_check_names_the_missing_variable(model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelError, match=variable):
        LiteLLMChat(model).check()
    monkeypatch.setenv(variable.split()[-1], "some-value")
    LiteLLMChat(model).check()


def test_check_passes_where_no_key_is_needed() -> None:
    LiteLLMChat("ollama/qwen3").check()


def test_check_of_an_unknown_provider_suggests_one(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match=r"no provider called 'antropic'[\s\S]*anthropic"):
        LiteLLMChat("antropic/claude").check()
    assert "".join(capfd.readouterr()) == ""


def test_without_the_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "litellm" else real(name, *rest)
    )
    with pytest.raises(ModelError, match=r"pip install 'tunewright\[litellm\]'"):
        LiteLLMChat("anthropic/claude").check()


def test_nobody_but_the_provider_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing forbids it, litellm asks GitHub for Anthropic's headers at the first request with a schema."""
    from litellm import anthropic_beta_headers_manager as headers

    asked: list[str] = []
    monkeypatch.setattr(headers, "_BETA_HEADERS_CONFIG", None)
    fetch = staticmethod(lambda url, **options: asked.append(url) or {})
    monkeypatch.setattr(headers.GetAnthropicBetaHeadersConfig, "fetch_remote_beta_headers_config", fetch)
    with OpenAIServer([]) as server:
        chat = chat_on(server, model="anthropic/claude-sonnet-4-5", base_url=server.url.removesuffix("/v1"))
        with pytest.raises(ModelError):
            chat.complete(ask(schema=SCHEMA))
    assert asked == []


def test_the_price_map_is_not_fetched() -> None:
    litellm = load_litellm()
    assert "litellm" in sys.modules
    assert litellm.suppress_debug_info is True
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
