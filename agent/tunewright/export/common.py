"""What the exporters share."""

from collections.abc import Iterable

from tunewright.errors import SpaceError
from tunewright.parameters import Int


def listed(name: str, lines: Iterable[str]) -> str:
    """`name = [...]`, one line an item."""
    return "\n".join([f"{name} = [", *(f"    {line}," for line in lines), "]"])


def left_out(error: SpaceError) -> str:
    """Why a space is missing from the text, as comments."""
    return f"# The space is left out: {error.message};\n# {error.hint}."


def no_form(target: str, name: str, what: str, nearest: str) -> SpaceError:
    """The error for a parameter that a target has no words for."""
    return SpaceError(f"{target} has no form for {name}: {what}", f"the nearest thing there is {nearest}")


def powers_of_two(p: Int) -> list[int]:
    """The values of a parameter that takes powers of two only."""
    return [2**k for k in range(p.high.bit_length()) if p.low <= 2**k]
