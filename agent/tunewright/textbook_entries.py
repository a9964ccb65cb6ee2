"""The entries of the textbook: what they hold, and how they are read from `tunewright_prompts/textbook.yaml`."""

import math
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tunewright.errors import TunerError
from tunewright.numeric import logit
from tunewright.parameters import Scalar


class Entry(BaseModel):
    """What is known about one hyperparameter in one context: a `Number` or a `OneOf`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    """Other names; all names are compared without case, `_` and `-`."""
    family: str
    """The context, a key of `Book.families`."""
    interacts: tuple[str, ...] = ()
    """What moves its best value."""
    unless: tuple[str, ...] = ()
    """Words beside a parameter of this name by which it is something else."""
    note: str
    source: str = Field(min_length=10)
    """Where the numbers are from: a library with its version, a paper with its arXiv number, a book."""
    verified: Literal["installed", "read", "recalled"]
    """Whether the source was compared with the installed library, read, or written from memory."""
    library: str | None = None
    """The installed library's default, as `package.module.Class.argument=value`."""

    @model_validator(mode="after")
    def _compared(self) -> Self:
        if self.verified == "installed" and self.library is None:
            raise ValueError("verified: installed needs library: package.module.Class.argument=value")
        return self


class Number(Entry):
    """A hyperparameter that is a number."""

    kind: Literal["float", "int"]
    scale: Literal["linear", "log", "logit"]
    low: float
    """Lower end of the usual interval."""
    guess: float
    """The value to try first."""
    high: float
    """Upper end of the usual interval."""
    domain: tuple[float, float]
    """All that the quantity can be; a parameter with bounds beyond it is something else."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.domain[0] <= self.low <= self.guess <= self.high <= self.domain[1] or self.low == self.high:
            raise ValueError("low, guess and high must rise, inside the domain")
        if self.kind == "int" and any(not v.is_integer() for v in (self.low, self.guess, self.high)):
            raise ValueError("low, guess and high of an int must be whole numbers")
        if (self.scale != "linear" and self.low <= 0) or (self.scale == "logit" and self.high >= 1):
            raise ValueError(f"low or high does not exist on a {self.scale} scale")
        return self

    def on_scale(self, value: float) -> float:
        """The value on this entry's scale (natural logarithm, log-odds, or as it is)."""
        match self.scale:
            case "log":
                return math.log(value)
            case "logit":
                return logit(value)
            case _:
                return value


class OneOf(Entry):
    """A hyperparameter that is a choice."""

    kind: Literal["choice"]
    choices: tuple[Scalar, ...] = Field(min_length=2)
    """Its values, best bet first."""


class Family(BaseModel):
    """What entries are about, and the words that point there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    weight: int = Field(ge=1)
    words: tuple[str, ...] = Field(min_length=1)


class Book(BaseModel):
    """All families and entries, and the names that alone say too little."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: dict[str, Family]
    ambiguous: tuple[str, ...] = ()
    """Names that stand for something else in other fields: they mean an entry only where words point to its family."""
    entries: tuple[Annotated[Number | OneOf, Field(discriminator="kind")], ...]

    @model_validator(mode="after")
    def _placed(self) -> Self:
        for entry in self.entries:
            if entry.family not in self.families:
                raise ValueError(f"{entry.name}: family {entry.family!r} is not among {', '.join(self.families)}")
        return self


def read(text: str) -> Book:
    """The book written in YAML.

    Raises:
        TunerError: not YAML, or an entry that is incomplete or contradicts itself.
    """
    import yaml

    try:
        # the parser in C, where PyYAML has it: a tenth of the time, at each start
        return Book.model_validate(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as e:
        raise TunerError(f"the textbook is not YAML: {e}", "it has families and entries; its head says how") from e
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its top"
        raise TunerError(
            f"the textbook has a mistake at {where}: {first['msg']}", "its head says what families and entries hold"
        ) from e


@cache
def book() -> Book:
    """The book that comes with Tunewright."""
    from importlib.resources import files

    return read((files("tunewright_prompts") / "textbook.yaml").read_text(encoding="utf-8"))
