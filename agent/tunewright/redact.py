"""Text without keys: what looks like one, and what is one in this process's environment, is blacked out."""

import os
import re
from typing import Any

MARK = "[key removed]"

_SECRET_NAMES = ("_API_KEY", "_TOKEN", "_SECRET_ACCESS_KEY")
_SHORTEST = 8  # placeholders such as "none" or "EMPTY" are words, not secrets
_KEYS = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
        (?:sk|pk|rk|xai|gsk)[-_](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}     # OpenAI, Anthropic, xAI, Groq, Stripe
      | AIza[A-Za-z0-9_-]{30,}                                             # Google
      | (?:hf|ghp|gho|ghs|glpat|r8)[-_][A-Za-z0-9]{16,}                    # Hugging Face, GitHub, GitLab, Replicate
      | github_pat_[A-Za-z0-9_]{20,}
      | AKIA[A-Z0-9]{16}                                                   # AWS
    )""",
    re.VERBOSE,
)
_BEARER = re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{20,}")


def redact(text: str) -> str:
    """The text with `[key removed]` in place of every API key."""
    for name, value in os.environ.items():
        if name.endswith(_SECRET_NAMES) and len(value) >= _SHORTEST:
            text = text.replace(value, MARK)
    return _BEARER.sub(rf"\1{MARK}", _KEYS.sub(MARK, text))


def redact_all(value: Any) -> Any:
    """Plain data with every text in it redacted, keys of mappings included."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {redact(k) if isinstance(k, str) else k: redact_all(v) for k, v in value.items()}
        case list() | tuple():
            return [redact_all(v) for v in value]
    return value
