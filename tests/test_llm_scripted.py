"""The model with canned replies."""

import pytest

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Message, Reply, Request
from tunewright.llm.scripted import Scripted

ASK = Request((Message("user", "propose"),), schema={"type": "object"})
CHAT = Request((Message("user", "hi"),), purpose="chat")


def test_every_kind_of_reply_in_order() -> None:
    chat = Scripted(
        [
            '```json\n{"lr": 1}\n```',
            {"lr": 2},
            [{"lr": 3}],
            Reply("whole", tokens_in=5),
            lambda request: {"said": request.messages[-1].content},
            "just text",
        ]
    )
    assert isinstance(chat, Chat)
    chat.check()
    assert chat.complete(ASK).data == {"lr": 1}
    reply = chat.complete(ASK)
    assert (reply.text, reply.data, reply.tokens_in, reply.tokens_out, reply.cost_usd) == (
        '{"lr": 2}',
        {"lr": 2},
        0,
        0,
        None,
    )
    assert chat.complete(ASK).data == [{"lr": 3}]
    assert chat.complete(ASK).tokens_in == 5
    assert chat.complete(ASK).data == {"said": "propose"}
    assert chat.complete(ASK).data is None
    assert chat.requests == [ASK] * 6
    chat.close()


def test_a_text_is_data_only_if_a_schema_was_given() -> None:
    assert Scripted(['{"lr": 1}']).complete(CHAT).data is None


def test_exceptions_are_raised_also_from_functions() -> None:
    busy = ModelError("busy", "wait", retryable=True)
    chat = Scripted([busy, lambda _: busy, "fine"])
    for _ in range(2):
        with pytest.raises(ModelError, match="busy"):
            chat.complete(CHAT)
    assert chat.complete(CHAT).text == "fine"


def test_running_out() -> None:
    chat = Scripted(["one"])
    chat.complete(CHAT)
    with pytest.raises(ModelError, match="all 1 scripted replies"):
        chat.complete(CHAT)
    with pytest.raises(ModelError, match="all 0 scripted replies"):
        Scripted([], repeat_last=True).complete(CHAT)
    again = Scripted(["one", "two"], repeat_last=True)
    assert [again.complete(CHAT).text for _ in range(4)] == ["one", "two", "two", "two"]


def test_text_is_shown() -> None:
    shown: list[str] = []
    Scripted(["hello"]).complete(Request((Message("user", "hi"),), on_text=shown.append))
    assert shown == ["hello"]
