"""Whether a run should stop now, and what its end is called: asked by the loop for each point of a curve."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunewright.card import TaskCard
from tunewright.pruning import open_pruner
from tunewright.pruning.base import Run
from tunewright.trial import Trial
from tunewright_tools.base import Outcome, Point


@dataclass(frozen=True)
class _Reason:
    text: str
    diverged: bool


class EarlyStop:
    """Early stopping in one session of a study; points may come from several threads at once.

    Trial 0 and runs of the default configuration are never stopped: everything else is compared with them.

    Raises:
        CardError: the pruner refuses its options.
    """

    def __init__(self, card: TaskCard) -> None:
        self.card = card
        self._pruner = open_pruner(card)
        self._off = card.pruner is not None and card.pruner.name == "none"
        self._default = card.space.key(card.space.default())
        self._lock = threading.Lock()
        self._reasons: dict[int, _Reason] = {}
        self._learned: set[int] = set()

    def learn(self, trials: Sequence[Trial]) -> None:
        """Take note of the trials that have ended, in the order in which they did; each counts once."""
        if self._pruner is None:
            return
        for t in sorted((t for t in trials if not t.running), key=lambda t: (t.finished or 0.0, t.record_id)):
            # a run that was cut off from outside says nothing of its configuration
            if t.record_id in self._learned or t.outcome is None or t.status in ("cancelled", "lost"):
                continue
            self._learned.add(t.record_id)
            final = t.outcome.metrics.get(self.card.primary.name) if t.done else None
            feasible = t.done and self.card.feasible(t.outcome.metrics)
            self._pruner.tell(Run(t.number, t.outcome.curve, final, feasible))

    def stop(self, number: int, config: dict[str, Any], point: Point) -> bool:
        """Whether the run should stop at this point of its curve."""
        metric = self.card.primary.name
        if self._off or metric not in point.metrics or number == 0 or self.card.space.key(config) == self._default:
            return False
        value = point.metrics[metric]
        if not math.isfinite(value):
            reason = _Reason(f"{metric} is {value} at step {point.step:g}", diverged=True)
        else:
            why = self._pruner.stop(number, point) if self._pruner is not None else None
            if why is None:
                return False
            reason = _Reason(f"stopped early, {why}", diverged=False)
        with self._lock:
            self._reasons[number] = reason
        return True

    def ended(self, number: int, outcome: Outcome) -> Outcome:
        """The outcome with the reason for which the run was stopped; one stopped at NaN is `diverged`."""
        with self._lock:
            reason = self._reasons.pop(number, None)
        if reason is None or outcome.status != "pruned":
            return outcome
        detail = f"{reason.text}\n{outcome.detail}".rstrip()
        if reason.diverged:
            return replace(outcome, status="diverged", fault="config", detail=detail)
        return replace(outcome, detail=detail)
