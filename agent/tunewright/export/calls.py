"""Calls of a library's functions, kept as data: they can be made, and `repr` is the code that makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from keyword import iskeyword
from typing import Any


@dataclass(frozen=True, repr=False)
class Call:
    """A call that has not been made."""

    module: str
    """Where the name is imported from."""
    name: str
    """What code calls, `tune.uniform` for `from ray import tune`."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    then: str = ""
    """A method of the result that is called at once, without arguments."""

    def __repr__(self) -> str:
        named = [f"**{{{k!r}: {v!r}}}" if iskeyword(k) else f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"{self.name}({', '.join([*map(repr, self.args), *named])}){f'.{self.then}()' if self.then else ''}"


@dataclass(frozen=True, repr=False)
class Item:
    """What code calls `owner[key]`."""

    owner: str
    key: str

    def __repr__(self) -> str:
        return f"{self.owner}[{self.key!r}]"


def made(value: Any, **owners: Any) -> Any:
    """The value with each `Call` in it made and each `Item` looked up.

    Args:
        owners: what an `Item` is looked up in, by the owner's name.
    """
    match value:
        case Call():
            function: Any = import_module(value.module)
            for part in value.name.split("."):
                function = getattr(function, part)
            kwargs = {key: made(argument, **owners) for key, argument in value.kwargs.items()}
            found = function(*[made(argument, **owners) for argument in value.args], **kwargs)
            return getattr(found, value.then)() if value.then else found
        case Item():
            return owners[value.owner][value.key]
        case list():
            return [made(item, **owners) for item in value]
        case dict():
            return {key: made(item, **owners) for key, item in value.items()}
        case _:
            return value


def names(value: Any) -> set[str]:
    """The names that code of the value calls."""
    match value:
        case Call():
            return {value.name}.union(names(list(value.args)), names(dict(value.kwargs)))
        case list() | tuple():
            return set().union(*map(names, value))
        case dict():
            return names(list(value.values()))
        case _:
            return set()
