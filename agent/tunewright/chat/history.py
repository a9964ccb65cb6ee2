"""What was said in a talk, kept with the study, so that a later session goes on with its context."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tunewright.llm.base import Message, ToolCall
from tunewright.llm.extract import without_thoughts
from tunewright.redact import redact_all
from tunewright.study import Study
from tunewright.trial_json import to_plain

Role = Literal["user", "assistant", "tool"]
_KEY = "chat/"
_SUMMARY = "chat summary"
NOTHING_SAID = "(no words)"
"""Stands for a reply without words and without calls: several servers refuse a talk that holds an empty one."""


@dataclass(frozen=True)
class Said:
    """One message of the talk."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    at: float = 0.0
    """Unix seconds."""
    thought: str = ""
    """See `Message`."""
    model: str = ""
    """Who said it; empty for a person and for answers of verbs."""

    def message(self, model: str) -> Message:
        """As a model is told it: without what it thought, which would crowd out what was said.

        Where its server sends thoughts, or signatures of them, apart, that very model gets them back with its calls.
        """
        said = without_thoughts(self.content).strip() if self.role == "assistant" else self.content
        empty = self.role == "assistant" and not self.tool_calls and not said
        own = bool(self.tool_calls) and self.model == model
        calls = self.tool_calls if own else tuple(replace(c, extra=None) for c in self.tool_calls)
        thought = self.thought if own else ""
        return Message(self.role, NOTHING_SAID if empty else said, calls, self.tool_call_id, thought)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        calls = [{"id": c.id, "name": c.name, "arguments": c.arguments, "extra": c.extra} for c in self.tool_calls]
        return {
            "role": self.role,
            "content": self.content,
            "tool_calls": calls,
            "tool_call_id": self.tool_call_id,
            "at": self.at,
            "thought": self.thought,
            "model": self.model,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Said":
        """What `to_json` wrote."""
        calls = tuple(ToolCall(c["id"], c["name"], c["arguments"], c.get("extra")) for c in record["tool_calls"])
        who = {name: record.get(name, "") for name in ("thought", "model")}
        return cls(record["role"], record["content"], calls, record["tool_call_id"], record["at"], **who)


class History:
    """The messages of one talk, oldest first. Until a study is attached they are kept in memory only."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.summary = ""
        """What the first `covered` messages came to; empty until a talk grows long."""
        self.covered = 0
        self._study: Study | None = None

    @property
    def study(self) -> str | None:
        """Name of the study that the talk is kept with."""
        return None if self._study is None else self._study.name

    def attach(self, study: Study, turn: Sequence[Said] = ()) -> int:
        """Keep the talk with a study; how many earlier messages were found there.

        What was said before there was a study is written to it. A talk that moves from one study to another goes on
        with the history that is found there.

        Args:
            turn: messages of the turn that is going on; they move along.
        """
        if self._study is not None and self._study.name == study.name:
            self._study = study
            return 0
        before = list(turn) if self._study is not None else self.said
        self._study = study
        records = study.attributes(_KEY)
        self.said = [Said.from_json(records[key]) for key in sorted(records)]
        kept = study.get(_SUMMARY) or {}
        self.summary, self.covered = kept.get("text", ""), min(kept.get("covers", 0), len(self.said))
        found = [s for s in self.said if s not in before]  # a study that was renamed holds this very turn already
        for said in before:
            if said not in self.said:
                self._append(said)
        return len(found)

    def detach(self) -> None:
        """Go on in memory alone: the study is deleted."""
        self._study = None

    def add(
        self,
        role: Role,
        content: str,
        tool_calls: Sequence[ToolCall] = (),
        tool_call_id: str | None = None,
        *,
        thought: str = "",
        model: str = "",
    ) -> Said:
        """Put a message at the end; it is on record when this returns, keys taken out of it."""
        sent = [[c.arguments, c.extra] for c in tool_calls]
        clean = redact_all(to_plain({"content": content, "sent": sent, "thought": thought}))
        calls = tuple(ToolCall(c.id, c.name, *sent) for c, sent in zip(tool_calls, clean["sent"], strict=True))
        said = Said(role, clean["content"], calls, tool_call_id, time.time(), clean["thought"], model)
        self._append(said)
        return said

    def _append(self, said: Said) -> None:
        if self._study is not None:
            # by time and process: another session may talk about the same study at the same time
            self._study.set(f"{_KEY}{time.time_ns():020d}-{os.getpid()}", said.to_json())
        self.said.append(said)

    def summarise(self, text: str, covered: int) -> None:
        """Let a summary stand for the first `covered` messages; the messages themselves stay on record."""
        self.summary, self.covered = redact_all(text), covered
        if self._study is not None:
            self._study.set(_SUMMARY, {"text": self.summary, "covers": covered})

    def recent(self) -> list[Said]:
        """The messages that the summary does not cover, as a model may be told them.

        Calls without all of their answers (the session ended in between) are left out, and so are answers without
        their calls. Servers use the same ids again in later replies: only what stands right behind a call answers it.
        """
        left = self.said[self.covered :]
        found: list[Said] = []
        i = 0
        while i < len(left):
            said = left[i]
            end = i + 1
            while end < len(left) and left[end].role == "tool":
                end += 1
            answers = left[i + 1 : end]
            if said.role != "tool" and {c.id for c in said.tool_calls} == {a.tool_call_id for a in answers}:
                found += [said, *answers]
            elif said.role != "tool" and not said.tool_calls:
                found.append(said)
            i = end
        return found

    def messages(self, model: str = "") -> list[Message]:
        """`recent` as messages for a model; what a person said twice in a row is one, since some servers want turns."""
        made: list[Message] = []
        for message in (s.message(model) for s in self.recent()):
            if made and message.role == made[-1].role == "user":
                made[-1] = Message("user", f"{made[-1].content}\n\n{message.content}")
            else:
                made.append(message)
        return made
