"""SMAC3's random-forest optimizer as a peer, through its ask-and-tell interface."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from benchmarks.bayesmark.peers import Peer, from_scale, logit, to_scale
from benchmarks.bayesmark.tasks import Task

from tunewright.space import Float, Int, Parameter
from tunewright_tools.base import Config

_SEED = 0  # the one replicate that a deterministic scenario has


class Smac(Peer):
    """SMAC3's `HyperparameterOptimizationFacade` with its defaults: the forest is trained anew after every 8 trials.

    The initial design is told as trials already run. A failed fit is told as crashed; the forest leaves it out, because
    SMAC would otherwise count it at a cost of infinity, which its log scaling cannot take.
    """

    def __init__(self, task: Task, design: Sequence[Config], seed: int) -> None:
        from ConfigSpace import ConfigurationSpace
        from smac import HyperparameterOptimizationFacade, Scenario
        from smac.runhistory.encoder import RunHistoryLogScaledEncoder
        from smac.runhistory.enumerations import StatusType

        super().__init__(task, design, seed)
        self._folder = tempfile.TemporaryDirectory(prefix="smac-benchmark-")
        self._configurations = ConfigurationSpace(seed=seed)
        self._configurations.add([_hyperparameter(p) for p in self.space])
        scenario = Scenario(
            self._configurations, deterministic=True, seed=seed, output_directory=self._folder.name, n_trials=10_000
        )
        logging.getLogger("smac").setLevel(logging.ERROR)
        with _quiet():
            self._smac = HyperparameterOptimizationFacade(
                scenario,
                _not_run_here,
                initial_design=HyperparameterOptimizationFacade.get_initial_design(
                    scenario, n_configs=0, additional_configs=[self._configuration(c) for c in design]
                ),
                runhistory_encoder=RunHistoryLogScaledEncoder(scenario, considered_states=[StatusType.SUCCESS]),
                logging_level=False,
                overwrite=True,
            )
        self._asked: Any = None

    def next(self) -> Config:
        with _quiet():
            self._asked = self._smac.ask()
        return {p.name: from_scale(p, _native(p, self._asked.config[p.name])) for p in self.space}

    def tell(self, config: Config, score: float | None) -> None:
        from smac.runhistory.dataclasses import TrialInfo, TrialValue
        from smac.runhistory.enumerations import StatusType

        info = self._asked or TrialInfo(self._configuration(config), seed=_SEED)
        self._asked = None
        if score is None:
            value = TrialValue(cost=np.inf, status=StatusType.CRASHED)
        else:
            value = TrialValue(cost=score if self.task.regression else -score)
        with _quiet():
            self._smac.tell(info, value, save=False)

    def close(self) -> None:
        self._folder.cleanup()

    def _configuration(self, config: Config) -> Any:
        from ConfigSpace import Configuration

        values = {p.name: to_scale(p, config[p.name]) for p in self.space}
        for name, value in values.items():
            h = self._configurations[name]
            values[name] = min(max(value, h.lower), h.upper)  # ConfigSpace rounds bounds to 13 digits
        return Configuration(self._configurations, values=values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without SMAC's warnings: of its own use of ConfigSpace, of constant scores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _not_run_here(config: Any, seed: int = 0) -> float:
    raise AssertionError("the harness evaluates, SMAC is only asked and told")


def _hyperparameter(p: Parameter) -> Any:
    from ConfigSpace import Float as Real
    from ConfigSpace import Integer

    match p:
        case Int():
            return Integer(p.name, (p.low, p.high), log=p.log)
        case Float(logit=True):
            return Real(p.name, (logit(p.low), logit(p.high)))
        case Float():
            return Real(p.name, (p.low, p.high), log=p.log)
    raise TypeError(f"{p!r}: the tasks have whole and real numbers only")


def _native(p: Parameter, value: Any) -> Any:
    return int(value) if isinstance(p, Int) else float(value)
