"""The search space: parameters, their conditions and relations; checking, rounding, the unit cube, JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from tunewright.errors import SpaceError, whole
from tunewright.held import Held, by_name, plain, read_held
from tunewright.parameter import spelt, unboxed
from tunewright.parameters import Choice, Float, Int, Parameter, parameter_from_json
from tunewright.relations import Relation
from tunewright_tools.base import Config

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Checked", "Choice", "Fault", "Float", "Int", "Parameter", "Space"]

_BATCHES = 50
_KEYS = 4096
"""Keys that are remembered."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a configuration, in words that a person or a model can act on."""

    name: str
    """The parameter, or the relation's text."""
    seen: Any
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Checked:
    """What became of a proposed configuration: `config` is what would run, and is complete when `faults` is empty."""

    config: Config
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...]
    """Names that are not in the space or not active in this configuration; they were left out, not judged."""

    def objections(self) -> list[str]:
        """Why the configuration cannot run just as it was given; empty when it can."""
        return [*map(str, self.faults), *(f"{name} is not in the space or not active" for name in self.ignored)]


class Space:
    """The parameters of a study and the rules between them; immutable.

    Args:
        parameters: `Float`, `Int` and `Choice`, in the order in which people should read them.
        relations: statements that every configuration fulfils, such as "width % heads == 0".
        held: parameter -> the value, or the values, that new configurations keep to.

    Raises:
        SpaceError: double names, a condition on an unknown parent or value, a ring of conditions,
            a relation over unknown names, a held value that its parameter does not take.
    """

    def __init__(
        self, *parameters: Parameter, relations: Iterable[str] = (), held: Mapping[str, Any] | None = None
    ) -> None:
        if not parameters:
            raise SpaceError("the space has no parameters", "add at least one Float, Int or Choice")
        for p in parameters:
            if not isinstance(p, Parameter):
                raise SpaceError(
                    f"{p!r} is not a parameter", "give each as its own argument: Space(Float(...), Int(...))"
                )
        self.parameters: tuple[Parameter, ...] = parameters
        self.names: tuple[str, ...] = tuple(p.name for p in parameters)
        self._by_name = dict(zip(self.names, parameters, strict=True))
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            raise SpaceError(f"the parameter {doubled[0]!r} is there twice", "give each parameter its own name").at(
                doubled[0], "name"
            )
        order = self._parents_first()
        self._conditions = [
            (name, [(self._by_name[parent], self._places(parent, values)) for parent, values in when.items()])
            for name in order
            if (when := self._by_name[name].when)
        ]
        self.conditional = bool(self._conditions)
        """Whether any parameter has a condition."""
        self.relations: tuple[Relation, ...] = tuple(Relation(text) for text in _listed(relations))
        for relation in self.relations:
            unknown = [name for name in relation.names if name not in self._by_name]
            if unknown:
                raise SpaceError(
                    f"relation {relation.text!r} names {unknown[0]!r}", f"the parameters are {', '.join(self.names)}"
                )
        self.held: dict[str, Held] = read_held(self._by_name, held or {})
        self._tidied: dict[str, str] = {}  # each choice asks several times for the key of every trial

    def _parents_first(self) -> tuple[str, ...]:
        for p in self.parameters:
            for parent, values in p.when.items():
                if parent not in self._by_name:
                    raise SpaceError(
                        f"{p.name!r} depends on {parent!r}, which is not in the space",
                        f"the parameters are {', '.join(self.names)}",
                    ).at(p.name, "when", parent)
                for value in values:
                    fault = self._by_name[parent].fault(value)
                    if fault:
                        raise SpaceError(
                            f"{p.name!r} is there when {parent} is {value!r}, which {fault}",
                            f"{parent} takes {self._by_name[parent].accepts()}",
                        ).at(p.name, "when", parent)
        try:
            return tuple(TopologicalSorter({p.name: list(p.when) for p in self.parameters}).static_order())
        except CycleError as e:
            raise SpaceError(
                f"conditions run in a ring: {' -> '.join(e.args[1])}", "a parent cannot depend on its child"
            ) from e

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self._text() == other._text()

    def __hash__(self) -> int:
        return hash(self._text())

    def _text(self) -> str:
        return json.dumps(self.to_json(), sort_keys=True)  # as text true is not 1

    def __repr__(self) -> str:
        return f"Space({', '.join(map(repr, self.parameters))})"

    def with_relations(self, relations: Iterable[str]) -> "Space":
        """The same parameters with more relations."""
        texts = [r.text for r in self.relations]
        for text in _listed(relations):
            if text not in texts:
                texts.append(text)
        return Space(*self.parameters, relations=texts, held=plain(self.held.values()))

    def with_held(self, held: Mapping[str, Any]) -> "Space":
        """The same space with parameters held at a value or to a list of values; None lets one go again."""
        merged = {**plain(self.held.values()), **by_name(held)}
        kept = {name: values for name, values in merged.items() if values is not None or name not in self}
        return Space(*self.parameters, relations=[r.text for r in self.relations], held=kept)

    # -- one configuration ---------------------------------------------------------------------------------------

    def active(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Names that exist in this configuration, in the order of the space: all their conditions hold."""
        off = self._off(config)
        return tuple(name for name in self.names if name not in off) if off else self.names

    def _off(self, config: Mapping[str, Any]) -> set[str]:
        """The other names."""
        off: set[str] = set()
        for name, when in self._conditions:
            for parent, places in when:
                if parent.name in off or _place(parent, config.get(parent.name)) not in places:
                    off.add(name)
                    break
        return off

    def _places(self, parent: str, values: Iterable[Any]) -> frozenset[Any]:
        return frozenset(_place(self._by_name[parent], value) for value in values)

    def check(self, config: Mapping[str, Any]) -> Checked:
        """What is wrong with a configuration, and what would run of it. Values move only onto a declared grid."""
        if not hasattr(config, "items"):  # pandas' Series is no Mapping
            raise SpaceError(f"{config!r:.80} is no configuration", 'give a mapping, such as {"lr": 0.001}')
        config = {name: unboxed(value) for name, value in config.items()}
        active = self.active(config)
        faults: list[Fault] = []
        kept: Config = {}
        for name in active:
            p = self._by_name[name]
            if config.get(name) is None:
                faults.append(Fault(name, None, f"{name} is missing; it takes {self.accepts(name)}"))
                continue
            fault = p.fault(config[name])
            if fault:
                faults.append(Fault(name, config[name], f"{name} = {spelt(config[name])} {fault}"))
            elif name in self.held and not self.held[name].allows(config[name]):
                faults.append(
                    Fault(name, config[name], f"{name} = {spelt(config[name])}, but it is {self.accepts(name)}")
                )
            else:
                kept[name] = p.round(config[name])
        if not faults:
            for r in self.relations:
                if not r.holds(kept):
                    seen = {name: kept[name] for name in r.names if name in kept}
                    values = ", ".join(f"{k} = {spelt(v)}" for k, v in seen.items())
                    faults.append(Fault(r.text, seen, f"{r.text} does not hold with {values}"))
        ignored = tuple(name for name in config if name not in active and config[name] is not None)
        return Checked(kept, tuple(faults), ignored)

    def accepts(self, name: str) -> str:
        """What a new configuration may give a parameter, in words."""
        return self.held[name].text() if name in self.held else self._by_name[name].accepts()

    def key(self, config: Mapping[str, Any]) -> str:
        """An identity: two configurations with the same key are the same after rounding to the digits that matter."""
        text = repr(config)
        known = self._tidied.get(text)
        if known is None:
            known = repr({name: self._by_name[name].tidy(config[name]) for name in self.active(config)})
            if len(self._tidied) >= _KEYS:
                self._tidied.clear()
            self._tidied[text] = known
        return known

    def keys(self, configs: Iterable[Config]) -> list[str]:
        """The `key` of each configuration that `from_unit` made: those are tidy, but for values that are held."""
        return list(map(self.key if self.held else repr, configs))

    def default(self) -> Config:
        """The configuration of trial 0: stated defaults, else the middle of each scale. It may break a relation."""
        return self._only_active(self.hold({p.name: p.start for p in self.parameters}))

    def hold(self, config: Mapping[str, Any]) -> Config:
        """The configuration with held parameters at a value that they are held to."""
        return {name: self.held[name].start(v) if name in self.held else v for name, v in config.items()}

    def _only_active(self, config: Config) -> Config:
        for name in self._off(config):
            del config[name]
        return config

    # -- many configurations -------------------------------------------------------------------------------------

    def to_unit(self, configs: Sequence[Mapping[str, Any]]) -> "NDArray[np.float64]":
        """Positions in the unit cube, shape (n, d); an inactive parameter takes its start value."""
        import numpy as np

        starts = [p.start for p in self.parameters]  # once: a start that was not stated is worked out each time
        columns = [p.to_unit([c.get(p.name, start) for c in configs]) for p, start in zip(self, starts, strict=True)]
        return np.stack(columns, axis=1) if configs else np.zeros((0, len(self)))

    def from_unit(self, units: "NDArray[np.float64]") -> list[Config]:
        """Configurations at positions in the unit cube, shape (n, d), held values kept. Relations are not looked at."""
        import numpy as np

        full = self._rows(np.asarray(units, dtype=float), self.names)
        return [self._only_active(config) for config in full] if self.conditional else full

    def _rows(self, units: "NDArray[np.float64]", names: Sequence[str]) -> list[Config]:
        """The values of these parameters, those that are not active too."""
        columns = [
            self.held[p.name].nearest(units[:, j]) if p.name in self.held else p.from_unit(units[:, j])
            for j, p in enumerate(self.parameters)
            if p.name in names
        ]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def activity(self, configs: Sequence[Mapping[str, Any]]) -> "NDArray[np.bool_]":
        """Which parameters are active, shape (n, d)."""
        import numpy as np

        return np.array([[name in config for name in self.names] for config in configs], dtype=bool).reshape(
            -1, len(self)
        )

    def fulfils(self, config: Mapping[str, Any]) -> bool:
        """Whether all relations hold."""
        return all(r.holds(config) for r in self.relations)

    def sample(self, n: int, seed: int, *, fewest: int | None = None) -> list[Config]:
        """Configurations of a scrambled Sobol sequence that fulfil the relations, n of them.

        Args:
            n: how many.
            seed: of the sequence.
            fewest: how many will do where the relations leave little of the space; n unless given.

        Raises:
            SpaceError: fewer than `fewest` of many thousand draws fulfil the relations.
            CardError: n or the seed is no whole number of 0 or more.
        """
        n, seed = whole(n, "n", 0), whole(seed, "seed", 0)
        from scipy.stats import qmc

        engine = qmc.Sobol(len(self), seed=seed)
        found: list[Config] = []
        size = max(8, 1 << (2 * n - 1).bit_length())
        for batch in range(1, _BATCHES + 1):
            drawn = engine.random(size)
            found += self._fulfilling(drawn) if self.relations else self.from_unit(drawn[:n])
            if len(found) >= n or not self.relations:
                return found[:n]
            size = min(size * 2, 8192)
            engine = qmc.Sobol(len(self), seed=seed + 1_000_003 * batch)
        if fewest is not None and len(found) >= fewest:
            return found
        raise SpaceError(
            f"only {len(found)} of the configurations drawn fulfil {', '.join(r.text for r in self.relations)}",
            "loosen the relations, or declare the parameters so that most values fulfil them",
        )

    def _fulfilling(self, units: "NDArray[np.float64]") -> list[Config]:
        """Those of the configurations at these positions that fulfil the relations."""
        if not self.conditional:  # most may be lost: of those only what the relations name is made
            named = [name for name in self.names if any(name in r.names for r in self.relations)]
            units = units[[self.fulfils(row) for row in self._rows(units, named)]]
        return [c for c in self.from_unit(units) if self.fulfils(c)]

    # -- JSON ----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The space as plain data; `from_json` gives an equal space."""
        record: dict[str, Any] = {"parameters": [p.to_json() for p in self.parameters]}
        if self.relations:
            record["relations"] = [r.text for r in self.relations]
        if self.held:
            record["held"] = plain(self.held.values())
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Space":
        """The space that `to_json` wrote.

        Raises:
            SpaceError: an unknown key or kind, a missing bound.
        """
        if not isinstance(record, Mapping) or not isinstance(record.get("parameters"), list | tuple):
            raise SpaceError("the space is not a mapping with a list of parameters", "give what Space.to_json wrote")
        parameters = [parameter_from_json(p) for p in record["parameters"]]
        return cls(*parameters, relations=record.get("relations", ()), held=record.get("held"))


def _listed(relations: Iterable[str]) -> list[str]:
    if isinstance(relations, str):  # each of its letters would be one
        raise SpaceError(f"relations is {relations!r}, a text", f"give a list: relations=[{relations!r}]")
    if not isinstance(relations, Iterable):
        raise SpaceError(f"relations is {relations!r:.80}", 'give a list: relations=["width % heads == 0"]')
    return list(relations)


def _place(parameter: Parameter, value: Any) -> Any:
    """What two values that a condition takes as the same have in common; None for what the parameter does not take."""
    if isinstance(parameter, Choice):
        return parameter.index(value)
    return None if parameter.fault(value) else parameter.round(value)
