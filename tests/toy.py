"""Small real things that several tests share: a card, trials, a toy objective."""

import time
from pathlib import Path
from typing import Any

from tunewright import Tuner
from tunewright.card import TaskCard
from tunewright.executors.base import Report
from tunewright.space import Choice, Float, Int, Space
from tunewright.trial import Trial
from tunewright_tools.base import Job, Outcome, Telemetry


def space() -> Space:
    return Space(
        Float("lr", 1e-5, 1e-1, log=True, default=1e-3, about="peak learning rate"),
        Choice("optimizer", ["adamw", "sgd"], default="adamw"),
        Float("momentum", 0.5, 0.99, default=0.9, when={"optimizer": "sgd"}),
        Int("width", 16, 512, rounding="power_of_two", default=64, unit="units"),
    )


def card(**changes: Any) -> TaskCard:
    given: dict[str, Any] = {
        "goal": "a toy with a best learning rate of 0.01",
        "name": "toy",
        "metric": "loss",
        "direction": "minimize",
        "space": space(),
    }
    return TaskCard(**{**given, **changes})


def tuner(folder: Path, model: Any = None, **changes: Any) -> Tuner:
    """A tuner of the toy card with its record in `folder`; what is no option of `Tuner` changes the card."""
    options = {k: changes.pop(k) for k in ("workers", "seed", "tool", "executor", "textbook") if k in changes}
    return Tuner(card(**changes), model, storage=f"sqlite:///{folder}/study.db", folder=folder / "runs", **options)


def objective(config: dict[str, Any]) -> float:
    """Best at lr = 0.01, width = 128, sgd slightly better; about 0 there."""
    import math

    value = (math.log10(config["lr"]) + 2) ** 2 + 0.1 * (math.log2(config["width"]) - 7) ** 2
    return value + (0.0 if config["optimizer"] == "sgd" else 0.05)


def done(number: int, config: dict[str, Any], value: float, *, source: str = "surrogate", **more: Any) -> Trial:
    outcome = Outcome("done", {"loss": value}, telemetry=Telemetry(seconds=1.0))
    given = {
        "turn": source,
        "status": "done",
        "outcome": outcome,
        "started": 1000.0 + number,
        "finished": 1001.0 + number,
    }
    return Trial(number, config, source, **{**given, **more})


def failed(
    number: int, config: dict[str, Any], status: str = "oom", *, source: str = "surrogate", **more: Any
) -> Trial:
    fault = more.pop("fault", "config")
    telemetry = more.pop("telemetry", Telemetry(seconds=1.0, peak_bytes=9 * 2**30, limit_bytes=10 * 2**30))
    outcome = Outcome(status, telemetry=telemetry, detail=more.pop("detail", "CUDA out of memory"), fault=fault)  # type: ignore[arg-type]
    given = {
        "turn": source,
        "status": status,
        "outcome": outcome,
        "started": 1000.0 + number,
        "finished": 1001.0 + number,
    }
    return Trial(number, config, source, **{**given, **more})


def config(lr: float = 1e-3, width: int = 64, **more: Any) -> dict[str, Any]:
    return {"lr": lr, "optimizer": "adamw", "width": width, **more}


def points(*rates: float) -> dict[str, Any]:
    """A model's reply that proposes these learning rates."""
    return {"proposals": [{"rationale": f"try {lr}", "config": {**config(lr), "momentum": None}} for lr in rates]}


class AtOnce:
    """Workers that say of all their jobs at the same time that they have ended: the first as told, the rest well."""

    def __init__(self, workers: int, first: Outcome) -> None:
        self.workers, self.first = workers, first
        self.jobs: list[Job] = []

    def now(self) -> float:
        return time.time()

    def submit(self, job: Job, stop: Any = None) -> None:
        self.jobs.append(job)

    def wait(self, seconds: float) -> list[Report]:
        ended, self.jobs = self.jobs, []
        return [Report(job, outcome=Outcome("done", {"loss": 1.0}) if i else self.first) for i, job in enumerate(ended)]

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


def answers(request: Any) -> Any:
    """As many good points as were asked for, different at each call."""
    rates = [0.002 + 0.001 * ((request.seed or 0) % 97) + 0.0003 * i for i in range(request.n_expected)]
    return {"proposals": [{"config": {**config(lr, 128), "momentum": None}} for lr in rates]}
