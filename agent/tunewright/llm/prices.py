"""What a model call costs: from the person's own table, ours, or the one that litellm packages; otherwise unknown."""

import functools
import importlib.util
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.llm.base import Chat

ENVIRONMENT = "TUNEWRIGHT_PRICES"
_OURS = Path(__file__).with_name("prices.yaml")
_LITELLM_FILE = "model_prices_and_context_window_backup.json"
_EXAMPLE = "write one line a model, in US dollars a million tokens: `openai/gpt-5: {in: 1.25, out: 10.0}`"

PriceTable = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens read and written, and whose number that is."""

    usd_per_million_in: float
    usd_per_million_out: float
    source: str

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float:
        """Return the dollars for that many tokens; cached ones count in full."""
        return (tokens_in * self.usd_per_million_in + tokens_out * self.usd_per_million_out) / 1e6


class Prices:
    """Prices by model name (`provider/name`). The person's own come first and hold for any endpoint."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = dict(own or {})

    @classmethod
    def load(cls, own: PriceTable | str | os.PathLike[str] | None = None) -> "Prices":
        """Return the prices, with the person's own from a mapping or a YAML file, else the one TUNEWRIGHT_PRICES names.

        Raises:
            ModelError: the file cannot be read, or a line is no price.
        """
        if own is None:
            own = os.environ.get(ENVIRONMENT) or None
        if own is None:
            return cls()
        if isinstance(own, Mapping):
            return cls(_table(own, "the person's own prices"))
        if not isinstance(own, str | os.PathLike):
            raise ModelError(f"{own!r:.80} is no table of prices", _EXAMPLE)
        return cls(_table(_read(Path(own)), os.fspath(own)))

    def find(self, model: str, *, public: bool) -> Price | None:
        """Return the price of a model, or None when nobody has told us.

        Args:
            model: as the person named it, `provider/name`.
            public: whether it is asked at its provider's own endpoint. Published prices hold nowhere else: the same
                name on one's own server costs something else, or nothing.
        """
        own = self._own.get(model) or self._own.get(model.partition("/")[2])
        if own is not None or not public:
            return own
        return _ours().get(model) or _from_litellm(model)


def check_priced(chat: Chat, budget_usd: float | None) -> None:
    """Nothing, where what the model costs is known, no budget limits it, or it tells only with each reply.

    Raises:
        ModelError: the budget could not be kept.
    """
    estimate = getattr(chat, "estimate_usd", None)
    if budget_usd is not None and estimate is not None and estimate(1_000_000, 1_000_000) is None:
        raise ModelError(
            f"a budget of {budget_usd:g} USD cannot be kept: no price is known for {chat.name}",
            f"in a table that --prices or {ENVIRONMENT} names, {_EXAMPLE}; 0 where it is free",
        )


def _read(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"cannot read the price table {path}: {error}", _EXAMPLE) from None


def _table(raw: Any, source: str) -> dict[str, Price]:
    if not isinstance(raw, Mapping):
        raise ModelError(f"{source} is no table of prices but {type(raw).__name__}", _EXAMPLE)
    return {str(model): _price(str(model), entry, source) for model, entry in raw.items()}


def _price(model: str, entry: Any, source: str) -> Price:
    if not isinstance(entry, Mapping) or set(entry) != {"in", "out"}:
        raise ModelError(f"{source}: the price of {model} is {entry!r}", _EXAMPLE)
    numbers = (entry["in"], entry["out"])
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < math.inf:
            raise ModelError(f"{source}: {model} has the price {number!r}", "a price is a number, 0 or more")
    return Price(float(numbers[0]), float(numbers[1]), source)


@functools.cache
def _ours() -> dict[str, Price]:
    return _table(_read(_OURS), "prices.yaml of tunewright")


@functools.cache
def _litellm_map() -> dict[str, Any]:
    """The map as a file: importing litellm to read it would take seconds."""
    spec = importlib.util.find_spec("litellm")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        file = Path(folder) / _LITELLM_FILE
        if file.is_file():
            found = json.loads(file.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
    return {}


def _from_litellm(model: str) -> Price | None:
    provider, _, bare = model.partition("/")
    entries = _litellm_map()
    entry = entries.get(model)
    if entry is None and entries.get(bare, {}).get("litellm_provider") == provider:
        entry = entries[bare]
    if entry is None:
        return None
    numbers = (entry.get("input_cost_per_token"), entry.get("output_cost_per_token"))
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    return Price(numbers[0] * 1e6, numbers[1] * 1e6, "the price map packaged with litellm")
