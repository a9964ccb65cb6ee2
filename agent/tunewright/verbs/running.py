"""A study that runs in the background: a thread that drains the tuner's events and hands them on."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tunewright.card import TaskCard
from tunewright.errors import TunerError
from tunewright.events import Event, Finished, Started, Stopped
from tunewright.ledger import Call
from tunewright.loop import Tuner
from tunewright.redact import redact
from tunewright.study import Study
from tunewright.turns import WARM_SMALL
from tunewright.verbs.approval import Meter

State = Literal["running", "finishing", "stopping", "ended", "failed"]
WARMSTART = "warmstart-"
"""How the id of a call begins that the verb of that name has made."""
_TICK_S = 0.5


@dataclass(frozen=True)
class CardTaken(Event):
    """The run goes on with a changed card, from the next trial on."""


@dataclass(frozen=True)
class RunFailed(Event):
    """The run ended by an error; what is on record stays."""

    message: str
    hint: str


class Run:
    """A run of one study.

    Args:
        tuner: opened and checked.
        reopen: the tuner for a changed card.
        limit: trials of the whole study after which the run ends.
        asked: trials that were asked for.
        announce: called with each event, in the run's own thread.
        meter: the budget that it draws on; None without one.
        counted_usd: what the study's calls had cost when a budget last counted them; None for now. A reply that came
            after a run had ended is counted with the next one.
    """

    def __init__(
        self,
        tuner: Tuner,
        reopen: Callable[[TaskCard], Tuner],
        *,
        limit: int,
        asked: int,
        announce: Callable[[Event], None],
        meter: Meter | None = None,
        counted_usd: float | None = None,
    ) -> None:
        self.study = tuner.card.name
        self.asked = asked
        self.began = time.time()
        self.started: set[int] = set()
        """Numbers of the trials that it started."""
        self.failure: TunerError | None = None
        self.reason = ""
        """Why it ended, in words."""
        self.counted_usd = _cost(tuner) if counted_usd is None else counted_usd
        self._reopen = reopen
        self._limit = limit
        self._announce = announce
        self._meter = meter
        self._next_card: TaskCard | None = None
        self._state: State = "running"
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._counting = threading.Lock()
        self._counted_at = time.monotonic()
        self._tuner = tuner
        if meter is not None:
            self._count(meter)
            self._cap(meter)
        self._thread = threading.Thread(target=self._run, name=f"study-{self.study}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        if self._meter is not None:
            threading.Thread(target=self._watch, args=(self._meter,), name=f"meter-{self.study}", daemon=True).start()

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    @property
    def active(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    def stop(self, *, now: bool) -> None:
        """Start no further trial; with `now`, also end the trials that run: they are put in line to run again."""
        with self._lock:
            if self.active and self._state != "stopping":
                self._state = "stopping" if now else "finishing"
                self._tuner.finish(now=now)

    def take(self, card: TaskCard) -> None:
        """Go on with a changed card once the trials that run have ended."""
        with self._lock:
            if self.active and self._state == "running":
                self._next_card = card
                self._tuner.finish()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended, after at most so many seconds."""
        return self._ended.wait(seconds)

    def _run(self) -> None:
        try:
            while True:
                for event in self._tuner.events(trials=self._limit):
                    self._hear(event)
                with self._lock:
                    card, self._next_card = self._next_card, None
                    if card is None or self._state != "running":
                        break
                    self._tuner = self._reopen(card)
                    if self._meter is not None:
                        self._cap(self._meter)
                self._announce(CardTaken())
        except TunerError as e:
            self._fail(e)
        except BaseException as e:  # a defect of ours must reach the person too, not die with its thread
            self._fail(TunerError(f"{type(e).__name__}: {e}", f"this is a defect; {_place(e)}"))
        finally:
            try:
                self._settle()  # before it has ended: whoever waits for that may ask for the next run
            finally:
                with self._lock:
                    self._state = "failed" if self.failure is not None else "ended"
                    self._ended.set()

    def _settle(self) -> None:
        if self._meter is None:
            self.counted_usd = _cost(self._tuner)
        else:
            self._count(self._meter)
            self._meter.give_back(max(self.asked - len(self.started), 0))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Started):
            self.started.add(event.trial.number)
        if self._meter is not None and isinstance(event, Started | Finished):  # the model is asked right after
            self._count(self._meter)
            self._cap(self._meter)
        if isinstance(event, Stopped):
            if self._next_card is not None and self._state == "running":
                return  # it only makes room for the changed card
            self.reason = event.reason
        self._announce(event)

    def _fail(self, error: TunerError) -> None:
        self.failure = TunerError(redact(error.message), redact(error.hint))
        self._announce(RunFailed(self.failure.message, self.failure.hint))

    # -- a stated budget -----------------------------------------------------------------------------------------

    def _cap(self, meter: Meter) -> None:
        """Leave the model alone before a round of calls could take it over the budget's money.

        The dearest call so far stands for the next ones: what a call costs is known only once it was made.
        """
        left, planner = meter.left_usd(), self._tuner.planner
        if left is None or planner.proposer is None:
            return
        costs = [call.cost_usd or 0.0 for call in self._tuner.study.ledger.calls()]
        calls = 2 if planner.proposer.chat.trusted_tools else WARM_SMALL + 1  # of a round, its repair among them
        cap = sum(costs) + left - calls * max(costs, default=0.0)
        own = self._tuner.card.budget.usd
        planner.proposer.budget_usd = cap if own is None else min(own, cap)

    def _watch(self, meter: Meter) -> None:
        """Count while the run goes on, and end it when the time is used up."""
        while not self._ended.wait(_TICK_S):
            self._count(meter)
            if meter.used_up() is not None:
                self.stop(now=True)

    def _count(self, meter: Meter) -> None:
        """Count the time and money used since the last count."""
        with self._counting:
            if self.active:
                now, cost = time.monotonic(), _cost(self._tuner)
                meter.use(seconds=now - self._counted_at, usd=cost - self.counted_usd)
                self._counted_at, self.counted_usd = now, cost


def calls_of_runs(study: Study) -> list[Call]:
    """The model calls that the study's trials have led to; a warmstart and a talk count their own."""
    return [c for c in study.ledger.calls() if not c.id.startswith(WARMSTART) and c.purpose != "chat"]


def _cost(tuner: Tuner) -> float:
    """US dollars that runs of the study have cost."""
    return sum(call.cost_usd or 0.0 for call in calls_of_runs(tuner.study))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"it happened in {frames[-1].name}, line {frames[-1].lineno}" if frames else "its place is not known"
