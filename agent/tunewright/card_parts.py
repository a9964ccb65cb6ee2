"""The parts of a card: metrics, constraints, budget, stop rules, the tool, stated hardware. All checked, all frozen."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tunewright.errors import CardError, did_you_mean
from tunewright.hardware import Gpu, Hardware

GIB = 2**30
_MOST_GB = 1e9

_RESERVED = ("step", "epoch", "status")  # the output contract gives these lines a meaning of their own
_METRIC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./@%-]*")
_CONSTRAINT = re.compile(rf"\s*({_METRIC_NAME.pattern})\s*(<=|>=)\s*(\S+)\s*")

Direction = Literal["minimize", "maximize"]
Op = Literal["<=", ">="]

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": 'text; put "quotes" around numbers and true/false that are meant as text',
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
    "tuple_type": "a list",
}
"""What a kind of pydantic fault would have accepted, in a card's words."""


class Part(BaseModel):
    """A frozen record that answers a bad value with a `CardError`, never with pydantic's own error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )

    def __init__(self, **data: Any) -> None:
        keys = [field.alias or name for name, field in type(self).model_fields.items()]
        refuse_unknown(data, keys)
        try:
            super().__init__(**data)
        except ValidationError as e:
            raise _translated(e) from None


def refuse_unknown(data: Mapping[Any, Any], keys: Sequence[str]) -> None:
    """Raise `CardError` for the first key that is not among `keys`."""
    for key in data:
        if key not in keys:
            raise CardError(f"there is no key {key!r}", f"{did_you_mean(key, keys)}the keys are {', '.join(keys)}").at(
                key if isinstance(key, str) else repr(key)
            )


def shown(value: object) -> str:
    """A value as it was seen, cut to one line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def key_path(path: Sequence[str | int]) -> str:
    """A path as people write it: `metrics[0].direction`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def place_in_message(e: CardError) -> None:
    """Let the message open with the place on the card, unless it opens with it or its end already."""
    where = key_path(e.path)
    for start in range(len(e.path)):
        tail = key_path(e.path[start:])
        if tail and e.message.startswith(f"{tail} is "):
            e.message = where + e.message[len(tail) :]
            return
    if where:
        e.message = f"{where}: {e.message}"


def _translated(e: ValidationError) -> CardError:
    first = e.errors()[0]
    path = tuple(part for part in first["loc"] if part != "[key]")
    seen = f"{key_path(path)} is {shown(first['input'])}"
    context = first.get("ctx", {})
    match first["type"]:
        case "missing":
            return CardError(f"{path[-1]!r} is missing", f"add {path[-1]}").at(*path[:-1])
        case "literal_error":
            allowed = re.findall(r"'([^']*)'", context["expected"])
            return CardError(seen, f"{did_you_mean(first['input'], allowed)}use {' or '.join(allowed)}").at(*path)
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            sign = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
            bound = " and ".join(f"{sign[k]} {v:g}" for k, v in context.items())
            return CardError(seen, f"give a number {bound}").at(*path)
        case kind:
            return CardError(seen, f"give {_EXPECTED[kind]}" if kind in _EXPECTED else first["msg"]).at(*path)


P = TypeVar("P", bound=Part)


def build(kind: type[P], value: Any, *path: str | int) -> P:
    """The part itself, or one made of a mapping.

    Raises:
        CardError: the value is neither, or the part refuses it; `path` is where on the card it is.
    """
    if isinstance(value, kind):
        return value
    keys = list(kind.model_fields)
    if not isinstance(value, Mapping):
        raise CardError(f"{shown(value)} is no mapping", f"give one with the keys {', '.join(keys)}").at(*path)
    try:
        refuse_unknown(value, keys)
        return kind.model_validate(dict(value))
    except CardError as e:
        raise e.at(*path) from None


def items(value: Any, *path: str | int) -> list[Any]:
    """The items of a list or tuple; none where nothing was given.

    Raises:
        CardError: the value is not a list; text is not one.
    """
    if value is None or isinstance(value, list | tuple):
        return list(value or ())
    raise CardError(f"{key_path(path)} is {shown(value)}", "give a list").at(*path)


class Metric(Part):
    """A number that a run reports and that the study makes small or large."""

    name: str
    """As the run prints it, for example `val_loss`."""
    direction: Direction
    """`minimize` or `maximize`."""

    def model_post_init(self, context: Any) -> None:
        check_metric_name(self.name)

    def loss(self, value: float) -> float:
        """The value in the form in which smaller is better."""
        return value if self.direction == "minimize" else -value

    def value(self, loss: float) -> float:
        """The metric's own value for a `loss`."""
        return loss if self.direction == "minimize" else -loss


def check_metric_name(name: str) -> None:
    """Raise `CardError` for a name that a run could not report."""
    if not _METRIC_NAME.fullmatch(name):
        raise CardError(
            f"name is {shown(name)}", "a metric's name is letters, digits and _ . / @ % -, starting with a letter or _"
        ).at("name")
    if name in _RESERVED:
        raise CardError(
            f"name is {shown(name)}",
            f"a line with {', '.join(_RESERVED)} has another meaning: print it under another name",
        ).at("name")


class Constraint(Part):
    """A bound that a result must keep, made of text such as `latency_ms <= 50`.

    Raises:
        CardError: the text is not a metric's name, <= or >=, and a finite number.
    """

    text: str
    """As written on the card."""
    metric: str
    """The name of the number that is bounded, as the run prints it; it need not be one of the card's metrics."""
    op: Op
    """`<=` or `>=`."""
    bound: float
    """The bound itself, in the metric's own unit."""

    def __init__(self, text: str) -> None:
        found = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
        try:
            bound = float(found[3]) if found else math.nan
        except ValueError:
            bound = math.nan
        if found is None or not math.isfinite(bound):
            raise CardError(
                f"constraint {shown(text)} cannot be read",
                "write a metric's name, <= or >=, and a number: latency_ms <= 50",
            )
        super().__init__(text=text, metric=found[1], op=found[2], bound=bound)

    def excess(self, value: float) -> float:
        """How far a value is beyond the bound, in the metric's unit; 0 or less when the constraint holds."""
        return value - self.bound if self.op == "<=" else self.bound - value

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether the result keeps the bound. A result without this number, or with NaN, does not."""
        return self.metric in metrics and self.excess(metrics[self.metric]) <= 0


class Budget(Part):
    """What the study, and each of its trials, may use. None means no limit."""

    trials: int | None = Field(default=None, gt=0)
    """Configurations that the study may run in all, those of earlier sessions included."""
    hours: float | None = Field(default=None, gt=0)
    """Hours during which at least one trial ran, over all sessions; running trials are let finish."""
    usd: float | None = Field(default=None, ge=0)
    """US dollars that model calls may cost; 0 allows only free models. A model without a known price is refused."""
    seconds_per_trial: float | None = Field(default=None, gt=0)
    """Wall-clock seconds after which a trial is killed and recorded as `timeout`."""
    memory_gb_per_trial: float | None = Field(default=None, gt=0, le=_MOST_GB)
    """Host memory (units of 2**30 bytes) above which a trial is killed and recorded as `oom`."""
    gpus_per_trial: int = Field(default=0, ge=0, le=64)
    """GPUs that each trial has to itself; 0 leaves the environment as it is."""
    gpu_memory_gb_per_trial: float | None = Field(default=None, gt=0, le=_MOST_GB)
    """GPU memory (units of 2**30 bytes) above which a trial is killed and recorded as `oom`."""


class Stop(Part):
    """When the study may end before its budget does. None means: never for this reason."""

    target: float | None = None
    """Stop once a feasible trial reaches this value of the first metric, in that metric's own unit."""
    hours: float | None = Field(default=None, gt=0)
    """Stop starting trials after this many hours, counted as those of the budget."""
    trials: int | None = Field(default=None, gt=0)
    """Stop once this many trials have been started, failed ones included."""
    no_gain: float | None = Field(default=None, gt=0, lt=1)
    """Stop when the surrogate expects a gain of less than this, in standard deviations of the values so far."""


class ToolCard(Part):
    """What runs a configuration: a command of one's own or a trainer that comes along. Exactly one of the two."""

    command: list[str] | None = None
    """The program and its arguments, one item each; `{name}` stands for a parameter's value. No shell reads it."""
    trainer: str | None = None
    """The name of a built-in trainer, for example `torch_digits`."""
    options: dict[str, bool | int | float | str] | None = None
    """Options of the trainer that are the same in every trial, such as `seconds: 300`."""
    env: dict[str, str] | None = None
    """Environment variables added for each run. They are kept in the record: no place for keys."""
    cwd: str | None = None
    """The folder in which the command runs, relative to where Tunewright was started."""

    def model_post_init(self, context: Any) -> None:
        if (self.command is None) == (self.trainer is None):
            both = "both command and trainer" if self.command is not None else "neither command nor trainer"
            raise CardError(f"the tool has {both}", "give one of them: command: [python, train.py] or trainer: NAME")
        if self.command is not None and (not self.command or not self.command[0].strip()):
            raise CardError(f"command is {shown(self.command)}", "start it with the program: [python, train.py]").at(
                "command"
            )
        if self.trainer is not None and not self.trainer.strip():
            raise CardError("trainer is empty", "name a trainer, for example torch_digits").at("trainer")
        if self.options and self.trainer is None:
            raise CardError(
                f"the tool has options ({', '.join(self.options)}) beside a command",
                "options are for a trainer; write those of a command into its argument list",
            ).at("options")


class GpuCard(Part):
    """A GPU as the card states it."""

    name: str
    """For example `NVIDIA H100 80GB HBM3`."""
    memory_gb: float = Field(gt=0, le=_MOST_GB)
    """Its memory, units of 2**30 bytes."""
    index: int | None = Field(default=None, ge=0)
    """Its number on the machine; its place in the list unless given."""


class HardwareCard(Part):
    """Hardware as the card states it, for a study whose trials run elsewhere. What is left out is looked up here."""

    cpus: int | None = Field(default=None, gt=0)
    """CPU cores that trials may use."""
    memory_gb: float | None = Field(default=None, gt=0, le=_MOST_GB)
    """Host memory, units of 2**30 bytes."""
    gpus: tuple[GpuCard, ...] | None = None
    """The GPUs; an empty list says that there is none."""
    co2_g_per_kwh: float | None = Field(default=None, ge=0)
    """Grams of CO2 per kilowatt-hour of the electricity there; where it is stated, trials tell `telemetry.co2_g`."""

    def __init__(self, **data: Any) -> None:
        if data.get("gpus") is not None:
            stated = items(data["gpus"], "gpus")
            data["gpus"] = tuple(build(GpuCard, gpu, "gpus", i) for i, gpu in enumerate(stated))
        super().__init__(**data)

    def over(self, seen: Hardware) -> Hardware:
        """The hardware seen, with what the card states in its place."""
        gpus = seen.gpus
        if self.gpus is not None:
            gpus = tuple(
                Gpu(i if gpu.index is None else gpu.index, gpu.name, int(gpu.memory_gb * GIB))
                for i, gpu in enumerate(self.gpus)
            )
        memory = seen.memory_bytes if self.memory_gb is None else int(self.memory_gb * GIB)
        return Hardware(self.cpus or seen.cpus, memory, gpus)

    @classmethod
    def of(cls, hardware: Hardware) -> "HardwareCard":
        """Hardware known elsewhere, as a card states it."""
        gpus = tuple(GpuCard(name=g.name, memory_gb=g.memory_bytes / GIB, index=g.index) for g in hardware.gpus)
        return cls(cpus=hardware.cpus, memory_gb=hardware.memory_bytes / GIB, gpus=gpus)
