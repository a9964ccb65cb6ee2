"""Early stopping: which runs are stopped before their end, and why."""

from tunewright.card import TaskCard
from tunewright.errors import CardError
from tunewright.pruning.base import Pruner


def open_pruner(card: TaskCard) -> Pruner | None:
    """The pruner that the card names, new; None where it names none.

    Raises:
        CardError: options that the pruner refuses.
    """
    named = card.pruner
    if named is None or named.name == "none":
        return None
    metric = card.primary
    if named.name != "curve":
        from tunewright.pruning.optuna import OptunaPruner

        return OptunaPruner(named.name, metric.name, metric.direction, card.name, named.options)
    from tunewright.pruning.curve import CurvePruner

    try:
        return CurvePruner(metric.name, 1 if metric.direction == "minimize" else -1, **named.options)
    except (TypeError, ValueError) as e:
        raise CardError(
            f"the pruner curve refuses {named.options!r}: {e}",
            "its options are threshold, a chance such as 0.1, and fewest, full runs before it judges",
        ).at("pruner", "options") from e
