"""Whose turn a trial is: the default's, earlier trials', the textbook's, the model's, its prior's, the surrogate's.

A function of the record, the seed and the trial's number, so that a study that was killed goes on as if it had not
been. Whose turn `number` is depends on the trials before `number - 1` only, for the model is asked while that one runs;
but how that one ended may show that the model's start was a bad one, and the zero-shot turns end at once.
"""

from collections.abc import Sequence
from functools import cached_property

from tunewright.card import TaskCard
from tunewright.credit import bad_start, next_turn
from tunewright.ledger import Call
from tunewright.proposer import Proposer
from tunewright.reply import Prior
from tunewright.seeds import draws
from tunewright.starting import of_textbook, worth_more
from tunewright.study import Study
from tunewright.trial import Proposal, Source, Trial

WARM = 5
"""Zero-shot turns of the model, after the default, the best of earlier trials and the textbook's guess."""
WARM_SMALL = 2
"""The same for a small model: its points crowd around the default, and a surrogate learns little from a crowd."""
TEXTBOOK_SMALL = 2
"""The textbook's points beside a small model; a quasi-random one shows what neither has a view of, choices first."""
INITIAL = 5
"""Trials before the surrogate chooses; without a model they are quasi-random."""
INITIAL_SMALL = 6
"""The same with a small model, whose own points are few."""


class Turns:
    """Whose turn each trial of a study is.

    Args:
        card: the task.
        study: the record.
        proposer: the model's side; None means that no model is asked.
        best_earlier: the best trials of earlier studies, to run first.
        initial: trials before the surrogate chooses.
        seed: keys every draw, together with the trial's number.
    """

    def __init__(
        self,
        card: TaskCard,
        study: Study,
        proposer: Proposer | None,
        *,
        best_earlier: Sequence[Proposal],
        initial: int,
        seed: int,
    ) -> None:
        self._card = card
        self._study = study
        self._proposer = proposer
        self._best_earlier = best_earlier
        self._seed = seed
        self.small = proposer is not None and not proposer.chat.trusted_tools
        """Whether the model is a small one, whose words weigh little."""
        self._initial = initial
        self._found: dict[tuple[int, bool], Source] = {}
        self.warm = WARM_SMALL if self.small else WARM
        """Zero-shot turns of this model."""

    def of(self, number: int, trials: Sequence[Trial]) -> Source:
        """The source whose turn trial `number` is."""
        earlier = [t for t in trials if t.number < number]
        bad = bad_start(self._card, earlier)
        if (number, bad) not in self._found:
            self._found[number, bad] = self._of(number, earlier, bad)
        return self._found[number, bad]

    def _of(self, number: int, earlier: Sequence[Trial], bad: bool) -> Source:
        settled = [t for t in earlier if t.number < number - 1]
        if not earlier and self._card.start == "default":
            return "default"
        if sum(t.turn == "earlier" for t in earlier) < len(self._best_earlier) and worth_more(self._card, settled):
            return "earlier"
        if self._guess_due(earlier):
            return "textbook"
        asked = self._proposer is not None and self._proposer.silenced() is None
        # what was paid for runs, also where no money is left for more
        if (asked or self.left_of(self.calls("first_round"), earlier)) and self.warming(number, earlier):
            return "llm"
        if self.textbook_stands_in(number, earlier):
            return "textbook"
        if len(earlier) < (INITIAL_SMALL if asked and self.small else self._initial):
            return "sobol"
        sources: list[Source] = ["surrogate"]
        sources += ["llm"] if asked else []
        sources += ["prior"] if self.stated_prior() and not bad else []
        sources += ["textbook"] if self.textbook and not bad_start(self._card, settled, "textbook") else []
        return next_turn(self._card, settled, sources, draws(self._seed, number, "turn"))

    # -- the model's zero-shot turns -----------------------------------------------------------------------------

    def warming(self, number: int, trials: Sequence[Trial]) -> bool:
        """Whether the zero-shot turns go on: not all are spent, a reply could be used, the first were no bad start.

        Once the model was asked with results in view they are over for good.
        """
        before = [t for t in trials if t.number < number]
        if sum(t.turn == "llm" for t in before) >= self.warm or any(c.number < number for c in self.calls("propose")):
            return False
        if not self._usable(number) and any(c.number < number for c in self.calls("first_round")):
            return False
        return not bad_start(self._card, before)

    def calls(self, purpose: str) -> list[Call]:
        """The model calls on record for this purpose."""
        return [c for c in self._study.ledger.calls() if f"-{purpose}-" in c.id]

    def left_of(self, calls: Sequence[Call], trials: Sequence[Trial]) -> list[Proposal]:
        """Proposals of these calls that have neither run nor been refused."""
        spent = {(t.call_id, t.call_index) for t in trials}
        spent |= {(r.proposal.call_id, r.proposal.index) for t in trials for r in t.refused}
        return [p for call in calls for p in call.proposals if (p.call_id, p.index) not in spent]

    def stated_prior(self) -> Prior:
        """What the model said of each number in its first reply; empty where it said nothing."""
        stated: Prior = {}
        for call in self.calls("first_round"):
            stated |= call.prior
        return stated

    def _usable(self, number: int) -> bool:
        """Whether the model, asked for an earlier trial, has given a configuration that can run."""
        before = [c for c in self._study.ledger.calls() if c.number < number]
        return any(not self._card.space.check(p.config).faults for c in before for p in c.proposals)

    # -- the textbook --------------------------------------------------------------------------------------------

    @cached_property
    def textbook(self) -> list[Proposal]:
        """The textbook's starting points, its guess first; none where it is left out or knows too few parameters."""
        wanted = self._study.get("textbook")
        if wanted is None:
            wanted = self._proposer is not None
        return of_textbook(self._card, self._seed) if wanted else []

    def textbook_starts(self, number: int, trials: Sequence[Trial]) -> bool:
        """Whether the textbook's turn `number` belongs to its starting points; later the surrogate picks its draws."""
        before = [t for t in trials if t.number < number]
        return self._guess_due(before) or self.textbook_stands_in(number, before)

    def textbook_stands_in(self, number: int, trials: Sequence[Trial]) -> bool:
        """Whether the textbook gives starting points beyond its guess: there is no model, or none that is any good."""
        before = [t for t in trials if t.number < number]
        settled = [t for t in before if t.number < number - 1]
        # points of a person or of earlier studies spread as a quasi-random one would: none needs to give way then
        spread = not self.small or any(t.source in ("user", "earlier") for t in before)
        points = self.textbook if spread else self.textbook[:TEXTBOOK_SMALL]
        if not self._unspent(points, trials) or bad_start(self._card, settled, "textbook"):
            return False
        return self.small or not self._usable(number) or bad_start(self._card, before)

    def _guess_due(self, trials: Sequence[Trial]) -> bool:
        """Whether the textbook's guess is still to run: what a model adds is measured beside it."""
        if any("textbook" in (t.turn, t.source) for t in trials):
            return False
        return bool(self._unspent(self.textbook[:1], trials))

    def _unspent(self, points: Sequence[Proposal], trials: Sequence[Trial]) -> list[Proposal]:
        """Those of the points that can run and are not on record."""
        space = self._card.space
        taken = {space.key(t.config) for t in trials}
        return [p for p in points if not space.check(p.config).faults and space.key(p.config) not in taken]
