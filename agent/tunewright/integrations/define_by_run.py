"""The space of a define-by-run script, learned from the trials so far.

A parameter that some finished trials lack is put under a condition: the values of one other parameter, or of two,
that were seen whenever it was there and never when it was not. What the script does beyond that (a threshold on a
real number, a coin) no condition can say; such a parameter is left out of the space, and its values are drawn alone.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from tunewright.distributions import distributions
from tunewright.errors import SpaceError
from tunewright.integrations.foreign import Foreign, choice, identifiers
from tunewright.numeric import Float, Int
from tunewright.parameters import Choice
from tunewright.space import Space
from tunewright_tools.base import Config

_MOST_VALUES = 64
"""Values of a whole number up to which others may depend on it."""

When = dict[str, list[Any]]


@dataclass(frozen=True)
class Learned:
    """A space, and Optuna's own words for each of its parameters."""

    space: Space
    foreign: Mapping[str, Foreign]
    """Our name -> the parameter."""
    distributions: Mapping[str, BaseDistribution]
    """Optuna's name -> the widest distribution that was asked for."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Optuna's name -> why the parameter is not in the space."""

    def config(self, params: Mapping[str, Any]) -> Config:
        """The part of a trial's parameters that the space knows, under our names."""
        return {
            name: _ours(f, params[f.name], self.distributions[f.name])
            for name, f in self.foreign.items()
            if f.name in params
        }

    def params(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration of ours in Optuna's words."""
        return {self.foreign[name].name: self.foreign[name].theirs(value) for name, value in config.items()}

    @classmethod
    def of(cls, space: Space) -> "Learned":
        """A space that a person stated; the script suggests the same names."""
        return cls(space, {p.name: Foreign(p.name, p) for p in space}, distributions(space))


def learn(trials: Iterable[FrozenTrial]) -> Learned | None:
    """The space that the trials show, or None while they show no parameter."""
    rows = [t for t in trials if t.distributions]
    seen: dict[str, list[BaseDistribution]] = {}
    for row in rows:
        for name, distribution in row.distributions.items():
            if distribution not in seen.setdefault(name, []):
                seen[name].append(distribution)
    left_out: dict[str, str] = {}
    wide: dict[str, BaseDistribution] = {}
    found: dict[str, Foreign] = {}
    for name, identifier in identifiers(seen).items():
        try:
            wide[name] = widest(seen[name])
            if not wide[name].single():
                found[name] = parameter(identifier, name, wide[name])
        except SpaceError as e:
            left_out[name] = e.message
    for name, when in _conditions(rows, found).items():
        if when is None:
            left_out[name] = "whether the script asks for it follows from no choice seen so far"
            del found[name]
        elif when:
            found[name] = replace(found[name], parameter=replace(found[name].parameter, when=when))  # type: ignore[type-var]
    if not found:
        return None
    space = Space(*(f.parameter for f in found.values()))
    return Learned(space, {f.parameter.name: f for f in found.values()}, {n: wide[n] for n in found}, left_out)


def widest(given: Sequence[BaseDistribution]) -> BaseDistribution:
    """One distribution that covers all that a script asked for under one name.

    Raises:
        SpaceError: they are of different kinds, or differ in more than their bounds.
    """
    first = given[0]
    if len(given) == 1:
        return first
    if isinstance(first, FloatDistribution | IntDistribution) and all(
        isinstance(d, type(first)) and (d.log, d.step) == (first.log, first.step) for d in given
    ):
        low, high = min(d.low for d in given), max(d.high for d in given)  # type: ignore[attr-defined]
        if first.step is None or all((d.low - low) % first.step == 0 for d in given):  # type: ignore[attr-defined]
            return type(first)(low, high, log=first.log, step=first.step)  # type: ignore[arg-type]
    raise SpaceError("the script asks for it with different scales or steps", "keep its scale and step the same")


def parameter(name: str, foreign: str, d: BaseDistribution) -> Foreign:
    """Our parameter for a distribution.

    Raises:
        SpaceError: we have none for it.
    """
    match d:
        case CategoricalDistribution():
            return choice(name, foreign, d.choices)
        case IntDistribution():
            return Foreign(foreign, Int(name, d.low, d.high, log=d.log, step=None if d.step == 1 else d.step))
        case FloatDistribution():
            return Foreign(foreign, Float(name, d.low, d.high, log=d.log, step=d.step))
    raise SpaceError(f"{d!r} is of an unknown kind", "suggest a float, an int or a categorical")


def _ours(f: Foreign, value: Any, d: BaseDistribution) -> Any:
    if isinstance(f.parameter, Choice) and isinstance(d, CategoricalDistribution):
        return f.parameter.choices[int(d.to_internal_repr(value))]
    return value


# -- conditions --------------------------------------------------------------------------------------------------------


def _conditions(rows: Sequence[FrozenTrial], found: Mapping[str, Foreign]) -> dict[str, When | None]:
    """For each parameter the parents' values under which it is there; None where there are none that fit."""
    complete = [row for row in rows if row.state == TrialState.COMPLETE]  # others may have ended before they asked
    placed: list[str] = []
    conditions: dict[str, When | None] = {}
    for name in sorted(found, key=lambda n: -sum(n in row.params for row in rows)):
        lacking = [row for row in complete if name not in row.params]
        conditions[name] = when = (
            _condition([row for row in rows if name in row.params], lacking, [found[n] for n in placed])
            if lacking
            else {}
        )
        if when is not None:
            placed.append(name)
    return conditions


def _condition(having: Sequence[FrozenTrial], lacking: Sequence[FrozenTrial], parents: list[Foreign]) -> When | None:
    """The first single parent, else the first pair, whose values tell all trials that have it from all that lack it.

    A parent is there in more trials than its child, so that conditions cannot run in a ring.
    """
    able = [
        q
        for q in parents
        if _discrete(q) and all(q.name in row.params for row in having) and any(q.name in row.params for row in lacking)
    ]
    able.sort(key=lambda q: not isinstance(q.parameter, Choice))  # stable: choices first, each in order of suggestion
    values = {q.name: _values_of(q, having, lacking) for q in able}
    for size in (1, 2):
        for some in itertools.combinations(able, size):
            if all(any(_key(q, row) not in values[q.name] for q in some) for row in lacking):
                return {q.parameter.name: [_value(q, key) for key in values[q.name]] for q in some}
    return None


def _discrete(f: Foreign) -> bool:
    p = f.parameter
    return isinstance(p, Choice) or (
        isinstance(p, Int) and not p.log and (p.high - p.low) / (p.step or 1) < _MOST_VALUES
    )


def _key(f: Foreign, row: FrozenTrial) -> int | None:
    """The place of a choice or the whole number that a trial has of a parameter; None where it lacks it."""
    return int(row.distributions[f.name].to_internal_repr(row.params[f.name])) if f.name in row.params else None


def _value(f: Foreign, key: int) -> Any:
    return f.parameter.choices[key] if isinstance(f.parameter, Choice) else key


def _values_of(f: Foreign, having: Sequence[FrozenTrial], lacking: Sequence[FrozenTrial]) -> list[int]:
    """Keys of a parent under which the child is there; an unseen whole number counts as the seen one nearest to it.

    So that `for i in range(n_layers)` is understood before every number of layers was seen.
    """
    inside = {_key(f, row) for row in having} - {None}
    p = f.parameter
    if isinstance(p, Choice):
        return [i for i in range(len(p.choices)) if i in inside]
    assert isinstance(p, Int)
    outside = {_key(f, row) for row in lacking} - inside - {None}

    def away(v: int, seen: set[int | None]) -> float:
        return min((abs(v - s) for s in seen if s is not None), default=float("inf"))

    grid = range(p.low, p.high + 1, p.step or 1)
    return [v for v in grid if v in inside or (v not in outside and away(v, inside) <= away(v, outside))]
