"""All that a model is told of a study, as plain data; the templates decide how it is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunewright.brief_history import BEST, HistoryBrief, history, short
from tunewright.card import TaskCard
from tunewright.card_parts import GIB
from tunewright.dataset import Dataset
from tunewright.derived import formula
from tunewright.parameter import spelt
from tunewright.parameters import Choice, Parameter, Scalar
from tunewright.space import Space
from tunewright.textbook import View
from tunewright.trial import Trial

if TYPE_CHECKING:
    from tunewright.surrogate import Surrogate

_MOST_FATE_VALUES = 300
"""Values of parameters that the fates of one prompt may hold together."""


@dataclass(frozen=True)
class ParameterBrief:
    """One parameter in words."""

    name: str
    accepts: str
    scale: str
    unit: str
    default: Any
    assumed: bool
    when: str
    about: str
    usual: "TextbookBrief | None" = None


@dataclass(frozen=True)
class SpaceBrief:
    """The space in words."""

    parameters: tuple[ParameterBrief, ...]
    relations: tuple[str, ...]


@dataclass(frozen=True)
class TaskBrief:
    """What the card says of the task."""

    goal: str
    metrics: tuple[Any, ...]
    constraints: tuple[str, ...]
    hardware: str
    known: tuple[str, ...]
    derived: dict[str, str]
    model: str = ""
    """What is trained."""
    data: Dataset | None = None
    """What the card lets be told of the data."""


@dataclass(frozen=True)
class Share:
    """How much of the differences a parameter carries."""

    name: str
    percent: int


@dataclass(frozen=True)
class Candidate:
    """A configuration and what the surrogate expects of it (80% interval), on the person's scale."""

    config: dict[str, Any]
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Gap:
    """A stretch of a parameter's range without any result."""

    name: str
    low: Any
    high: Any


@dataclass(frozen=True)
class ViewBrief:
    """The surrogate's view in few numbers."""

    relevance: tuple[Share, ...]
    candidate: Candidate | None
    unseen: tuple[Gap, ...]


@dataclass(frozen=True)
class FateBrief:
    """What became of one of the model's earlier proposals."""

    config: dict[str, Any]
    text: str


@dataclass(frozen=True)
class BudgetBrief:
    """What is left to spend."""

    trials_left: int | None
    seconds_per_trial: str
    """What a trial usually takes."""
    minutes_per_trial: str = ""
    """The same as the card says it, while no run has."""
    most_seconds: str = ""
    """After which a trial is ended."""
    most_gib: str = ""
    """Of memory, above which a trial is ended."""


@dataclass(frozen=True)
class TextbookBrief:
    """The textbook on one parameter: an interval, or for a choice the values that it knows, best bet first."""

    guess: Any
    low: Any
    high: Any
    allowed: tuple[Scalar, ...]


@dataclass(frozen=True)
class Brief:
    """Everything that a prompt may say."""

    task: TaskBrief
    space: SpaceBrief
    history: HistoryBrief
    budget: BudgetBrief
    view: ViewBrief | None = None
    fates: tuple[FateBrief, ...] = ()
    fates_left_out: int = 0
    """How many are not told, since the configurations are long."""


def brief(
    card: TaskCard,
    trials: Sequence[Trial],
    *,
    surrogate: "Surrogate | None" = None,
    candidate: dict[str, Any] | None = None,
    fates: Sequence[FateBrief] = (),
    trials_left: int | None = None,
    best: int = BEST,
    textbook: Mapping[str, View] | None = None,
) -> Brief:
    """What a model is told before its next proposals.

    Args:
        trials: those on record, running ones included.
        surrogate: fitted to them, or None while there is too little to fit.
        candidate: the surrogate's own next choice.
        fates: what became of the model's latest proposals.
        trials_left: of the budget, None when there is no fixed number.
        best: how many of the best trials are told; fewer for a small model, which reads slowly and little.
        textbook: its views on the card's parameters; None leaves them out.
    """
    told = list(fates)[: max(1, _MOST_FATE_VALUES // len(card.space))]
    return Brief(
        task=_task(card),
        space=_space(card, textbook or {}),
        history=history(card, trials, best),
        budget=_budget(card, trials, trials_left),
        view=_view(card, trials, surrogate, candidate) if surrogate else None,
        fates=tuple(told),
        fates_left_out=len(fates) - len(told),
    )


def _task(card: TaskCard) -> TaskBrief:
    hardware = card.hardware
    parts = [f"{hardware.cpus} CPU cores", f"{hardware.memory_bytes / GIB:.0f} GiB of memory"]
    parts += [f"{gpu.name} with {gpu.memory_bytes / GIB:.0f} GiB" for gpu in hardware.gpus]
    return TaskBrief(
        goal=card.goal,
        metrics=card.metrics,
        constraints=tuple(c.text for c in card.constraints),
        hardware=", ".join(parts),
        known=tuple(card.known),
        derived={name: formula(powers) for name, powers in card.derived.items()},
        model=card.model,
        data=card.data.told() if card.data else None,
    )


def _space(card: TaskCard, textbook: Mapping[str, View]) -> SpaceBrief:
    parameters = tuple(_parameter(card.space, p, textbook.get(p.name)) for p in card.space)
    return SpaceBrief(parameters, tuple(r.text for r in card.space.relations))


def _parameter(space: Space, p: Parameter, view: View | None) -> ParameterBrief:
    scale = "log" if getattr(p, "log", False) else "logit" if getattr(p, "logit", False) else ""
    steps = f" in steps of {p.step:g}" if getattr(p, "step", None) and p.name not in space.held else ""  # type: ignore[attr-defined]
    when = " and ".join(f"{parent} is {' or '.join(_plain(v) for v in values)}" for parent, values in p.when.items())
    start = space.hold({p.name: p.start})[p.name]
    usual = None
    if view is not None and p.name not in space.held:
        usual = TextbookBrief(view.guess, view.low, view.high, view.allowed)
    return ParameterBrief(
        p.name, space.accepts(p.name) + steps, scale, p.unit, start, p.assumed, when, p.about.rstrip("."), usual
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else spelt(value)


def _budget(card: TaskCard, trials: Sequence[Trial], trials_left: int | None) -> BudgetBrief:
    seconds = _typical_seconds(trials)
    limits = card.budget
    return BudgetBrief(
        trials_left,
        seconds,
        minutes_per_trial="" if seconds else _number(card.minutes_per_trial),
        most_seconds=_number(limits.seconds_per_trial),
        most_gib=_number(limits.memory_gb_per_trial),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _typical_seconds(trials: Sequence[Trial]) -> str:
    seconds = sorted(t.outcome.telemetry.seconds for t in trials if t.done and t.outcome and t.outcome.telemetry)
    # One digit: the prompt, and with it the reply, should not change with every breath of the machine.
    return f"{float(f'{seconds[len(seconds) // 2]:.1g}'):g}" if seconds else ""


def _view(
    card: TaskCard, trials: Sequence[Trial], surrogate: "Surrogate", candidate: dict[str, Any] | None
) -> ViewBrief:
    relevance = sorted(surrogate.relevance().items(), key=lambda item: -item[1])[:4]
    shares = tuple(Share(name, round(100 * share)) for name, share in relevance if share >= 0.05)
    expected = None
    if candidate is not None:
        posterior = surrogate.predict([candidate])
        mean, std = float(posterior.mean[0]), float(posterior.std[0])
        expected = Candidate(candidate, short(mean), short(mean - 1.28 * std), short(mean + 1.28 * std))
    gaps = tuple(gap for share in shares if (gap := _gap(card, trials, share.name)))
    return ViewBrief(shares, expected, gaps)


def _gap(card: TaskCard, trials: Sequence[Trial], name: str) -> Gap | None:
    """The widest stretch without a result, when it is at least a quarter of the scale; none of what is held."""
    import numpy as np

    p = card.space[name]
    if isinstance(p, Choice) or name in card.space.held:
        return None
    tried = [t.config[name] for t in trials if t.done and name in t.config]
    seen = [value for value in tried if p.fault(value) is None]  # bounds may have been moved since
    edges = np.concatenate([[0.0], np.sort(p.to_unit(seen)) if seen else [], [1.0]])
    widths = np.diff(edges)
    i = int(np.argmax(widths))
    if widths[i] < 0.25:
        return None
    low, high = p.from_unit(edges[i : i + 2])
    return Gap(name, low, high)
