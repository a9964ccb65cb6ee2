"""All other providers, through litellm (an extra, imported when it is first used)."""

import contextlib
import difflib
import importlib.util
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.llm.completions import CompletionsChat, check_address
from tunewright.llm.faults import Endpoint
from tunewright.llm.prices import Prices, PriceTable
from tunewright.redact import Redactor, public_url

_AMBIENT = frozenset({"bedrock", "sagemaker", "vertex_ai"})  # credentials also come from files and machine roles
_EITHER = frozenset({"gemini"})  # litellm lists two names for one key
_ADDRESSES = ("_API_BASE", "_BASE_URL")  # litellm lists these as missing although they have defaults (Ollama)
INSTALL = "pip install 'tunewright[litellm]'"


class LiteLLMChat(CompletionsChat):
    """A model of any provider that litellm knows, named `provider/model`.

    Args:
        model: for example `anthropic/claude-sonnet-4-5` or `ollama/qwen3`.
        base_url: another address than the provider's own.
        api_key: by default the provider's own environment variable. It appears in no name, error or log.
        prices: the person's own prices: `Prices`, a mapping or a YAML file.
        name: how the model is shown; `model` by default.
        sleep: how to wait between retries.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        prices: Prices | PriceTable | Path | str | None = None,
        name: str | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if base_url is not None:
            check_address(base_url)
        self._url = base_url
        self._key = api_key
        provider = model.partition("/")[0]
        redact = Redactor([api_key])
        super().__init__(
            endpoint=Endpoint(
                name=redact(name or model),
                where=redact(public_url(base_url)) if base_url else provider,
                key_hint=f"check the key of {provider} in the environment: it is refused, or may not use this model",
                redact=redact,
            ),
            model=model,
            prices=prices if isinstance(prices, Prices) else Prices.load(prices),
            public_price=base_url is None,
            sleep=sleep,
        )

    def check(self) -> None:
        """Raise `ModelError` when litellm is missing, does not know the provider, or finds no key in the environment.

        No request is made: providers share no free path to ask.
        """
        litellm = load_litellm()
        provider = self.model.partition("/")[0]
        try:
            litellm.get_llm_provider(self.model, api_base=self._url)
        except Exception:
            known = sorted(str(getattr(entry, "value", entry)) for entry in litellm.provider_list)
            close = difflib.get_close_matches(provider, known, n=3)
            meant = f"did you mean {' or '.join(close)}? " if close else ""
            raise ModelError(
                f"{self.name}: litellm knows no provider called {provider!r}",
                f"{meant}See https://docs.litellm.ai/docs/providers for the names",
            ) from None
        if self._key or provider in _AMBIENT:
            return
        found = litellm.validate_environment(self.model, api_base=self._url)
        missing = [str(key) for key in found.get("missing_keys", []) if not str(key).endswith(_ADDRESSES)]
        if not found.get("keys_in_environment", True) and missing:
            either = " or " if provider in _EITHER else " and "
            raise ModelError(f"{self.name}: no key", f"set {either.join(missing)}, or use --model local")

    def close(self) -> None:
        """Nothing is held: litellm keeps its own pool of connections for the process."""

    def _send(self, arguments: dict[str, Any], timeout_s: float) -> Any:
        litellm = load_litellm()
        own = {key: value for key, value in (("api_base", self._url), ("api_key", self._key)) if value}
        return litellm.completion(**arguments, **own, timeout=timeout_s, max_retries=0, num_retries=0)


def load_litellm() -> Any:
    """Import litellm, its own fetching, telemetry and advertisements off; raise `ModelError` without it."""
    if importlib.util.find_spec("litellm") is None:
        raise ModelError("the package litellm is not installed", f"{INSTALL}, or use --model local or openai/<name>")
    for fetched in ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS"):  # from GitHub, where these are not set
        os.environ.setdefault(f"LITELLM_LOCAL_{fetched}", "True")
    import litellm

    # Pydantic remarks on a type of litellm's at the first streamed answer; a person could do nothing about it.
    warnings.filterwarnings("ignore", message="Item '.*' on TypedDict class", category=UserWarning)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    with contextlib.suppress(AttributeError):
        litellm.set_verbose = False
    return litellm
