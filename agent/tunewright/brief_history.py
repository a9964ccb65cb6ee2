"""The trials so far as a model is told of them: which ones, in what order, and with how many digits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from tunewright.card import TaskCard
from tunewright.card_parts import GIB
from tunewright.signs import Signs, signs
from tunewright.trial import Trial

BEST = 8
FEW = 3
LATEST = 4
FAILED = 5
MOST_VALUES = 1200
"""Values of parameters that the trials of one prompt may hold together, about 30,000 characters: beyond that trials are
left out, and the prompt says so."""
MOST_VALUES_FEW = 400
"""The same for a small model, whose context holds less."""
_MOST_DIGITS = 12


@dataclass(frozen=True)
class TrialBrief:
    """One trial as the model sees it."""

    number: int
    source: str
    config: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    status: str = ""
    margin: str = ""
    """Peak against available memory, for a failure."""
    detail: str = ""
    broken: tuple[str, ...] = ()
    """The constraints that its result does not keep: it ranks behind all that keep them, whatever its value."""
    signs: Signs = field(default_factory=Signs)
    """What its curve shows."""
    step: float | None = None
    """Where an early stop came."""
    value: float | None = None
    """The first metric there."""


@dataclass(frozen=True)
class HistoryBrief:
    """The trials so far: no trial stands in two of the lists."""

    best: tuple[TrialBrief, ...] = ()
    latest: tuple[TrialBrief, ...] = ()
    failed: tuple[TrialBrief, ...] = ()
    stopped: tuple[TrialBrief, ...] = ()
    """Stopped early; they have no value."""
    running: tuple[TrialBrief, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    """List -> how many of its trials are not told, since the configurations are long."""


def history(card: TaskCard, trials: Sequence[Trial], most: int) -> HistoryBrief:
    """The history of these trials, with so many of the best; fewer where their configurations are long."""
    done = [t for t in trials if t.done]
    best = _ranked(card, done)[:most]
    shown = {t.number for t in best}
    latest = [t for t in done if t.number not in shown][-LATEST:]
    failed = [t for t in trials if not t.done and not t.running and t.outcome and t.outcome.fault == "config"][-FAILED:]
    stopped = [t for t in trials if t.status == "pruned"][-FAILED:]
    running = [t for t in trials if t.running]
    newest = {"latest": latest[::-1], "failed": failed[::-1], "stopped": stopped[::-1], "running": running[::-1]}
    told, left_out = _within({"best": best, **newest}, MOST_VALUES if most > FEW else MOST_VALUES_FEW)
    best, latest, failed, stopped, running = (
        [t for t in chosen if t.number in told] for chosen in (best, latest, failed, stopped, running)
    )
    said = [_metrics(t) for t in (*best, *latest)]
    return HistoryBrief(
        best=tuple(_with_signs(card, t, said) for t in best),
        latest=tuple(_with_signs(card, t, said) for t in latest),
        failed=tuple(_trial(t) for t in failed),
        stopped=tuple(_stopped(card, t) for t in stopped),
        running=tuple(_trial(t) for t in running),
        left_out=left_out,
    )


def _within(lists: Mapping[str, Sequence[Trial]], most_values: int) -> tuple[set[int], dict[str, int]]:
    """Numbers of the trials that are told, and how many of each list are not.

    First the few best, then one of each list in turn, until their configurations hold so many values; the very best
    is always told.
    """
    rest = {**lists, "best": lists["best"][FEW:]}
    turns = [t for each in zip_longest(*rest.values()) for t in each if t is not None]
    told: set[int] = set()
    values = 0
    for t in (*lists["best"][:FEW], *turns):
        values += len(t.config)
        if told and values > most_values:
            break
        told.add(t.number)
    left = {name: sum(t.number not in told for t in chosen) for name, chosen in lists.items()}
    return told, {name: count for name, count in left.items() if count}


def _ranked(card: TaskCard, done: Sequence[Trial]) -> list[Trial]:
    """Best first: those that keep the constraints; of several metrics, those on the front; then by the first metric."""
    kept = {t.number for t in done if card.feasible(_metrics(t))}
    front: set[int] = set()
    if len(card.metrics) > 1 and kept:
        import numpy as np

        from tunewright.hypervolume import on_front

        feasible = [t for t in done if t.number in kept]
        losses = np.array([[m.loss(_metrics(t)[m.name]) for m in card.metrics] for t in feasible])
        front = {t.number for t, on in zip(feasible, on_front(losses), strict=True) if on}

    def place(t: Trial) -> tuple[bool, bool, float]:
        return t.number not in kept, t.number not in front, card.primary.loss(_metrics(t)[card.primary.name])

    return sorted(done, key=place)


def _metrics(trial: Trial) -> dict[str, float]:
    assert trial.outcome is not None
    return trial.outcome.metrics


def _trial(t: Trial, said: Sequence[Mapping[str, float]] = ()) -> TrialBrief:
    """The trial as it is told beside trials with these metrics."""
    outcome = t.outcome
    margin = ""
    if outcome and outcome.telemetry and outcome.telemetry.limit_bytes:
        peak = outcome.telemetry.peak_gpu_bytes or outcome.telemetry.peak_bytes
        if peak:
            margin = f"peak {peak / GIB:.1f} of {outcome.telemetry.limit_bytes / GIB:.1f} GiB"
    return TrialBrief(
        number=t.number,
        source=t.source,
        config=t.config,
        metrics={k: apart(v, [m[k] for m in said if k in m]) for k, v in outcome.metrics.items()} if outcome else {},
        status="" if t.done else t.status,
        margin=margin,
        detail=outcome.detail.split("\n", 1)[0] if outcome else "",
    )


def _with_signs(card: TaskCard, t: Trial, said: Sequence[Mapping[str, float]]) -> TrialBrief:
    found = signs(t.outcome.curve, card.primary) if t.outcome else Signs()
    gap = found.gap and replace(found.gap, size=short(found.gap.size))
    best = None if found.best_value is None else short(found.best_value)
    ratio = float(f"{found.gradients_ratio:.2g}")
    broken = tuple(c.text for c in card.constraints if not c.holds(_metrics(t)))
    return replace(
        _trial(t, said), broken=broken, signs=replace(found, gap=gap, best_value=best, gradients_ratio=ratio)
    )


def _stopped(card: TaskCard, t: Trial) -> TrialBrief:
    name = card.primary.name
    seen = [p for p in t.outcome.curve if name in p.metrics] if t.outcome else []
    if not seen:
        return _trial(t)
    return replace(_trial(t), step=seen[-1].step, value=short(seen[-1].metrics[name]))


def short(value: float) -> float:
    """A metric in four significant digits, as a person would say it."""
    return float(f"{value:.4g}")


def apart(value: float, among: Iterable[float]) -> float:
    """A metric in the fewest significant digits, four at least, that tell it apart from others that are said with it.

    What differs only behind the twelfth is taken for the same: that is an error of rounding.
    """
    others = [other for other in among if f"{other:.{_MOST_DIGITS}g}" != f"{value:.{_MOST_DIGITS}g}"]
    for digits in range(4, _MOST_DIGITS):
        text = f"{value:.{digits}g}"
        if all(f"{other:.{digits}g}" != text for other in others):
            return float(text)
    return float(f"{value:.{_MOST_DIGITS}g}")
