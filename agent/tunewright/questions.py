"""The messages of a question to a model: templates filled from the brief, and the schema of the reply."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunewright.brief import Brief
from tunewright.derived import base_fault
from tunewright.llm.base import Message
from tunewright.parameter import Parameter
from tunewright.parameters import Choice
from tunewright.render import Rendered, render
from tunewright.schema import reply_schema
from tunewright.space import Space

Round = Literal["first_round", "propose"]

_SHOWN = 2
"""Parameters in the example of a configuration that a large model sees; it saw all of them above."""


def _kind(p: Parameter) -> str:
    """What stands for a value in the example of a configuration."""
    if not isinstance(p, Choice):
        return "number"
    kinds = {"true or false" if isinstance(c, bool) else "text" if isinstance(c, str) else "number" for c in p.choices}
    return kinds.pop() if len(kinds) == 1 else "value"


@dataclass(frozen=True)
class Question:
    """What is sent: messages, and the schema that the reply should follow."""

    round: Round
    rendered: Rendered
    """The last message's template, for the ledger."""
    messages: tuple[Message, ...]
    schema: dict[str, Any]
    n: int
    """Configurations asked for."""


@dataclass(frozen=True)
class Asker:
    """Makes questions over one space.

    Args:
        lean: for a small model: configurations alone, without reasons, prior and derived quantities.
    """

    space: Space
    lean: bool

    def ask(self, round: Round, brief: Brief, n: int) -> Question:
        """A question for n configurations."""
        variables = {name: getattr(brief, name) for name in ("task", "space", "history", "budget")}
        if round == "propose":
            variables |= {"view": brief.view, "fates": brief.fates, "fates_left_out": brief.fates_left_out}
        else:
            variables |= {"ask_prior": self._prior(round), "ask_derived": self._derived(round)}
        rendered = render(round, n=n, shape=self._shape(round, n), **variables)
        messages = (Message("system", render("system").text), Message("user", rendered.text))
        return Question(round, rendered, messages, self._schema(round, n), n)

    def repair(self, question: Question, reply: str, faults: Sequence[str]) -> Question:
        """The same question again, after a reply that held nothing usable."""
        rendered = render("repair", faults=list(faults), n=question.n, shape=self._shape(question.round, question.n))
        if reply:
            messages = (*question.messages, Message("assistant", reply), Message("user", rendered.text))
        else:  # several servers refuse a message without words, and two of one speaker in a row
            *before, asked = question.messages
            messages = (*before, Message("user", f"{asked.content}\n{rendered.text}"))
        return Question(question.round, rendered, messages, question.schema, question.n)

    def _prior(self, round: Round) -> bool:
        return not self.lean and round == "first_round" and any(not isinstance(p, Choice) for p in self.space)

    def _derived(self, round: Round) -> bool:
        usable = sum(base_fault(self.space, name) is None for name in self.space.names)
        return not self.lean and round == "first_round" and usable >= 2

    def _schema(self, round: Round, n: int) -> dict[str, Any]:
        return reply_schema(
            self.space,
            n,
            prior=self._prior(round),
            rationale=not self.lean,
            derived=self._derived(round),
            bounds=self.lean,  # a small model is held to them by a grammar; a large one reads them in the prompt
        )

    def _shape(self, round: Round, n: int) -> str:
        kinds = {p.name: _kind(p) for p in self.space}
        cut = not self.lean and len(kinds) > _SHOWN  # a small model needs to see every name
        numeric = [p.name for p in self.space if not isinstance(p, Choice)]
        return render(
            "shape",
            example=dict(list(kinds.items())[:_SHOWN]) if cut else kinds,
            cut=cut,
            n=n,
            rationale=not self.lean,
            ask_prior=self._prior(round),
            prior_name=numeric[0] if numeric else "",
            ask_derived=self._derived(round),
        ).text.strip()
