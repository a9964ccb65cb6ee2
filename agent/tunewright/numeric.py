"""Numbers as parameters: real ones and whole ones, on linear, log and logit scales, with steps and powers of two."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tunewright.errors import SpaceError
from tunewright.parameter import Parameter, When

if TYPE_CHECKING:
    from tunewright.parameter import Units

_NARROWEST = 1e-9  # of a log or logit scale: below, rounding errors of the logarithm are no longer small
_MOST_STEPS = 1e9
_POWERS_OF_TEN = tuple(float(10**k) for k in range(23))  # all that a double holds exactly
_SURE, _NEAR = 2.0**32, 1e-6  # the product of a number below the first and a rounding error is below the second


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)  # of any size: isfinite overflows above 1e308


class _Numeric(Parameter):
    low: Any
    high: Any
    log: bool
    step: Any
    _largest: ClassVar[float]

    def _check_bounds(self) -> None:
        for bound in (self.low, self.high):
            if not _is_number(bound):
                raise SpaceError(
                    f"bound {bound!r} of {self.name!r} is not a finite number", "give low and high as numbers"
                )
            if abs(bound) > self._largest:
                raise SpaceError(
                    f"a bound of {self.name!r} is beyond {self._largest:g} in size",
                    "state the parameter in a larger unit, or search its logarithm",
                )
        if not self.low < self.high:
            raise SpaceError(f"{self.name!r} has low {self.low!r} and high {self.high!r}", "low must be below high")
        if self.log and self.low <= 0:
            raise SpaceError(f"{self.name!r} has log: true and low {self.low!r}", "a log scale needs low above 0")
        if self.step is not None and (not _is_number(self.step) or not 0 < self.step <= self.high - self.low):
            raise SpaceError(
                f"{self.name!r} has step {self.step!r}", f"a step lies above 0 and up to {self.high - self.low!r}"
            )
        if self.step is not None and self.log:
            raise SpaceError(f"{self.name!r} has both log and step", "choose one of them")

    def accepts(self) -> str:
        return f"a number from {self.low!r} to {self.high!r}"

    def fault(self, value: Any) -> str | None:
        if not _is_number(value):
            return f"is not {self.accepts()}"
        if not self.low <= value <= self.high:
            return f"is outside {self.low!r} to {self.high!r}"
        return None

    def tidy(self, value: Any) -> Any:
        # what ran outside bounds that were moved since is no value inside them
        return self._tidy(value) if self.low <= value <= self.high else value

    def _tidy(self, value: Any) -> Any:
        return self.round(value)


@dataclass(frozen=True)
class Float(_Numeric):
    """A real number in [low, high].

    Args:
        name: an identifier.
        low: lower bound, included.
        high: upper bound, included.
        log: search on a log scale (low above 0).
        logit: search on a logit scale (bounds strictly inside 0 and 1).
        step: only values low, low + step, low + 2 step, ...
        default: where the person stands today; trial 0 runs it.
        about: one line that says what it does; the model reads it.
        unit: for example "tokens".
        when: the parameter exists only when these parents have these values.
    """

    name: str
    low: float
    high: float
    log: bool = False
    logit: bool = False
    step: float | None = None
    default: float | None = None
    about: str = ""
    unit: str = ""
    when: When = None  # type: ignore[assignment]

    kind: ClassVar[str] = "float"
    _largest: ClassVar[float] = 1e300  # so that high - low is finite

    def _check_bounds(self) -> None:
        super()._check_bounds()
        for key in ("low", "high", "step"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, float(getattr(self, key)))
        if not self.low < self.high:
            raise SpaceError(f"{self.name!r} has equal bounds once they are real numbers", "use an Int")
        if self.logit and not (self.low > 0 and self.high < 1):
            raise SpaceError(
                f"{self.name!r} has logit: true and bounds {self.low!r} to {self.high!r}",
                "a logit scale lies inside 0 and 1",
            )
        if self.logit and (self.log or self.step is not None):
            raise SpaceError(f"{self.name!r} has logit beside log or step", "choose one of them")
        if self.log or self.logit:
            low, high = _scale(self, self.low), _scale(self, self.high)
            if high - low < _NARROWEST:
                raise SpaceError(
                    f"{self.name!r} has bounds {self.low!r} to {self.high!r}, too close together for its scale",
                    "leave log or logit out: over so narrow a range it changes nothing",
                )
        if self.step is not None and (self.high - self.low) / self.step > _MOST_STEPS:
            raise SpaceError(
                f"step {self.step!r} of {self.name!r} leaves more than {_MOST_STEPS:.0e} values", "leave the step out"
            )

    def _grid(self) -> int:
        return math.floor((self.high - self.low) / float(self.step or 1) + 1e-9) + 1

    def round(self, value: Any) -> float:
        if self.step is None:
            return float(value)
        index = min(round((value - self.low) / self.step), self._grid() - 1)
        return self._inside(_shortest(self.low + index * self.step, self.step / 1e6))

    def _inside(self, short: float) -> float:
        return min(max(short, self.low), self.high)  # shortening may step over a bound by half a digit

    def _tidy(self, value: Any) -> float:
        if self.step is not None:
            return self.round(value)
        # four digits on the scale that is searched, and never fewer than tell the range's own values apart
        distance = min(value, 1 - value) if self.logit else value if self.log else self.high - self.low
        return self._inside(_shortest(value, min(distance, self.high - self.low) / 2e3))

    def to_unit(self, values: Sequence[Any]) -> "Units":
        import numpy as np

        x = np.asarray(values, dtype=float)
        if self.step is not None:
            index = np.minimum(np.rint((x - self.low) / self.step), self._grid() - 1)
            return np.asarray((index + 0.5) / self._grid())
        low, high = _scale(self, self.low), _scale(self, self.high)
        s = np.log(x) if self.log else np.log(x) - np.log1p(-x) if self.logit else x
        return np.asarray(np.clip((s - low) / (high - low), 0.0, 1.0))

    def from_unit(self, units: "Units") -> list[Any]:
        import numpy as np

        u = np.clip(np.asarray(units, dtype=float), 0.0, 1.0)
        if self.step is not None:
            index = np.minimum((u * self._grid()).astype(int), self._grid() - 1)
            values = {i: self.round(self.low + i * self.step) for i in set(index.tolist())}
            return [values[i] for i in index.tolist()]
        low, high = _scale(self, self.low), _scale(self, self.high)
        s = low + u * (high - low)
        x = np.exp(s) if self.log else 1 / (1 + np.exp(-s)) if self.logit else s
        return list(self._tidied(np.clip(x, self.low, self.high)).tolist())

    def _tidied(self, x: "Units") -> "Units":
        """`tidy` of many values inside the bounds, without a step."""
        import numpy as np

        distance = np.minimum(x, 1 - x) if self.logit else x if self.log else self.high - self.low
        short = _shortest_each(x, np.broadcast_to(np.minimum(distance, self.high - self.low) / 2e3, x.shape))
        return np.where(short < self.low, self.low, np.where(short > self.high, self.high, short))


def _scale(parameter: Float, value: float) -> float:
    """A bound on the scale that is searched."""
    if parameter.log:
        return math.log(value)
    if parameter.logit:
        return logit(value)
    return value


def logit(value: float) -> float:
    """The log-odds of a value strictly inside 0 and 1."""
    return math.log(value) - math.log1p(-value)


def _shortest(value: float, resolution: float) -> float:
    """The value in as few digits as keep it within half a `resolution`; never -0.0, since that is 0.0."""
    if value == 0 or resolution <= 0:
        return float(value) + 0.0
    return round(float(value), math.ceil(-math.log10(resolution))) + 0.0


def _shortest_each(values: "Units", resolutions: "Units") -> "Units":
    """`_shortest` of each value: the same numbers, bit for bit, in far less time.

    A whole number of less than 2**53 over a power of ten of at most 22 digits, both exact, divides to the double
    nearest to that decimal, which is what `round` gives. Only where an error of the last bit could decide which whole
    number, or how many digits, is Python asked.
    """
    import numpy as np

    with np.errstate(divide="ignore"):
        exponent = np.minimum(-np.log10(resolutions), 400.0)
    digits = np.ceil(exponent)
    scale = np.array(_POWERS_OF_TEN)[np.clip(digits, 0, len(_POWERS_OF_TEN) - 1).astype(int)]
    scaled = values * scale
    whole = np.rint(scaled)
    short = whole / scale
    sure = (digits >= 0) & (digits < len(_POWERS_OF_TEN)) & (np.abs(exponent - np.rint(exponent)) > _NEAR)
    sure &= (np.abs(scaled) < _SURE) & (np.abs(np.abs(scaled - whole) - 0.5) > _NEAR)
    for i in np.flatnonzero(~sure).tolist():
        short[i] = _shortest(float(values[i]), float(resolutions[i]))
    return np.asarray(short + 0.0)


@dataclass(frozen=True)
class Int(_Numeric):
    """A whole number in [low, high].

    Args:
        rounding: "power_of_two" leaves only 1, 2, 4, 8, ... inside the bounds.
        name, low, high, log, step, default, about, unit, when: as for `Float`.
    """

    name: str
    low: int
    high: int
    log: bool = False
    step: int | None = None
    rounding: str | None = None
    default: int | None = None
    about: str = ""
    unit: str = ""
    when: When = None  # type: ignore[assignment]

    kind: ClassVar[str] = "int"
    _largest: ClassVar[float] = 1e13  # so that value -> unit -> value is exact, also on a log scale

    def _check_bounds(self) -> None:
        super()._check_bounds()
        for key in ("low", "high", "step"):
            value = getattr(self, key)
            if value is not None:
                if int(value) != value:
                    raise SpaceError(
                        f"{key} {value!r} of {self.name!r} is not a whole number", "use a Float, or whole numbers"
                    )
                object.__setattr__(self, key, int(value))
        if self.rounding not in (None, "power_of_two"):
            raise SpaceError(
                f"rounding {self.rounding!r} of {self.name!r} is not known", "the only rounding is power_of_two"
            )
        if self.rounding and self.step is not None:
            raise SpaceError(f"{self.name!r} has both rounding and step", "choose one of them")
        if self.rounding and not self.powers:
            raise SpaceError(f"no power of two lies from {self.low} to {self.high} ({self.name!r})", "widen the bounds")

    @cached_property
    def powers(self) -> list[int]:
        """Those of two inside the bounds, all that `rounding` leaves."""
        return [2**k for k in range(self.high.bit_length()) if self.low <= 2**k <= self.high]

    def accepts(self) -> str:
        kind = "a power of two" if self.rounding else "a whole number"
        return f"{kind} from {self.low} to {self.high}"

    def fault(self, value: Any) -> str | None:
        fault = super().fault(value)
        if fault is None and int(value) != value:
            return "is not a whole number"
        return fault

    def round(self, value: Any) -> int:
        if self.rounding:
            if value in self.powers:
                return int(value)
            return min(self.powers, key=lambda p: abs(math.log2(p) - math.log2(max(value, 0.5))))
        if self.step is not None:
            last = (self.high - self.low) // self.step
            return int(self.low + min(round((value - self.low) / self.step), last) * self.step)
        return int(value)

    def to_unit(self, values: Sequence[Any]) -> "Units":
        import numpy as np

        x = np.asarray(values, dtype=float)
        if self.rounding:
            powers = self.powers
            index = np.rint(np.log2(np.maximum(x, 0.5))) - math.log2(powers[0])
            return np.asarray((np.clip(index, 0, len(powers) - 1) + 0.5) / len(powers))
        if self.step is not None:
            last = (self.high - self.low) // self.step
            return np.asarray((np.minimum(np.rint((x - self.low) / self.step), last) + 0.5) / (last + 1))
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return np.asarray((np.log(x) - low) / (high - low))
        return np.asarray((x - self.low + 0.5) / (self.high - self.low + 1))

    def from_unit(self, units: "Units") -> list[Any]:
        import numpy as np

        u = np.clip(np.asarray(units, dtype=float), 0.0, 1.0)
        if self.rounding:
            powers = self.powers
            return [powers[i] for i in np.minimum((u * len(powers)).astype(int), len(powers) - 1).tolist()]
        if self.step is not None:
            count = (self.high - self.low) // self.step + 1
            return [self.low + i * self.step for i in np.minimum((u * count).astype(int), count - 1).tolist()]
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            x = np.rint(np.exp(low + u * (high - low)))
        else:
            x = np.floor(u * (self.high - self.low + 1)) + self.low
        # u == 1 exactly falls one past the last cell
        return list(np.clip(x, self.low, self.high).astype(np.int64).tolist())
