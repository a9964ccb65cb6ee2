"""Model calls kept in a file of JSON lines, and a model that answers from such a file."""

import dataclasses
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.llm.base import Chat, Reply, Request, ToolCall
from tunewright.redact import Redactor

_REMEDY = "record it again with `Recording`"


def fingerprint(request: Request) -> str:
    """Return the SHA-256 of the messages' roles and texts: two requests that say the same have the same one."""
    said = [[message.role, message.content] for message in request.messages]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


class Recording:
    """A `Chat` that asks another one and appends each reply, or failure, to a file as one JSON line.

    The prompts are not kept, only their fingerprints; keys are taken out of what is written.
    """

    def __init__(self, chat: Chat, path: Path | str) -> None:
        self.name = chat.name
        self.trusted_tools = chat.trusted_tools
        self._chat = chat
        self._path = Path(path)
        self._redact = Redactor()
        self._lock = threading.Lock()

    def check(self) -> None:
        """See the chat that is recorded."""
        self._chat.check()

    def complete(self, request: Request) -> Reply:
        """Ask the chat that is recorded, and keep what it says; its `ModelError` too."""
        entry: dict[str, Any] = {"purpose": request.purpose, "key": fingerprint(request), "model": self.name}
        try:
            reply = self._chat.complete(request)
        except ModelError as error:
            failure = {"message": error.message, "hint": error.hint, "retryable": error.retryable}
            self._append(entry | {"error": failure})
            raise
        self._append(entry | {"reply": dataclasses.asdict(reply)})
        return reply

    def close(self) -> None:
        """Close the chat that is recorded."""
        self._chat.close()

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(self._clean(entry), ensure_ascii=False, allow_nan=False)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, dict):
            return {key: self._clean(inner) for key, inner in value.items()}
        return [self._clean(inner) for inner in value] if isinstance(value, list | tuple) else value


class Recorded:
    """A `Chat` that replays a file that `Recording` wrote.

    A request gets the first unused entry with its purpose and the same messages; without one, the next unused entry
    of its purpose. Tokens, seconds and cost are those of the recorded call: a replay itself spends nothing.

    Raises:
        ModelError: the file cannot be read; or, when asked, nothing is left for this purpose.
    """

    def __init__(self, path: Path | str, *, trusted_tools: bool = True) -> None:
        self._path = Path(path)
        self.name = f"recorded/{self._path.name}"
        self.trusted_tools = trusted_tools
        self._unused = _read(self._path)
        self._lock = threading.Lock()

    def check(self) -> None:
        """The file was read when this was made."""

    def complete(self, request: Request) -> Reply:
        """Return the recorded reply, or raise the recorded failure."""
        entry = self._take(request)
        if "error" in entry:
            raise ModelError(**entry["error"])
        fields = entry["reply"]
        calls = tuple(ToolCall(**call) for call in fields["tool_calls"])
        reply = Reply(**{**fields, "tool_calls": calls})
        if request.on_text is not None and reply.text:
            request.on_text(reply.text)
        return reply

    def close(self) -> None:
        """Nothing to let go of."""

    def _take(self, request: Request) -> dict[str, Any]:
        key = fingerprint(request)
        with self._lock:
            same_purpose = [entry for entry in self._unused if entry["purpose"] == request.purpose]
            exact = [entry for entry in same_purpose if entry["key"] == key]
            for entry in exact or same_purpose:
                self._unused.remove(entry)
                return entry
        raise ModelError(f"{self.name}: no unused reply is left for the purpose {request.purpose!r}", _REMEDY)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read the recording {path}: {error}", _REMEDY) from None
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            _check(entry)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{path}, line {number} is no recorded call: {error!r}", _REMEDY) from None
        entries.append(entry)
    return entries


def _check(entry: Any) -> None:
    """Raise KeyError or TypeError unless the entry can be replayed."""
    for key in ("purpose", "key"):
        if not isinstance(entry[key], str):
            raise TypeError(f"{key} is {entry[key]!r}")
    if "error" in entry:
        ModelError(**entry["error"])
    else:
        Reply(**entry["reply"])
        for call in entry["reply"]["tool_calls"]:
            ToolCall(**call)
