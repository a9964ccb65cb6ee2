"""The tuner: choose a trial, run it, put its outcome on record. `Tuner.events` is the whole loop."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from tunewright.ask_tell import AskTell
from tunewright.card import TaskCard, check_is_card
from tunewright.confirm import confirming
from tunewright.confirmation import Confirmation, confirmation
from tunewright.errors import CardError, StudyError, whole
from tunewright.events import Event, Finished, Progress, Reran, Resumed, Silenced, Started, Stopped, Unanswered
from tunewright.executors.base import Executor
from tunewright.executors.local import LocalExecutor
from tunewright.health import check_healthy
from tunewright.jobs import HEARTBEAT_S, REPLY_TICK_S, TICK_S, Running, drop_checkpoint, job_of, made_folder, reap_jobs
from tunewright.llm.base import Chat
from tunewright.preload import preload
from tunewright.pruning.early import EarlyStop
from tunewright.result import Result
from tunewright.rivals import AlreadyFinishedError, Withdrawn
from tunewright.stopping import StopReason, most_trials
from tunewright.toolbox import folder_of, open_tool
from tunewright.trial import Trial
from tunewright_tools.base import Job, Outcome, Tool

_ASKED = StopReason("cancelled", "the run was asked to end")


class Tuner(AskTell):
    """A study that is being tuned.

    Args:
        card: the task.
        model: "local", "openai/NAME", "PROVIDER/NAME", a `Chat`, or None for the surrogate alone.
        storage: an SQLAlchemy URL; SQLite and PostgreSQL are known to work.
        seed: of everything random, 0 for a new study unless given. The same record, replies and seed give the same
            next configuration.
        workers: trials that run at once.
        tool: a `Tool` or a callable in place of the one that the card names; not needed for ask and tell.
        folder: where each trial's own folder lies.
        base_url: of an OpenAI-compatible server.
        prices: a price table that goes before ours: a mapping or a YAML file, see `llm.prices.Prices.load`.
        executor: where jobs run in place of threads on this machine.
        earlier: more trials of earlier studies than the card names: CSV paths, database URLs, Optuna studies, `Study`,
            `Earlier`. They are kept in the record, so that a study that goes on needs them no more.
        branch: where the card's space no longer fits the study on record, open a child of it, named NAME.2, that knows
            the parent's trials; see `branching`.
        textbook: whether the textbook gives points where it knows most parameters; None: where a model is named.

    Raises:
        CardError: the card is none, there are no workers, or an argument is of another kind.
        ModelError: the model cannot be asked (before any trial has run).
        StudyError: the record cannot be opened or does not fit the card; the seed is no whole number of 0 or more.
        ToolError: the tool cannot run this space.
    """

    def __init__(
        self,
        card: TaskCard,
        model: str | Chat | None = "local",
        storage: str = "sqlite:///tunewright.db",
        seed: int | None = None,
        *,
        workers: int = 1,
        tool: Tool | Callable[..., Any] | None = None,
        folder: str | PathLike[str] = "runs",
        base_url: str | None = None,
        prices: Any = None,
        executor: Executor | None = None,
        earlier: Sequence[Any] = (),
        branch: bool = False,
        textbook: bool | None = None,
    ) -> None:
        check_is_card(card)
        workers = whole(workers, "workers", 1)
        for name, value in (("branch", branch), ("textbook", textbook)):
            if not isinstance(value, bool) and (name, value) != ("textbook", None):
                raise CardError(f"{name} is {value!r:.80}", "give True or False")
        if not isinstance(folder, str | PathLike):
            raise CardError(f"folder is {folder!r:.80}", "give a path, such as runs")
        self._tool = open_tool(card, tool) if tool is not None or card.tool is not None else None
        self._ran: Tool | None = None
        super().__init__(
            card,
            model,
            storage,
            seed,
            workers=workers,
            base_url=base_url,
            prices=prices,
            earlier=earlier,
            branch=branch,
            textbook=textbook,
        )
        self.folder = Path(folder)
        self._executor = executor
        self._silence_told = False
        self._renewed = 0.0
        self._asked_to_end: Literal["finish", "now"] | None = None

    def run(self, objective: Callable[..., Any] | None = None, trials: int | None = None) -> Result:
        """What the study has found once a stop rule holds.

        Args:
            objective: called with a configuration in place of the card's tool; gives a value or metric -> value. As
                `objective(config, ctx)` it is handed a `tunewright_tools.function.Context` too.
            trials: of the whole study, those on record included; None leaves it to the card.

        Raises:
            CardError: the runs' folder cannot be made; `trials` is no whole number of 0 or more.
            StudyError: the record cannot be read or written.
            ToolError: there is nothing to run, the first trial crashed, or three in a row failed for a reason other
                than their configuration.
        """
        for _ in self.events(objective, trials):
            pass
        return self.result()

    def events(self, objective: Callable[..., Any] | None = None, trials: int | None = None) -> Iterator[Event]:
        """What happens, as it happens, until a stop rule holds. Closing the generator cancels the running trials."""
        self.planner.limit = None if trials is None else whole(trials, "trials", 0)
        executor = self._opened_executor(objective)
        self._early = EarlyStop(self.card)  # told anew from the record, as in a session that goes on
        running: Running[Trial] = Running(executor)
        made_folder(self.folder / self.card.name)  # before a trial is on record that could not run there
        yield from self._resuming()
        ended = False
        try:
            while True:
                while len(running) < self.workers and (trial := self._next(executor.now(), wait=not running)):
                    job = self._job(trial)
                    self._early.learn(self.study.trials())
                    running.submit(job, trial, partial(self._early.stop, trial.number, trial.config))
                    yield Started(trial)
                    self._ask_ahead(trial.number + 1, executor.now(), prepare=len(running) == self.workers)
                    yield from self._silence()
                if not running and self.stopped is not None and not self.study.sweep():
                    break  # else leases of another machine, or of a container that was restarted, ran out meanwhile
                preload(executor, most_trials(self.card, trials), ended=ended)
                for trial, report in running.news(REPLY_TICK_S if self._reply_pending else TICK_S):
                    if report.point is not None:
                        yield Progress(trial.number, report.point)
                    if report.outcome is not None:
                        trial = self._ended(trial, report.outcome)  # on disk before we go on
                        ended = True
                        yield Finished(trial, self._is_best(trial))
                        where = folder_of(executor.tool) if isinstance(executor, LocalExecutor) else None
                        check_healthy(self.study.trials(), trial, where)
                self._renew(running.items(), executor.now())
                if self._asked_to_end == "now":
                    self.stopped = _ASKED
                    break
            yield from self._silence()
            yield Stopped(self.stopped.text, self.stopped.kind)
        finally:
            self._wind_down(running)

    def finish(self, *, now: bool = False) -> None:
        """Let `events` end: start no further trial and, with `now`, cancel those that run. From any thread, for good.

        A trial that is being chosen while the model is asked still starts; it is cancelled right after.
        """
        if self._asked_to_end != "now":
            self._asked_to_end = "now" if now else "finish"

    def _opened_executor(self, objective: Callable[..., Any] | None) -> Executor:
        if self._executor is not None:
            return self._executor
        named = self._tool or self._ran  # what ran the trials also runs the final evaluation
        self._ran = open_tool(self.card, objective) if named is None or objective is not None else named
        return LocalExecutor(self._ran, self.workers)

    def _resuming(self) -> Iterator[Event]:
        finished = sum(not t.running for t in self.study.trials())
        # All that were ever lost: who closed them may have ended before this line, or run no trials at all.
        reap_jobs((t for t in self.study.attempts() if t.status == "lost"), self.card, self.folder)
        if finished or self._lost:
            yield Resumed(finished, tuple(t.number for t in self._lost))

    def _next(self, now: float, *, wait: bool) -> Trial | None:
        """The next trial; None once a stop rule holds, or while the model's first reply is not there unless `wait`.

        Points that wait in line still count as trials.
        """
        self._reply_pending = False
        with self.study.one_look():
            while True:
                self.stopped = _ASKED if self._asked_to_end is not None else self._stop_reason(now)
                if self.stopped is not None:
                    return None
                with suppress(Withdrawn):  # after a trial of another process the rules are asked again: it counts
                    return self._started(wait=wait)

    def _job(self, trial: Trial) -> Job:
        """The trial as a job; where its folder cannot be made it is in line again."""
        try:
            return job_of(trial, self.card, self.folder)
        except CardError as e:
            self._told_at_the_end(trial, Outcome("cancelled", detail=e.message))
            raise

    def _silence(self) -> Iterator[Event]:
        proposer = self.planner.proposer
        while proposer and proposer.unanswered:
            yield Unanswered(proposer.unanswered.popleft())
        reason = proposer.silenced() if proposer else None
        if reason and not self._silence_told:
            self._silence_told = True
            yield Silenced(reason)

    def _renew(self, running: list[Trial], now: float) -> None:
        if running and now - self._renewed > HEARTBEAT_S:
            self._renewed = now
            self.study.renew(running)

    def _is_best(self, trial: Trial) -> bool:
        best = self.study.best()
        return best is not None and best.record_id == trial.record_id

    def _wind_down(self, running: Running[Trial]) -> None:
        """Cancel what still runs and put that on record; nothing that has finished is touched."""
        failed: list[StudyError] = []
        for trial, outcome in running.wind_down():
            try:
                self._told_at_the_end(trial, outcome)
            except StudyError as e:  # the other jobs must come to their end all the same
                failed.append(e)
        if failed:
            raise failed[0]

    def _told_at_the_end(self, trial: Trial, outcome: Outcome) -> None:
        """Record a cancelled trial and put it in line again, so that the next session goes on with it."""
        told = self._ended(trial, outcome)
        if told.status == "cancelled":
            self.study.requeue(told)

    def _ended(self, trial: Trial, outcome: Outcome) -> Trial:
        try:
            told = self.tell(trial, outcome)
        except AlreadyFinishedError:  # given up while this machine was held: it runs again, and the others go on
            return next(t for t in self.study.attempts() if t.record_id == trial.record_id)
        if told.status != "cancelled":  # its next attempt goes on from there
            drop_checkpoint(told, self.card, self.folder)
        return told

    # -- the final evaluation ------------------------------------------------------------------------------------

    def confirm(self, k: int, top: int = 3, objective: Callable[..., Any] | None = None) -> Confirmation:
        """What the best few configurations and the default give on k fresh seeds; for the rest see `confirming`."""
        for _ in self.confirming(k, top, objective):
            pass
        found = confirmation(self.study)
        assert found is not None
        return found

    def confirming(self, k: int, top: int = 3, objective: Callable[..., Any] | None = None) -> Iterator[Reran]:
        """Each run of the final evaluation as it ends. They are no trials; a second call runs what is missing.

        Args:
            k: seeds for each configuration; no trial of the study has one of them.
            top: how many of the best configurations run beside the default.
            objective: as for `run`; else the card's tool, or where it names none what ran last in this session.

        Raises:
            CardError: k or top is below 1.
            StudyError: no trial has a value yet that keeps all constraints; another process is at it.
            ToolError: there is nothing to run, or a run failed for a reason outside its configuration.
        """
        return confirming(self.study, self._opened_executor(objective), self.folder, k, top)
