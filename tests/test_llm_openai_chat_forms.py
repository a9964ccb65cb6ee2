"""The form of a request to a real HTTP server: structured replies, and parameters that a model does not take."""

from typing import Any

import pytest
from openai_asking import SCHEMA, ask, chat_on, fail, run
from openai_server import Answer, OpenAIServer

from tunewright.errors import ModelError

pytestmark = pytest.mark.usefixtures("no_model_environment")


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
