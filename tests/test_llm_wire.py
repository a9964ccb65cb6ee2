"""A request into keyword arguments, an answer into an exchange."""

from types import SimpleNamespace as Object

import pytest

from tunewright.llm.base import Message, Request, ToolSpec
from tunewright.llm.wire import build_arguments, finish_of, read_answer, read_stream, schema_name

SCHEMA = {"title": "my proposals!", "type": "object", "properties": {}}
TOOL = ToolSpec("stop", "", {"type": "object", "properties": {}})


def ask(**changes: object) -> Request:
    return Request((Message("user", "hi"),), **changes)  # type: ignore[arg-type]


def test_no_seed_no_field() -> None:
    assert "seed" not in build_arguments(ask(), "m", None)
    assert build_arguments(ask(seed=0), "m", None)["seed"] == 0


def test_the_schema_beside_other_tools_asks_for_any_of_them() -> None:
    arguments = build_arguments(ask(schema=SCHEMA, tools=(TOOL,)), "m", "tool")
    assert [tool["function"]["name"] for tool in arguments["tools"]] == ["stop", "my_proposals_"]
    assert arguments["tool_choice"] == "required"
    assert "description" not in arguments["tools"][0]["function"]


def test_text_route_sends_neither_format_nor_tools() -> None:
    assert set(build_arguments(ask(schema=SCHEMA), "m", "text")) == {"model", "messages", "max_tokens", "temperature"}


def test_schema_names_use_only_allowed_letters() -> None:
    assert schema_name(SCHEMA) == "my_proposals_"
    assert schema_name({}) == "reply"
    assert len(schema_name({"title": "x" * 100})) == 64


@pytest.mark.parametrize("answer", ["<html>", None, Object(), Object(choices=None), Object(choices=[]), {"a": 1}])
def test_what_is_no_completion(answer: object) -> None:
    assert read_answer(answer) is None


def test_fields_that_servers_leave_out() -> None:
    exchange = read_answer(Object(choices=[Object(message=Object(content=None))]))
    assert exchange is not None
    assert (exchange.text, exchange.calls, exchange.finish, exchange.counted) == ("", [], None, False)
    call = Object(function=Object(name="stop", arguments={"now": True}))  # some servers send an object, not its text
    exchange = read_answer(Object(choices=[Object(message=Object(content="x", tool_calls=[call]))]))
    assert exchange is not None
    assert (exchange.calls[0].id, exchange.calls[0].arguments) == ("call_0", {"now": True})


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
    {"type": "text", "text": '{"lr":'},
    {"type": "text", "text": " 0.1}"},
]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Object(content=PARTS), '{"lr": 0.1}'),
        (Object(content=None, refusal="I cannot help with that"), "I cannot help with that"),
        (Object(content=5), ""),
        (None, ""),
    ],
)
def test_text_in_parts_and_refusals(message: object, text: str) -> None:
    whole = read_answer(Object(choices=[Object(message=message)]))
    assert whole is not None
    assert whole.text == text
    heard: list[str] = []
    assert read_stream([Object(choices=[Object(delta=message)])], heard.append).text == text
    assert "".join(heard) == text


def test_arguments_of_a_streamed_call_may_be_an_object() -> None:
    call = Object(index=0, id="a", function=Object(name="stop", arguments={"now": True}))
    exchange = read_stream([Object(choices=[Object(delta=Object(tool_calls=[call]))])], str)
    assert exchange.calls[0].arguments == {"now": True}


@pytest.mark.parametrize(
    ("total", "written"), [(9100, 8100), (1100, 100), (None, 100), (0, 100)]
)  # xAI and Gemini; OpenAI; a server that sends no total; one that sends an empty one
def test_what_a_model_thought_counts_as_written_where_only_the_total_holds_it(total: int | None, written: int) -> None:
    usage = Object(prompt_tokens=1000, completion_tokens=100, total_tokens=total)
    exchange = read_answer(Object(choices=[Object(message=Object(content="x"))], usage=usage))
    assert exchange is not None
    assert (exchange.tokens_in, exchange.tokens_out) == (1000, written)
    assert read_stream([Object(usage=usage)], str).tokens_out == written


def test_a_stream_without_usage_or_end() -> None:
    heard: list[str] = []
    chunks = [Object(choices=[Object(delta=Object(content="a"))]), Object(choices=[]), Object(), Object(choices=None)]
    exchange = read_stream(chunks, heard.append)
    assert (exchange.text, exchange.finish, exchange.counted, heard) == ("a", None, False, ["a"])


def streamed(*calls: Object) -> Object:
    return Object(choices=[Object(delta=Object(tool_calls=list(calls)))])


@pytest.mark.parametrize("index", [None, 0])
def test_calls_of_a_stream_whose_server_counts_none_of_them(index: int | None) -> None:
    one = Object(index=index, id="a", function=Object(name="show_best", arguments="{}"))
    begun = Object(index=index, id="b", function=Object(name="show_trial", arguments='{"tri'))
    rest = Object(index=index, id="b", function=Object(name=None, arguments='al": 2}'))
    exchange = read_stream([streamed(one, begun), streamed(rest)], str)
    assert [(c.id, c.name, c.arguments) for c in exchange.calls] == [
        ("a", "show_best", {}),
        ("b", "show_trial", {"trial": 2}),
    ]


def test_pieces_of_counted_calls_may_come_in_turns() -> None:
    pieces = [
        Object(index=1, id="b", function=Object(name="show_trial", arguments='{"trial"')),
        Object(index=0, id=None, function=Object(name="show_best", arguments="")),
        Object(index=1, id=None, function=Object(name=None, arguments=": 2}")),
    ]
    exchange = read_stream([streamed(piece) for piece in pieces], str)
    assert [(c.id, c.name, c.arguments) for c in exchange.calls] == [
        ("call_0", "show_best", {}),
        ("b", "show_trial", {"trial": 2}),
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_and_signatures_come_and_go_back(stream: bool) -> None:
    """DeepSeek refuses a call that comes back without what was thought before it, Gemini one without its signature."""
    signature = {"google": {"thought_signature": "abc"}}
    call = Object(index=0, id="a", function=Object(name="stop", arguments="{}"), extra_content=signature)
    rest = Object(index=0, id=None, function=Object(name=None, arguments=""))
    if stream:
        thoughts = [Object(choices=[Object(delta=Object(reasoning_content=piece))]) for piece in ("let ", "me see")]
        exchange = read_stream([*thoughts, streamed(call), streamed(rest)], str)
    else:
        whole = Object(content=None, reasoning_content="let me see", tool_calls=[call])
        read = read_answer(Object(choices=[Object(message=whole)]))
        assert read is not None
        exchange = read
    assert (exchange.text, exchange.thought) == ("", "let me see")
    said = Message("assistant", "", tuple(exchange.calls), thought=exchange.thought)
    sent = build_arguments(Request((said, Message("user", "go on"))), "m", None)["messages"]
    assert sent[0]["reasoning_content"] == "let me see"
    assert sent[0]["tool_calls"][0]["extra_content"] == signature
    assert set(sent[1]) == {"role", "content"}


@pytest.mark.parametrize(
    ("calls", "names"),
    [
        (5, []),
        ({"name": "stop"}, []),
        ([None], [""]),
        ([Object(index="1", id=7, function=Object(name=3, arguments=4))], [""]),
        ([Object(index=n, id=f"c{n}", function=Object(name="stop", arguments="{}")) for n in (1, "0")], ["stop"] * 2),
    ],
)
def test_calls_of_another_shape_are_read_as_far_as_they_have_one(calls: object, names: list[str]) -> None:
    """A server's mistake is no error of ours: it would end the study."""
    whole = read_answer(Object(choices=[Object(message=Object(content="x", tool_calls=calls))]))
    assert whole is not None
    streamed = read_stream([Object(choices=5), Object(choices=[Object(delta=Object(tool_calls=calls))])], str)
    for exchange in (whole, streamed):
        assert [call.name for call in exchange.calls] == names
        assert all(isinstance(call.id, str) and call.id for call in exchange.calls)


def test_finish() -> None:
    assert finish_of("length", True) == "length"
    assert finish_of("stop", True) == "tool_calls"
    assert finish_of("tool_calls", False) == "stop"
    assert finish_of("content_filter", False) == "stop"
    assert finish_of(None, False) == "stop"
