"""Derived quantities, such as batch * depth^2: products of powers of parameters that decide success or cost."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tunewright.errors import CardError
from tunewright.parameters import Choice
from tunewright.space import Space


def check_derived(derived: Mapping[str, Mapping[str, float]], space: Space, taken: Collection[str]) -> None:
    """Raise `CardError` for the first quantity that is none.

    Args:
        derived: name -> {parameter: power}.
        taken: names that a quantity may not have, beside those of the parameters.
    """
    for name, powers in derived.items():
        used = name in taken or name in space
        if used or not name.isidentifier():
            raise CardError(
                f"derived quantity {name!r} " + ("has a name already taken" if used else "is no name"),
                "use letters, digits and _, and a name of its own",
            ).at("derived", name)
        if not powers:
            raise CardError(f"derived quantity {name!r} is empty", "write {batch: 1, depth: 2}").at("derived", name)
        for parameter, power in powers.items():
            fault = "its power is 0" if power == 0 else base_fault(space, parameter)
            if fault:
                raise CardError(
                    f"derived quantity {name!r}: {fault}",
                    "it is a product of powers of numeric parameters that are always there and always above 0",
                ).at("derived", name, parameter)


def formula(powers: Mapping[str, float]) -> str:
    """A quantity as people write it: `batch * depth^2`."""
    return " * ".join(name if power == 1 else f"{name}^{power:g}" for name, power in powers.items())


def base_fault(space: Space, parameter: str) -> str | None:
    """Why a derived quantity cannot hold this parameter; None where it can."""
    if parameter not in space:
        return f"{parameter!r} is not in the space ({', '.join(space.names)})"
    p = space[parameter]
    if p.when:
        return f"{parameter!r} is there only under a condition"
    values: Iterable[Any] = p.choices if isinstance(p, Choice) else [p.low]  # type: ignore[attr-defined]
    if any(isinstance(v, bool | str) for v in values):
        return f"{parameter!r} is not numeric"
    return f"{parameter!r} can be {min(values)!r}" if min(values) <= 0 else None
