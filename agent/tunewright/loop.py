"""The tuner: ask for a trial, run it, tell its outcome. `events` is the whole loop."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

from tunewright.branching import open_branch
from tunewright.card import TaskCard
from tunewright.card_parts import items
from tunewright.confirm import confirming
from tunewright.confirmation import Confirmation, confirmation
from tunewright.earlier import Earlier, record, recorded
from tunewright.earlier_sources import read_all
from tunewright.errors import CardError, StudyError
from tunewright.events import Event, Finished, Progress, Reran, Resumed, Silenced, Started, Stopped
from tunewright.executors.base import Executor
from tunewright.executors.local import LocalExecutor
from tunewright.health import check_healthy, needs_second_start
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat
from tunewright.planner import Decision, NothingLeft, Planner
from tunewright.proposer import Proposer
from tunewright.pruning.early import EarlyStop
from tunewright.seeds import tuning_seed
from tunewright.stopping import StopReason, stop_reason
from tunewright.study import Study, Withdrawn
from tunewright.telling import outcome_of, point_of
from tunewright.toolbox import limits, open_tool
from tunewright.trial import Trial, Verdict
from tunewright_tools.base import Config, Job, Outcome, Status, Telemetry, Tool
from tunewright_tools.contract import Curve

_HEARTBEAT_S = 60.0
_TICK_S = 0.5
_ASKED = StopReason("cancelled", "the run was asked to end")


@dataclass(frozen=True)
class Result:
    """What a study has found."""

    best: Trial | None
    """The best trial that fulfils the constraints; None while no trial is done."""
    default: Trial | None
    """Trial 0 when it ran the default configuration."""
    front: tuple[Trial, ...]
    """The Pareto front; with one metric, the best trial alone."""
    trials: tuple[Trial, ...]
    ledger: Any
    """`Ledger`: every model call, what became of it, what each source delivered."""
    stopped: StopReason | None


class Tuner:
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
        prices: a price table in place of ours; see `llm.prices`.
        executor: where jobs run in place of threads on this machine.
        earlier: more trials of earlier studies than the card names: CSV paths, database URLs, Optuna studies, `Study`,
            `Earlier`. They are kept in the record, so that a study that goes on needs them no more.
        branch: where the card's space no longer fits the study on record, open a child of it, named NAME.2, that knows
            the parent's trials; see `branching`.
        textbook: start from the textbook's points where it knows the parameters, also without a model that fails.

    Raises:
        ModelError: the model cannot be asked (before any trial has run).
        StudyError: the record cannot be opened or does not fit the card.
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
        textbook: bool = False,
    ) -> None:
        if workers < 1:
            raise CardError(f"workers is {workers}", "at least one worker runs the trials")
        self._tool = open_tool(card, tool) if tool is not None or card.tool is not None else None
        self.chat = open_chat(model, base_url=base_url, prices=prices)
        if self.chat is not None:
            self.chat.check()
        self.study = (open_branch if branch else Study.open)(card, storage, seed=seed)
        card = self.card = self.study.card
        known = [one.name for one in recorded(self.study)]
        fresh = read_all([*card.earlier, *items(earlier, "earlier")], card, known)
        record(self.study, fresh)
        self.taken_in: list[Earlier] = fresh if self.study.trials() else recorded(self.study)
        """Earlier trials that are new to the study, a parent's among them."""
        if textbook:
            self.study.set("textbook", True)
        self.seed = self.study.seed
        self.workers = workers
        self.folder = Path(folder)
        self._executor = executor
        self.stopped: StopReason | None = None
        proposer = (
            Proposer(self.chat, card, self.study.ledger, seed=self.seed, budget_usd=card.budget.usd)
            if self.chat
            else None
        )
        self.planner = Planner(card, self.study, proposer, seed=self.seed, workers=workers)
        self._limit: int | None = None
        self._silence_told = False
        self._renewed = 0.0
        self._early = EarlyStop(card)
        self._reported: dict[int, Curve] = {}
        self._asked_to_end: Literal["finish", "now"] | None = None
        self._lost = self.study.sweep()
        if needs_second_start(self.study.trials()) and not self.study.queue():
            self.study.requeue(self.study.trials()[0])

    # -- ask and tell --------------------------------------------------------------------------------------------

    @overload
    def ask(self) -> Trial: ...
    @overload
    def ask(self, n: int) -> list[Trial]: ...
    def ask(self, n: int | None = None) -> Trial | list[Trial]:
        """The next trial, on record as running; with n, a list of n.

        Raises:
            StudyError: the study has ended (`stopped` says why).
        """
        if n is not None:
            return [self.ask() for _ in range(n)]
        trial = self._started()
        self.planner.prefetch(trial.number + 1)
        return trial

    def _started(self) -> Trial:
        while True:
            try:
                return self._rerun() or self._default_first() or self._queued() or self._decided()
            except Withdrawn:
                continue  # another process was faster with the same point; the record has moved on

    def _rerun(self) -> Trial | None:
        """A lost or cancelled trial, once more: the same number, seed and story, another attempt."""
        for entry in self.study.queue():
            if entry.number is None:
                continue
            before = next(t for t in self.study.trials() if t.number == entry.number)
            return self.study.start(
                entry.proposal,
                number=before.number,
                attempt=entry.attempt,
                seed=before.seed,
                turn=before.turn,
                verdict=before.verdict,
                asked=before.asked,
                refused=before.refused,
                queue_id=entry.id,
            )
        return None

    def _default_first(self) -> Trial | None:
        """Trial 0, also when a person's own points are in line already."""
        return self._decided() if self.card.start == "default" and not self.study.trials() else None

    def _queued(self) -> Trial | None:
        """The first of a person's own points."""
        for entry in self.study.queue():
            faults = self.card.space.check(entry.config).faults
            if faults:  # it fitted when it was put in line; the bounds have moved since
                self.study.drop(entry.id, "; ".join(map(str, faults)))
                continue
            number = self._next_number()
            return self.study.start(
                entry.proposal,
                number=number,
                seed=tuning_seed(self.seed, number),
                turn=entry.source,
                verdict=Verdict(True),
                asked=entry.config,
                queue_id=entry.id,
            )
        return None

    def _decided(self) -> Trial:
        number = self._next_number()
        try:
            decision: Decision = self.planner.decide(number)
        except NothingLeft as e:
            self.stopped = StopReason(e.kind, e.text)
            raise StudyError(
                f"the study has ended: {e.text}", "look at `best`, or open a study with a wider space"
            ) from e
        return self.study.start(
            decision.proposal,
            number=number,
            seed=tuning_seed(self.seed, number),
            turn=decision.turn,
            verdict=decision.verdict,
            asked=decision.asked,
            refused=decision.refused,
        )

    def _next_number(self) -> int:
        return max((t.number for t in self.study.trials()), default=-1) + 1

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
            TunerError: a metric is missing or not a number; the trial was told before.
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
            TunerError: the step is not a finite number of at least 0, or a value is no number.
        """
        point = point_of(trial, step, metrics)
        if trial.record_id not in self._reported:
            self._early.learn(self.study.trials())
        curve = self._reported.setdefault(trial.record_id, Curve())
        if finite := {name: value for name, value in point.metrics.items() if math.isfinite(value)}:
            curve.add(replace(point, metrics=finite))
        return self._early.stop(trial.number, trial.config, point)

    def enqueue(self, configs: Iterable[Config]) -> None:
        """Put a person's own points in line; they run next, under the source "user".

        Raises:
            CardError: a configuration cannot run; the faults are named and none is enqueued.
        """
        configs = list(configs)
        for config in configs:
            checked = self.card.space.check(config)
            faults = [str(f) for f in checked.faults] + [
                f"{name} is not in the space or not active" for name in checked.ignored
            ]
            if faults:
                raise CardError(f"{config!r} cannot run: {'; '.join(faults)}", "mend it; no point was enqueued")
        for config in configs:
            self.study.enqueue(self.card.space.check(config).config)

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self, objective: Callable[..., Any] | None = None, trials: int | None = None) -> Result:
        """What the study has found once a stop rule holds.

        Args:
            objective: called with a configuration in place of the card's tool; gives a value or metric -> value.
            trials: of the whole study, those on record included; None leaves it to the card.
        """
        for _ in self.events(objective, trials):
            pass
        return self.result()

    def events(self, objective: Callable[..., Any] | None = None, trials: int | None = None) -> Iterator[Event]:
        """What happens, as it happens, until a stop rule holds. Closing the generator cancels the running trials."""
        self._limit = self.planner.limit = trials
        executor = self._executor or LocalExecutor(self._needed_tool(objective), self.workers)
        self._early = EarlyStop(self.card)  # told anew from the record, as in a session that goes on
        running: dict[int, Trial] = {}
        yield from self._opening()
        try:
            while True:
                while len(running) < self.workers and (trial := self._next(executor)):
                    running[trial.number] = trial
                    yield Started(trial)
                    self._early.learn(self.study.trials())
                    executor.submit(self._job(trial), partial(self._early.stop, trial.number, trial.config))
                    yield from self._ask_ahead(trial.number + 1, executor)
                if not running:
                    break
                for report in executor.wait(_TICK_S):
                    if report.point is not None:
                        yield Progress(report.job.number, report.point)
                    if report.outcome is not None:
                        trial = self.tell(running.pop(report.job.number), report.outcome)  # on disk before we go on
                        yield Finished(trial, self._is_best(trial))
                        check_healthy(self.study.trials(), trial)
                self._renew(running, executor.now())
                if self._asked_to_end == "now":
                    self.stopped = _ASKED
                    break
            assert self.stopped is not None
            yield Stopped(self.stopped.text, self.stopped.kind)
        finally:
            self._wind_down(executor, running)

    def finish(self, *, now: bool = False) -> None:
        """Let `events` end: start no further trial and, with `now`, cancel those that run. From any thread, for good.

        A trial that is being chosen while the model is asked still starts; it is cancelled right after.
        """
        if self._asked_to_end != "now":
            self._asked_to_end = "now" if now else "finish"

    def _next(self, executor: Executor) -> Trial | None:
        """The next trial, or None once a stop rule holds. Points that wait in line still count as trials."""
        ending = _ASKED if self._asked_to_end is not None else None
        self.stopped = ending or stop_reason(self.card, self._counted(), self._limit, executor.now())
        if self.stopped is None:
            try:
                return self._started()
            except StudyError:
                if self.stopped is None:
                    raise
        return None

    def _counted(self) -> list[Trial]:
        """Trials that use up the budget: a lost or cancelled one that waits to run again does not."""
        waiting = {entry.number for entry in self.study.queue() if entry.number is not None}
        return [t for t in self.study.trials() if t.number not in waiting]

    def _needed_tool(self, objective: Callable[..., Any] | None) -> Tool:
        if objective is not None:
            return open_tool(self.card, objective)
        return self._tool or open_tool(self.card)

    def _job(self, trial: Trial) -> Job:
        folder = (self.folder / self.card.name / f"{trial.number:05d}-{trial.attempt}").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return Job(trial.number, trial.attempt, trial.config, trial.seed, folder, limits=limits(self.card))

    def _opening(self) -> Iterator[Event]:
        finished = sum(not t.running for t in self.study.trials())
        if finished or self._lost:
            self._reap()
            yield Resumed(finished, tuple(t.number for t in self._lost))

    def _reap(self) -> None:
        """End what a killed session left running, so that no configuration runs twice at once."""
        from tunewright_tools.process import reap

        for t in self._lost:
            reap(self.folder / self.card.name / f"{t.number:05d}-{t.attempt}")

    def _ask_ahead(self, number: int, executor: Executor) -> Iterator[Event]:
        """Let the model think while the trial runs, unless that trial was the last."""
        if stop_reason(self.card, self._counted(), self._limit, executor.now()) is None:
            self.planner.prefetch(number)
        reason = self.planner.proposer.silenced() if self.planner.proposer else None
        if reason and not self._silence_told:
            self._silence_told = True
            yield Silenced(reason)

    def _renew(self, running: Mapping[int, Trial], now: float) -> None:
        if running and now - self._renewed > _HEARTBEAT_S:
            self._renewed = now
            self.study.renew(list(running.values()))

    def _is_best(self, trial: Trial) -> bool:
        best = self.study.best()
        return best is not None and best.number == trial.number

    def _wind_down(self, executor: Executor, running: dict[int, Trial]) -> None:
        """Cancel what still runs and put that on record; nothing that has finished is touched."""
        if running:
            executor.cancel()
            deadline = time.monotonic() + 15
            while running and time.monotonic() < deadline:
                for report in executor.wait(_TICK_S):
                    if report.outcome is not None and report.job.number in running:
                        self._told_at_the_end(running.pop(report.job.number), report.outcome)
            for trial in running.values():
                self._told_at_the_end(trial, Outcome("cancelled", detail="the run did not end in time"))
        executor.close()

    def _told_at_the_end(self, trial: Trial, outcome: Outcome) -> None:
        """Record a cancelled trial and put it in line again, so that the next session goes on with it."""
        told = self.tell(trial, outcome)
        if told.status == "cancelled":
            self.study.requeue(told)

    def result(self) -> Result:
        """What the study has found so far."""
        trials = self.study.trials()
        default = next((t for t in trials if t.number == 0 and t.source == "default"), None)
        return Result(
            best=self.study.best(),
            default=default,
            front=tuple(self.study.front()),
            trials=tuple(trials),
            ledger=self.study.ledger,
            stopped=self.stopped,
        )

    def confirm(self, k: int, top: int = 3, objective: Callable[..., Any] | None = None) -> Confirmation:
        """What the best few configurations and the default give on k fresh seeds; see `confirming`."""
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
            objective: as for `run`.

        Raises:
            StudyError: no trial has a value yet; another process is at it.
            ToolError: a run failed for a reason outside its configuration.
        """
        executor = self._executor or LocalExecutor(self._needed_tool(objective), self.workers)
        return confirming(self.study, executor, self.folder, k, top)

    def close(self) -> None:
        """Let go of the model's connections and child processes."""
        if self.chat is not None:
            self.chat.close()

    def __enter__(self) -> "Tuner":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
