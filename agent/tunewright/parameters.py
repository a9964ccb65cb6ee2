"""The kinds of parameters: `Float` and `Int` (from `numeric.py`), and `Choice`; a parameter from plain data."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tunewright.errors import SpaceError, did_you_mean
from tunewright.numeric import Float, Int
from tunewright.parameter import Parameter, Scalar, When, spelt, unboxed

if TYPE_CHECKING:
    from tunewright.parameter import Units

__all__ = ["KINDS", "Choice", "Float", "Int", "Parameter", "Scalar", "When", "parameter_from_json"]


@dataclass(frozen=True)
class Choice(Parameter):
    """One of a few values.

    Args:
        choices: two or more distinct values (text, numbers or booleans).
        ordered: neighbours in the list are alike, as sizes are.
        name, default, about, unit, when: as for `Float`.
    """

    name: str
    choices: Sequence[Scalar]
    ordered: bool = False
    default: Scalar | None = None
    about: str = ""
    unit: str = ""
    when: When = None  # type: ignore[assignment]

    kind: ClassVar[str] = "choice"

    def _check_bounds(self) -> None:
        if isinstance(self.choices, str) or not isinstance(self.choices, Sequence):
            raise SpaceError(
                f"choices {self.choices!r} of {self.name!r} is not a list", "give a list such as [adamw, sgd]"
            )
        object.__setattr__(self, "choices", tuple(map(unboxed, self.choices)))
        for choice in self.choices:
            if not isinstance(choice, bool | int | float | str) or (
                isinstance(choice, float) and not math.isfinite(choice)
            ):
                raise SpaceError(
                    f"choice {choice!r} of {self.name!r} is not a plain value", "use text, numbers or true/false"
                )
        identities = [_identity(choice) for choice in self.choices]
        if len(set(identities)) < len(identities) or len(identities) < 2:
            raise SpaceError(f"choices {list(self.choices)!r} of {self.name!r}", "give two or more distinct values")
        if len(set(self.choices)) < len(self.choices):  # Optuna's columns and searches, among others, would mix them up
            doubled = next(c for c in self.choices if isinstance(c, bool) and self.choices.count(c) > 1)
            raise SpaceError(
                f"choices {list(self.choices)!r} of {self.name!r} hold {doubled} and {int(doubled)}, "
                "which are equal in Python",
                f"leave one out, or write both as text: {str(doubled)!r} and {str(int(doubled))!r}",
            )

    def accepts(self) -> str:
        return "one of " + ", ".join(map(spelt, self.choices))

    def index(self, value: Any) -> int | None:
        """Place of a value in `choices`; None when it is not among them (true is not 1)."""
        return self._places.get(_identity(value))

    @cached_property
    def _places(self) -> dict[tuple[str, Any], int]:
        return {_identity(choice): i for i, choice in enumerate(self.choices)}

    def fault(self, value: Any) -> str | None:
        return None if self.index(value) is not None else f"is not {self.accepts()}"

    def round(self, value: Any) -> Any:
        index = self.index(value)
        if index is None:
            raise ValueError(f"{value!r} {self.fault(value)}")
        return self.choices[index]

    def to_unit(self, values: Sequence[Any]) -> "Units":
        import numpy as np

        places = self._places
        try:
            found = [places[_KINDS[type(v)], v] for v in values]
        except KeyError:  # a subclass, such as NumPy's numbers
            found = [places[_identity(v)] for v in values]
        return (np.array(found, dtype=float) + 0.5) / len(self.choices)

    def from_unit(self, units: "Units") -> list[Any]:
        import numpy as np

        count = len(self.choices)
        u = np.clip(np.asarray(units, dtype=float), 0.0, 1.0)
        return [self.choices[i] for i in np.minimum((u * count).astype(int), count - 1).tolist()]

    @property
    def start(self) -> Any:
        """The default; where none was stated, the middle of an ordered list or the first of an unordered one."""
        if self.default is not None or self.ordered:
            return super().start
        return self.choices[0]


_KINDS = {bool: "bool", int: "number", float: "number", str: "str"}


def _identity(value: Any) -> tuple[str, Any]:
    if kind := _KINDS.get(type(value)):
        return kind, value
    kind = "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else type(value).__name__
    return kind, value if isinstance(value, bool | int | float | str) else repr(value)


KINDS: dict[str, type[Float] | type[Int] | type[Choice]] = {"float": Float, "int": Int, "choice": Choice}


def parameter_from_json(record: Mapping[str, Any]) -> Parameter:
    """One parameter from plain data such as `{"name": "lr", "type": "float", "low": 1e-5, "high": 0.1, "log": true}`.

    Raises:
        SpaceError: an unknown key or kind, a missing bound.
    """
    if not isinstance(record, Mapping):
        raise SpaceError(
            f"parameter {record!r} is not a mapping", "write {name: lr, type: float, low: 1e-5, high: 0.1}"
        )
    fields = dict(record)
    name, kind = fields.pop("name", None), fields.pop("type", None)
    who = "a parameter" if name is None else f"parameter {name!r}"
    if "type" in record and (not isinstance(kind, str) or kind not in KINDS):
        raise SpaceError(f"{who} has type {kind!r}", f"{did_you_mean(kind, KINDS)}the types are {', '.join(KINDS)}").at(
            "type"
        )
    kinds = KINDS.values() if kind is None else [KINDS[kind]]
    known = dict.fromkeys(["name", "type", *(key for one in kinds for key in inspect.signature(one).parameters)])
    for key in fields:
        if key not in known:
            raise SpaceError(
                f"{who} has a key {key!r}", f"{did_you_mean(key, known)}a {kind or 'parameter'} has {', '.join(known)}"
            ).at(str(key))
    if kind is None:
        raise SpaceError(f"{who} has no type", f"the types are {', '.join(KINDS)}").at("type")
    cls = KINDS[kind]
    needed = ("choices",) if cls is Choice else ("low", "high")
    for key in needed:
        if key not in fields:
            raise SpaceError(f"parameter {name!r} has no {key!r}", f"a {kind} needs {' and '.join(needed)}")
    return cls(name, **fields)
