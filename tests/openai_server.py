"""A small real OpenAI-compatible HTTP server on loopback, with scripted replies and faults.

    with OpenAIServer([Answer(status=429, headers={"Retry-After": "0"}), {"lr": 0.1}]) as server:
        chat = OpenAIChat("toy", base_url=server.url, api_key=server.key)

A reply is a text, a dict or list (sent as JSON text), an `Answer`, or a function of the request's body that returns one
of these; a function in place of the list answers every request. Also a script: `python tests/openai_server.py`.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

KEY = "sk-test-0123456789abcdef"


@dataclass
class Answer:
    """One scripted answer. `fault` overrides the rest in part:

    close: the connection is reset in the middle of the body (of a stream: after its first piece of text);
    hang: nothing is sent until the server closes; dribble: a byte of white space every 50 ms, for ever; muse: a stream
    that thinks a word every 50 ms, likewise;
    garbage: 200 with an HTML page; no_text: 200 with bytes that are no UTF-8; truncate: 200 with half of the JSON body;
    error_in_200: 200 with an error object; no_finish: a stream that ends without a finish reason;
    no_stream: a whole answer where a stream was asked for; no_choices: an answer with usage and nothing else.
    """

    text: str = ""
    thought: str = ""
    tool_calls: Sequence[tuple[str, str]] = ()
    """(name, text of the arguments)"""
    finish: str | None = None
    tokens: tuple[int, int] | None = (11, 7)
    status: int = 200
    error: str = "scripted fault"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    fault: (
        Literal["close", "hang", "dribble", "muse", "garbage", "no_text", "truncate", "error_in_200"]
        | Literal["no_finish", "no_stream", "no_choices"]
        | None
    ) = None


Scripted = str | dict[str, Any] | list[Any] | Answer
Reply = Scripted | Callable[[dict[str, Any]], Scripted]


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    body: dict[str, Any]
    at: float


class OpenAIServer:
    """A context manager; `url` ends in `/v1`.

    Args:
        replies: see above. When a list runs out, the answer is 400.
        key: any other one gets 401.
        refuse: fields of the body (`response_format`, `tools`, `max_tokens`, ...) whose presence gets a 400 that names
            them; such a request uses up no reply.
        refusal: the text of that 400, with {name} for the field.
        models_status: the status of `GET /models`.
        echo_key: error texts repeat the key that was sent.
    """

    def __init__(
        self,
        replies: Iterable[Reply] | Callable[[dict[str, Any]], Scripted] = (),
        *,
        key: str = KEY,
        refuse: Iterable[str] = (),
        refusal: str = "Unsupported parameter: '{name}' is not supported with this model.",
        models_status: int = 200,
        models_error: str = "no models here",
        echo_key: bool = False,
        port: int = 0,
    ) -> None:
        self.key = key
        self.refuse = set(refuse)
        self.refusal = refusal
        self.models_status = models_status
        self.models_error = models_error
        self.echo_key = echo_key
        self.requests: list[Seen] = []
        self.closing = threading.Event()
        self.left = threading.Event()
        """Set when a client went away from a stream that had not ended."""
        self._always = replies if callable(replies) else None
        self._replies = [] if callable(replies) else list(replies)
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> "OpenAIServer":
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()

    @property
    def chats(self) -> list[dict[str, Any]]:
        """Bodies of the chat completions that were asked for, refused ones included."""
        return [seen.body for seen in self.requests if seen.path.endswith("/chat/completions")]

    def next_answer(self, body: dict[str, Any]) -> Answer:
        """The next scripted answer."""
        with self._lock:
            if self._always is not None:
                reply: Reply = self._always
            elif self._replies:
                reply = self._replies.pop(0)
            else:
                return Answer(status=400, error="the script has no more replies")
        answer = reply(body) if callable(reply) else reply
        if isinstance(answer, Answer):
            return answer
        return Answer(text=answer if isinstance(answer, str) else json.dumps(answer))


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    owner: OpenAIServer

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep alive, so that their handlers end."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """No log."""

    def do_GET(self) -> None:
        owner = self._arrived({})
        if owner is None:
            return
        if owner.models_status != 200:
            self._error(owner.models_status, owner.models_error)
        else:
            self._json({"object": "list", "data": [{"id": "toy", "object": "model", "created": 0, "owned_by": "me"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner = self._arrived(body)
        if owner is None:
            return
        for name in sorted(owner.refuse & set(body)):
            self._error(400, owner.refusal.format(name=name))
            return
        answer = owner.next_answer(body)
        if answer.fault in ("hang", "dribble"):
            self._stall(owner, answer.fault)
        elif answer.fault == "muse":
            self._muse(owner, body)
        elif answer.status != 200:
            self._error(answer.status, answer.error, answer.headers, answer.code)
        elif answer.fault == "garbage":
            self._send(b"<html>a login page</html>", "text/html")
        elif answer.fault == "no_text":
            kind = "text/event-stream" if body.get("stream") else "application/json"
            self._send(b'data: {"choices": "\xff\xfe"}\n\n', kind)
        elif answer.fault == "error_in_200":
            self._json({"error": {"message": answer.error, "code": 502}})
        elif body.get("stream") and answer.fault != "no_stream":
            self._stream(answer, body)
        else:
            self._whole(answer, body)

    def _arrived(self, body: dict[str, Any]) -> OpenAIServer | None:
        owner = self.server.owner
        owner.requests.append(Seen(self.command, self.path, body, time.monotonic()))
        if self.headers.get("Authorization") != f"Bearer {owner.key}":
            self._error(401, f"Incorrect API key provided: {self._sent_key()}")
            return None
        return owner

    def _sent_key(self) -> str:
        return str(self.headers.get("Authorization", "")).removeprefix("Bearer ")

    def _error(self, status: int, text: str, headers: dict[str, str] | None = None, code: str | None = None) -> None:
        if self.server.owner.echo_key:
            text += f" (key {self._sent_key()})"
        error = {"error": {"message": text, "type": "scripted", "param": None, "code": code}}
        self._send(json.dumps(error).encode(), "application/json", status, headers)

    def _json(self, body: object) -> None:
        self._send(json.dumps(body).encode(), "application/json")

    def _send(self, data: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(data))} | (headers or {}))
        self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, answer: Answer, body: dict[str, Any]) -> None:
        calls = [
            {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(answer.tool_calls)
        ]
        message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
        if answer.thought:
            message["reasoning_content"] = answer.thought
        if calls:
            message["tool_calls"] = calls
        finish = answer.finish or ("tool_calls" if calls else "stop")
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        whole = self._envelope("chat.completion", body) | {"choices": [] if answer.fault == "no_choices" else choices}
        if answer.tokens is not None:
            whole["usage"] = _usage(answer.tokens)
        data = json.dumps(whole).encode()
        if answer.fault == "truncate":
            data = data[: len(data) // 2]
        if answer.fault == "close":
            self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(data))})
            self.wfile.write(data[: len(data) // 2])
            self._reset()
            return
        self._send(data, "application/json", headers=answer.headers)

    def _stream(self, answer: Answer, body: dict[str, Any]) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
        self.close_connection = True
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": answer.thought[i : i + 4]} for i in range(0, len(answer.thought), 4)]
        deltas += [{"content": answer.text[start : start + 4]} for start in range(0, len(answer.text), 4)]
        for index, (name, arguments) in enumerate(answer.tool_calls):
            head = {"index": index, "id": f"call_{index}", "type": "function"}
            deltas.append({"tool_calls": [head | {"function": {"name": name, "arguments": ""}}]})
            for start in range(0, len(arguments), 5):
                piece = {"arguments": arguments[start : start + 5]}
                deltas.append({"tool_calls": [{"index": index, "function": piece}]})
        for number, delta in enumerate(deltas):
            self._event(body, [{"index": 0, "delta": delta, "finish_reason": None}])
            if answer.fault == "close" and number == 1:
                time.sleep(0.1)  # let the client read what was sent: a reset throws away what it has not read
                self._reset()
                return
        if answer.fault == "no_finish":
            return
        finish = answer.finish or ("tool_calls" if answer.tool_calls else "stop")
        self._event(body, [{"index": 0, "delta": {}, "finish_reason": finish}])
        if (body.get("stream_options") or {}).get("include_usage") and answer.tokens is not None:
            self._event(body, [], _usage(answer.tokens))
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, body: dict[str, Any], choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> None:
        chunk = self._envelope("chat.completion.chunk", body) | {"choices": choices, "usage": usage}
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def _envelope(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body.get("model", "toy")}

    def _stall(self, owner: OpenAIServer, fault: str) -> None:
        self.close_connection = True
        if fault == "dribble":
            self._head(200, {"Content-Type": "application/json", "Connection": "close"})
        with contextlib.suppress(OSError):
            while not owner.closing.wait(0.05):
                if fault == "dribble":
                    self.wfile.write(b" ")
                    self.wfile.flush()

    def _muse(self, owner: OpenAIServer, body: dict[str, Any]) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
        self.close_connection = True
        try:
            while not owner.closing.wait(0.05):
                self._event(body, [{"index": 0, "delta": {"reasoning_content": "hm "}, "finish_reason": None}])
        except OSError:
            owner.left.set()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _usage(tokens: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}


if __name__ == "__main__":
    with OpenAIServer(lambda body: str(body["messages"][-1]["content"])) as echo:
        print(f"an echo at {echo.url} with the key {echo.key}; Ctrl-C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
