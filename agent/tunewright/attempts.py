"""Every attempt at every trial as the rows tell it, and the latest of each; the best of them, and the front."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tunewright.card import TaskCard
from tunewright.rivals import rival_of
from tunewright.rows import to_trial
from tunewright.space import Space
from tunewright.table import Table
from tunewright.trial import Trial


class _Look(threading.local):
    """What this thread has read in the `one_look` that it is in."""

    inside = False
    found: list[Trial] | None = None


class Attempts:
    """The trials on record, read anew at each call, but for `one_look`.

    Args:
        table: of the study.
        space: gives the space of a revision; more may come while the study goes on.
    """

    def __init__(self, table: Table, space: Callable[[int], Space]) -> None:
        self._table = table
        self._space = space
        self._kept: dict[int, Trial | None] = {}  # finished rows never change
        self._keys: dict[int, str] = {}  # nor does the configuration of any row
        self._look = _Look()

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """A block in which this thread's `all` reads the record once, for a choice that asks for it many times.

        What other processes write meanwhile is seen late, never missed: a choice takes its time anyway, so that a trial
        that starts looks for rivals with `anew`, after it is on record itself, as does whoever closes lost trials.
        A block inside another one is a part of it.
        """
        if self._look.inside:
            yield
            return
        self._look.inside = True
        try:
            yield
        finally:
            self._look.inside, self._look.found = False, None

    def all(self, *, anew: bool = False) -> list[Trial]:
        """Every attempt, lost ones included, in the order in which they started.

        One that its process is about to take back is left out already, so that all processes see the same record.

        Args:
            anew: read the record also inside `one_look`, which goes on with what is found.
        """
        if self._look.found is not None and not anew:
            return list(self._look.found)
        found: list[Trial] = []
        for t in self.with_rivals():
            if not t.running or self.rival(t, found) is None:
                found.append(t)
        if self._look.inside:
            self._look.found = list(found)
        return found

    def with_rivals(self) -> list[Trial]:
        """The same with those that are about to be taken back."""
        parsed: list[Trial | None] = []
        for row in self._table.rows():
            if row.number in self._kept:
                parsed.append(self._kept[row.number])
                continue
            parsed.append(to_trial(row))
            if row.state.is_finished():
                self._kept[row.number] = parsed[-1]
        return [t for t in parsed if t is not None]

    def rival(self, mine: Trial, attempts: Sequence[Trial]) -> Trial | None:
        """The older one of these attempts because of which this trial must not run; None when it may."""
        return rival_of(mine, attempts, self._key)

    def _key(self, trial: Trial) -> str:
        known = self._keys.get(trial.record_id)
        if known is None:
            known = self._space(trial.space_revision).key(trial.config)
            if trial.record_id >= 0:  # else it is not on record yet, and the next such trial is another one
                self._keys[trial.record_id] = known
        return known


def latest(attempts: Sequence[Trial]) -> list[Trial]:
    """The latest attempt at each trial, by number."""
    found: dict[int, Trial] = {}
    for t in attempts:
        if t.number not in found or t.attempt > found[t.number].attempt:
            found[t.number] = t
    return [found[number] for number in sorted(found)]


def best(card: TaskCard, trials: Sequence[Trial]) -> Trial | None:
    """The feasible trial with the best first metric, the first of equals; None while there is none."""
    primary = card.primary
    return min(_feasible(card, trials), key=lambda t: primary.loss(_metrics(t)[primary.name]), default=None)


def default_of(trials: Sequence[Trial]) -> Trial | None:
    """Trial 0, where it ran the default configuration."""
    return next((t for t in trials if t.number == 0 and t.source == "default"), None)


def no_best(card: TaskCard) -> str:
    """What no trial has while there is no best one, in words."""
    return "a value that keeps all constraints" if card.constraints else "a value"


def front(card: TaskCard, trials: Sequence[Trial]) -> list[Trial]:
    """The feasible trials that no other one beats in every metric, by number; with one metric: the best alone."""
    if len(card.metrics) == 1:
        found = best(card, trials)
        return [] if found is None else [found]
    import numpy as np

    from tunewright.hypervolume import on_front

    feasible = _feasible(card, trials)
    losses = np.array([[m.loss(_metrics(t)[m.name]) for m in card.metrics] for t in feasible])
    return [t for t, on in zip(feasible, on_front(losses), strict=True) if on]


def _feasible(card: TaskCard, trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if t.done and card.feasible(_metrics(t))]


def _metrics(trial: Trial) -> dict[str, float]:
    assert trial.outcome is not None
    return trial.outcome.metrics
