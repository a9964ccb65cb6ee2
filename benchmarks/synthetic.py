"""Two tasks in closed form where a large part of the space fails, and searchers that run on them.

| task | parameters | what fails | what is told of a failure |
| --- | --- | --- | --- |
| memory | 12, two conditional | batch x depth^2 x width beyond a limit: out of memory | peak and limit, as telemetry |
| divergence | 11, two conditional | learning rate above a bound that depth lowers, warm-up raises | that it diverged |

Both have their best values close to where runs begin to fail, as trainings do.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tunewright.card import TaskCard
from tunewright.space import Choice, Float, Int, Space
from tunewright_tools.base import Config, Outcome, Telemetry

LIMIT_BYTES = 16 * 2**30


@dataclass(frozen=True)
class Task:
    """A card and its outcome in closed form."""

    name: str
    card: TaskCard
    run: Callable[[Config], Outcome]
    best: float
    """About the lowest loss that does not fail, from 200,000 random draws (`python -m benchmarks.synthetic`)."""


def _common() -> list[Any]:
    return [
        Float("lr", 1e-5, 1e-1, log=True, default=1e-3, about="peak learning rate"),
        Choice("optimizer", ["adamw", "sgd", "muon"], default="adamw"),
        Float("momentum", 0.5, 0.99, default=0.9, when={"optimizer": "sgd"}),
        Float("beta2", 0.9, 0.999, logit=True, default=0.99, when={"optimizer": ["adamw", "muon"]}),
        Float("weight_decay", 1e-5, 1.0, log=True, default=1e-2),
        Float("dropout", 0.0, 0.5, default=0.1),
        Float("warmup", 0.0, 0.3, default=0.05),
        Float("label_smoothing", 0.0, 0.3, default=0.0),
        Choice("schedule", ["cosine", "linear", "constant"], default="cosine"),
    ]


def _recipe(c: Config) -> float:
    """The part of the loss that the recipe alone decides; 0 at its best."""
    best_lr = {"adamw": -2.9, "sgd": -1.4, "muon": -1.9}[c["optimizer"]]
    loss = 0.25 * (math.log10(c["lr"]) - best_lr) ** 2
    loss += {"adamw": 0.06, "sgd": 0.15, "muon": 0.0}[c["optimizer"]]
    loss += 0.04 * (math.log10(c["weight_decay"]) + 1.3) ** 2 + 0.5 * (c["dropout"] - 0.12) ** 2
    loss += 2.0 * (c["warmup"] - 0.08) ** 2 + 1.5 * (c["label_smoothing"] - 0.05) ** 2
    loss += {"cosine": 0.0, "linear": 0.02, "constant": 0.12}[c["schedule"]]
    if "momentum" in c:
        loss += 1.0 * (c["momentum"] - 0.92) ** 2
    if "beta2" in c:
        loss += 0.01 * (math.log(c["beta2"] / (1 - c["beta2"])) - math.log(0.95 / 0.05)) ** 2
    return loss


def memory() -> Task:
    """Bigger is better until it does not fit."""
    space = Space(
        Int("batch", 4, 512, rounding="power_of_two", default=32, unit="sequences"),
        Int("depth", 2, 48, log=True, default=8, unit="blocks"),
        Int("width", 64, 4096, rounding="power_of_two", default=256, unit="channels"),
        *_common(),
    )
    card = TaskCard(
        name="memory",
        goal="a language model as good as fits into 16 GiB",
        metric="loss",
        direction="minimize",
        space=space,
        derived={"activation": {"batch": 1, "depth": 2, "width": 1}},
    )

    def run(c: Config) -> Outcome:
        needed = 2**30 + 6_000 * c["batch"] * c["depth"] ** 2 * c["width"]
        telemetry = Telemetry(10.0, peak_bytes=min(needed, LIMIT_BYTES), limit_bytes=LIMIT_BYTES)
        if needed > LIMIT_BYTES:
            return Outcome("oom", telemetry=telemetry, detail="out of memory", fault="config")
        size = math.log2(c["depth"] * c["width"] ** 1.5)
        loss = 4.0 - 0.09 * size + 0.02 * (math.log2(c["batch"]) - 6) ** 2 + _recipe(c)
        return Outcome("done", {"loss": loss}, telemetry=telemetry)

    return Task("memory", card, run, 2.301)


def divergence() -> Task:
    """A higher learning rate is better until the run diverges; nothing but the failure is seen."""
    space = Space(
        Int("depth", 2, 48, log=True, default=8, unit="blocks"),
        Float("grad_clip", 0.1, 10.0, log=True, default=1.0),
        *_common(),
    )
    card = TaskCard(
        name="divergence", goal="a network that must not diverge", metric="loss", direction="minimize", space=space
    )

    def run(c: Config) -> Outcome:
        edge = {"adamw": -3.0, "sgd": -1.6, "muon": -2.2}[c["optimizer"]]
        edge += 1.5 * c["warmup"] - 0.6 * math.log10(c["depth"] / 8) - 0.15 * math.log10(c["grad_clip"])
        telemetry = Telemetry(10.0)
        if math.log10(c["lr"]) > edge:
            return Outcome("diverged", telemetry=telemetry, detail="loss is nan", fault="config")
        loss = 3.0 - 0.25 * math.log2(c["depth"]) + 0.02 * math.log10(c["grad_clip"]) ** 2 + _recipe(c)
        return Outcome("done", {"loss": loss}, telemetry=telemetry)

    return Task("divergence", card, run, 1.718)


TASKS = {"memory": memory, "divergence": divergence}


# -- searchers -----------------------------------------------------------------------------------------------------


class Searcher(Protocol):
    """Asked for configurations, several of which may run at once, and told outcomes."""

    def ask(self) -> tuple[Any, Config]:
        """A handle and the configuration to run."""

    def tell(self, handle: Any, outcome: Outcome) -> None:
        """Take note of an outcome."""

    def busy(self) -> None:
        """Work ahead: all workers have something to do."""

    def close(self) -> None:
        """Let go of files."""


class Tunewright:
    """Tunewright without a model, in a temporary SQLite file; `workers` as it will be used."""

    def __init__(self, task: Task, seed: int, folder: str, workers: int = 1) -> None:
        from tunewright.loop import Tuner

        storage = f"sqlite:///{folder}/study.db"
        self._tuner = Tuner(task.card, None, storage, seed, workers=workers, folder=folder)

    def ask(self) -> tuple[Any, Config]:
        trial = self._tuner.ask()
        return trial, trial.config

    def tell(self, handle: Any, outcome: Outcome) -> None:
        self._tuner.tell(handle, outcome)

    def busy(self) -> None:
        started = len(self._tuner.study.trials())
        self._tuner.planner.prepare(started)  # as `Tuner.events` does

    def close(self) -> None:
        self._tuner.close()


class OptunaSearch:
    """One of Optuna's samplers on the same space, conditions by define-by-run; the default configuration goes first."""

    def __init__(self, task: Task, seed: int, sampler: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = {
                "random": lambda: optuna.samplers.RandomSampler(seed=seed),
                "tpe": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
                "gp": lambda: optuna.samplers.GPSampler(seed=seed),
            }[sampler]()
        self._space = task.card.space
        self._study = optuna.create_study(sampler=made)
        self._study.enqueue_trial(_as_optuna(self._space, self._space.default()))

    def ask(self) -> tuple[Any, Config]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask()
            return trial, _suggested(self._space, trial)

    def tell(self, handle: Any, outcome: Outcome) -> None:
        from optuna.trial import TrialState

        if outcome.status == "done":
            self._study.tell(handle, outcome.metrics["loss"])
        else:
            self._study.tell(handle, state=TrialState.FAIL)

    def busy(self) -> None:
        """Nothing is done ahead."""

    def close(self) -> None:
        """Nothing to let go of."""


def _suggested(space: Space, trial: Any) -> Config:
    """The same parameters on the same scales; a logit parameter as its logit, powers of two as their exponent."""
    config: Config = {}
    for p in space:
        if not all(config.get(parent) in values for parent, values in p.when.items()):
            continue
        match p:
            case Choice():
                config[p.name] = trial.suggest_categorical(p.name, list(p.choices))
            case Int(rounding="power_of_two"):
                config[p.name] = 2 ** trial.suggest_int(p.name, int(math.log2(p.low)), int(math.log2(p.high)))
            case Int():
                config[p.name] = trial.suggest_int(p.name, p.low, p.high, log=p.log)
            case Float(logit=True):
                at = trial.suggest_float(p.name, _logit(p.low), _logit(p.high))
                config[p.name] = 1 / (1 + math.exp(-at))
            case Float():
                config[p.name] = trial.suggest_float(p.name, p.low, p.high, log=p.log)
    return config


def _as_optuna(space: Space, config: Config) -> Config:
    made = dict(config)
    for name, value in config.items():
        p = space[name]
        if isinstance(p, Int) and p.rounding:
            made[name] = int(math.log2(value))
        if isinstance(p, Float) and p.logit:
            made[name] = _logit(value)
    return made


def _logit(x: float) -> float:
    return math.log(x / (1 - x))


METHODS = ("random", "tpe", "gp", "tunewright")


def searcher(method: str, task: Task, seed: int, folder: str, workers: int = 1) -> Searcher:
    """The method, ready to be asked."""
    return Tunewright(task, seed, folder, workers) if method == "tunewright" else OptunaSearch(task, seed, method)


if __name__ == "__main__":
    import numpy as np

    for made in (memory(), divergence()):
        outcomes = [
            made.run(c)
            for c in made.card.space.from_unit(np.random.default_rng(0).random((200_000, len(made.card.space))))
        ]
        lowest = min(o.metrics["loss"] for o in outcomes if o.status == "done")
        print(f"{made.name}: {np.mean([o.status != 'done' for o in outcomes]):.0%} fail, lowest loss {lowest:.3f}")
