"""A model with canned replies: for tests and benchmarks."""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

from tunewright.errors import ModelError
from tunewright.llm.base import Reply, Request
from tunewright.llm.extract import extract_json

Answer = str | dict[str, Any] | list[Any] | Reply | Exception
ScriptedReply = Answer | Callable[[Request], Answer]


class Scripted:
    """A `Chat` that answers from a list, in order, and keeps the requests it got in `requests`.

    Args:
        replies: each a text; a dict or list (structured data); a `Reply`; an exception, which is raised; or a function
            of the request that returns one of these.
        repeat_last: answer with the last one for ever, instead of raising when they run out.
        trusted_tools: see `Chat`.
    """

    def __init__(
        self,
        replies: Iterable[ScriptedReply],
        *,
        repeat_last: bool = False,
        trusted_tools: bool = True,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.trusted_tools = trusted_tools
        self.requests: list[Request] = []
        self._replies = list(replies)
        self._repeat_last = repeat_last
        self._lock = threading.Lock()

    def check(self) -> None:
        """Nothing can be missing."""

    def complete(self, request: Request) -> Reply:
        """Return the next reply; a text is shown to `on_text` in one piece. No tokens are counted, no cost is known.

        Raises:
            ModelError: the replies ran out.
        """
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        if number >= len(self._replies) and not (self._repeat_last and self._replies):
            raise ModelError(
                f"{self.name}: all {len(self._replies)} scripted replies are used up",
                "script more, or repeat_last=True",
            )
        answer = self._replies[min(number, len(self._replies) - 1)]
        reply = as_reply(answer(request) if callable(answer) else answer, request)
        if request.on_text is not None and reply.text:
            request.on_text(reply.text)
        return reply

    def close(self) -> None:
        """Nothing to let go of."""


def as_reply(answer: Answer, request: Request) -> Reply:
    """Return the reply that a canned answer stands for; raise it if it is an exception."""
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str):
        return Reply(text=answer, data=extract_json(answer, request.schema) if request.schema is not None else None)
    return Reply(text=json.dumps(answer), data=answer)
