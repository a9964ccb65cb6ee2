"""When a study ends: the reason as a value, from the card and the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunewright.card import TaskCard
from tunewright.trial import Trial

Kind = Literal["trials", "target", "hours", "no_gain", "exhausted", "cancelled"]


@dataclass(frozen=True)
class StopReason:
    """Why no further trial starts."""

    kind: Kind
    text: str


def stop_reason(card: TaskCard, trials: Sequence[Trial], limit: int | None, now: float) -> StopReason | None:
    """The first rule that ends the study, or None.

    Args:
        trials: those on record, running ones included.
        limit: number of trials of the whole study (`--trials`); None leaves it to the card.
        now: Unix seconds; a running trial counts until then.
    """
    limits = [n for n in (limit, None if limit is not None else card.budget.trials, card.stop.trials) if n is not None]
    if limits and len(trials) >= min(limits):
        return StopReason("trials", f"all {min(limits)} trials of the study have been started")
    target = card.stop.target
    if target is not None:
        loss = card.primary.loss
        for t in trials:
            if t.done and t.outcome and card.feasible(t.outcome.metrics):
                value = t.outcome.metrics[card.primary.name]
                if loss(value) <= loss(target):
                    return StopReason("target", f"trial {t.number} reached the target: {card.primary.name} = {value:g}")
    hours = [h for h in (card.budget.hours, card.stop.hours) if h is not None]
    if hours and busy_seconds(trials, now) >= 3600 * min(hours):
        return StopReason("hours", f"trials have run for the {min(hours):g} hours of the budget")
    return None


def busy_seconds(trials: Sequence[Trial], now: float) -> float:
    """Seconds during which at least one trial was running, over all runs of the study."""
    spans = sorted((t.started, t.finished if t.finished is not None else now) for t in trials)
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
