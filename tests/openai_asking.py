"""Asking a model on the misbehaving server of `openai_server`: what the tests of OpenAIChat share."""

from typing import Any

import openai  # noqa: F401 (imported here, so that no test's deadline pays for it)
import pytest
from openai_server import KEY, OpenAIServer

from tunewright.errors import ModelError
from tunewright.llm.base import Message, Reply, Request
from tunewright.llm.openai_chat import OpenAIChat

SCHEMA = {
    "title": "proposals",
    "type": "object",
    "properties": {"lr": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["lr"],
}


def ask(**changes: Any) -> Request:
    return Request(**({"messages": (Message("user", "propose"),), "deadline_s": 20.0, "seed": 3} | changes))


def chat_on(server: OpenAIServer, **changes: Any) -> OpenAIChat:
    waits: list[float] = []
    chat = OpenAIChat(**({"model": "toy", "base_url": server.url, "api_key": KEY, "sleep": waits.append} | changes))
    chat.waits = waits  # type: ignore[attr-defined]
    return chat


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
