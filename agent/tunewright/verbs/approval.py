"""Who says yes to what spends or deletes: a person who is asked, a stated budget, always, or never."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

By = Literal["person", "model"]

_serials = itertools.count(1)


@dataclass(frozen=True)
class Estimate:
    """What something would use. None means unknown, never nothing."""

    trials: int = 0
    seconds: float | None = 0.0
    """Wall-clock seconds."""
    usd: float | None = 0.0
    """US dollars for calls of a model."""

    def text(self) -> str:
        """Such as "12 trials, about 40 minutes, 0.03 USD"; what is not known is said to be unknown."""
        trials = [f"{self.trials} trial{'s' * (self.trials != 1)}"] if self.trials else []
        time = "time unknown" if self.seconds is None else f"about {duration(self.seconds)}"
        cost = "cost unknown" if self.usd is None else usd(self.usd)
        return ", ".join([*trials, time, cost])


def duration(seconds: float) -> str:
    """A length of time in the unit that people would use."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} second{'s' * (round(seconds) > 1)}"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"


def usd(amount: float) -> str:
    """An amount of money: two digits after the point, or as many as show that it is not nothing."""
    if amount == 0:
        return "0 USD"
    return f"{amount:.2f} USD" if amount >= 0.005 else f"{amount:.1g} USD"


@dataclass(frozen=True)
class ApprovalRequest:
    """What a person is asked before something spends or deletes."""

    verb: str
    effect: Literal["change", "spend", "delete"]
    what: str
    """In words: "run 12 trials of the study resnet"."""
    by: By = "person"
    """Who called the verb."""
    study: str | None = None
    estimate: Estimate | None = None
    """None for what deletes."""
    command: str | None = None
    """The exact command that each trial would run, as a shell would quote it; None where nothing is run."""
    needs_person: str = ""
    """Why a stated budget does not cover it (it deletes, it raises a limit, its command was never approved)."""
    serial: int = field(default_factory=lambda: next(_serials), compare=False)

    def text(self) -> str:
        """The question for a person, a few lines."""
        lines = [f"{self.what}: {self.estimate.text()}" if self.estimate is not None else self.what]
        if self.command is not None:
            lines.append(f"each trial runs: {self.command}")
        if self.by == "model":
            lines.append("asked for by the model")
        if self.needs_person:
            lines.append(self.needs_person)
        return "\n".join(lines)


class Meter(Protocol):
    """A budget that a run draws on while it runs."""

    def use(self, *, seconds: float = 0.0, usd: float = 0.0) -> None:
        """Count what was used."""

    def give_back(self, trials: int) -> None:
        """Return trials that were granted and did not start."""

    def left_usd(self) -> float | None:
        """US dollars that may still be spent; None without a limit."""

    def used_up(self) -> str | None:
        """Why the run must end now, in words; None while it may go on."""


class Approver(Protocol):
    """Answers requests."""

    def approve(self, request: ApprovalRequest) -> bool:
        """Whether it may be done."""

    def meter(self, request: ApprovalRequest) -> Meter | None:
        """The budget that an approved request draws on while it runs; None when it draws on none."""


class Ask:
    """Asks a person.

    Args:
        ask: gets the request and returns True for yes; anything else is a no.
    """

    def __init__(self, ask: Callable[[ApprovalRequest], bool]) -> None:
        self._ask = ask

    def approve(self, request: ApprovalRequest) -> bool:
        """What the person said; only True is a yes."""
        return self._ask(request) is True

    def meter(self, request: ApprovalRequest) -> Meter | None:
        """None: a person's yes is to the whole request."""
        return None


class Always:
    """Says yes to all: the person said --yes."""

    def approve(self, request: ApprovalRequest) -> bool:
        """True."""
        return True

    def meter(self, request: ApprovalRequest) -> Meter | None:
        """None."""
        return None


class Never:
    """Says no to all: nobody is there to be asked."""

    def approve(self, request: ApprovalRequest) -> bool:
        """False."""
        return False

    def meter(self, request: ApprovalRequest) -> Meter | None:
        """None."""
        return None


class Within:
    """Says yes within a budget that a person set; it counts down and is not exceeded.

    Trials are taken from it when a request is granted, and those that did not start come back. Time and money are
    counted while a run uses them; the run is ended when the time is used up, and the model is left alone before the
    money is. A limit that is not stated does not limit. What deletes, raises a limit or runs a command that no person
    has seen is not covered: `otherwise` decides it, and what it grants is not counted here.

    Args:
        trials: trials that may start.
        hours: wall-clock hours during which trials may run.
        usd: US dollars that calls of a model may cost.
        otherwise: asked about everything that the budget does not cover.
    """

    def __init__(
        self,
        *,
        trials: int | None = None,
        hours: float | None = None,
        usd: float | None = None,
        otherwise: Approver | None = None,
    ) -> None:
        self.otherwise: Approver = Never() if otherwise is None else otherwise
        self._trials = trials
        self._seconds = None if hours is None else 3600 * hours
        self._usd = usd
        self._granted: set[int] = set()
        self._lock = threading.Lock()

    def approve(self, request: ApprovalRequest) -> bool:
        """Whether the budget covers it; where it does not, what `otherwise` says."""
        with self._lock:
            if self._covers(request):
                if self._trials is not None and request.estimate is not None:
                    self._trials -= request.estimate.trials
                self._granted.add(request.serial)
                return True
        return self.otherwise.approve(request)

    def _covers(self, request: ApprovalRequest) -> bool:
        estimate = request.estimate
        if estimate is None or request.effect != "spend" or request.needs_person:
            return False
        trials_fit = self._trials is None or estimate.trials <= self._trials
        # an unknown time may start, since the run ends when the time is used up; an unknown price cannot be counted
        time_fits = self._seconds is None or (self._seconds > 0 and (estimate.seconds or 0.0) <= self._seconds)
        money_fits = self._usd is None or (estimate.usd is not None and estimate.usd <= self._usd)
        return trials_fit and time_fits and money_fits

    def meter(self, request: ApprovalRequest) -> Meter | None:
        """The budget itself, for what it granted."""
        return self if request.serial in self._granted else self.otherwise.meter(request)

    def left(self) -> Estimate:
        """What is left of it; None for what it does not limit counts as unknown."""
        with self._lock:
            return Estimate(self._trials or 0, self._seconds, self._usd)

    def use(self, *, seconds: float = 0.0, usd: float = 0.0) -> None:
        """Count what a run used."""
        with self._lock:
            self._seconds = None if self._seconds is None else max(self._seconds - seconds, 0.0)
            self._usd = None if self._usd is None else max(self._usd - usd, 0.0)

    def give_back(self, trials: int) -> None:
        """Return trials that did not start."""
        with self._lock:
            self._trials = None if self._trials is None else self._trials + trials

    def left_usd(self) -> float | None:
        """US dollars that may still be spent; None without a limit."""
        with self._lock:
            return self._usd

    def used_up(self) -> str | None:
        """Why a run must end now."""
        with self._lock:
            return "the hours of the stated budget are used up" if self._seconds == 0.0 else None
