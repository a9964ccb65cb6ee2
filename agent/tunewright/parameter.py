"""What every parameter can do: check a value, round it, map it to the unit interval, be written down."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

from tunewright.errors import SpaceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Units = NDArray[np.float64]

Scalar = bool | int | float | str
When = Mapping[str, Any]


def unboxed(value: Any) -> Any:
    """A scalar of NumPy's or PyTorch's as Python's own; what is none as it is. Neither is needed to tell."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def spelt(value: Any) -> str:
    """A value as a card and a model's reply spell it: true, where Python says True."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


class Parameter(ABC):
    """What all parameters share; the kinds below are frozen dataclasses."""

    kind: ClassVar[str] = ""
    name: str
    default: Any
    about: str
    unit: str
    when: When

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SpaceError(
                f"parameter name {self.name!r} is not an identifier",
                "use letters, digits and _, for example weight_decay",
            )
        for key, kinds, wanted in (
            ("log", bool, "true or false"),
            ("logit", bool, "true or false"),
            ("ordered", bool, "true or false"),
            ("about", str, "text"),
            ("unit", str, "text"),
            ("when", Mapping | None, "a mapping such as {optimizer: sgd}"),
        ):
            value = getattr(self, key, None)
            if hasattr(self, key) and not isinstance(value, kinds):
                raise SpaceError(f"{key} of {self.name!r} is {value!r}", f"give {wanted}").at(key)
        for key in ("low", "high", "step", "default"):
            if hasattr(self, key):
                object.__setattr__(self, key, unboxed(getattr(self, key)))
        listed = {k: v if isinstance(v, list | tuple) else (v,) for k, v in (self.when or {}).items()}
        when = {k: tuple(map(unboxed, v)) for k, v in listed.items()}
        object.__setattr__(self, "when", when)
        for parent, values in when.items():
            if not values:
                raise SpaceError(f"{self.name!r} is there when {parent!r} has no value at all", "list the values").at(
                    "when"
                )
        self._check_bounds()
        if self.default is not None:
            fault = self.fault(self.default)
            if fault:
                raise SpaceError(
                    f"default {self.default!r} of {self.name!r} {fault}", f"give a default that is {self.accepts()}"
                )
            object.__setattr__(self, "default", self.round(self.default))

    @abstractmethod
    def _check_bounds(self) -> None:
        """Raise `SpaceError` when the bounds or choices cannot be."""

    @abstractmethod
    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, as the end of a sentence; None when it can be run."""

    @abstractmethod
    def accepts(self) -> str:
        """The values that would be accepted, in words."""

    @abstractmethod
    def round(self, value: Any) -> Any:
        """The nearest value on the parameter's own grid (step, powers of two), for a value without a `fault`."""

    def tidy(self, value: Any) -> Any:
        """A value in the fewest digits that matter; two values with the same tidy form count as equal."""
        return self.round(value)

    @abstractmethod
    def to_unit(self, values: Sequence[Any]) -> "Units":
        """Positions in [0, 1], shape (n,), on the parameter's scale."""

    @abstractmethod
    def from_unit(self, units: "Units") -> list[Any]:
        """Tidy values at positions in [0, 1], shape (n,)."""

    @property
    def start(self) -> Any:
        """The default or, where none was stated, the middle of the scale (`assumed`)."""
        if self.default is not None:
            return self.default
        import numpy as np

        return self.from_unit(np.array([0.5]))[0]

    @property
    def assumed(self) -> bool:
        """Whether `start` was not stated by the person."""
        return self.default is None

    def to_json(self) -> dict[str, Any]:
        """The parameter as plain data; fields at their default are left out."""
        record: dict[str, Any] = {"name": self.name, "type": self.kind}
        for field_ in fields(self):  # type: ignore[arg-type]
            key, value = field_.name, getattr(self, field_.name)
            if key != "name" and value != field_.default and value != {}:
                record[key] = list(value) if isinstance(value, tuple) else value
        if self.when:
            record["when"] = {k: v[0] if len(v) == 1 else list(v) for k, v in self.when.items()}
        return record
