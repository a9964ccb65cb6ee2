"""What every model is to us: one `Request` in, one `Reply` out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

Purpose = Literal["first_round", "propose", "repair", "chat"]
Finish = Literal["stop", "length", "tool_calls"]

THINKING_TOKENS = 25_000
"""Tokens beyond those of an answer, for a model that has used them up before it answered: it thinks first, and servers
count that as written. As many as OpenAI's guide to its reasoning models says to reserve."""
THINKING_DEADLINE_S = 600.0
"""Seconds for a reply of such a model."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation, in the vocabulary of OpenAI-compatible servers."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple["ToolCall", ...] = ()
    tool_call_id: str | None = None
    thought: str = ""
    """What a model thought before it said this, as sent: DeepSeek refuses a call that comes back without."""


@dataclass(frozen=True)
class ToolSpec:
    """A function that a model may call: its name, what it does, its arguments as a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call that a model asks for. `arguments` is unchecked data."""

    id: str
    name: str
    arguments: dict[str, Any]
    extra: dict[str, Any] | None = None
    """What the server sent beside the call and wants back with it, such as Gemini's signature of a thought."""


@dataclass(frozen=True)
class Request:
    """One question to a model."""

    messages: tuple[Message, ...]
    schema: dict[str, Any] | None = None
    """JSON schema that the reply should follow; None for free text."""
    tools: tuple[ToolSpec, ...] = ()
    n_expected: int = 1
    """How many configurations the reply should hold."""
    max_tokens: int = 2048
    temperature: float = 0.7
    seed: int | None = None
    deadline_s: float = 120.0
    """Seconds that the whole exchange may take, all retries included."""
    purpose: Purpose = "propose"
    on_text: Callable[[str], None] | None = None
    """Called with each piece of text as it arrives, where the backend streams."""


@dataclass(frozen=True)
class Reply:
    """What came back. `data` is the parsed JSON of a structured reply, unchecked; None when nothing parsed."""

    text: str
    data: Any = None
    tool_calls: tuple[ToolCall, ...] = ()
    thought: str = ""
    """See `Message`."""
    finish: Finish = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    """None: no price is known for this model; 0.0: free (a local model)."""


@runtime_checkable
class Chat(Protocol):
    """A model that can be asked."""

    name: str
    """As the person named it, for example `openai/gpt-5` or `local`; never holds a key."""
    trusted_tools: bool
    """False: may not trigger anything that spends or deletes, and is asked for one configuration a call."""

    def check(self) -> None:
        """Raise `ModelError` when the model cannot be asked (no key, unreachable, no weights). Spends nothing."""

    def complete(self, request: Request) -> Reply:
        """Ask once; raises `ModelError` when no reply came within the deadline."""

    def close(self) -> None:
        """Let go of connections and child processes; calling it twice is fine."""
