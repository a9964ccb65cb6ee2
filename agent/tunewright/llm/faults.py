"""What went wrong in a library's words, turned into a `Fault` in ours, without any key in it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tunewright.llm.retry import Fault
from tunewright.redact import Redactor

_TOO_LONG = re.compile(r"context.?(length|window|size)|(prompt|input|request) is too (long|large)|request_too_large")
# "exceeded your current quota" is not among them: Gemini says so where a minute's requests are used up. Scaleway says
# INSUFFICIENT QUOTA there, and Alibaba has OpenAI's code; both name a limit behind it.
_NO_CREDIT = re.compile(
    r"insufficient_quota(?!.*limit)|insufficient.?(balance|credits?\b|funds)|credit balance is too low"
    r"|used all available credits|exceeded_current_quota_error|billing_(hard_limit_reached|not_active)"
)
_LONGEST = 600  # characters of a server's own words that a person is shown
_SCOPES = ("missing scopes", "api.model.read")  # a restricted key that may chat but not list models


@dataclass(frozen=True)
class Endpoint:
    """Whom we talk to, in words that may be shown."""

    name: str
    """The model as the person named it."""
    where: str
    """The address, without secrets."""
    key_hint: str
    """The next step when the key is refused."""
    redact: Redactor
    """Takes keys out of the server's words."""


def to_fault(error: Exception, at: Endpoint) -> Fault | None:
    """Return the fault behind an exception of openai, litellm or an HTTP library; None for one of another kind."""
    status = getattr(error, "status_code", None)
    words = shorten(at.redact(_words(error)))
    kinds = {base.__name__ for base in type(error).__mro__}
    if "APIConnectionError" in kinds and "No module named" in words:  # litellm wraps even a failed import so
        return Fault(f"{at.name}: {words}", "pip install 'tunewright[litellm]' brings every part", kind="reply")
    if "APIConnectionError" in kinds and "Unable to get json response" in words:  # and an answer that is none
        return no_completion(words, at)
    if kinds & {"APITimeoutError", "TimeoutException", "TimeoutError"}:
        return timeout_fault(at)
    if "APIConnectionError" in kinds or ("APIError" not in kinds and kinds & {"TransportError", "OSError"}):
        detail = shorten(at.redact(str(error.__cause__ or error))) or type(error).__name__
        return Fault(
            f"{at.name}: no connection to {at.where}: {detail}",
            "is the server running there, and the address (base_url) right?",
            kind="connection",
        )
    if isinstance(status, int) and not isinstance(error, json.JSONDecodeError):
        return status_fault(status, words, at, _headers(error), _code(getattr(error, "body", None)))
    if "APIError" in kinds:  # an error event inside a stream that began with 200
        return body_fault(getattr(error, "body", None) or words, at)
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) or "OpenAIError" in kinds:
        return no_completion(words, at)
    return None


def status_fault(status: int, words: str, at: Endpoint, headers: dict[str, str] | None = None, code: str = "") -> Fault:
    """Return the fault for an HTTP status; `words` are the server's own, already without keys, `code` is its code."""
    no_credit = status == 402 or (400 <= status < 500 and bool(_NO_CREDIT.search(f"{code} {words}".lower())))
    if no_credit:
        hint = "the account has no credit left: top it up, or name another model or --model local"
    elif status in (401, 403):
        hint = at.key_hint
    elif status == 404:
        hint = f"check the model's name and the address {at.where} (it usually ends in /v1)"
    elif status == 429:
        hint = "the account's rate limit or its credit is used up: wait, or ask fewer questions at once"
    elif status >= 500 or status in (408, 409):
        hint = "the server is at fault or busy: try again later"
    elif status == 413 or _TOO_LONG.search(words.lower()):
        hint = "the prompt is too long for this model or server: name a model with a longer context"
    else:
        hint = "the endpoint refuses this request as it stands; its own words say why"
    said = f"{at.name}: HTTP {status} from {at.where}: {words}"
    return Fault(said, hint, kind="status", status=status, headers=headers, no_credit=no_credit)


def body_fault(body: object, at: Endpoint) -> Fault:
    """Return the fault for an error that came inside a successful answer, as some gateways and all streams send it."""
    code = body.get("code") if isinstance(body, dict) else None
    kind = str(body.get("type", "")) if isinstance(body, dict) else ""
    words = shorten(at.redact(str(body.get("message") or body) if isinstance(body, dict) else str(body)))
    text = str(code)
    status = int(text) if text.isdigit() and 400 <= int(text) <= 599 else None
    if status is None and "server_error" in (kind, text):
        status = 500
    if status is not None:
        return status_fault(status, words, at, code=_code(body))
    return Fault(f"{at.name}: {at.where} answered with an error: {words}", "its own words say why", kind="reply")


def no_completion(words: str, at: Endpoint) -> Fault:
    """Return the fault for an answer that is none of an API's, such as a proxy's page; `words` are what it says."""
    return Fault(
        f"{at.name}: {at.where} answered with something that is no chat completion: {shorten(at.redact(words))}",
        "is base_url the address of an OpenAI-compatible API? It usually ends in /v1",
        kind="reply",
    )


def timeout_fault(at: Endpoint) -> Fault:
    """Return the fault for an answer that did not come in time."""
    return Fault(
        f"{at.name}: no answer from {at.where} within the deadline",
        "try again later, allow more time, or choose a faster model",
        kind="timeout",
    )


def is_missing_scope(fault: Fault) -> bool:
    """Whether a 403 only says that this key may not list models; it may still be allowed to chat."""
    return fault.status == 403 and any(scope in fault.message.lower() for scope in _SCOPES)


def shorten(words: str) -> str:
    """One paragraph of at most 600 characters, without what would move a terminal's cursor."""
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "..."


def _words(error: Exception) -> str:
    """The server's message, if the library kept its parsed body; otherwise what the library says."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and inner.get("message"):
            return str(inner["message"])
    return str(error) or type(error).__name__


def _code(body: object) -> str:
    """The server's type and code of an error, which are plainer than its words; empty where it sent none."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    return f"{inner.get('type', '')} {inner.get('code', '')}" if isinstance(inner, dict) else ""


def _headers(error: Exception) -> dict[str, str]:
    """Lower-case headers of the answer; litellm keeps the real ones aside from its made-up response."""
    found: dict[str, str] = {}
    sources: list[Any] = [
        getattr(getattr(error, "response", None), "headers", None),
        getattr(error, "litellm_response_headers", None),
    ]
    for headers in sources:
        if headers is not None:
            found.update({str(key).lower(): str(value) for key, value in headers.items()})
    return found
