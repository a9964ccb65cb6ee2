"""Values that a person holds a parameter to: one pins it, several narrow a choice. The space itself stays as it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunewright.errors import SpaceError, did_you_mean
from tunewright.parameter import Parameter, spelt, unboxed

if TYPE_CHECKING:
    from tunewright.parameter import Units


class Held:
    """The one parameter's allowed values.

    Args:
        parameter: whose values they are.
        values: one value, or a list of them.

    Raises:
        SpaceError: no value, or one that the parameter does not take.
    """

    def __init__(self, parameter: Parameter, values: Any) -> None:
        given = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else [values]
        given = [*map(unboxed, given)]
        if not given:
            raise SpaceError(f"{parameter.name!r} is held to no value", f"it takes {parameter.accepts()}")
        for value in given:
            fault = parameter.fault(value)
            if fault:
                raise SpaceError(
                    f"{parameter.name!r} is held at {value!r}, which {fault}", "hold it at a value it takes"
                )
        rounded = [parameter.round(value) for value in given]
        self.parameter = parameter
        self.values: tuple[Any, ...] = tuple({repr(v): v for v in rounded}.values())  # as text true is not 1

    def allows(self, value: Any) -> bool:
        """Whether a value that the parameter takes is among them."""
        return any(repr(self.parameter.round(value)) == repr(v) for v in self.values)

    def text(self) -> str:
        """Which values, in words."""
        kind = "at" if len(self.values) == 1 else "to one of"
        return f"held {kind} {', '.join(map(spelt, self.values))}"

    def start(self, value: Any) -> Any:
        """The value itself where it is allowed, else the first that is."""
        return value if self.allows(value) else self.values[0]

    def nearest(self, units: "Units") -> list[Any]:
        """The allowed values nearest to positions on the parameter's scale, shape (n,)."""
        import numpy as np

        places = self.parameter.to_unit(self.values)
        return [self.values[i] for i in np.abs(np.asarray(units)[:, None] - places[None, :]).argmin(axis=1).tolist()]


def read_held(parameters: Mapping[str, Parameter], held: Mapping[str, Any]) -> dict[str, Held]:
    """What is held, by name; raises `SpaceError` for an unknown name or value."""
    held = by_name(held)
    for name in held:
        if name not in parameters:
            raise SpaceError(
                f"{name!r} is held, and is not in the space",
                f"{did_you_mean(str(name), parameters)}the parameters are {', '.join(parameters)}",
            )
    return {name: Held(parameters[name], values) for name, values in held.items()}


def by_name(held: Any) -> dict[str, Any]:
    """What is held, of a mapping or of what is like one, such as pandas' Series; raises `SpaceError` for all else."""
    if not hasattr(held, "items"):
        raise SpaceError(f"held is {held!r:.80}", "write {batch: 64}, or {optimizer: [adamw, sgd]}")
    return dict(held.items())


def plain(held: Iterable[Held]) -> dict[str, Any]:
    """As `read_held` reads it."""
    return {h.parameter.name: list(h.values) for h in held}
