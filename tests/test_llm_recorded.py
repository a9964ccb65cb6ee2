"""Calls kept in a file and replayed."""

import json
from pathlib import Path

import pytest

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Message, Purpose, Reply, Request, ToolCall
from tunewright.llm.recorded import Recorded, Recording
from tunewright.llm.scripted import Scripted


def ask(text: str, purpose: Purpose = "propose") -> Request:
    return Request((Message("user", text),), purpose=purpose)


def record(path: Path) -> None:
    replies = [
        Reply("one", data={"lr": 1}, tokens_in=10, tokens_out=2, seconds=0.5, cost_usd=0.01),
        Reply("two", tool_calls=(ToolCall("c", "run", {"n": 2}),), finish="tool_calls"),
        ModelError("busy", "wait", retryable=True),
        Reply("hello"),
    ]
    chat = Recording(Scripted(replies), path)
    assert isinstance(chat, Chat)
    assert chat.name == "scripted"
    chat.check()
    chat.complete(ask("a"))
    chat.complete(ask("b"))
    with pytest.raises(ModelError, match="busy"):
        chat.complete(ask("c"))
    chat.complete(ask("hi", "chat"))
    chat.close()


def test_the_same_questions_give_the_same_answers_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    record(file)
    chat = Recorded(file)
    assert isinstance(chat, Chat)
    assert chat.complete(ask("b")) == Reply("two", tool_calls=(ToolCall("c", "run", {"n": 2}),), finish="tool_calls")
    assert chat.complete(ask("a")).cost_usd == 0.01
    with pytest.raises(ModelError, match="busy") as caught:
        chat.complete(ask("c"))
    assert caught.value.retryable
    assert caught.value.hint == "wait"
    assert chat.complete(ask("hi", "chat")).text == "hello"


def test_other_questions_get_the_next_unused_of_their_purpose(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    record(file)
    shown: list[str] = []
    chat = Recorded(file)
    assert chat.complete(Request((Message("user", "new"),), on_text=shown.append)).text == "one"
    assert shown == ["one"]
    assert chat.complete(ask("a")).text == "two"  # its own is used up
    assert chat.complete(ask("new", "chat")).text == "hello"
    with pytest.raises(ModelError, match="no unused reply is left for the purpose 'chat'"):
        chat.complete(ask("new", "chat"))


def test_no_prompt_and_no_key_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSERVICE_API_KEY", "quite-secret-value")
    file = tmp_path / "calls.jsonl"
    text = 'the key is quite-secret-value, "Bearer abc\\" and sk-abcdefgh1234'
    Recording(Scripted([Reply(text, data={"k": ["quite-secret-value"]})]), file).complete(ask("a private prompt"))
    written = file.read_text()
    for secret in ("quite-secret-value", "sk-abcdefgh1234", "private prompt"):
        assert secret not in written
    assert json.loads(written)["reply"]["data"] == {"k": ["[key removed]"]}


@pytest.mark.parametrize(
    "line", ["no json", "[]", '{"purpose": "chat"}', '{"purpose": "chat", "key": "k", "reply": {"x": 1}}']
)
def test_a_broken_file_names_the_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    record(file)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ModelError, match="line 5"):
        Recorded(file)
    with pytest.raises(ModelError, match="cannot read"):
        Recorded(tmp_path / "none.jsonl")
