"""Configurations as rows of numbers for the models: numeric columns, one-hot columns, activity bits.

| symbol | shape | meaning |
| --- | --- | --- |
| d | | parameters of the space |
| D | | columns of an encoded configuration |
| G | | groups: columns that share a lengthscale |
| X | (n, D) | encoded configurations, every column in [0, 1] but for what ran outside moved bounds |
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.card import TaskCard
from tunewright.earlier import place
from tunewright.parameters import Choice, Float, Int
from tunewright.space import Space

Array = NDArray[np.float64]

_MANY = 24
"""Values from which on a whole number is moved as if it were continuous while a point is polished."""


class Encoding:
    """How a space becomes columns.

    Floats, whole numbers and ordered choices take one column, their place in the unit interval; an unordered choice
    takes one column a value, scaled so that two different values are at distance 1 before the lengthscale; each
    distinct condition takes one column that says whether it holds. An inactive parameter stands at its default.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        groups: list[int] = []
        owners: list[tuple[str, ...]] = []
        self._plan: list[tuple[int, int]] = []
        smooth: list[int] = []
        for p in space:
            many = len(p.choices) if isinstance(p, Choice) and not p.ordered else 0
            if many == 2:
                many = 0  # two values differ by the one column as well as by two
            self._plan.append((len(groups), many))
            if many == 0 and _continuous(p):
                smooth.append(len(groups))
            groups += [len(owners)] * max(many, 1)
            owners.append((p.name,))
        conditions: dict[str, list[int]] = {}
        for j, p in enumerate(space):
            if p.when:
                conditions.setdefault(repr(sorted((k, tuple(map(repr, v))) for k, v in p.when.items())), []).append(j)
        self._bits = list(conditions.values())
        for members in self._bits:
            groups.append(len(owners))
            owners.append(tuple(space.names[j] for j in members))
        self.groups = np.array(groups)
        """Group of each column, shape (D,)."""
        self.owners = owners
        """Parameters that each group speaks of, length G."""
        self.smooth = np.array(smooth, dtype=int)
        """Columns along which a gradient means something."""

    @property
    def n_columns(self) -> int:
        return len(self.groups)

    @property
    def n_groups(self) -> int:
        return len(self.owners)

    def encode(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        """Encoded configurations, shape (n, D)."""
        units = self.space.to_unit(configs)
        X = np.zeros((len(configs), self.n_columns))
        for j, (start, many) in enumerate(self._plan):
            if many == 0:
                X[:, start] = units[:, j]
                p = self.space.parameters[j]
                if isinstance(p, Choice) and not p.ordered:
                    X[:, start] = units[:, j] > 0.5  # two values: as far apart as those of a longer list
            else:
                cell = np.minimum((units[:, j] * many).astype(int), many - 1)
                X[np.arange(len(X)), start + cell] = np.sqrt(0.5)
        if self._bits:
            active = self.space.activity(configs)
            for i, members in enumerate(self._bits):
                X[:, self.n_columns - len(self._bits) + i] = active[:, members[0]]
        return X

    def encode_ran(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        """As `encode`, of configurations that ran: where bounds were moved since, a number outside stands where it is.

        At the bound it would say of a value there what is true of another.
        """
        X = self.encode(configs)
        for j, p in enumerate(self.space):
            if isinstance(p, Float | Int):
                for row, config in enumerate(configs):
                    value = config.get(p.name)
                    if value is not None and not p.low <= value <= p.high and (u := place(p, value)) is not None:
                        X[row, self._plan[j][0]] = u
        return X

    def parameter_of(self, column: int) -> int:
        """Index in the space of the parameter that a numeric column belongs to."""
        return next(j for j, (start, many) in enumerate(self._plan) if many == 0 and start == column)


def _continuous(p: Any) -> bool:
    if isinstance(p, Float):
        return p.step is None or (p.high - p.low) / p.step >= _MANY
    if isinstance(p, Int):
        return p.rounding is None and (p.high - p.low) / (p.step or 1) >= _MANY
    return False


def failure_features(
    card: TaskCard, encoding: Encoding, configs: Sequence[Mapping[str, Any]], encoded: Array | None = None
) -> Array:
    """What decides failure, memory and time, shape (n, D + derived): the encoded columns and the card's log products.

    The derived columns are logarithms in their own unit (they are standardised by whoever uses them), so that a
    limit on a product is a half-space. Whoever has the encoded columns already hands them in.
    """
    derived = card.derive(configs)
    columns = [np.asarray(v, dtype=float)[:, None] for v in derived.values()]
    return np.concatenate([encoding.encode(configs) if encoded is None else encoded, *columns], axis=1)
