"""Which parameters matter: each one's share of the variation of a metric, by Optuna's fANOVA."""

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunewright.errors import StudyError
from tunewright.numeric import logit
from tunewright.parameters import Float, Int, Parameter
from tunewright.storage import quiet

if TYPE_CHECKING:
    import optuna

    from tunewright.study import Study


def importance(study: "Study", index: int) -> dict[str, float]:
    """Parameter -> its share, largest first; they add up to 1. One that is not in every finished trial is left out.

    Args:
        index: of the metric on the card.

    Raises:
        StudyError: fewer than two finished trials, or trials that do not vary.
    """
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    done = sum(t.done for t in study.trials())
    if done < 2:
        raise StudyError(f"{done} trials of {study.name!r} have a value", "two are needed; run more")
    try:
        made = comparable(study)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            found = get_param_importances(
                made,
                evaluator=FanovaImportanceEvaluator(seed=study.seed),
                target=in_its_range(made, index),
            )
    except (ValueError, RuntimeError) as e:
        raise StudyError(f"the importance of {study.name!r} cannot be told: {e}", "run more trials that vary") from e
    return {name: float(share) for name, share in found.items()}


def in_its_range(made: "optuna.Study", index: int) -> "Callable[[optuna.trial.FrozenTrial], float]":
    """What gives a metric in units of its largest difference: fANOVA's trees take a variance below 1e-16 for none."""
    values = [float(t.values[index]) for t in made.trials]
    largest = max((abs(v - values[0]) for v in values), default=0.0) or 1.0
    return lambda trial: (trial.values[index] - values[0]) / largest


def comparable(study: "Study") -> "optuna.Study":
    """The finished trials as a study in which each parameter has one distribution, from its least to its largest bound.

    Optuna takes a parameter whose bounds were moved for another one from then on, and would not rate it. Its fANOVA
    weighs all places of a plain scale alike: numbers that are searched on another one stand in it as their places on
    that, or a learning rate would be rated by its last decade.
    """
    import optuna

    recorded = study.optuna_study
    done = recorded.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    widest: dict[str, Any] = {}
    for trial in done:
        had: dict[str, Any] = trial.distributions
        for name, own in had.items():
            known = widest.setdefault(name, own)
            if known != own:
                widest[name] = type(own)(min(known.low, own.low), max(known.high, own.high), log=own.log)
    for trial in done:
        trial.distributions = {name: widest[name] for name in trial.distributions}
    for p in study.card.space:
        if p.name in widest and (scale := _scale(p, widest[p.name])) is not None:
            for trial in (t for t in done if p.name in t.params):
                trial.params = {**trial.params, p.name: scale[0](trial.params[p.name])}
                trial.distributions = {**trial.distributions, p.name: optuna.distributions.FloatDistribution(*scale[1])}
    with quiet():
        made = optuna.create_study(directions=recorded.directions)
    made.add_trials(done)
    return made


def _scale(p: Parameter, widest: Any) -> tuple[Callable[[float], float], tuple[float, float]] | None:
    """What maps values to the scale that is searched, and its ends there; None for a plain scale and for a choice."""
    match p:
        case Float(log=True):
            return math.log, (math.log(widest.low), math.log(widest.high))
        case Float(logit=True):
            return logit, (logit(widest.low), logit(widest.high))
        case Int(rounding="power_of_two"):  # each value has as much of the scale as any other
            return math.log2, (math.ceil(math.log2(max(widest.low, 1))) - 0.5, math.floor(math.log2(widest.high)) + 0.5)
        case Int(log=True):
            return math.log, (math.log(widest.low - 0.5), math.log(widest.high + 0.5))
    return None
