"""Text without keys in it: what a server says may repeat the key that it was given."""

import os
import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[key removed]"
_SECRET_NAME = re.compile(r"(API_?KEY|_TOKEN|_SECRET|_PASSWORD|SECRET_ACCESS_KEY)$")
# Shapes of keys that may turn up without being ours, for example another key of the same account.
_KEY_SHAPE = re.compile(r"\b(?:sk|pk|rk|gsk|hf|xai)[-_][A-Za-z0-9_\-*]{8,}|(?<=Bearer )[^\s\"',}]+")
_SHORTEST = 6  # shorter values ("x", "none", "EMPTY" of keyless servers) are words of ordinary text


class Redactor:
    """Replaces known secrets, and whatever looks like a key, by `[key removed]`."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets = {secret for secret in secrets if secret and len(secret) >= _SHORTEST}

    def __call__(self, text: str) -> str:
        """Return `text` without any key, those of the present environment included."""
        for secret in sorted(self._secrets | environment_secrets(), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return _KEY_SHAPE.sub(HIDDEN, text)


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
