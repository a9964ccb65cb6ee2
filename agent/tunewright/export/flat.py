"""Spaces without conditions, in the words that Ray Tune, FLAML and Syne Tune have in common."""

from dataclasses import dataclass

from tunewright.card import TaskCard
from tunewright.export.calls import Call
from tunewright.export.common import no_conditions, no_logit, no_relations, one_type, steps
from tunewright.parameters import Choice, Float, Int, Parameter


@dataclass(frozen=True)
class Words:
    """How a library names its distributions."""

    target: str
    module: str
    prefix: str = ""
    ordered: str = "choice"
    """A choice whose values have an order."""
    past_the_end: int = 1
    """What is added to the upper bound of whole numbers: 1 where it is excluded."""
    typed: bool = False
    """Whether the values of a choice must be of one type."""

    def laws(self, card: TaskCard) -> dict[str, Call]:
        """A distribution for each parameter.

        Raises:
            SpaceError: a logit scale, too many steps, a condition or a relation, choices of several types where that
                matters, with the nearest thing there is.
        """
        no_conditions(self.target, card.space)
        no_relations(
            self.target, card.space, "the points alone, which fulfil it, and an objective that fails elsewhere"
        )
        return {p.name: self._law(p) for p in card.space}

    def _law(self, p: Parameter) -> Call:
        no_logit(self.target, p, f"{self.prefix}uniform")
        listed = steps(self.target, p)
        match p:
            case Choice():
                kind = one_type(self.target, p.name, p.choices) if self.typed else None
                values = [kind(value) for value in p.choices] if kind is not None else list(p.choices)
                return self._call(self.ordered if p.ordered else "choice", values)
            case _ if listed is not None:
                return self._call(self.ordered, listed)
            case Int():
                return self._call("lograndint" if p.log else "randint", p.low, p.high + self.past_the_end)
            case Float():
                return self._call("loguniform" if p.log else "uniform", p.low, p.high)
        raise AssertionError(p)

    def _call(self, name: str, *arguments: object) -> Call:
        return Call(self.module, self.prefix + name, arguments)
