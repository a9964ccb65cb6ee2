"""Starting points and the space in the words of other optimizers: one file each, `to` for their text."""

from collections.abc import Iterable
from importlib import import_module

from tunewright.card import TaskCard
from tunewright.errors import CardError, did_you_mean
from tunewright.points import Point

TARGETS = {
    "json": "plain",
    "optuna": "optuna",
    "sklearn": "sklearn",
    "ray": "ray",
    "smac": "smac",
    "ax": "ax",
    "nevergrad": "nevergrad",
    "hyperopt": "hyperopt",
    "syne_tune": "syne_tune",
    "skopt": "skopt",
    "flaml": "flaml",
}
"""Target -> the module here that writes for it."""


def check_target(name: str) -> None:
    """Raise `CardError` with a list of the targets when there is none of that name."""
    if name not in TARGETS:
        raise CardError(
            f"there is no export to {name!r}", f"{did_you_mean(name, TARGETS)}the targets are {', '.join(TARGETS)}"
        )


def to(name: str, points: Iterable[Point], card: TaskCard) -> str:
    """The points and the space as text for a target: a Python file that runs, or JSON.

    Where the target has no form for the space, the text holds the points and says what is missing and why.

    Raises:
        CardError: an unknown target.
    """
    check_target(name)
    module = import_module(f"tunewright.export.{TARGETS[name]}")
    return str(module.text(list(points), card))
