"""What the exporters share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunewright.card import TaskCard
from tunewright.card_parts import Metric
from tunewright.errors import SpaceError, StudyError
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.space import Space
from tunewright.trial import Trial
from tunewright_tools.base import Config

_MOST_STEPS = 10_000


# -- text --------------------------------------------------------------------------------------------------------------


def page(*parts: str) -> str:
    """The parts of a file with an empty line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


def listed(name: str, lines: Iterable[Any]) -> str:
    """`name = [...]`, one line an item."""
    return "\n".join([f"{name} = [", *(f"    {line}," for line in lines), "]"])


def space_text(items: Mapping[str, Any]) -> str:
    """`space = {...}`, one line an item."""
    return "\n".join(["space = {", *(f"    {key!r}: {value!r}," for key, value in items.items()), "}"])


def configs(points: Iterable[Point]) -> list[Config]:
    """The configurations of the points; an inactive parameter is absent."""
    return [dict(point.config) for point in points]


def left_out(error: SpaceError) -> str:
    """Why a space is missing from the text, as comments of one line each: a card's relation may stand on several."""
    return f"# The space is left out: {' '.join(error.message.split())};\n# {' '.join(error.hint.split())}."


# -- spaces ------------------------------------------------------------------------------------------------------------


def no_form(target: str, name: str, what: str, nearest: str) -> SpaceError:
    """The error for a parameter that a target has no words for."""
    return SpaceError(f"{target} has no form for {name}: {what}", f"the nearest thing there is {nearest}")


def no_held(target: str, space: Space) -> None:
    """Raise `SpaceError` for the first parameter that is held to a few of its values."""
    for name, held in space.held.items():
        raise no_form(target, name, held.text(), f"a card on which {name} has only these values")


def no_relations(target: str, space: Space, nearest: str) -> None:
    """Raise `SpaceError` for the first relation of the space, or the first parameter that is held."""
    no_held(target, space)
    for relation in space.relations:
        raise no_form(target, " and ".join(relation.names), relation.text, nearest)


def no_conditions(target: str, space: Space) -> None:
    """Raise `SpaceError` for the first parameter of the space that is not always there."""
    for p in space:
        if p.when:
            without = f"{p.name} without `when`, which the objective ignores where it does not apply"
            raise no_form(target, p.name, "its condition", without)


def steps(target: str, p: Parameter) -> list[Any] | None:
    """All values of a number that takes powers of two or steps only, in order; None for any other parameter.

    Raises:
        SpaceError: there are more of them than can be listed.
    """
    if isinstance(p, Int) and p.rounding:
        return list(p.powers)
    if isinstance(p, Int | Float) and p.step is not None:
        count = int((p.high - p.low) / p.step + 1e-9) + 1
        if count > _MOST_STEPS:
            raise no_form(target, p.name, f"{count} steps", "the same parameter without a step")
        return [p.round(p.low + i * p.step) for i in range(count)]
    return None


def no_logit(target: str, p: Parameter, nearest: str) -> None:
    """Raise `SpaceError` for a number on a logit scale; `nearest` is the target's name for a plain one."""
    if isinstance(p, Float) and p.logit:
        raise no_form(target, p.name, "a logit scale", f"{nearest}({p.low!r}, {p.high!r})")


def one_type(target: str, name: str, values: Sequence[Any]) -> type:
    """The type of a choice's values; float where whole numbers are among real ones.

    Raises:
        SpaceError: they have several.
    """
    kinds = {type(value) for value in values}
    if len(kinds) > 1 and kinds != {int, float}:
        raise no_form(target, name, f"choices of several types, {list(values)!r}", "the same choices as text")
    return float if float in kinds else kinds.pop()


def parents_first(space: Space) -> list[Parameter]:
    """The parameters of the space, each after those that its condition names."""

    def depth(p: Parameter) -> int:
        return max((1 + depth(space[parent]) for parent in p.when), default=0)

    return sorted(space, key=depth)


def branches(target: str, space: Space, parent: Parameter) -> list[tuple[Any, list[str]]]:
    """Each value of a parent with the names of the parameters that exist under it; empty where it is no parent.

    Raises:
        SpaceError: a child with several parents, or a parent that is no choice.
    """
    children = [p for p in space if parent.name in p.when]
    if not children:
        return []
    for child in children:
        if len(child.when) > 1:
            raise no_form(
                target, child.name, f"a condition on {' and '.join(child.when)}", "a condition on one of them"
            )
    values = parent.choices if isinstance(parent, Choice) else steps(target, parent)
    if values is None:
        nearest = f"{parent.name} as a Choice of a few values"
        raise no_form(target, children[0].name, f"a condition on the number {parent.name}", nearest)
    return [(v, [c.name for c in children if parent.round(v) in c.when[parent.name]]) for v in values]


def flat(drawn: dict[str, object]) -> dict[str, object]:
    """The configuration of a nested draw, in which a choice holds itself and what depends on it."""
    found: dict[str, object] = {}
    for name, value in drawn.items():
        found.update(flat(value) if isinstance(value, dict) else {name: value})
    return found


def native(config: Mapping[str, Any]) -> Config:
    """The configuration with Python's own values in place of NumPy's."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in config.items()}


def settled(config: Mapping[str, Any], space: Space) -> Config:
    """The configuration in Python's own values, real ones in 15 digits, without the rounding errors of a scale.

    With them, a value at a bound may lie outside of it. A choice comes back as it is, with all its digits.
    """
    scaled = {p.name for p in space if isinstance(p, Float) and p.step is None}
    found = native(config)
    return found | {name: float(f"{found[name]:.15g}") for name in scaled if name in found}


# -- trials ------------------------------------------------------------------------------------------------------------


def only_metric(target: str, card: TaskCard) -> Metric:
    """The card's metric.

    Raises:
        StudyError: it has several.
    """
    if len(card.metrics) > 1:
        names = ", ".join(m.name for m in card.metrics)
        raise StudyError(
            f"{target} is told one metric, the card has {len(card.metrics)}: {names}",
            "use Optuna, which is told all of them, or a card with one metric",
        )
    return card.primary


def seconds(trial: Trial) -> float | None:
    """What its run took, as measured; by the record's clock where nothing measured it, None while it runs."""
    if trial.outcome is not None and trial.outcome.telemetry is not None:
        return trial.outcome.telemetry.seconds
    return None if trial.finished is None else trial.finished - trial.started


def done(card: TaskCard, trials: Iterable[Trial]) -> list[tuple[Trial, Mapping[str, float]]]:
    """The finished trials of the card's space with their metrics; one of an earlier space may lie outside of it."""
    return [(t, t.outcome.metrics) for t in _of_space(card.space, trials) if t.outcome is not None and t.done]


def valued(card: TaskCard, trials: Iterable[Trial]) -> list[tuple[Trial, float]]:
    """The finished trials that keep the card's constraints, with their value in the metric's own sign.

    One that breaks a constraint is left out: its value alone would draw an optimizer to it.
    """
    name = card.primary.name
    return [(t, float(metrics[name])) for t, metrics in done(card, trials) if card.feasible(metrics)]


def at_fault(card: TaskCard, trials: Iterable[Trial]) -> list[Trial]:
    """The trials of the card's space that their configuration made fail, not the machine or a person."""
    return [
        t for t in _of_space(card.space, trials) if t.outcome is not None and not t.done and t.outcome.fault == "config"
    ]


def _of_space(space: Space, trials: Iterable[Trial]) -> list[Trial]:
    """The trials whose configuration the space holds, held values aside: those bind new configurations only."""
    free = Space(*space, relations=[relation.text for relation in space.relations])
    return [t for t in trials if not (checked := free.check(t.config)).faults and checked.config == t.config]
