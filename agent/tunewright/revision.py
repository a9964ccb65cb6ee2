"""Whether a card fits a study's record: what may change while a study goes on, and what may not."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import StudyError
from tunewright.parameters import Parameter
from tunewright.space import Space

_WORDS = ("default", "about", "unit")  # what a parameter is told with; trials do not depend on it
_BOUNDS = ("low", "high")


def check_card(old: TaskCard, new: TaskCard) -> None:
    """Raise `StudyError` unless trials recorded under the old card mean the same under the new one.

    Bounds, relations, held values, defaults, texts, constraints, budget, tool and goal may change; parameters, their
    kind, scale, grid, choices and conditions, and the metrics, may not.
    """
    measured = list(_metric_differences(old, new))
    found = [*measured, *_space_differences(old.space, new.space)]
    if found:
        branch = "" if measured else "open a child study that learns from these trials (--branch, `branch=True`), or "
        raise StudyError(
            f"study {new.name!r} is on record with another card: {'; '.join(found)}",
            "a study may change its bounds, relations, held values, defaults, constraints, budget and texts; for "
            f"anything else {branch}give the card another `name`, and it becomes a study of its own",
        )


def same_region(old: Space, new: Space) -> bool:
    """Whether both spaces hold the same configurations; asked of spaces that `check_card` let pass."""
    return bool(_region(old) == _region(new))


def _region(space: Space) -> Any:
    bounds = {p.name: [getattr(p, b, None) for b in _BOUNDS] for p in space}
    return bounds, {r.text for r in space.relations}, {name: held.values for name, held in space.held.items()}


def _metric_differences(old: TaskCard, new: TaskCard) -> Iterator[str]:
    before, after = ([f"{m.name} ({m.direction})" for m in card.metrics] for card in (old, new))
    if before != after:
        yield f"it measures {', '.join(before)}, the card {', '.join(after)}"


def _space_differences(old: Space, new: Space) -> Iterator[str]:
    for name in new.names:
        if name not in old:
            yield f"parameter {name!r} is new"
    for name in old.names:
        if name not in new:
            yield f"parameter {name!r} is gone"
        else:
            yield from _parameter_differences(old[name], new[name])


def _parameter_differences(old: Parameter, new: Parameter) -> Iterator[str]:
    if type(old) is not type(new):
        yield f"{old.name!r} was a {old.kind} and is a {new.kind}"
        return
    for field in fields(old):  # type: ignore[arg-type]
        if field.name in _WORDS + _BOUNDS:
            continue
        before, after = getattr(old, field.name), getattr(new, field.name)
        # true == 1 in Python, not in a space
        if repr(before) != repr(after):
            yield f"{field.name} of {old.name!r} was {_plain(before)} and is {_plain(after)}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return str({key: list(item) for key, item in value.items()})
    return str(list(value)) if isinstance(value, tuple) else repr(value)
