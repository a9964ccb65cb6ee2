"""Optuna's pruners by name, fed from our record: a study in memory mirrors the runs."""

import threading
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunewright.card_parts import Direction
from tunewright.card_pruner import OPTUNA
from tunewright.errors import CardError
from tunewright.pruning.base import Run
from tunewright.storage import quiet
from tunewright_tools.base import Point

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner


_WITH_RUNGS = ("successive_halving", "hyperband")
"""Those that write down, while they judge a run, what later runs are held to."""


class OptunaPruner:
    """One of Optuna's pruners behind our interface. It judges a run at whole steps, as Optuna does.

    Args:
        name: a key of `card_pruner.OPTUNA`.
        metric: the metric of the curve that is judged.
        direction: of that metric.
        study_name: Hyperband deals trials out to its brackets by it, so the same name gives the same brackets.
        options: keyword arguments of Optuna's class.

    Raises:
        CardError: options that Optuna refuses.
    """

    def __init__(
        self, name: str, metric: str, direction: Direction, study_name: str, options: Mapping[str, Any]
    ) -> None:
        given = dict(options)
        if name == "patient":  # it wraps another pruner; alone it watches for a standstill
            given.setdefault("wrapped_pruner", None)
        try:
            if given.get("wrapped_pruner") is not None:
                raise TypeError("wrapped_pruner is an object of Python's, which a card cannot name")
            _rehearse(_made(name, given))
            pruner = _made(name, given)
        except (TypeError, ValueError, ArithmeticError) as e:
            raise CardError(
                f"the pruner {name} refuses {dict(options)!r}: {e}",
                f"see optuna.pruners.{OPTUNA[name]} for its options",
            ) from e
        self._metric = metric
        self._name = name
        self._lock = threading.Lock()
        self._mirrored: list[Trial] = []
        self._study = _study(pruner, study_name, direction)

    def stop(self, number: int, point: Point) -> str | None:
        """Why the run should stop now; None to let it go on, and at points between whole steps."""
        with self._lock:
            if not self._report(number, point) or not self._mirror(number).should_prune():
                return None
        return f"{self._name}: {self._metric} = {point.metrics[self._metric]:.4g} at step {point.step:g}"

    def _report(self, number: int, point: Point) -> bool:
        if self._metric not in point.metrics or point.step != int(point.step) or point.step < 0:
            return False
        trial, step = self._mirror(number), int(point.step)
        kept = self._study.get_trials(deepcopy=False)[number]
        if step in kept.intermediate_values or kept.state.is_finished():
            return False
        trial.report(point.metrics[self._metric], step)
        return True

    def _mirror(self, number: int) -> "Trial":
        """The mirror has the run's own number: Hyperband's brackets depend on it, and stay when a study goes on."""
        while len(self._mirrored) <= number:
            self._mirrored.append(self._study.ask())
        return self._mirrored[number]

    def tell(self, run: Run) -> None:
        """Take note of a run that has ended; points that were not shown to `stop` are caught up on."""
        from optuna.trial import TrialState

        with self._lock:
            for point in run.curve:
                # each judgement goes through all runs: of a long record that is most of what going on with it takes
                if self._report(run.number, point) and self._name in _WITH_RUNGS:
                    self._mirror(run.number).should_prune()
            mirror = self._mirror(run.number)
            kept = self._study.get_trials(deepcopy=False)[run.number]
            if kept.state.is_finished():
                return
            if run.final is not None and not run.feasible:
                kept.system_attrs.clear()  # its rungs, on which successive halving would hold others to it
            if run.final is None or not run.feasible:
                self._study.tell(mirror, state=TrialState.PRUNED)
            else:
                self._study.tell(mirror, run.final)


def _made(name: str, options: Mapping[str, Any]) -> "BasePruner":
    import optuna

    with warnings.catch_warnings():  # some of them are "experimental": their options may change with Optuna
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made: BasePruner = getattr(optuna.pruners, OPTUNA[name])(**options)
    return made


def _study(pruner: "BasePruner", name: str, direction: Direction) -> "Study":
    """A study in memory; its values come from us, its sampler is never asked."""
    import optuna

    with quiet():
        return optuna.create_study(
            study_name=name, direction=direction, pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0)
        )


def _rehearse(pruner: "BasePruner") -> None:
    """Let a pruner judge a few made-up runs: of some options Optuna says only then that it cannot work with them."""
    study = _study(pruner, "rehearsal", "minimize")
    for number in range(8):
        trial = study.ask()
        for step in range(1, 10):
            trial.report(float(number), step)
            trial.should_prune()
        study.tell(trial, float(number))
