"""Ask the model ahead of its turn, in the background, and keep what of its replies has neither run nor been refused."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass

from tunewright.brief import Brief, FateBrief, brief
from tunewright.brief_history import BEST, FEW
from tunewright.card import TaskCard
from tunewright.ledger import Call
from tunewright.proposer import Proposer
from tunewright.questions import Round
from tunewright.study import Study
from tunewright.trial import Proposal, Trial
from tunewright.turns import Turns
from tunewright.view import NothingLeft, View, unfinished

PER_CALL = 5
"""Configurations that a later call asks for; the surrogate picks among them."""
_PER_WAITING = 4
"""Workers to each one that waits for the model's first reply: the others start where nobody's view is needed."""


@dataclass(frozen=True)
class _Question:
    """What the model is asked for one trial."""

    round: Round
    brief: Brief
    n: int
    taken: frozenset[str]


class Asking:
    """The model's replies, asked for in time.

    Args:
        card: the task.
        study: the record.
        proposer: the model's side.
        turns: whose turn each trial is.
        view: what the decision on a trial knows of some trials.
        workers: how many trials run at once.
    """

    def __init__(
        self,
        card: TaskCard,
        study: Study,
        proposer: Proposer,
        turns: Turns,
        view: Callable[[int, Sequence[Trial]], View],
        *,
        workers: int,
    ) -> None:
        self._card = card
        self._study = study
        self._proposer = proposer
        self._turns = turns
        self._view = view
        self.workers = workers
        self._asked: dict[int, Future[None]] = {}

    def ahead(self, number: int, left: int | None) -> None:
        """Ask for trial `number` in the background, when that is the model's turn and no call is on the way.

        With several workers its first reply is asked for earlier, while points of others start.

        Args:
            left: trials until the study ends, where that is known; the model is told.
        """
        if number in self._asked or self._in_flight():
            return
        trials = self._study.trials()
        warming = self._turns.warming(number, trials)
        turn = self._turns.of(number, trials)
        if turn != "llm" and not (turn in ("earlier", "textbook") and warming and self._workers_would_wait()):
            return
        if (self.workers > 1 or warming) and self._unspent(number, trials):
            return
        if warming and self._turns.calls("first_round"):
            return
        # the brief is made here, not in the thread: a surrogate is fitted for it, and only the call should overlap
        before = tuple(unfinished(t) if t.number == number - 1 else t for t in trials if t.number < number)
        try:
            question = self._first_round(before, left) if warming else self._later_round(number, before, left)
        except NothingLeft:
            return  # the decision itself will say so
        future: Future[None] = Future()

        def ask() -> None:
            try:
                self._proposer.ask(question.round, number, question.brief, question.n, question.taken)
                future.set_result(None)
            except BaseException as e:
                future.set_exception(e)

        self._asked[number] = future
        # a daemon: Ctrl-C must not wait for a reply that nobody will read
        threading.Thread(target=ask, name="model", daemon=True).start()

    def pending(self, number: int, trials: Sequence[Trial]) -> bool:
        """Whether a reply is on the way that trial `number` should wait for.

        With one worker any; with several, one in four of them waits for the first one.
        """
        enough = sum(t.running for t in trials) >= self.workers - max(1, self.workers // _PER_WAITING)
        return self._in_flight() and (self.workers == 1 or (self._turns.warming(number, trials) and enough))

    def proposals(self, number: int, trials: Sequence[Trial], left: int | None) -> list[Proposal] | None:
        """Unspent proposals for this turn of the model, waited for where that is due; None when they are on the way."""
        self.ahead(number, left)
        if self.pending(number, trials):
            wait_for(list(self._asked.values()))
        for future in self._asked.values():
            if future.done():
                future.result()  # an error of ours in the thread must not pass unseen
        unspent = self._unspent(number, trials)
        return None if not unspent and self._in_flight() else unspent

    # -- what is asked -------------------------------------------------------------------------------------------

    def _first_round(self, trials: Sequence[Trial], left: int | None) -> _Question:
        text = brief(self._card, trials, trials_left=left)
        taken = frozenset(self._card.space.key(t.config) for t in trials)
        return _Question("first_round", text, self._turns.warm, taken)

    def _later_round(self, number: int, trials: Sequence[Trial], left: int | None) -> _Question:
        view = self._view(number, trials)
        small = self._turns.small
        text = brief(
            self._card,
            trials,
            surrogate=view.surrogate,
            candidate=view.own,
            fates=self._fates(trials),
            trials_left=left,
            best=FEW if small else BEST,
        )
        n = max(1, self.workers // 2) if small else max(PER_CALL, self.workers)
        return _Question("propose", text, n, view.taken)

    def _fates(self, trials: Sequence[Trial]) -> list[FateBrief]:
        """What became of the proposals of the model's latest turn."""
        last = next((t for t in reversed(trials) if t.turn == "llm"), None)
        if last is None:
            return []
        fates = [FateBrief(r.proposal.config, f"refused, {r.verdict.reason}") for r in last.refused[:PER_CALL]]
        if last.source == "llm":
            value: str = last.status
            if last.done and last.outcome:
                value = f"{self._card.primary.name} = {last.outcome.metrics[self._card.primary.name]:.4g}"
            fates.append(FateBrief(last.config, f"ran as trial {last.number}, {value}"))
        return fates

    # -- what is there already -----------------------------------------------------------------------------------

    def _workers_would_wait(self) -> bool:
        return self.workers > 1 and self._proposer.silenced() is None

    def _in_flight(self) -> bool:
        return any(not future.done() for future in self._asked.values())

    def _unspent(self, number: int, trials: Sequence[Trial]) -> list[Proposal]:
        """Proposals for this turn that have neither run nor been refused."""
        calls = self._turns.calls("first_round") if self._turns.warming(number, trials) else self._recent(number)
        return self._turns.left_of(calls, trials)

    def _recent(self, number: int) -> list[Call]:
        """Calls whose proposals are still worth a look: with one worker, those made for this very trial."""
        age = 1 if self.workers == 1 else 2 * self.workers
        return [c for c in self._turns.calls("propose") if number - age < c.number <= number]
