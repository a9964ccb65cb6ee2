"""Text without keys: what looks like one, what this process's environment holds, and what the caller knows of."""

import os
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[key removed]"

_SECRET_NAME = re.compile(
    r"((API|ACCESS|ACCOUNT|AUTH|PRIVATE|SECRET|OPENAI|KAGGLE)_?KEY|(^|_)(TOKEN|SECRET|PASS)|PASSWORD|PASSWD|PASSPHRASE"
    r"|_PAT)$"
)
_SHORTEST = 6  # shorter values ("x", "none", "EMPTY" of keyless servers) are words of ordinary text
_KEY_SHAPE = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
        (?:sk|pk|rk|xai|gsk)[-_](?=[A-Za-z0-9_*-]*[\d*])[A-Za-z0-9_*-]{8,}  # OpenAI, Anthropic, xAI, Groq; masked too
      | AIza[A-Za-z0-9_-]{30,}                                               # Google
      | (?:hf|ghp|gho|ghs|glpat|r8)[-_][A-Za-z0-9]{12,}                      # Hugging Face, GitHub, GitLab, Replicate
      | github_pat_[A-Za-z0-9_]{20,}
      | AKIA[A-Z0-9]{16}                                                     # AWS
    )""",
    re.VERBOSE,
)
_BEARER = re.compile(r"(\bBearer\s+)[^\s\"',}]{6,}|((?i:\bbearer)\s+)[A-Za-z0-9._~+/=-]{20,}")

_IN_A_URL = re.compile(
    r"""(://[^\s:/?\#"'<>]*:)[^\s/?\#"'<>]+(?=@)                                 # a password beside the user's name
      | (?i:([?&][a-z0-9_-]*(?:key|token|secret|password|signature)=))[^\s&\#"'<>]{6,}  # a key of the query""",
    re.VERBOSE,
)


class Redactor:
    """Replaces known secrets, whatever looks like a key, and passwords in addresses by `[key removed]`."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets = {secret for secret in secrets if secret and len(secret) >= _SHORTEST}

    def __call__(self, text: str) -> str:
        """Return `text` without any key, those of the present environment included."""
        for secret in sorted(self._secrets | environment_secrets(), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        for pattern in (_BEARER, _IN_A_URL):
            text = pattern.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", text)
        return _KEY_SHAPE.sub(HIDDEN, text)


redact = Redactor()
"""For text of which no secret is known beyond those of the environment."""


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


def environment_secrets() -> set[str]:
    """Values of environment variables whose names say that they hold a key, a token or a password."""
    return {value for name, value in os.environ.items() if is_secret_name(name) and len(value) >= _SHORTEST}


def is_secret_name(name: str) -> bool:
    """Whether an environment variable of this name holds a secret."""
    return bool(_SECRET_NAME.search(name.upper()))


def public_url(url: str) -> str:
    """Return the address without user name, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def hide_password(text: str) -> str:
    """The address of a database without its password, which may hold slashes, and `@` where a user's name does."""
    text = re.sub(r"(://[^:/\s]*):(?:\S+|[^@/]+)@", r"\1:***@", text)
    return re.sub(r"(?i)([?&](?:ssl)?password=)[^&\s]+", r"\1***", text)
