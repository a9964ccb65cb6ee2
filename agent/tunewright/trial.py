"""The records of one trial: what was proposed, what the guard said, what ran and how it ended. All frozen."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tunewright_tools.base import Config, Outcome, Status

Source = str
"""Who chose a configuration: default | user | earlier | llm | prior | textbook | sobol | surrogate | sampler:<name>."""


@dataclass(frozen=True)
class Interval:
    """A value and the interval that holds it with a chance of 80%, in the metric's own unit."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Proposal:
    """A configuration that somebody would like to run, exactly as asked."""

    config: Config
    source: Source
    rationale: str = ""
    predicted: Interval | None = None
    """What the surrogate expected of it, before it ran."""
    call_id: str | None = None
    """The model call (`Ledger`) that it came from."""
    index: int | None = None
    """Its place in that call's reply."""


@dataclass(frozen=True)
class Verdict:
    """What the guard said of a proposal, with the numbers behind it."""

    accepted: bool
    reason: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    """Names in the proposal that are not in the space (or not active); dropped, not judged."""


@dataclass(frozen=True)
class Refusal:
    """A proposal that did not run, and why."""

    proposal: Proposal
    verdict: Verdict


@dataclass(frozen=True)
class Trial:
    """One configuration of a study.

    `number` counts configurations: a re-run after a lost worker keeps the number and raises `attempt`.
    """

    number: int
    config: Config
    source: Source
    attempt: int = 1
    seed: int = 0
    turn: Source = ""
    """Whose turn it was; differs from `source` when that source's proposals were all refused."""
    asked: Config = field(default_factory=dict)
    """The configuration as proposed, before rounding and before unknown names were dropped."""
    rationale: str = ""
    verdict: Verdict = field(default_factory=lambda: Verdict(accepted=True))
    refused: tuple[Refusal, ...] = ()
    """Proposals that were refused on the way to this trial."""
    predicted: Interval | None = None
    call_id: str | None = None
    call_index: int | None = None
    queue_id: str | None = None
    """The queue entry (a person's point, or the re-run of a lost trial) that it came from."""
    space_revision: int = 0
    status: Status | Literal["running"] = "running"
    outcome: Outcome | None = None
    started: float = 0.0
    """Unix seconds."""
    finished: float | None = None
    record_id: int = -1
    """Number of the row in the Optuna study underneath; -1: of none yet."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Package versions, git commit and dirty flag, host."""

    @property
    def done(self) -> bool:
        """Whether the trial has a value."""
        return self.status == "done"

    @property
    def running(self) -> bool:
        """Whether the trial has no outcome yet."""
        return self.status == "running"
