"""The final evaluation as it stands on record: each configuration's mean and spread over fresh seeds, and the verdict.

| symbol | meaning |
| --- | --- |
| m, s, n | mean, standard deviation (n - 1) and number of the values of one configuration |
| d | how much better the winner's mean is than the default's |
| v | s_w^2 / n_w + s_d^2 / n_d; d / sqrt(v) has Student's t with Welch's degrees of freedom (Welch 1947) |
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tunewright.attempts import default_of
from tunewright.card import Metric
from tunewright.trial import Trial
from tunewright.trial_json import outcome_from_json
from tunewright_tools.base import Outcome

if TYPE_CHECKING:
    from tunewright.study import Study

PREFIX = "confirm/"
DEFAULT = "default"
"""The label of the default configuration where no trial of the study has run it; else a label is a trial's number."""
LEVEL = 0.05
_POWER = 0.8
"""The chance with which the number of seeds that is named would tell the difference."""
_MANY = 10_000
"""Seeds beyond which no number is named."""


@dataclass(frozen=True)
class Arm:
    """One configuration over fresh seeds."""

    label: str
    """The number of its trial, or `default`."""
    source: str
    config: dict[str, Any]
    tuned: float | None
    """The first metric in the study itself; the best of many is better there than it really is."""
    values: tuple[float, ...]
    """The first metric of each run that has one, by seed."""
    seeds: tuple[int, ...]
    """Their seeds."""
    without_value: tuple[str, ...]
    """How the other runs ended."""
    mean: float | None
    std: float | None
    """None with fewer than two values."""
    broken: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Seed -> the constraints of the card that its value comes without keeping; seeds that keep all are left out."""


@dataclass(frozen=True)
class Comparison:
    """The study's best configuration against the default."""

    told_apart: bool | None
    """Whether the difference is more than chance (5%, two-sided); None where that cannot be said. A winner that fails
    or breaks a constraint on some seeds may be told apart all the same: the text says so, and `Arm`."""
    text: str
    """The verdict in a sentence."""
    difference: float | None = None
    """How much better the winner's mean is, in the metric's unit; below 0 where it is worse."""
    low: float | None = None
    high: float | None = None
    """95% interval of the difference."""
    p: float | None = None


@dataclass(frozen=True)
class Confirmation:
    """What the final evaluation has shown so far."""

    metric: str
    winner: str
    """The label of the study's best trial; it was chosen before the final evaluation."""
    default: str
    arms: tuple[Arm, ...]
    """The winner first, then by mean, best first."""
    verdict: Comparison
    constraints: tuple[str, ...] = ()
    """Those of the card, as written there."""


def key(label: str, index: int) -> str:
    """Where the record keeps a run of the final evaluation."""
    return f"{PREFIX}{label}/{index:05d}"


def on_record(study: "Study") -> dict[str, dict[int, tuple[int, Outcome]]]:
    """Label -> index of the seed -> (seed, outcome), of all runs of the final evaluation so far.

    Runs of a default that the card has moved away from are left out.
    """
    found: dict[str, dict[int, tuple[int, Outcome]]] = {}
    default = study.card.space.default()
    for name, kept in sorted(study.attributes(PREFIX).items()):
        label, index = name.removeprefix(PREFIX).split("/")
        if label == DEFAULT and kept["config"] != default:
            continue
        found.setdefault(label, {})[int(index)] = kept["seed"], outcome_from_json(kept["outcome"])
    return found


def confirmation(study: "Study") -> Confirmation | None:
    """The final evaluation as it stands, or None before any of it has run."""
    runs, best = on_record(study), study.best()
    if not runs or best is None:
        return None
    metric, trials = study.card.primary, {str(t.number): t for t in study.trials()}
    arms = {label: _arm(study, label, trials.get(label), by_index) for label, by_index in runs.items()}
    default = "0" if default_of(study.trials()) is not None else DEFAULT
    # the default once more, where that is the best, is the default
    same = study.card.space.key(best.config) == _default_key(study)
    winner = default if same else str(best.number)

    def place(arm: Arm) -> tuple[bool, float]:
        return arm.label != winner, math.inf if arm.mean is None else metric.loss(arm.mean)

    verdict = _verdict(metric, winner, arms.get(winner), arms.get(default), same)
    if winner in arms:
        verdict = replace(verdict, text=" ".join([verdict.text, *_doubts(arms[winner])]))
    bounds = tuple(c.text for c in study.card.constraints)
    return Confirmation(metric.name, winner, default, tuple(sorted(arms.values(), key=place)), verdict, bounds)


def _doubts(winner: Arm) -> list[str]:
    """What else speaks against the winner, a sentence each."""
    n, failed, said = len(winner.values), winner.without_value, []
    if n and failed:
        ends = ", ".join(dict.fromkeys(failed))
        said.append(f"But the winner has no value on {len(failed)} of {n + len(failed)} fresh seeds: {ends}.")
    if winner.broken:
        bounds = ", ".join(sorted({text for texts in winner.broken.values() for text in texts}))
        said.append(f"But the winner does not keep {bounds} on {len(winner.broken)} of {n} fresh seeds.")
    return said


def _arm(study: "Study", label: str, trial: Trial | None, by_index: dict[int, tuple[int, Outcome]]) -> Arm:
    name = study.card.primary.name
    rows = [by_index[i] for i in sorted(by_index)]
    done = [(seed, outcome.metrics) for seed, outcome in rows if outcome.status == "done"]
    values = tuple(metrics[name] for _, metrics in done)
    broken = {
        seed: tuple(c.text for c in study.card.constraints if not c.holds(metrics))
        for seed, metrics in done
        if not study.card.feasible(metrics)
    }
    return Arm(
        label=label,
        source=trial.source if trial else "default",
        config=trial.config if trial else study.card.space.default(),
        tuned=trial.outcome.metrics.get(name) if trial and trial.outcome else None,
        values=values,
        seeds=tuple(seed for seed, _ in done),
        without_value=tuple(outcome.status for _, outcome in rows if outcome.status != "done"),
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        broken=broken,
    )


def _verdict(metric: Metric, winner: str, best: Arm | None, default: Arm | None, same: bool) -> Comparison:
    if same:
        return Comparison(None, "The best configuration is the default itself: there is nothing to tell apart.")
    if best is None or default is None:
        missing = f"trial {winner}, the best by now," if best is None else "the default"
        return Comparison(None, f"On fresh seeds {missing} has not run yet.")
    if best.mean is None or default.mean is None:
        missing, arm = ("winner", best) if best.mean is None else ("default", default)
        return Comparison(None, f"The {missing} has no value on fresh seeds: {', '.join(arm.without_value)}.")
    difference = metric.loss(default.mean) - metric.loss(best.mean)
    n = min(len(best.values), len(default.values))
    by = f"{'worse' if difference < 0 else 'better'} by {abs(difference):.4g}"
    if best.std is None or default.std is None:
        return Comparison(
            None,
            f"On one fresh seed the winner is {by}; without a spread that says little: use 5 seeds or more.",
            difference,
        )
    if best.std == default.std == 0:
        return Comparison(
            difference != 0,
            f"Every seed gave the same value: the seed changes nothing in these runs, and the winner is {by}.",
            difference,
            difference,
            difference,
        )
    return _welch(metric.name, difference, (best.std, len(best.values)), (default.std, len(default.values)), n)


def _welch(metric: str, d: float, one: tuple[float, int], other: tuple[float, int], n: int) -> Comparison:
    from scipy.stats import t

    size = max(one[0], other[0])  # in units of it, so that no square overflows or underflows
    spreads = [s / size for s, _ in (one, other)]
    parts = [s * s / m for s, (_, m) in zip(spreads, (one, other), strict=True)]
    v = sum(parts)
    freedom = v * v / sum(part * part / (m - 1) for part, (_, m) in zip(parts, (one, other), strict=True))
    away = float(t.ppf(1 - LEVEL / 2, freedom)) * math.sqrt(v) * size
    p = 2 * float(t.sf(abs(d / size) / math.sqrt(v), freedom))
    apart = p < LEVEL
    interval = f"{d:.4g} better in {metric} (95% interval {d - away:.4g} to {d + away:.4g}, p = {p:.2g}, {n} seeds)"
    if apart:
        word = "is told apart from" if d > 0 else "is worse than"
        text = f"The winner {word} the default: {interval}."
    else:
        more = ""
        if d / size > 0:
            needed = _needed(d / size, spreads)
            seeds = f"About {max(needed, n + 1)} seeds would" if needed else f"More than {_MANY} seeds are needed to"
            more = f" {seeds} tell a difference of this size."
        text = f"The winner is not told apart from the default: {interval}.{more}"
    return Comparison(apart, text, d, d - away, d + away, p)


def _needed(d: float, spreads: Sequence[float]) -> int | None:
    """The fewest seeds a configuration with which a difference d is told apart with a chance of 80%; None for many.

    n >= (t(1 - LEVEL / 2) + t(POWER))^2 (s_w^2 + s_d^2) / d^2, both quantiles of Student's t with the degrees of
    freedom that n seeds each leave.
    """
    from scipy.stats import norm, t

    squares = [s * s for s in spreads]
    v = sum(squares)
    per_seed = v * v / sum(square * square for square in squares)

    def least(quantile: Callable[[float], float]) -> float:
        return (quantile(1 - LEVEL / 2) + quantile(_POWER)) * math.sqrt(v) / d  # the root: no square can overflow

    n = max(2, math.ceil(min(least(norm.ppf), _MANY) ** 2))  # too few, but for endless degrees of freedom
    while n <= _MANY:
        if least(t(per_seed * (n - 1)).ppf) <= math.sqrt(n):
            return n
        n += 1
    return None


def arms_of(study: "Study", top: int) -> Sequence[tuple[str, Trial | None]]:
    """Label and trial of what the final evaluation runs: the best few by the first metric, and the default."""
    metric = study.card.primary

    def loss(t: Trial) -> float:
        assert t.outcome is not None
        return metric.loss(t.outcome.metrics[metric.name])

    space, default = study.card.space, default_of(study.trials())
    of_default, label = _default_key(study), DEFAULT if default is None else "0"
    chosen: dict[str, tuple[str, Trial | None]] = {}
    done = [t for t in study.trials() if t.done and t.outcome and study.card.feasible(t.outcome.metrics)]
    for t in sorted(done, key=loss):  # a configuration that ran again is one all the same
        same = space.key(t.config)
        if len(chosen) < top:
            chosen.setdefault(same, (label, default) if same == of_default else (str(t.number), t))
    if default is not None or not space.check(space.default()).faults:
        chosen.setdefault(of_default, (label, default))
    return list(chosen.values())


def _default_key(study: "Study") -> str:
    trial, space = default_of(study.trials()), study.card.space
    return space.key(space.default() if trial is None else trial.config)
