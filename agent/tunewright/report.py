"""What a study found and who found it, as plain data; every front end prints it."""

import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tunewright.attempts import default_of
from tunewright.card import TaskCard
from tunewright.clean import clean
from tunewright.confirmation import Confirmation, confirmation
from tunewright.earlier import recorded
from tunewright.ledger import Totals
from tunewright.redact import HIDDEN, redact_all
from tunewright.toolbox import command_of
from tunewright.trial import Trial

if TYPE_CHECKING:
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
class Front:
    """The trials that no other feasible one beats in every metric, and the volume that they dominate."""

    trials: tuple[Trial, ...]
    metrics: tuple[str, ...]
    reference: Mapping[str, float]
    """What is worse than this in any metric counts for nothing; derived from the front (`hypervolume.reference`)."""
    hypervolume: float
    """Product of the metrics' units."""


@dataclass(frozen=True)
class Report:
    """A study in numbers."""

    name: str
    default: Trial | None
    best: Trial | None
    """By the first metric."""
    trials: int
    statuses: dict[str, int]
    totals: Totals
    """What each source did, and what the model's calls took."""
    verdict: str
    """What the model contributed over the default, in one sentence, also when that is nothing."""
    earlier: tuple[EarlierReport, ...] = ()
    confirmation: Confirmation | None = None
    """The final evaluation on fresh seeds, where there was one."""
    front: Front | None = None
    """Of several metrics, where a trial is feasible."""


def report(study: "Study") -> Report:
    """The report of a study as it stands."""
    trials = study.trials()
    default = default_of(trials)
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
        front=front(study),
    )


def front(study: "Study") -> Front | None:
    """The Pareto front; None for a card with one metric, and while no trial is feasible."""
    metrics = study.card.metrics
    trials = study.front() if len(metrics) > 1 else []
    if not trials:
        return None
    import numpy as np

    from tunewright.hypervolume import reference, scaled, volume

    done = [
        t.outcome.metrics for t in study.trials() if t.done and t.outcome and study.card.feasible(t.outcome.metrics)
    ]
    Y, exponents = scaled(np.array([[m.loss(found[m.name]) for m in metrics] for found in done]))
    r = reference(Y)
    with np.errstate(over="ignore"):  # what is beyond all floats is infinite
        covered, ends = float(np.ldexp(volume(Y, r), exponents.sum())), np.ldexp(r, exponents)
    return Front(
        tuple(trials),
        tuple(m.name for m in metrics),
        {m.name: m.value(float(end)) for m, end in zip(metrics, ends, strict=True)},
        covered,
    )


def _weight(name: str, trials: Sequence[Trial]) -> float | None:
    key = f"weight of {name}"
    return next((t.verdict.numbers[key] for t in reversed(trials) if key in t.verdict.numbers), None)


def earlier_lines(rep: Report) -> list[str]:
    """Of each earlier study: how many of its trials were used, and how much the surrogate leans on them."""
    lines = []
    for one in rep.earlier:
        text = f"Earlier trials of {clean(one.name)}: {one.taken} of {one.given} used, "
        weight = "not weighed yet" if one.weight is None else f"weight {one.weight:.2f} in the surrogate's last choice"
        lines.append(f"{text}{weight}.")
    return lines


def _verdict(card: TaskCard, totals: Totals, default: Trial | None) -> str:
    if not totals.calls:
        return "No model was asked."
    gain = sum(c.gain for c in totals.sources)
    mine = next((c for c in totals.sources if c.source == "llm"), None)
    told = default.outcome.metrics if default is not None and default.done and default.outcome is not None else None
    over = " over the default" if told is not None and card.feasible(told) else ""
    if mine is None or not mine.incumbents:
        return f"The model contributed nothing{over}: none of its proposals became the best so far."
    if mine.gain <= 0 and len(card.metrics) == 1:
        kept = "feasible result" if card.constraints else "result"
        return f"The first {kept} is the model's; none of its proposals improved on an earlier one."
    if len(card.metrics) > 1:
        return (
            f"The model's proposals account for {mine.gain:.0%} of the front's hypervolume, all sources "
            f"for {gain:.0%}{over}."
        )
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
    """The study as plain data: its card, the report, every trial, every model call."""
    rep = report(study)
    return {
        "name": study.name,
        "card": card_json(study.card),
        "report": asdict(rep),
        "trials": [asdict(t) for t in study.trials()],
        "calls": [asdict(call) for call in study.ledger.calls()],
    }


def json_text(data: Any, indent: int | None = None) -> str:
    """Plain data as JSON that any parser reads.

    What is no finite number is null: sums and predictions can go beyond all floats where a value is near their end.
    """
    return json.dumps(_finite(data), indent=indent, default=str, allow_nan=False)


def _finite(data: Any) -> Any:
    match data:
        case float():
            return data if math.isfinite(data) else None
        case dict():
            return {key: _finite(value) for key, value in data.items()}
        case list() | tuple():
            return [_finite(value) for value in data]
    return data


def card_json(card: TaskCard) -> dict[str, Any]:
    """The card as plain data that may be shown to anybody.

    Without keys, without the values of environment variables, and of the data what a model may be told but no row.
    """
    record = card.to_json()
    if card.tool is not None and card.tool.env is not None:
        record["tool"]["env"] = dict.fromkeys(card.tool.env, HIDDEN)
    record.pop("data", None)
    if card.data is not None and (told := card.data.told()) is not None:
        record["data"] = told.model_copy(update={"sample": ()}).to_json()
    shown: dict[str, Any] = redact_all(record)
    return shown


def arguments(card: TaskCard, trial: Trial) -> str:
    """The configuration as command-line arguments: as the card's command spells them, else `--name value`.

    What an inactive parameter would be passed by is left out. An argument of the command that holds more than
    parameters, such as `{trial_dir}`, is another run's: its parameters are given as `--name value`.
    """
    from tunewright_tools.arguments import Argument, parse, render

    command = command_of(card)
    spelled: list[Argument] = []
    before: Argument | None = None
    for argument in parse(command) if command else ():
        if argument.names and set(argument.names) <= set(card.space.names):
            # an option that would go with its value comes with it
            if before is not None and not before.names and not render([before, argument], {}, {}):
                spelled.append(before)
            spelled.append(argument)
        before = argument
    words = render(spelled, trial.config, {})
    said = {name for argument in spelled for name in argument.names}
    for name, value in trial.config.items():
        if name in said:
            continue
        words += [f"--{name.replace('_', '-')}", str(value).lower() if isinstance(value, bool) else str(value)]
    return shlex.join(words)


def number(value: object) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else clean(str(value))


def named(values: Mapping[str, Any]) -> str:
    """Values by their names on one line: `lr=0.01 width=64`."""
    return " ".join(f"{name}={number(value)}" for name, value in values.items())


def front_json(found: Front) -> dict[str, Any]:
    """The front as plain data, as in `best --json`."""
    trials = [
        {"trial": t.number, "source": t.source, "config": t.config, "metrics": t.outcome.metrics if t.outcome else {}}
        for t in found.trials
    ]
    return {"front": trials, "hypervolume": found.hypervolume, "reference": dict(found.reference)}


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


def confirmation_json(study: "Study") -> dict[str, Any]:
    """The final evaluation as plain data, as the last line of `run --confirm --json`."""
    found = confirmation(study)
    return {"event": "confirmation", **(asdict(found) if found is not None else {})}
