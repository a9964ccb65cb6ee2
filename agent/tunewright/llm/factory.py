"""From the name of a model to the model."""

import difflib
from pathlib import Path

from tunewright.errors import ModelError
from tunewright.llm.base import Chat
from tunewright.llm.prices import PriceTable

ACCEPTED = (
    "accepted: local; openai/NAME (with base_url or OPENAI_BASE_URL: any OpenAI-compatible server); PROVIDER/NAME for "
    "a provider of litellm such as anthropic, gemini, mistral, ollama; none for the surrogate alone"
)
_USUAL = ("local", "none", "openai", "anthropic", "gemini", "mistral", "ollama", "groq", "deepseek", "openrouter")
_FAMILIES = {"gpt": "openai", "o3": "openai", "o4": "openai", "claude": "anthropic", "gemini": "gemini"}


def open_chat(
    model: "str | Chat | None", base_url: str | None = None, prices: PriceTable | Path | str | None = None
) -> Chat | None:
    """Return the model that a name stands for, without asking it anything; None and a `Chat` are returned as they are.

    Args:
        model: `local`, `openai/NAME`, `PROVIDER/NAME`, a `Chat`, or None (also the text `none`): the surrogate alone.
        base_url: the address of an OpenAI-compatible server, or another one than the provider's own.
        prices: the person's own prices, see `Prices.load`.

    Raises:
        ModelError: the name is none of these, or the price table cannot be read.
    """
    if model is None or model == "none":
        return None
    if not isinstance(model, str):
        if isinstance(model, Chat):
            return model
        raise ModelError(f"model is {type(model).__name__}, which is no Chat", ACCEPTED)
    provider, slash, name = model.partition("/")
    if model == "local":
        if base_url is not None:
            raise ModelError("the model `local` takes no base_url", "name a server's model as openai/NAME")
        from tunewright.llm.local import LocalChat

        return LocalChat()
    if not slash or not provider.strip() or not name.strip():
        raise ModelError(f"model is {model!r}", _suggestion(model) + ACCEPTED)
    if provider == "openai":
        from tunewright.llm.openai_chat import OpenAIChat

        return OpenAIChat(name, base_url=base_url, prices=prices)
    from tunewright.llm.litellm_chat import LiteLLMChat

    return LiteLLMChat(model, base_url=base_url, prices=prices)


def _suggestion(model: str) -> str:
    for family, provider in _FAMILIES.items():
        if model.lower().startswith(family):
            return f"did you mean {provider}/{model}? "
    close = difflib.get_close_matches(model.strip("/").lower(), _USUAL, n=1)
    return f"did you mean {close[0] if close[0] in ('local', 'none') else close[0] + '/NAME'}? " if close else ""
