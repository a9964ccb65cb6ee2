"""The record as one decision sees it: the surrogate fitted to it, and that surrogate's own next point."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tunewright.card import TaskCard
from tunewright.earlier import Earlier
from tunewright.seeds import draws
from tunewright.stopping import share_used
from tunewright.trial import Trial
from tunewright_tools.base import Config

if TYPE_CHECKING:
    from tunewright.surrogate import Surrogate
    from tunewright.surrogate_transfer import Transfer

EXPLOIT = 0.8
"""Share of the budget after which nothing is tried for what it would teach."""


class NothingLeft(Exception):  # noqa: N818 (an end, no error)
    """No further trial is worth running: the space is exhausted, or no gain is expected."""

    def __init__(self, kind: Literal["exhausted", "no_gain"], text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def exhausted() -> NothingLeft:
    """The end of a space that holds nothing untried."""
    return NothingLeft("exhausted", "every configuration of the space was tried or is running")


@dataclass(frozen=True)
class View:
    """What one decision knows."""

    surrogate: "Surrogate | None"
    own: Config | None
    """The surrogate's own next point."""
    taken: frozenset[str]
    """Keys of the configurations on record."""


class Views:
    """Looks at the record before each decision.

    Args:
        card: the task.
        earlier: trials of earlier studies, as they fit the card.
        initial: trials before there is a surrogate.
        seed: keys every draw, together with the trial's number.
    """

    def __init__(self, card: TaskCard, earlier: Sequence[Earlier], *, initial: int, seed: int) -> None:
        self._card = card
        self._earlier = earlier
        self._initial = initial
        self._seed = seed

    def taken(self, trials: Sequence[Trial]) -> frozenset[str]:
        """Keys of the configurations of these trials."""
        return frozenset(self._card.space.key(t.config) for t in trials)

    def of(self, number: int, trials: Sequence[Trial]) -> View:
        """What the decision on trial `number` knows of these trials; no surrogate before there are values enough.

        Raises:
            NothingLeft: every configuration was tried or is running.
        """
        taken = self.taken(trials)
        if sum(t.done for t in trials) < 2 or len(trials) < self._initial:
            return View(None, None, taken)
        from tunewright.acquisition import suggest
        from tunewright.gp import one_thread
        from tunewright.surrogate import fit

        seed, exploit = self._key(number, "fit"), share_used(self._card, trials) >= EXPLOIT
        with one_thread():
            surrogate = fit(self._card, trials, seed=seed, transfer=self._transfer, exploit=exploit)
            if surrogate is None:
                return View(None, None, taken)
            own = suggest(surrogate, self._card, trials, n=1, seed=self._key(number, "suggest"))
        if not own:
            raise exhausted()
        return View(surrogate, own[0].config, taken)

    @cached_property
    def _transfer(self) -> "Transfer | None":
        """What the earlier studies expect, fitted once."""
        if not self._earlier:
            return None
        from tunewright.surrogate_transfer import Transfer

        return Transfer(self._card, self._earlier, self._key(0, "earlier"))

    def _key(self, number: int, purpose: Literal["fit", "suggest", "earlier"]) -> int:
        return int(draws(self._seed, number, purpose).integers(2**31))
