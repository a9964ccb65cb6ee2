"""Any OpenAI-compatible endpoint, through the openai SDK."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tunewright.errors import ModelError
from tunewright.llm.completions import CompletionsChat, check_address
from tunewright.llm.faults import Endpoint, is_missing_scope, to_fault
from tunewright.llm.prices import Prices, PriceTable
from tunewright.redact import Redactor, public_url

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
OPENAI_URL = "https://api.openai.com/v1"
_CHECK_S = 10.0


class OpenAIChat(CompletionsChat):
    """A model at OpenAI or at any server that speaks the same API.

    Args:
        model: its name there, without `openai/`.
        base_url: the server's address, usually ending in `/v1`; by default OPENAI_BASE_URL, then OpenAI itself.
        api_key: by default OPENAI_API_KEY. It appears in no name, error or log.
        prices: the person's own prices: `Prices`, a mapping or a YAML file. Published prices are used for OpenAI's
            own endpoint only.
        name: how the model is shown; `openai/<model>` by default.
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
        self._url = base_url or os.environ.get(URL_VARIABLE) or OPENAI_URL
        self._key = api_key or os.environ.get(KEY_VARIABLE) or None
        check_address(self._url)
        redact = Redactor([self._key, urlsplit(self._url).password])
        super().__init__(
            endpoint=Endpoint(
                name=redact(name or f"openai/{model}"),
                where=redact(public_url(self._url)),
                key_hint=f"check the key in {KEY_VARIABLE}: the server refuses it, or it may not use this model",
                redact=redact,
            ),
            model=model,
            prices=prices if isinstance(prices, Prices) else Prices.load(prices),
            public_price=urlsplit(self._url).hostname == urlsplit(OPENAI_URL).hostname,
            sleep=sleep,
        )
        self._client: Any = None

    def check(self) -> None:
        """Raise `ModelError` when there is no key, no server, or the server refuses the key.

        Asks for `GET /models`, which is free. A server without that path (404, 405) passes, and so does a key that
        may chat but not list models.
        """
        client = self._connected()
        try:
            client.models.with_raw_response.list(timeout=_CHECK_S)
        except Exception as error:
            fault = to_fault(error, self._endpoint)
            if fault is None:
                raise
            if fault.status in (400, 404, 405, 422, 429, 501) or is_missing_scope(fault):
                return
            raise fault from None

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _send(self, arguments: dict[str, Any], timeout_s: float) -> Any:
        return self._connected().chat.completions.create(**arguments, timeout=timeout_s)

    def _connected(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> Any:
        if not self._key:
            raise ModelError(
                f"{self.name}: no key",
                f"set {KEY_VARIABLE} (for a server that asks for no key, any text will do), or use --model local",
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelError(
                f"{self.name}: the key in {KEY_VARIABLE} holds a character that no key has",
                "copy it anew: plain letters, digits and signs, without a line end",
            )
        from openai import OpenAI

        return OpenAI(api_key=self._key, base_url=self._url, max_retries=0)
