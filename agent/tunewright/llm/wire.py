"""The wire format of OpenAI-compatible endpoints: a `Request` into keyword arguments, an answer into an `Exchange`.

Both libraries hand out objects of this shape; they are read with `getattr`, because servers leave fields out.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from tunewright.llm.base import Finish, Message, Request, ToolCall, ToolSpec
from tunewright.llm.extract import parse_arguments

Route = Literal["json_schema", "tool", "text"]
"""How a structured reply is asked for, in the order of preference."""
ROUTES: tuple[Route, ...] = ("json_schema", "tool", "text")


@dataclass
class Exchange:
    """One answer of an endpoint, not yet interpreted. `counted` is False when the server sent no token counts."""

    text: str = ""
    thought: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    raw_arguments: list[str] = field(default_factory=list)
    finish: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    counted: bool = False

    def count(self, usage: Any) -> None:
        """Take over the server's token counts, if there are any.

        Several servers (xAI, Gemini) leave what a model thinks out of `completion_tokens`; the total holds it, and so
        does the bill.
        """
        tokens_in, tokens_out = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
        if isinstance(tokens_in, int) and isinstance(tokens_out, int):
            total = getattr(usage, "total_tokens", None)
            thought = total - tokens_in - tokens_out if isinstance(total, int) else 0
            self.tokens_in, self.tokens_out, self.counted = tokens_in, tokens_out + max(0, thought), True

    def add_call(self, call_id: str, name: str, arguments: str, extra: dict[str, Any] | None = None) -> None:
        """Keep a tool call and the text of its arguments."""
        self.calls.append(ToolCall(id=call_id, name=name, arguments=parse_arguments(arguments), extra=extra))
        self.raw_arguments.append(arguments)


def build_arguments(request: Request, model: str, route: Route | None) -> dict[str, Any]:
    """Return the keyword arguments of a chat completion; `route` says how a structured reply is asked for."""
    arguments: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    if request.seed is not None:
        arguments["seed"] = request.seed
    tools = [_tool(tool) for tool in request.tools]
    if request.schema is not None and route == "json_schema":
        schema = {"name": schema_name(request.schema), "schema": request.schema, "strict": False}
        arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.schema is not None and route == "tool":
        name = schema_name(request.schema)
        tools.append(_tool(ToolSpec(name, str(request.schema.get("description", "")), request.schema)))
        forced = {"type": "function", "function": {"name": name}}
        arguments["tool_choice"] = "required" if request.tools else forced
    if tools:
        arguments["tools"] = tools
    if request.on_text is not None:
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    return arguments


def schema_name(schema: dict[str, Any]) -> str:
    """Return a name for the schema within the letters that endpoints allow: its title, or `reply`."""
    return _name(str(schema.get("title") or "reply"))


def read_answer(answer: Any) -> Exchange | None:
    """Return the first choice of a whole answer; None when it is no chat completion at all."""
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list):
        return None
    exchange = Exchange()
    exchange.count(getattr(answer, "usage", None))
    if not choices:
        # An answer that was paid for but says nothing is a reply without data, not a failed call.
        return exchange if exchange.counted else None
    message = getattr(choices[0], "message", None)
    exchange.finish = getattr(choices[0], "finish_reason", None)
    exchange.text = _said(message)
    exchange.thought = _thought(message)
    for index, call in enumerate(_listed(message, "tool_calls")):
        function = getattr(call, "function", None)
        arguments = _as_text(getattr(function, "arguments", None))
        exchange.add_call(_worded(call, "id") or f"call_{index}", _worded(function, "name"), arguments, _extra(call))
    return exchange


def read_stream(
    chunks: Iterable[Any], emit: Callable[[str], None], hear: Callable[[int], None] = lambda characters: None
) -> Exchange:
    """Return the pieces of a streamed answer put together.

    A stream that ends without saying that it is finished leaves `finish` None.

    Args:
        emit: gets each piece of text as it comes, and an empty one for each piece of anything else.
        hear: gets the number of characters of each piece, thoughts and arguments of calls included, before it is kept.
    """
    exchange = Exchange()
    text: list[str] = []
    calls: list[tuple[int, list[str]]] = []
    last: dict[int, list[str]] = {}
    thoughts: list[str] = []
    extras: dict[int, Any] = {}  # by the identity of a call's parts
    for chunk in chunks:
        exchange.count(getattr(chunk, "usage", None))
        for choice in _listed(chunk, "choices")[:1]:
            exchange.finish = getattr(choice, "finish_reason", None) or exchange.finish
            delta = getattr(choice, "delta", None)
            piece, thought = _said(delta), _thought(delta)
            hear(len(piece) + len(thought))
            text.append(piece)
            thoughts.append(thought)
            emit(piece)
            for call in _listed(delta, "tool_calls"):
                stated, call_id = getattr(call, "index", None), _worded(call, "id")
                index = stated if isinstance(stated, int) else 0
                function = getattr(call, "function", None)
                name = _worded(function, "name")
                # Several servers give no index, or the same one to every call: there a new name under a new id begins
                # the next call.
                if index not in last or (name and call_id not in ("", last[index][0])):
                    last[index] = ["", "", ""]
                    calls.append((index, last[index]))
                parts = last[index]
                extras[id(parts)] = _extra(call) or extras.get(id(parts))
                parts[0] = parts[0] or call_id
                parts[1] = parts[1] or name
                arguments = _as_text(getattr(function, "arguments", None))
                hear(len(arguments))
                parts[2] += arguments
    exchange.text = "".join(text)
    exchange.thought = "".join(thoughts)
    for number, (_, parts) in enumerate(sorted(calls, key=lambda call: call[0])):
        call_id, name, arguments = parts
        exchange.add_call(call_id or f"call_{number}", name, arguments, extras[id(parts)])
    return exchange


def _said(message: Any) -> str:
    """The text of a message, or of a piece of one; what the model says in place of an answer, where it refuses.

    Several servers send the text in parts; parts of other kinds (what a model thinks first, an image) are left out.
    """
    content = getattr(message, "content", None) or getattr(message, "refusal", None)
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _thought(message: Any) -> str:
    return _worded(message, "reasoning_content")


def _worded(of: Any, name: str) -> str:
    """A text that a server sent; empty where it sent none, or something else."""
    value = getattr(of, name, None)
    return value if isinstance(value, str) else ""


def _listed(of: Any, name: str) -> list[Any]:
    value = getattr(of, name, None)
    return value if isinstance(value, list) else []


def _extra(call: Any) -> dict[str, Any] | None:
    extra = getattr(call, "extra_content", None)
    return extra if isinstance(extra, dict) else None


def _as_text(arguments: Any) -> str:
    """A call's arguments as the text that most servers send; some send the object itself."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""


def content_type(stream: Any) -> str:
    """The type that a streamed answer says it has, without its parameters; empty where that is not known."""
    headers = getattr(getattr(stream, "response", None), "headers", None) or {}
    return str(headers.get("content-type", "")).partition(";")[0].strip().lower()


def finish_of(reason: str | None, calls: bool) -> Finish:
    """Return our word for a server's finish reason; a filtered reply counts as stopped, its text is what there is."""
    if reason == "length":
        return "length"
    return "tool_calls" if calls else "stop"


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:64]


def whole(value: Any) -> Any:
    """Plain data whose texts can be written as UTF-8: JSON also has halves of characters, which nothing else can keep.

    Two halves in a row are the character that they make; one alone becomes U+FFFD, the mark for what cannot be read.
    """
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {whole(key): whole(inner) for key, inner in value.items()}
        case list():
            return [whole(inner) for inner in value]
    return value


def _message(message: Message) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": message.role, "content": whole(message.content)}
    if message.tool_calls:
        entry["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                # a name that a model made up; several servers refuse a talk that holds one they would not allow
                "function": {"name": _name(call.name or "unknown"), "arguments": json.dumps(call.arguments)},
                **({"extra_content": call.extra} if call.extra is not None else {}),
            }
            for call in message.tool_calls
        ]
    if message.thought:
        entry["reasoning_content"] = whole(message.thought)
    if message.tool_call_id is not None:
        entry["tool_call_id"] = message.tool_call_id
    return entry


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}
