"""How much of what a model proposed stood in its prompt already."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.warmstart.sources import Asked

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])")


@dataclass(frozen=True)
class Shares:
    """Of a number of proposed values: the shares that are, digit for digit, a number of the prompt.

    Each value counts once, in the first of the three that fits.
    """

    values: int
    bound: float
    """On the parameter's own line, before the word "usually": its bounds and, where it is shown, its default."""
    textbook: float
    """On that line after "usually": the textbook's guess and the ends of its interval."""
    elsewhere: float
    """Any other number of the prompt."""

    @property
    def own_line(self) -> float:
        """Copied in the narrow sense: the parameter's bounds, default, textbook guess or interval ends."""
        return self.bound + self.textbook


def shares(asked: Iterable[Asked]) -> Shares:
    """The shares over all values of all proposals, valid or not, that these requests brought."""
    return _shares((a.prompt, config) for a in asked for config in a.proposals)


def chance(asked: Iterable[Asked], configs: Iterable[Mapping[str, Any]]) -> Shares:
    """The shares for given configurations, as if each of these prompts had brought them: what chance gives."""
    drawn = list(configs)
    return _shares((prompt, config) for prompt in {a.prompt for a in asked} for config in drawn)


def _shares(said: Iterable[tuple[str, Mapping[str, Any]]]) -> Shares:
    counts = dict.fromkeys(("bound", "textbook", "elsewhere", "none"), 0)
    for prompt, config in said:
        for name, value in config.items():
            if isinstance(value, int | float):
                counts[_place(prompt, name, value)] += 1
    total = sum(counts.values())
    share = {name: count / total if total else math.nan for name, count in counts.items()}
    return Shares(total, share["bound"], share["textbook"], share["elsewhere"])


def _place(prompt: str, name: str, value: float) -> str:
    own = "\n".join(line for line in prompt.splitlines() if line.startswith(f"- `{name}`:"))
    bounds, _, textbook = own.partition("usually")
    for place, text in (("bound", bounds), ("textbook", textbook), ("elsewhere", prompt)):
        if any(math.isclose(value, float(n), rel_tol=1e-9) for n in _NUMBER.findall(text)):
            return place
    return "none"
