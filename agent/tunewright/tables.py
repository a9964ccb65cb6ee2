"""The tables of a report, as every front end prints them: the best, the front, the sources, fresh seeds, all trials."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunewright.card import TaskCard
from tunewright.confirmation import Confirmation
from tunewright.report import Front, Report, named, number
from tunewright.trial import Trial

if TYPE_CHECKING:
    from rich.console import RenderableType


def best_table(rep: Report) -> "RenderableType":
    """The best configuration beside the default."""
    from rich.table import Table

    table = Table(title=f"Best configuration of {rep.name}", title_justify="left")
    table.add_column("")
    if rep.default is not None:
        table.add_column(f"default (trial {rep.default.number})", justify="right")
    best = rep.best
    title = f"best (trial {best.number}, {best.source})" if best is not None else "best"
    table.add_column(title, justify="right", style="bold")
    shown = [t for t in (rep.default, best) if t is not None]
    for name in dict.fromkeys(name for t in shown for name in t.config):
        table.add_row(name, *(_cell(t, t.config.get(name) if t else None) for t in _columns(rep)))
    table.add_section()
    for name in dict.fromkeys(name for t in shown if t.outcome for name in t.outcome.metrics):
        cells = [_cell(t, t.outcome.metrics.get(name) if t and t.outcome else None) for t in _columns(rep)]
        table.add_row(name, *cells)
    return table


def front_table(found: Front) -> "RenderableType":
    """The trials on the front, best first by the first metric; the hypervolume and its reference point below."""
    from rich.table import Table

    first = found.metrics[0]

    def below(t: Trial) -> float:  # the reference is worse than all: the further from it the better, in any direction
        return -abs(t.outcome.metrics[first] - found.reference[first]) if t.outcome else 0.0

    beyond = ", ".join(f"{name} {number(value)}" for name, value in found.reference.items())
    table = Table(
        title=f"Pareto front, {len(found.trials)} trials",
        caption=f"hypervolume {number(found.hypervolume)} against {beyond}",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("trial", "source", *found.metrics, "configuration"):
        table.add_column(column, justify="left" if column in ("source", "configuration") else "right")
    for t in sorted(found.trials, key=below):
        values = [number(t.outcome.metrics[name]) for name in found.metrics] if t.outcome else []
        table.add_row(str(t.number), t.source, *values, named(t.config))
    return table


def _columns(rep: Report) -> list[Trial | None]:
    return [rep.best] if rep.default is None else [rep.default, rep.best]


def _cell(trial: Trial | None, value: Any) -> str:
    if trial is None:
        return "-"
    return number(value) if value is not None else "-"


def ledger_table(rep: Report) -> "RenderableType":
    """What each source proposed, what was refused and why, what it delivered."""
    from rich.table import Table

    table = Table(title="What each source did", title_justify="left")
    for column in ("source", "turns", "ran", "without value", "refused", "new bests", "gain"):
        table.add_column(column, justify="left" if column in ("source", "refused") else "right")
    for c in rep.totals.sources:
        refused = ", ".join(f"{n} {kind}" for kind, n in c.refused.items()) or "-"
        table.add_row(
            c.source, str(c.turns), str(c.ran), str(c.ran - c.done), refused, str(c.incumbents), number(c.gain)
        )
    return table


def confirmation_table(found: Confirmation) -> "RenderableType":
    """Each configuration of the final evaluation: mean and spread on fresh seeds beside its value in the study."""
    from rich.table import Table

    table = Table(title=f"On fresh seeds: {found.metric}", title_justify="left")
    bounds = ["constraint broken"] if found.constraints else []
    for column in ("configuration", "mean", "std", "seeds", "without value", *bounds, "in the study"):
        table.add_column(column, justify="left" if column == "configuration" else "right")
    for arm in found.arms:
        name = "default" if arm.label == found.default else f"trial {arm.label}, {arm.source}"
        missing = str(len(arm.without_value)) if arm.without_value else "-"
        spread = "-" if arm.std is None else number(arm.std)
        mean = "-" if arm.mean is None else number(arm.mean)
        broken = [str(len(arm.broken) or "-")] if found.constraints else []
        table.add_row(name, mean, spread, str(len(arm.values)), missing, *broken, number(arm.tuned))
    return table


def trials_table(card: TaskCard, trials: Sequence[Trial]) -> "RenderableType":
    """Every trial: source, status, values, seconds, configuration."""
    from rich.table import Table

    table = Table(title=f"Trials of {card.name}", title_justify="left")
    metrics = [m.name for m in card.metrics]
    for column in ("trial", "source", "status", *metrics, "seconds", "configuration"):
        table.add_column(column, justify="left" if column in ("source", "status", "configuration") else "right")
    for t in trials:
        values = [number(t.outcome.metrics.get(name)) if t.outcome else "" for name in metrics]
        seconds = t.outcome.telemetry.seconds if t.outcome and t.outcome.telemetry else None
        told = (*values, f"{seconds:.1f}" if seconds else "", named(t.config))
        table.add_row(str(t.number), t.source, _status(card, t), *told)
    return table


def _status(card: TaskCard, trial: Trial) -> str:
    """How a trial stands; of one with a value also which bounds it breaks: why a better value is not the best."""
    if trial.status != "done" or trial.outcome is None:
        return str(trial.status)
    told = trial.outcome.metrics
    broken = [c for c in card.constraints if not c.holds(told)]
    return ", ".join(["done", *(f"breaks {c.text}" if c.metric in told else f"without {c.metric}" for c in broken)])
