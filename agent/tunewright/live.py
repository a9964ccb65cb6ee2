"""Show a run while it goes on: a live table on a terminal, plain lines elsewhere, JSON events for programs."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from tunewright.attempts import best as best_of
from tunewright.card import TaskCard
from tunewright.clean import clean
from tunewright.events import Event, Finished, Progress, Reran, Resumed, Silenced, Started, Stopped, Unanswered
from tunewright.report import json_text, named, number
from tunewright.trial import Trial

ROWS = 12


class Listener(Protocol):
    """Something that shows events."""

    def show(self, events: Iterable[Event]) -> None:
        """Show each event as it comes, until they end."""


class JsonLines:
    """One JSON object a line on stdout."""

    def show(self, events: Iterable[Event]) -> None:
        """Print each event at once."""
        for event in events:
            sys.stdout.write(json_text(event.to_json()) + "\n")
            sys.stdout.flush()


class PlainLines:
    """A line for each thing that matters, for logs and pipes."""

    def show(self, events: Iterable[Event]) -> None:
        """Print a line for each event but curve points."""
        for event in events:
            line = self._line(event)
            if line:
                sys.stdout.write(clean(line) + "\n")
                sys.stdout.flush()

    def _line(self, event: Event) -> str | None:
        match event:
            case Resumed(finished=finished, lost=lost):
                text = f"resumed: {finished} trials on record"
                return text + (f", running again after a lost worker: {', '.join(map(str, lost))}" if lost else "")
            case Started(trial=t):
                return f"trial {t.number} started ({who(t)}) {named(t.config)}"
            case Finished(trial=t, best=best):
                return f"trial {t.number} {outcome(t)}{'  <- best so far' if best else ''}"
            case Reran(label=label, seed=seed, status=status, metrics=metrics):
                run = "default" if label == "default" else f"trial {label}"
                return f"{run} again, seed {seed}: {named(metrics) or status}"
            case Unanswered() | Silenced():
                return of_the_model(event)
            case Stopped(reason=reason):
                return f"stopped: {reason}"
        return None


def who(t: Trial) -> str:
    """The source, and whose turn it was when that differs."""
    return t.source if t.turn in ("", t.source) else f"{t.source}, in place of {t.turn}"


def of_the_model(event: Unanswered | Silenced) -> str:
    """What a person should know of the model, on one line."""
    what = "the model gave nothing to run" if isinstance(event, Unanswered) else "the surrogate goes on alone"
    return f"{what}: {event.reason}"


def outcome(t: Trial) -> str:
    """How a trial ended, on one line."""
    seconds = f" in {t.outcome.telemetry.seconds:.1f} s" if t.outcome and t.outcome.telemetry else ""
    if t.done and t.outcome:
        return named(t.outcome.metrics) + seconds
    reason = t.outcome.detail.split("\n", 1)[0] if t.outcome and t.outcome.detail else ""
    return f"{t.status}{seconds}" + (f": {reason}" if reason else "")


class LiveTable:
    """A table of the latest trials with a progress bar, the best so far and what is left, redrawn in place."""

    def __init__(self, card: TaskCard, total: int | None, trials: list[Trial], spent: Any) -> None:
        self.card = card
        self.total = total
        self.trials: dict[int, Trial] = {t.number: t for t in trials}
        self.steps: dict[int, str] = {}
        self.best = best_of(card, trials)
        self.notes: list[str] = []
        self.spent = spent
        """Called for the model's cost so far, in words."""
        self.began = time.time()

    def show(self, events: Iterable[Event]) -> None:
        """Redraw twice a second, and at once on every event but points of curves: a run may print thousands."""
        from rich.console import Console
        from rich.live import Live

        console = Console(markup=False, emoji=False)  # values are a person's own: "[/]" is no markup
        with Live(get_renderable=self._draw, console=console, refresh_per_second=2, transient=False) as live:
            for event in events:
                self._take(event)
                if not isinstance(event, Progress):
                    live.refresh()

    def _take(self, event: Event) -> None:
        match event:
            case Started(trial=t):
                self.trials[t.number] = t
            case Progress(number=n, point=point):
                self.steps[n] = f"step {point.step:g} {named(point.metrics)}"
            case Finished(trial=t, best=best):
                self.trials[t.number] = t
                self.best = t if best else self.best
            case Unanswered() | Silenced():
                self.notes.append(of_the_model(event))
            case Resumed(finished=finished, lost=lost):
                self.notes.append(f"resumed with {finished} trials" + (f", {len(lost)} to run again" if lost else ""))
            case Stopped(reason=reason):
                self.notes.append(f"stopped: {reason}")

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for column in ("trial", "source", "status", self.card.primary.name, "seconds", "configuration"):
            table.add_column(column, no_wrap=column != "configuration", overflow="fold")
        for t in list(self.trials.values())[-ROWS:]:
            table.add_row(*self._row(t), style="bold green" if self.best and t.number == self.best.number else "")
        return Group(table, *self._bar(), *(Text(clean(note)) for note in self.notes[-3:]))

    def _row(self, t: Trial) -> Iterator[str]:
        seconds = time.time() - t.started
        if t.outcome and t.outcome.telemetry:
            seconds = t.outcome.telemetry.seconds
        value = t.outcome.metrics.get(self.card.primary.name) if t.outcome else None
        yield from (str(t.number), who(t), str(t.status))
        yield number(value) if value is not None else self.steps.get(t.number, "") if t.running else "-"
        yield f"{seconds:.0f}"
        yield named(t.config)

    def _bar(self) -> Iterator[Any]:
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        ended = sum(not t.running for t in self.trials.values())
        of = f" of {self.total}" if self.total else ""
        best = ""
        if self.best and self.best.outcome:
            value = self.best.outcome.metrics[self.card.primary.name]
            best = f"   best {self.card.primary.name} {number(value)} (trial {self.best.number}, {self.best.source})"
        if self.total:
            yield ProgressBar(total=self.total, completed=ended, width=60)
        yield Text(f"{ended}{of} trials, {time.time() - self.began:.0f} s{best}   {self.spent()}")
