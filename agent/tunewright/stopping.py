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


def stop_reason(card: TaskCard, trials: Sequence[Trial], limit: int | None, busy: float) -> StopReason | None:
    """The first rule that ends the study, or None.

    Args:
        trials: those on record, running ones included.
        limit: number of trials of the whole study (`--trials`); None leaves it to the card.
        busy: seconds during which a trial ran, earlier attempts at the same included (`busy_seconds`).
    """
    most, hours = most_trials(card, limit), _most_hours(card)
    if most is not None and len(trials) >= most:
        return StopReason("trials", f"all {most} trials of the study have been started")
    target = card.stop.target
    if target is not None:
        loss = card.primary.loss
        for t in trials:
            if t.done and t.outcome and card.feasible(t.outcome.metrics):
                value = t.outcome.metrics[card.primary.name]
                if loss(value) <= loss(target):
                    return StopReason("target", f"trial {t.number} reached the target: {card.primary.name} = {value:g}")
    if hours is not None and busy >= 3600 * hours:
        return StopReason("hours", f"trials have run for the {hours:g} hours of the budget")
    return None


def share_used(card: TaskCard, trials: Sequence[Trial]) -> float:
    """The share of the card's trials or hours that is used up, whichever is larger; 0 where it limits neither.

    A session's own limit (`--trials`) does not count, and of the hours those that ended trials took: a study that is
    run in pieces is the same as one that is run at once.
    """
    most, hours = most_trials(card, None), _most_hours(card)
    ended = [t for t in trials if t.finished is not None]
    return max(
        len(trials) / most if most else 0.0,
        busy_seconds(ended, 0.0) / (3600 * hours) if hours else 0.0,
    )


def most_trials(card: TaskCard, limit: int | None) -> int | None:
    """How many trials the whole study may have; None where nothing limits them."""
    stated = (limit if limit is not None else card.budget.trials, card.stop.trials)
    return min((n for n in stated if n is not None), default=None)


def _most_hours(card: TaskCard) -> float | None:
    return min((h for h in (card.budget.hours, card.stop.hours) if h is not None), default=None)


def busy_seconds(attempts: Sequence[Trial], now: float) -> float:
    """Seconds during which at least one trial was running, over all runs of the study.

    Args:
        attempts: every one at each trial, where what an interrupted run took counts too.
        now: Unix seconds; what runs counts until then.
    """
    spans = sorted((t.started, t.finished if t.finished is not None else now) for t in attempts)
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
