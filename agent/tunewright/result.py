"""What a study has found, as `Tuner.run` gives it."""

from dataclasses import dataclass

from tunewright.ledger import Ledger
from tunewright.stopping import StopReason
from tunewright.study import Study
from tunewright.trial import Trial


@dataclass(frozen=True)
class Result:
    """What a study has found."""

    best: Trial | None
    """The best trial that fulfils the constraints; None while none does."""
    default: Trial | None
    """Trial 0 when it ran the default configuration."""
    front: tuple[Trial, ...]
    """The Pareto front; with one metric, the best trial alone."""
    trials: tuple[Trial, ...]
    ledger: Ledger
    """Every model call, what became of it, what each source delivered."""
    stopped: StopReason | None


def result_of(study: Study, stopped: StopReason | None) -> Result:
    """What the study has found so far, and why it stopped."""
    trials = study.trials()
    return Result(
        best=study.best(),
        default=next((t for t in trials if t.number == 0 and t.source == "default"), None),
        front=tuple(study.front()),
        trials=tuple(trials),
        ledger=study.ledger,
        stopped=stopped,
    )
