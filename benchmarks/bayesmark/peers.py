"""Other optimizers behind one small interface. A failed run is told as one, or not at all; never as a number.

All search the same scales: a logit parameter is handed over as its logit, a log parameter as a log one.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from benchmarks.bayesmark.tasks import Task

from tunewright.space import Float, Int, Parameter
from tunewright_tools.base import Config


class Searcher(Protocol):
    """Anything that can be asked for configurations and told scores."""

    def ask(self) -> Config:
        """The next configuration; the initial design comes first."""

    def tell(self, config: Config, score: float | None) -> None:
        """Take note of the last configuration's score; None: it failed."""

    def close(self) -> None:
        """Let go of files and processes."""

    def notes(self) -> dict[str, Any]:
        """What a record of the run should keep beside configurations and scores."""


class Peer(ABC):
    """What all peers share: they serve the initial design, then ask their optimizer.

    Args:
        task: gives the space and the direction.
        design: configurations to begin with.
        seed: of everything random.
    """

    def __init__(self, task: Task, design: Sequence[Config], seed: int) -> None:
        self.task = task
        self.space = task.space
        self.seed = seed
        self.asked = 0
        self._design = list(design)

    def ask(self) -> Config:
        self.asked += 1
        return self._design[self.asked - 1] if self.asked <= len(self._design) else self.next()

    @abstractmethod
    def tell(self, config: Config, score: float | None) -> None:
        """Take the score; None is a failed fit."""

    @abstractmethod
    def next(self) -> Config:
        """The optimizer's own next configuration."""

    def close(self) -> None:  # noqa: B027 (most peers hold nothing)
        """Let go of what the peer holds open."""

    def notes(self) -> dict[str, Any]:
        return {}


class Random(Peer):
    """Uniform draws on each parameter's scale."""

    def __init__(self, task: Task, design: Sequence[Config], seed: int) -> None:
        super().__init__(task, design, seed)
        self._random = np.random.default_rng([seed, 1])

    def next(self) -> Config:
        return self.space.from_unit(self._random.random((1, len(self.space))))[0]

    def tell(self, config: Config, score: float | None) -> None:
        pass


class OptunaPeer(Peer):
    """A sampler of Optuna, in memory."""

    def __init__(self, task: Task, design: Sequence[Config], seed: int, sampler: Any) -> None:
        import optuna

        super().__init__(task, design, seed)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction=task.direction, sampler=sampler)
        self._distributions = {p.name: _distribution(p) for p in self.space}
        self._trial: Any = None

    def next(self) -> Config:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # experimental samplers, failed restarts of a fit: not this harness's to mend
            self._trial = self._study.ask(self._distributions)
        return {p.name: from_scale(p, self._trial.params[p.name]) for p in self.space}

    def tell(self, config: Config, score: float | None) -> None:
        from optuna.trial import TrialState, create_trial

        state = TrialState.FAIL if score is None else TrialState.COMPLETE
        if self._trial is not None:
            self._study.tell(self._trial, score, state=state)
            self._trial = None
            return
        params = {p.name: to_scale(p, config[p.name]) for p in self.space}
        self._study.add_trial(create_trial(state=state, value=score, params=params, distributions=self._distributions))


class BoTorch(Peer):
    """A plain Gaussian process with log expected improvement, refitted at each step with BoTorch's own defaults."""

    def __init__(self, task: Task, design: Sequence[Config], seed: int) -> None:
        super().__init__(task, design, seed)
        self._configs: list[Config] = []
        self._scores: list[float] = []

    def tell(self, config: Config, score: float | None) -> None:
        if score is not None:
            self._configs.append(config)
            self._scores.append(-score if self.task.regression else score)

    def next(self) -> Config:
        import torch
        from botorch.acquisition import LogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.optim import optimize_acqf
        from gpytorch.mlls import ExactMarginalLogLikelihood

        torch.manual_seed(self.seed * 1000 + self.asked)
        if len(self._scores) < 2:
            return self.space.from_unit(torch.rand(1, len(self.space), dtype=torch.double).numpy())[0]
        x = torch.tensor(self.space.to_unit(self._configs), dtype=torch.double)
        y = torch.tensor(self._scores, dtype=torch.double).unsqueeze(-1)
        bounds = torch.tensor([[0.0] * len(self.space), [1.0] * len(self.space)], dtype=torch.double)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constant scores, failed restarts: the peer as it comes
            model = SingleTaskGP(x, y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            # the model gives its posterior in the scores' own unit, so the incumbent is the best raw score
            acquisition = LogExpectedImprovement(model, best_f=y.max())
            found, _ = optimize_acqf(acquisition, bounds=bounds, q=1, num_restarts=10, raw_samples=256)
        return self.space.from_unit(found.detach().numpy())[0]


def _tpe(task: Task, design: Sequence[Config], seed: int) -> Searcher:
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = TPESampler(multivariate=True, n_startup_trials=len(design), seed=seed)
    return OptunaPeer(task, design, seed, sampler)


def _gp(task: Task, design: Sequence[Config], seed: int) -> Searcher:
    from optuna.samplers import GPSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = GPSampler(n_startup_trials=len(design), seed=seed)
    return OptunaPeer(task, design, seed, sampler)


def _smac(task: Task, design: Sequence[Config], seed: int) -> Searcher:
    from benchmarks.bayesmark.smac_peer import Smac

    return Smac(task, design, seed)


PEERS: dict[str, Callable[[Task, Sequence[Config], int], Searcher]] = {
    "random": Random,
    "tpe": _tpe,
    "gp": _gp,
    "botorch": BoTorch,
    "smac": _smac,
}
"""`tpe` is Optuna's multivariate TPE, `gp` its GPSampler; all model from the first trial after the design on."""


def _distribution(p: Parameter) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    match p:
        case Int():
            return IntDistribution(p.low, p.high, log=p.log)
        case Float(logit=True):
            return FloatDistribution(logit(p.low), logit(p.high))
        case Float():
            return FloatDistribution(p.low, p.high, log=p.log)
    raise TypeError(f"{p!r}: the tasks have whole and real numbers only")


def to_scale(p: Parameter, value: Any) -> Any:
    """The value as the other optimizers see it: a logit parameter as its logit."""
    return logit(value) if isinstance(p, Float) and p.logit else value


def from_scale(p: Parameter, value: Any) -> Any:
    """The way back; it never leaves the parameter's bounds."""
    if isinstance(p, Float) and p.logit:
        return min(max(1 / (1 + float(np.exp(-value))), p.low), p.high)  # the way back may miss a bound by a last digit
    return value


def logit(value: float) -> float:
    return float(np.log(value) - np.log1p(-value))
