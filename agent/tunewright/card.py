"""The card of a study: its goal, metrics, space, tool, budget and known facts, checked once when it is made."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunewright.card_earlier import EarlierCard, read_earlier
from tunewright.card_input import checked_name, read_constraints, read_derived, read_metrics, read_space, slug
from tunewright.card_parts import (
    Budget,
    Constraint,
    Direction,
    HardwareCard,
    Metric,
    Part,
    Stop,
    ToolCard,
    build,
    items,
    place_in_message,
    refuse_unknown,
    shown,
)
from tunewright.card_pruner import PrunerCard, read_pruner
from tunewright.dataset import Dataset, read_data
from tunewright.derived import check_derived
from tunewright.errors import CardError, SpaceError
from tunewright.hardware import Hardware
from tunewright.space import Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Budget", "Constraint", "HardwareCard", "Metric", "Stop", "TaskCard", "ToolCard"]

_INPUTS = ("metric", "direction", "relations", "held")  # keys of the card that end up in another field


class TaskCard(Part):
    """All that a study is told about its task; immutable and checked.

    Args:
        metric: short form for a card with one metric: its name, beside `direction`.
        direction: `minimize` or `maximize`, for the short form.
        relations: statements that every configuration fulfils, such as "width % heads == 0"; they join those of
            the space.
        held: parameter -> the value, or the values, that new configurations keep to, such as {"batch": 64}.
        space: a `Space`, a list of parameters, a mapping of names to parameters, or what `Space.to_json` wrote.
        hardware: stated in place of what is seen on this machine.
        data: a `Dataset`, a dataframe, an array, a pair (X, y), {csv: FILE, target: COLUMN}, or facts as a mapping.
        goal, name, metrics, constraints, derived, tool, budget, stop, start, known, best_of_curve, pruner, earlier,
            model, minutes_per_trial: as below.

    Raises:
        CardError: what is wrong, where on the card, and what would be accepted; `SpaceError` for the space.
    """

    goal: str
    """What is tuned and what for, in the words that a colleague would need: model, data, hardware, what matters."""
    name: str = ""
    """The name of the study and of its folder; made from the goal unless given."""
    space: Space
    """The parameters, their conditions and relations."""
    metrics: tuple[Metric, ...]
    """What a run reports and the study improves; the first is the one that counts where only one can."""
    constraints: tuple[Constraint, ...] = ()
    """Bounds that a result must keep, such as `latency_ms <= 50`."""
    derived: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Products of powers of parameters that decide success or cost, such as `activation: {batch: 1, depth: 2}`."""
    tool: ToolCard | None = None
    """What runs a configuration; none where the study's owner runs them and tells the results."""
    budget: Budget = Budget()
    """What the study, and each of its trials, may use."""
    stop: Stop = Stop()
    """When the study may end before its budget does."""
    start: Literal["default", "none"] = "default"
    """`default`: trial 0 runs the parameters' defaults; `none`: it does not."""
    known: tuple[str, ...] = ()
    """Facts that the model should know, one sentence each, such as results of earlier runs."""
    best_of_curve: bool = False
    """Whether the best value that a run reports counts, rather than its last."""
    pruner: PrunerCard | None = None
    """Which runs to stop early, such as `median` or `{name: curve, options: {threshold: 0.05}}`; without one only a run
    whose first metric is NaN or infinite at a point of its curve is stopped, with `none` not even that one."""
    earlier: tuple[EarlierCard, ...] = ()
    """Where trials of earlier studies on similar tasks lie; they are read once, when the study first opens."""
    model: str = ""
    """What is trained, in a line, such as `a decoder-only transformer, 120 million parameters`."""
    data: Dataset | None = None
    """Statistics of the data; its content is told only where `share_content` is true."""
    minutes_per_trial: float | None = Field(default=None, gt=0)
    """Minutes that a trial usually takes, where that is known; the model is told."""
    stated_hardware: HardwareCard | None = Field(default=None, alias="hardware")
    """The hardware that trials run on, where it is not this machine's."""

    def __init__(
        self,
        *,
        goal: str = "",
        space: Space | Sequence[Any] | Mapping[str, Any] | None = None,
        metric: str | None = None,
        direction: Direction | None = None,
        metrics: Sequence[Metric | Mapping[str, str]] | None = None,
        constraints: Sequence[str | Constraint] | None = None,
        relations: Sequence[str] | None = None,
        held: Mapping[str, Any] | None = None,
        derived: Mapping[str, Mapping[str, float]] | None = None,
        tool: ToolCard | Mapping[str, Any] | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        stop: Stop | Mapping[str, Any] | None = None,
        start: Literal["default", "none"] = "default",
        name: str | None = None,
        known: Sequence[str] | None = None,
        best_of_curve: bool = False,
        pruner: str | PrunerCard | Mapping[str, Any] | None = None,
        earlier: Sequence[str | EarlierCard | Mapping[str, Any]] | None = None,
        model: str | None = None,
        data: Any = None,
        minutes_per_trial: float | None = None,
        hardware: HardwareCard | Hardware | Mapping[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        try:
            keys = [field.alias or key for key, field in type(self).model_fields.items()]
            refuse_unknown(unknown, [*keys, *_INPUTS])
            if not isinstance(goal, str) or not goal.strip():
                raise CardError(
                    f"the card has no goal (goal is {shown(goal)})",
                    "say in a sentence what is tuned and what for: goal: ResNet-18 on CIFAR-10, 10 epochs, one H100",
                )
            if isinstance(hardware, Hardware):
                hardware = HardwareCard.of(hardware)
            super().__init__(
                goal=goal.strip(),
                name=slug(goal) if name is None else checked_name(name, goal),
                space=read_space(space, relations, held),
                metrics=(measured := read_metrics(metrics, metric, direction)),
                constraints=read_constraints(constraints),
                derived=read_derived(derived),
                tool=None if tool is None else build(ToolCard, tool, "tool"),
                budget=Budget() if budget is None else build(Budget, budget, "budget"),
                stop=Stop() if stop is None else build(Stop, stop, "stop"),
                start=start,
                known=tuple(items(known, "known")),
                best_of_curve=best_of_curve,
                pruner=read_pruner(pruner, len(measured)),
                earlier=read_earlier(earlier),
                model=model.strip() if isinstance(model, str) else "" if model is None else model,
                data=read_data(data),
                minutes_per_trial=minutes_per_trial,
                hardware=None if hardware is None else build(HardwareCard, hardware, "hardware"),
            )
            self._check_names()
            check_derived(self.derived, self.space, [m.name for m in self.metrics])
            self._check_start()
        except CardError as e:
            place_in_message(e)
            raise

    def _check_names(self) -> None:
        for i, metric in enumerate(self.metrics):
            if metric.name in self.space:
                raise CardError(
                    f"the metric {metric.name!r} has the name of a parameter", "give one of the two another name"
                ).at("metrics", i)
        for i, constraint in enumerate(self.constraints):
            if constraint.metric in self.space:
                raise CardError(
                    f"constraint {constraint.text!r} bounds a parameter, not a result",
                    "put it under relations, or narrow the parameter's bounds",
                ).at("constraints", i)

    def _check_start(self) -> None:
        if self.start != "default":
            return
        default = self.space.default()
        for fault in self.space.check(default).faults:
            relation = next(r for r in self.space.relations if r.text == fault.name)
            assumed = [n for n in relation.names if n in default and self.space[n].assumed]
            stated = f"; {', '.join(assumed)} stated no default, the middle is assumed" if assumed else ""
            raise SpaceError(
                f"trial 0 could not run: {fault.text} (the defaults{stated})",
                "give defaults that fulfil the relation, or write start: none",
            ).at("relations")

    @property
    def primary(self) -> Metric:
        """The first metric."""
        return self.metrics[0]

    @cached_property
    def hardware(self) -> Hardware:
        """The hardware that trials run on: as stated on the card, else as seen on this machine."""
        from tunewright.hardware import see

        return see() if self.stated_hardware is None else self.stated_hardware.over(see())

    def feasible(self, metrics: Mapping[str, float]) -> bool:
        """Whether a result keeps all constraints."""
        return all(c.holds(metrics) for c in self.constraints)

    def derive(self, configs: Sequence[Mapping[str, Any]]) -> "dict[str, NDArray[np.float64]]":
        """The natural logarithm of each derived quantity, shape (n,): sum over parameters of power * log(value).

        A value of 0 or less, which ran before the bounds were moved, counts as the lowest that may run now.
        """
        import numpy as np

        def log(name: str, value: float) -> float:
            return math.log(value if value > 0 else self.space[name].low)  # type: ignore[attr-defined]

        return {
            name: np.array([sum(e * log(p, c[p]) for p, e in powers.items()) for c in configs], dtype=float)
            for name, powers in self.derived.items()
        }

    # -- files and JSON ------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "TaskCard":
        """The card in a YAML file.

        Raises:
            CardError: as for the card itself; the message opens with the file and the line.
        """
        from tunewright.card_yaml import read

        document = read(path)
        try:
            return cls.from_json(document.data)
        except CardError as e:
            e.message = f"{document.where(e.path)}: {e.message}"
            raise

    def to_json(self) -> dict[str, Any]:
        """The card as plain data, fields at their default left out; `from_json` gives an equal card."""
        record = self.model_dump(mode="json", exclude_defaults=True, exclude={"space", "constraints"}, by_alias=True)
        if self.stated_hardware is not None:
            record["hardware"] = self.stated_hardware.model_dump(mode="json", exclude_none=True)
        record["space"] = self.space.to_json()
        if self.constraints:
            record["constraints"] = [c.text for c in self.constraints]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "TaskCard":
        """The card that `to_json` wrote, or any mapping with the card's keys.

        Raises:
            CardError: as for the card itself.
        """
        if not isinstance(record, Mapping):
            raise CardError(f"the card is {shown(record)}", "give a mapping with goal, metrics and space")
        odd = [key for key in record if not isinstance(key, str)]
        if odd:
            raise CardError(f"the card has a key {odd[0]!r}", "keys are text, for example goal").at(repr(odd[0]))
        return cls(**record)


def check_is_card(card: object) -> None:
    """Raise `CardError` for anything else, such as the path of one."""
    if not isinstance(card, TaskCard):
        raise CardError(f"the card is {card!r:.200}", 'give a TaskCard; TaskCard.load("tune.yaml") reads a file')
