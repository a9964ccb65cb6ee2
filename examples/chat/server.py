"""A small OpenAI-compatible server on loopback whose replies are a script: streaming, with calls of tools.

with ScriptedServer([{"text": "Hello."}, {"calls": [("show_best", {})]}]) as server:
    ...  # --model openai/scripted --base-url server.url, any key
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = dict[str, Any]
Scripted = Reply | Callable[[dict[str, Any]], Reply]


class ScriptedServer:
    """A context manager; `url` ends in `/v1`.

    Args:
        replies: each `{"text": ..., "calls": [(verb, arguments), ...]}`, or a function of the request's body that
            makes one. When they run out, the answer is 400.
        pause_s: seconds between the pieces of a reply.
    """

    def __init__(self, replies: Iterable[Scripted], pause_s: float = 0.01) -> None:
        self.requests: list[dict[str, Any]] = []
        self.pause_s = pause_s
        self._replies = list(replies)
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.owner = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> "ScriptedServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def next_reply(self, body: dict[str, Any]) -> Reply | None:
        """The next reply of the script; None when there is none left."""
        with self._lock:
            self.requests.append(body)
            if not self._replies:
                return None
            reply = self._replies.pop(0)
        return reply(body) if callable(reply) else reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """No log."""

    def do_GET(self) -> None:
        self._whole(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner: ScriptedServer = self.server.owner  # type: ignore[attr-defined]
        reply = owner.next_reply(body)
        if reply is None:
            self._whole(400, {"error": {"message": "the script has no more replies"}})
        elif body.get("stream"):
            self._stream(reply, owner.pause_s)
        else:
            self._whole(200, _answer({"role": "assistant", "content": reply.get("text", "")}, "message", "stop"))

    def _whole(self, status: int, record: dict[str, Any]) -> None:
        data = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, reply: Reply, pause_s: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for word in str(reply.get("text", "")).split(" "):
            self._event(_answer({"content": f"{word} "}, "delta", None))
            time.sleep(pause_s)
        for index, (name, arguments) in enumerate(reply.get("calls", ())):
            function = {"name": name, "arguments": json.dumps(arguments)}
            call = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
            self._event(_answer({"tool_calls": [call]}, "delta", None))
        self._event(_answer({}, "delta", "tool_calls" if reply.get("calls") else "stop"))
        usage = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
        self._event({**_answer({}, "delta", None), "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, record: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(record).encode() + b"\n\n")
        self.wfile.flush()


def _answer(what: dict[str, Any], key: str, finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, key: what, "finish_reason": finish}
    return {"id": "scripted", "object": "chat.completion", "created": 1, "model": "scripted", "choices": [choice]}
