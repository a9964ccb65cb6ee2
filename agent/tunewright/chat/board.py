"""What the runs do, for the status line and as announcements."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tunewright.card import TaskCard
from tunewright.clean import clean
from tunewright.events import Finished, Progress, Silenced, Started, Stopped, Unanswered
from tunewright.live import of_the_model, outcome
from tunewright.report import named, number
from tunewright.verbs.approval import duration
from tunewright.verbs.listening import Heard
from tunewright.verbs.running import CardTaken, RunFailed


@dataclass
class _Lane:
    """One study that runs."""

    began: float
    asked: int
    running: dict[int, str] = field(default_factory=dict)
    """Number of a running trial -> the latest point of its curve, in words."""
    ended: int = 0
    best: str = ""


class Board:
    """Takes events of background runs; says what is worth a line, and what the status line shows.

    Args:
        card: of a study by its name.
        asked: how many trials the present run of a study is to do.
    """

    def __init__(self, card: Callable[[str], TaskCard], asked: Callable[[str], int]) -> None:
        self._card = card
        self._asked = asked
        self._lanes: dict[str, _Lane] = {}

    def take(self, heard: Heard) -> str | None:
        """The line to announce for an event; None for what only the status line shows."""
        name, event = heard.study, heard.event
        lane = self._lanes.setdefault(name, _Lane(time.time(), self._asked(name)))
        match event:
            case Started(trial=t):
                lane.running[t.number] = ""
            case Progress(number=n, point=point):
                lane.running[n] = clean(f"step {point.step:g} {named(point.metrics)}")
            case Finished(trial=t, best=best):
                lane.running.pop(t.number, None)
                lane.ended += 1
                if best and t.outcome is not None:
                    metric = self._card(name).primary.name
                    lane.best = clean(f"best {metric}={number(t.outcome.metrics[metric])} (trial {t.number})")
                return clean(f"{name}: trial {t.number} {outcome(t)}{', best so far' if best else ''}")
            case Unanswered() | Silenced():
                return clean(f"{name}: {of_the_model(event)}")
            case CardTaken():
                return f"{name}: the change is taken up"
            case Stopped(reason=reason):
                self._lanes.pop(name, None)
                return clean(f"{name}: the run has ended: {reason}")
            case RunFailed(message=message, hint=hint):
                self._lanes.pop(name, None)
                return clean(f"{name}: the run failed: {message}\n  -> {hint}")
        return None

    def status(self) -> str:
        """The runs as one line; empty when none is active."""
        return "  |  ".join(self._one(name, lane) for name, lane in list(self._lanes.items()))

    def _one(self, name: str, lane: _Lane) -> str:
        of = f" of {lane.asked}" if lane.asked else ""
        running = ", ".join(f"trial {n}{f' {step}' if step else ''}" for n, step in list(lane.running.items()))
        parts = [f"{lane.ended}{of} trials", running, lane.best, duration(time.time() - lane.began)]
        return f"{name}: {', '.join(part for part in parts if part)}"
