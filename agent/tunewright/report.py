"""What a study found and who found it, as plain data and as tables; every front end prints these."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tunewright.card import TaskCard
from tunewright.confirmation import Confirmation, confirmation
from tunewright.earlier import recorded
from tunewright.ledger import Totals
from tunewright.trial import Trial

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tunewright.study import Study


@dataclass(frozen=True)
class EarlierReport:
    """What a study had of an earlier one; its starting points are a source of their own in `Report.totals`."""

    name: str
    given: int
    """Trials in the source."""
    taken: int
    """Those of them that fit."""
    notes: tuple[str, ...]
    """What became of the others."""
    weight: float | None
    """In the surrogate's latest choice, 0 (nothing learned from it) to 1; None while it has made none."""


@dataclass(frozen=True)
class Report:
    """A study in numbers."""

    name: str
    default: Trial | None
    best: Trial | None
    trials: int
    statuses: dict[str, int]
    totals: Totals
    """What each source did, and what the model's calls took."""
    verdict: str
    """What the model contributed over the default, in one sentence, also when that is nothing."""
    earlier: tuple[EarlierReport, ...] = ()
    confirmation: Confirmation | None = None
    """The final evaluation on fresh seeds, where there was one."""


def report(study: "Study") -> Report:
    """The report of a study as it stands."""
    trials = study.trials()
    default = next((t for t in trials if t.number == 0 and t.source == "default"), None)
    totals = study.ledger.totals()
    return Report(
        name=study.name,
        default=default,
        best=study.best(),
        trials=len(trials),
        statuses=dict(Counter(str(t.status) for t in trials)),
        totals=totals,
        verdict=_verdict(study.card, totals, default),
        earlier=tuple(
            EarlierReport(one.name, one.given, len(one.trials), one.notes, _weight(one.name, trials))
            for one in recorded(study)
        ),
        confirmation=confirmation(study),
    )


def _weight(name: str, trials: Sequence[Trial]) -> float | None:
    key = f"weight of {name}"
    return next((t.verdict.numbers[key] for t in reversed(trials) if key in t.verdict.numbers), None)


def earlier_lines(rep: Report) -> list[str]:
    """Of each earlier study: how many of its trials were used, and how much the surrogate leans on them."""
    lines = []
    for one in rep.earlier:
        text = f"Earlier trials of {one.name}: {one.taken} of {one.given} used, "
        weight = "not weighed yet" if one.weight is None else f"weight {one.weight:.2f} in the surrogate's last choice"
        lines.append(f"{text}{weight}.")
    return lines


def _verdict(card: TaskCard, totals: Totals, default: Trial | None) -> str:
    if not totals.calls:
        return "No model was asked."
    gain = sum(c.gain for c in totals.sources)
    mine = next((c for c in totals.sources if c.source == "llm"), None)
    over = " over the default" if default is not None and default.done else ""
    if mine is None or mine.gain <= 0:
        return f"The model contributed nothing{over}: none of its proposals became the best so far."
    return (
        f"The model's proposals account for {mine.gain:.4g} of the {gain:.4g} by which {card.primary.name} "
        f"improved{over}."
    )


def spent(study: "Study") -> str:
    """What the model's calls have taken so far, in a few words."""
    totals = study.ledger.totals()
    if not totals.calls:
        return ""
    return f"model: {totals.calls} calls, {totals.tokens_in + totals.tokens_out} tokens, {_cost(totals)}"


def _cost(totals: Totals) -> str:
    unknown = f" and {totals.unpriced_calls} calls of unknown price" if totals.unpriced_calls else ""
    return f"{totals.cost_usd:.4f} USD{unknown}"


def to_json(study: "Study") -> dict[str, Any]:
    """The study as plain data: every trial, the report, every model call."""
    rep = report(study)
    return {
        "name": study.name,
        "report": asdict(rep),
        "trials": [asdict(t) for t in study.trials()],
        "calls": [asdict(call) for call in study.ledger.calls()],
    }


def arguments(card: TaskCard, trial: Trial) -> str:
    """The configuration as command-line arguments: as the card's command spells them, else `--name value`."""
    words: list[str] = []
    for name, value in trial.config.items():
        words += [f"--{name.replace('_', '-')}", str(value).lower() if isinstance(value, bool) else str(value)]
    return shlex.join(words)


def number(value: object) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


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


def model_line(rep: Report) -> str:
    """What asking the model took, and what it contributed."""
    t = rep.totals
    if not t.calls:
        return rep.verdict
    failed = f" ({t.failed_calls} failed)" if t.failed_calls else ""
    return (
        f"Model: {t.calls} calls{failed}, {t.tokens_in} tokens in, {t.tokens_out} out, {t.seconds:.1f} s, "
        f"{_cost(t)}.\n{rep.verdict}"
    )


def confirmation_table(found: Confirmation) -> "RenderableType":
    """Each configuration of the final evaluation: mean and spread on fresh seeds beside its value in the study."""
    from rich.table import Table

    table = Table(title=f"On fresh seeds: {found.metric}", title_justify="left")
    for column in ("configuration", "mean", "std", "seeds", "without value", "in the study"):
        table.add_column(column, justify="left" if column == "configuration" else "right")
    for arm in found.arms:
        name = "default" if arm.label == found.default else f"trial {arm.label}, {arm.source}"
        missing = str(len(arm.without_value)) if arm.without_value else "-"
        spread = "-" if arm.std is None else number(arm.std)
        mean = "-" if arm.mean is None else number(arm.mean)
        table.add_row(name, mean, spread, str(len(arm.values)), missing, number(arm.tuned))
    return table


def confirmation_json(study: "Study") -> dict[str, Any]:
    """The final evaluation as plain data, as the last line of `run --confirm --json`."""
    found = confirmation(study)
    return {"event": "confirmation", **(asdict(found) if found is not None else {})}


def trials_table(card: TaskCard, trials: Sequence[Trial]) -> "RenderableType":
    """Every trial: source, status, value, seconds, configuration."""
    from rich.table import Table

    table = Table(title=f"Trials of {card.name}", title_justify="left")
    for column in ("trial", "source", "status", card.primary.name, "seconds", "configuration"):
        table.add_column(column, justify="right" if column in ("trial", card.primary.name, "seconds") else "left")
    for t in trials:
        value = t.outcome.metrics.get(card.primary.name) if t.outcome else None
        seconds = t.outcome.telemetry.seconds if t.outcome and t.outcome.telemetry else None
        config = " ".join(f"{k}={number(v)}" for k, v in t.config.items())
        table.add_row(
            str(t.number), t.source, str(t.status), number(value), f"{seconds:.1f}" if seconds else "", config
        )
    return table
