"""Plots of a study as PNG images, drawn by Optuna's own visualization on the study underneath."""

import io
import threading
import warnings
from typing import TYPE_CHECKING, Any

from tunewright.card import TaskCard
from tunewright.errors import StudyError, TunerError, did_you_mean
from tunewright.importance import comparable, in_its_range

if TYPE_CHECKING:
    import optuna

    from tunewright.study import Study

KINDS = {
    "history": "the metric of every trial and the best so far",
    "importance": "which parameters matter",
    "slice": "the metric against each parameter",
    "parallel": "every trial as a line through its parameters",
    "front": "the Pareto front of two or three metrics",
    "curves": "the learning curves of all trials",
}
"""Kind -> what is seen on it."""
_FRONTS = (2, 3)
"""Of how many metrics a front is drawn."""
_FUNCTIONS = {
    "history": "plot_optimization_history",
    "importance": "plot_param_importances",
    "slice": "plot_slice",
    "parallel": "plot_parallel_coordinate",
    "front": "plot_pareto_front",
}

_drawing = threading.Lock()
"""pyplot has one current figure for all threads; servers draw in several."""


def kinds(card: TaskCard) -> dict[str, str]:
    """The kinds of plots that a study of this card can have, and what is seen on each."""
    return {kind: about for kind, about in KINDS.items() if kind != "front" or len(card.metrics) in _FRONTS}


def plot(study: "Study", kind: str) -> bytes:
    """A PNG image of one kind of plot, of the study's first metric; of all its metrics for `front`.

    Raises:
        TunerError: an unknown kind, too few finished trials, or matplotlib is not installed.
    """
    if kind not in KINDS:
        raise TunerError(f"there is no plot {kind!r}", f"{did_you_mean(kind, KINDS)}plots are {', '.join(KINDS)}")
    try:
        import matplotlib
    except ImportError as e:
        raise TunerError("plots need matplotlib", "pip install 'tunewright[plots]'") from e
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown, trials = study.optuna_study, study.trials()
    done = sum(t.done for t in trials)
    # a run that was stopped or that failed has a curve as well
    if done < 2 and not (kind == "curves" and any(t.outcome and t.outcome.curve for t in trials)):
        raise StudyError(f"{study.name!r} has {done} finished trials", "a plot needs two or more: run some first")
    with _drawing, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna says that its matplotlib plots are experimental
        _curves(study) if kind == "curves" else _optuna(study, shown, kind)
        image = io.BytesIO()
        pyplot.gcf().set_size_inches(9, 5.5)
        pyplot.savefig(image, format="png", dpi=110, bbox_inches="tight")
        pyplot.close("all")
    return image.getvalue()


def _optuna(study: "Study", shown: "optuna.Study", kind: str) -> None:
    from optuna.visualization import matplotlib as drawn

    metric = study.card.primary.name
    more: dict[str, Any] = {"target_name": metric}
    if kind == "front":
        if len(study.card.metrics) not in _FRONTS:
            seen = ", ".join(m.name for m in study.card.metrics)
            raise StudyError(
                f"a front is drawn of two or three metrics; {study.name!r} has {len(study.card.metrics)}: {seen}",
                "plot `history` or `slice`, which show the first one",
            )
        more = {"target_names": [m.name for m in study.card.metrics]}
    elif len(study.card.metrics) > 1:
        more["target"] = lambda trial: trial.values[0]
    if kind == "importance":  # as the verb rates them; Optuna's own choice rates a parameter that never varied too
        from optuna.importance import FanovaImportanceEvaluator

        shown, more["evaluator"] = comparable(study), FanovaImportanceEvaluator(seed=study.seed)
        more["target"] = in_its_range(shown, 0)
    try:
        getattr(drawn, _FUNCTIONS[kind])(shown, **more)
    except (ValueError, RuntimeError) as e:
        raise StudyError(f"the plot {kind} cannot be drawn for {study.name!r}: {e}", "run more trials first") from e


def _curves(study: "Study") -> None:
    from matplotlib import pyplot

    metric = study.card.primary.name
    figure, axes = pyplot.subplots()
    drawn = 0
    for trial in study.trials():
        points = [p for p in (trial.outcome.curve if trial.outcome else ()) if metric in p.metrics]
        if points:
            drawn += 1
            axes.plot([p.step for p in points], [p.metrics[metric] for p in points], label=str(trial.number), alpha=0.7)
    if not drawn:
        pyplot.close(figure)
        raise StudyError(f"no trial of {study.name!r} has a curve", "let the run print `step` beside the metric")
    axes.set(xlabel="step", ylabel=metric, title=f"Learning curves of {study.name}")
    if drawn <= 12:
        axes.legend(title="trial")
