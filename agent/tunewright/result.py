"""What a study has found, as `Tuner.run` gives it."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from tunewright.attempts import default_of
from tunewright.card import TaskCard
from tunewright.errors import StudyError
from tunewright.ledger import Ledger
from tunewright.stopping import StopReason
from tunewright.study import Study
from tunewright.trial import Trial


@dataclass(frozen=True, eq=False)
class Found(Trial):
    """A trial with what it reached; it equals the trial on record."""

    value: float | None = None
    """The study's first metric; None unless the trial is done."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trial) and all(getattr(self, f.name) == getattr(other, f.name) for f in fields(Trial))

    __hash__ = Trial.__hash__


@dataclass(frozen=True, repr=False)
class Result:
    """What a study has found; it stays as it is while the study goes on, and can be copied and pickled."""

    best: Found | None
    """The best trial that fulfils the constraints; None while none does."""
    default: Found | None
    """Trial 0 when it ran the default configuration."""
    front: tuple[Found, ...]
    """The Pareto front; with one metric, the best trial alone."""
    trials: tuple[Found, ...]
    """The latest attempt at each, by number."""
    ledger: Ledger
    """Every model call, what became of it, what each source delivered."""
    stopped: StopReason | None
    """Why no further trial starts; None where nothing has ended the study yet."""

    def __repr__(self) -> str:
        """A few lines: all trials with their curves would fill pages of a notebook."""
        lines = [f"best: {_shown(self.best)}"]
        lines += [f"default: {_shown(self.default)}"] if self.default is not None else []
        lines += [f"front: {len(self.front)} trials"] if len(self.front) > 1 else []
        lines += [f"trials: {len(self.trials)}, with a value: {sum(t.done for t in self.trials)}"]
        lines += [f"stopped: {self.stopped.text}"] if self.stopped is not None else []
        return "\n".join(["Result(", *(f"  {line}" for line in lines), ")"])


def _shown(trial: Trial | None) -> str:
    if trial is None:
        return "none"
    metrics = trial.outcome.metrics if trial.outcome is not None else {}
    ended = ", ".join(f"{name}={value:.4g}" for name, value in metrics.items()) or trial.status
    return f"trial {trial.number} ({trial.source}): {ended} with {trial.config!r}"


@dataclass
class _Kept:
    """What a ledger reads of a study, without the database that it came from."""

    card: TaskCard
    calls: dict[str, Any]
    latest: tuple[Trial, ...]
    every: tuple[Trial, ...]

    def set(self, key: str, value: Any) -> None:
        """Refused."""
        raise StudyError(f"{key!r} cannot be written: a result is read alone", "write into `Tuner.study`")

    def swap(self, key: str, value: Any, *, before: Any = None) -> bool:
        """Refused."""
        self.set(key, value)
        return False

    def attributes(self, prefix: str, known: Collection[str] = ()) -> dict[str, Any]:
        """The calls whose key starts with the prefix, but for those of known keys."""
        return {key: value for key, value in self.calls.items() if key.startswith(prefix) and key not in known}

    def trials(self) -> list[Trial]:
        """The latest attempt of each trial."""
        return list(self.latest)

    def attempts(self) -> list[Trial]:
        """Every attempt."""
        return list(self.every)


def result_of(study: Study, stopped: StopReason | None) -> Result:
    """What the study has found so far, and why it stopped."""
    trials = study.trials()
    kept = _Kept(study.card, study.attributes("call/"), tuple(trials), tuple(study.attempts()))
    primary = study.card.primary.name

    def found(trial: Trial) -> Found:
        reached = trial.outcome.metrics if trial.outcome is not None else {}
        return Found(**vars(trial), value=reached.get(primary))

    best, default = study.best(), default_of(trials)
    return Result(
        best=found(best) if best is not None else None,
        default=found(default) if default is not None else None,
        front=tuple(map(found, study.front())),
        trials=tuple(map(found, trials)),
        ledger=Ledger(kept),
        stopped=stopped,
    )
