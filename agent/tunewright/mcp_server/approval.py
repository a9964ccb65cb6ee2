"""Approval over the protocol: the client's person is asked by an elicitation; without one the answer is no.

A call that needs a yes runs twice: the first time it only finds out what must be asked (nothing is done), the second
time it carries the person's answer to exactly that question.
"""

import hmac
import secrets
import time
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from tunewright.verbs.approval import ApprovalRequest, Meter

_KEPT_S = 900.0
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Approve", "description": "true: do it; false: do not"}},
    "required": ["approve"],
}
"""The form that the client shows to its person."""


@dataclass
class Turn:
    """One run of a call: the question that came up, and the one that was answered with yes."""

    granted: ApprovalRequest | None = None
    wanted: ApprovalRequest | None = None


_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


def enter(turn: Turn) -> None:
    """Let this call's approvals go through a turn; set in the thread that makes the call."""
    _turn.set(turn)


class Elicited:
    """Says yes only to the question that the client's person has answered with yes."""

    def approve(self, request: ApprovalRequest) -> bool:
        """Whether exactly this was granted; if not, the question is noted for the client."""
        turn = _turn.get()
        if turn is None:
            return False
        if turn.granted is not None and _deed(turn.granted) == _deed(request):
            turn.granted = None  # one yes, one deed
            return True
        turn.wanted = request
        return False

    def meter(self, request: ApprovalRequest) -> Meter | None:
        """None: a person's yes is to the whole request."""
        return None


def _deed(request: ApprovalRequest) -> ApprovalRequest:
    """What is asked for, without its estimate: that moves with each trial that ends while the person thinks."""
    return replace(request, estimate=None)


@dataclass(frozen=True)
class _Waiting:
    verb: str
    arguments: str
    request: ApprovalRequest
    since: float


class Questions:
    """Questions that wait for their answer, each under a token that only its asker has; an answer counts once."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    def put(self, verb: str, arguments: str, request: ApprovalRequest) -> str:
        """The token under which the answer must come back."""
        now = time.monotonic()
        self._waiting = {t: w for t, w in self._waiting.items() if now - w.since < _KEPT_S}
        token = secrets.token_urlsafe(24)
        self._waiting[token] = _Waiting(verb, arguments, request, now)
        return token

    def take(self, token: str, verb: str, arguments: str) -> ApprovalRequest | None:
        """The question that was asked for this very call; None for an unknown, old or used token."""
        found = next((t for t in self._waiting if hmac.compare_digest(t.encode(), token.encode())), None)
        if found is None:
            return None
        waiting = self._waiting.pop(found)
        fresh = time.monotonic() - waiting.since < _KEPT_S
        return waiting.request if fresh and (waiting.verb, waiting.arguments) == (verb, arguments) else None
