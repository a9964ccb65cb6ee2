"""Ask for a trial, run it anywhere, tell its outcome: a study without a loop of ours."""

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Self, overload

from tunewright.card import TaskCard
from tunewright.errors import CardError, StudyError, whole
from tunewright.jobs import HEARTBEAT_S
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat
from tunewright.llm.prices import check_priced
from tunewright.next_trial import NextTrial
from tunewright.opening import opened
from tunewright.planner import Planner, ReplyPending
from tunewright.proposer import Proposer
from tunewright.pruning.early import EarlyStop
from tunewright.result import Result, result_of
from tunewright.rivals import Withdrawn
from tunewright.stopping import StopReason, busy_seconds, stop_reason
from tunewright.telling import check_is_trial, outcome_of, point_of
from tunewright.trial import Trial
from tunewright.view import NothingLeft
from tunewright_tools.base import Config, Outcome, Status, Telemetry
from tunewright_tools.contract import Curve


class AskTell:
    """A study whose trials somebody else runs; arguments and errors as `loop.Tuner` has them."""

    def __init__(
        self,
        card: TaskCard,
        model: str | Chat | None,
        storage: str,
        seed: int | None,
        *,
        workers: int,
        base_url: str | None,
        prices: Any,
        earlier: Sequence[Any],
        branch: bool,
        textbook: bool | None,
    ) -> None:
        self.chat = open_chat(model, base_url=base_url, prices=prices)
        if self.chat is not None:
            check_priced(self.chat, card.budget.usd)
            self.chat.check()
        found = opened(card, storage, seed=seed, earlier=earlier, branch=branch)
        self.study, self.taken_in, self._lost = found.study, found.taken_in, found.lost
        if textbook is not None:
            self.study.set("textbook", textbook)
        card = self.card = self.study.card
        self.seed = self.study.seed
        self.workers = workers
        self.stopped: StopReason | None = None
        """Why no further trial starts, once that is so."""
        proposer = None
        if self.chat is not None:
            proposer = Proposer(self.chat, card, self.study.ledger, seed=self.seed, budget_usd=card.budget.usd)
        self.planner = Planner(card, self.study, proposer, seed=self.seed, workers=workers)
        self._next_trial = NextTrial(self.study, self.planner)
        self._early = EarlyStop(card)
        self._choosing = threading.Lock()
        self._reported: dict[int, Curve] = {}
        self._reply_pending = False

    @overload
    def ask(self) -> Trial: ...
    @overload
    def ask(self, n: int) -> list[Trial]: ...
    def ask(self, n: int | None = None) -> Trial | list[Trial]:
        """The next trial, on record as running; with n, a list of n, fewer where the study ends before.

        The model is asked for the one after it in the background, unless a rule of the card ends the study before.
        Threads that ask at once are answered one after the other: each choice counts those before it.
        Where other machines share the record, run the trial in a block of `renewing`.

        Raises:
            StudyError: the study has ended and not one is left (`stopped` says why).
            CardError: n is no whole number of 0 or more.
        """
        wanted = 1 if n is None else whole(n, "n", 0)
        trials: list[Trial] = []
        while len(trials) < wanted and (trial := self._asked()):
            trials.append(trial)
        if wanted > 0 and not trials:
            assert self.stopped is not None
            raise StudyError(
                f"the study has ended: {self.stopped.text}", "look at `best`, or open a study with a wider space"
            )
        return trials[0] if n is None else trials

    def tell(
        self,
        trial: Trial,
        result: Mapping[str, float] | float | Outcome | None = None,
        *,
        status: Status = "done",
        telemetry: Telemetry | Mapping[str, Any] | None = None,
        detail: str = "",
    ) -> Trial:
        """The finished trial; it is on disk when this returns.

        Args:
            trial: as `ask` gave it.
            result: metric name -> value, the value of the one metric, or a tool's `Outcome`.
            status: how the run ended when it has no result ("oom", "diverged", "timeout", "crashed", ...).
            telemetry: `Telemetry`, or some of its fields, such as {"peak_bytes": ..., "limit_bytes": ...}.
            detail: for people: the log's last lines.

        Raises:
            TunerError: a metric is missing or not a number; a result beside another status, or an unknown one; the
                trial is none that `ask` gave, or was told before.
        """
        if not isinstance(result, Outcome):
            result = outcome_of(self.card, trial, result, status, telemetry, detail)
        if (reported := self._reported.pop(trial.record_id, None)) and not result.curve:
            result = replace(result, curve=reported.points())
        return self.study.finish(trial, self._early.ended(trial.number, result))

    def report(self, trial: Trial, step: float, metrics: Mapping[str, float]) -> bool:
        """Whether the run should stop now, by the card's pruner; the point is kept as one of its curve.

        A run that stops is told with `status="pruned"`, and goes on record as `diverged` where its metric was NaN.

        Raises:
            TunerError: the step is not a finite number of at least 0, the metrics are no mapping, or a value is no
                number.
        """
        point = point_of(trial, step, metrics)
        if trial.record_id not in self._reported:
            self._early.learn(self.study.trials())
        curve = self._reported.setdefault(trial.record_id, Curve())
        if finite := {name: value for name, value in point.metrics.items() if math.isfinite(value)}:
            curve.add(replace(point, metrics=finite))
        return self._early.stop(trial.number, trial.config, point)

    @contextmanager
    def renewing(self, trial: Trial) -> Iterator[None]:
        """A block that says once a minute that the trial still runs, for a record that several machines share.

        No machine can look at the processes of another: after three minutes of silence a trial counts as lost to it,
        and runs again.

        Raises:
            TunerError: the trial is none that `ask` gave.
        """
        check_is_trial(trial)
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(HEARTBEAT_S):
                with suppress(StudyError):  # the database is away: the next minute may find it there again
                    self.study.renew([trial])

        thread = threading.Thread(target=renew, name=f"lease of trial {trial.number}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def enqueue(self, configs: Iterable[Config]) -> None:
        """Put a person's own points in line; they run next, but for the default as trial 0, under the source "user".

        Raises:
            CardError: a configuration cannot run; the faults are named and none is enqueued.
        """
        if isinstance(configs, Mapping):
            raise CardError(f"{configs!r} is one configuration", "give a list: enqueue([config])")
        if isinstance(configs, str) or not isinstance(configs, Iterable):
            raise CardError(f"{configs!r:.80} is no list of configurations", "give a list: enqueue([config])")
        configs = list(configs)
        for config in configs:
            if objections := self.card.space.check(config).objections():
                raise CardError(f"{config!r} cannot run: {'; '.join(objections)}", "mend it; no point was enqueued")
        for config in configs:
            self.study.enqueue(self.card.space.check(config).config)

    def result(self) -> Result:
        """What the study has found so far."""
        return result_of(self.study, self.stopped)

    def close(self) -> None:
        """Let go of the model's connections and child processes."""
        if self.chat is not None:
            self.chat.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self) -> Trial | None:
        """The next trial, waited for; None where the study has ended."""
        with self._choosing, self.study.one_look():
            while True:
                with suppress(Withdrawn):
                    trial = self._started(wait=True)
                    break
            if trial is not None:
                self._ask_ahead(trial.number + 1, time.time())
        return trial

    # -- what the loop shares --------------------------------------------------------------------------------------

    def _started(self, *, wait: bool) -> Trial | None:
        try:
            return self._next_trial.start(wait=wait)
        except NothingLeft as e:
            self.stopped = StopReason(e.kind, e.text)
        except ReplyPending:
            self._reply_pending = True  # what runs is looked after meanwhile: its results, its lease
        return None

    def _stop_reason(self, now: float) -> StopReason | None:
        # a lost or cancelled trial that waits to run again uses up none of the number, but the hours that it ran
        waiting = {entry.number for entry in self.study.queue() if entry.number is not None}
        counted = [t for t in self.study.trials() if t.number not in waiting]
        return stop_reason(self.card, counted, self.planner.limit, busy_seconds(self.study.attempts(), now))

    def _ask_ahead(self, number: int, now: float, *, prepare: bool = False) -> None:
        """Let the model think of trial `number` while others run, unless the study ends before it."""
        with self.study.one_look():
            if self._stop_reason(now) is None:
                self.planner.prefetch(number)
                if prepare:
                    self.planner.prepare(number)
