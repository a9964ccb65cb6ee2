"""Spaces without conditions, in the words that Ray Tune, FLAML and Syne Tune have in common."""

from dataclasses import dataclass

from tunewright.card import TaskCard
from tunewright.export.calls import Call
from tunewright.export.common import no_conditions, no_logit, no_relations, steps
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

    def laws(self, card: TaskCard) -> dict[str, Call]:
        """A distribution for each parameter.

        Raises:
            SpaceError: a logit scale, too many steps, a condition or a relation, with the nearest thing there is.
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
                return self._call(self.ordered if p.ordered else "choice", list(p.choices))
            case _ if listed is not None:
                return self._call(self.ordered, listed)
            case Int():
                return self._call("lograndint" if p.log else "randint", p.low, p.high + self.past_the_end)
            case Float():
                return self._call("loguniform" if p.log else "uniform", p.low, p.high)
        raise AssertionError(p)

    def _call(self, name: str, *arguments: object) -> Call:
        return Call(self.module, self.prefix + name, arguments)
