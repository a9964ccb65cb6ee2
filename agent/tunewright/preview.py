"""What a run would do: the first prompt, the first points, the estimated cost. Nothing is run and no model is asked."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tunewright.brief import brief
from tunewright.card import TaskCard
from tunewright.earlier_sources import read_all
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat
from tunewright.questions import Asker
from tunewright.starting import of_earlier, of_textbook
from tunewright.stopping import most_trials
from tunewright.toolbox import open_tool
from tunewright.turns import INITIAL, WARM, WARM_SMALL
from tunewright_tools.base import Config

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_VALUE = 12


@dataclass(frozen=True)
class Preview:
    """What would happen first."""

    prompt: str
    first_points: tuple[tuple[str, Config | None], ...]
    """(source, configuration); None where only the model knows."""
    trials: int | None
    minutes: float | None
    """At most, from the time limit of a trial."""
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def text(self) -> str:
        """For people."""
        lines = ["The first prompt:", "", self.prompt.rstrip() or "(no model is asked)", "", "The first points:"]
        for i, (source, config) in enumerate(self.first_points):
            lines.append(f"  {i}  {source:8} {json.dumps(config) if config else '(the model will say)'}")
        trials = f"{self.trials} trials" if self.trials else "trials without a fixed number"
        minutes = f", at most {self.minutes:.0f} minutes by the time limit of a trial" if self.minutes else ""
        lines += ["", f"Estimate: {trials}{minutes}."]
        if self.calls:
            cost = "price unknown" if self.cost_usd is None else f"{self.cost_usd:.4f} USD"
            lines.append(
                f"Model: up to {self.calls} calls, about {self.tokens_in} tokens in and {self.tokens_out} out, {cost}."
            )
        return "\n".join([*lines, "Nothing was run."])


def preview(
    card: TaskCard,
    model: str | Chat | None,
    *,
    base_url: str | None,
    prices: Any,
    trials: int | None,
    seed: int,
    earlier: Sequence[Any] = (),
    textbook: bool | None = None,
) -> Preview:
    """What a run of this card would do first.

    Raises:
        TunerError: of the kind that a run would raise for the card, the tool or the model's name.
    """
    if card.tool is not None:
        open_tool(card)
    chat = open_chat(model, base_url=base_url, prices=prices)
    number = most_trials(card, trials)
    points: list[tuple[str, Config | None]] = [("default", card.space.default())] if card.start == "default" else []
    points += [(p.source, p.config) for p in of_earlier(card, read_all([*card.earlier, *earlier], card))]
    warm = WARM if chat is None or chat.trusted_tools else WARM_SMALL
    by_book = of_textbook(card, seed) if textbook or (textbook is None and chat is not None) else []
    first = by_book[: 1 if chat is not None else INITIAL - len(points)]
    points += [(p.source, p.config) for p in first if p.config not in [config for _, config in points]]
    if chat is None:
        points += _quasi_random(card, seed, INITIAL - len(points), [config for _, config in points if config])
    else:
        points += [("llm", None)] * warm
    points = points[:number]
    limit = card.budget.seconds_per_trial
    minutes = number * limit / 60 if number and limit else None
    if chat is None:
        return Preview("", tuple(points), number, minutes, 0, 0, 0, 0.0)
    size = warm if chat.trusted_tools else 1
    asked = Asker(card.space, lean=not chat.trusted_tools).ask("first_round", brief(card, [], trials_left=number), size)
    prompt = "\n".join(message.content for message in asked.messages)
    calls = (1 if chat.trusted_tools else warm) + max((number or 20) - warm - 1, 0)
    tokens_in = calls * (len(prompt) // _CHARACTERS_PER_TOKEN) * 2  # later prompts hold the history too
    tokens_out = calls * 3 * _TOKENS_PER_VALUE * len(card.space)
    price = getattr(chat, "estimate_usd", None)
    cost = price(tokens_in, tokens_out) if price else None
    return Preview(prompt, tuple(points), number, minutes, calls, tokens_in, tokens_out, cost)


def _quasi_random(card: TaskCard, seed: int, n: int, before: Sequence[Config]) -> list[tuple[str, Config | None]]:
    """The first n points of the sequence that a run draws from, but for those that have run before."""
    seen = {card.space.key(config) for config in before}
    found: list[tuple[str, Config | None]] = []
    for config in card.space.sample(64 + 2 * INITIAL, seed, fewest=1):
        if len(found) < n and card.space.key(config) not in seen:
            seen.add(card.space.key(config))
            found.append(("sobol", config))
    return found
