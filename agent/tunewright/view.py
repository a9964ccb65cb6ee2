"""The record as one decision sees it: the surrogate fitted to it, and that surrogate's own next point."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tunewright.card import TaskCard
from tunewright.earlier import Earlier
from tunewright.libraries import load
from tunewright.seeds import draws
from tunewright.stopping import share_used
from tunewright.trial import Trial
from tunewright_tools.base import Config

if TYPE_CHECKING:
    from tunewright.gp import Array
    from tunewright.surrogate import Surrogate
    from tunewright.surrogate_transfer import Transfer

FEWEST_SETTLED = 10
"""Values from which on one more or less hardly moves the hyperparameters."""
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


@dataclass(frozen=True)
class _Ahead:
    """What is found before the newest results are there."""

    theta: "Array | None"
    """Hyperparameters of the surrogate."""
    promising: Sequence[Config]


class Views:
    """Looks at the record before each decision.

    Args:
        card: the task.
        earlier: trials of earlier studies, as they fit the card.
        initial: trials before there is a surrogate.
        seed: keys every draw, together with the trial's number.
        workers: how many trials run at once. With several, the hyperparameters are fitted to what was known when the
            trial before started, and the space is searched with that, so that both can be done while all workers are
            busy: with the newest results, the best of what was found is scored anew.
    """

    def __init__(
        self, card: TaskCard, earlier: Sequence[Earlier], *, initial: int, seed: int, workers: int = 1
    ) -> None:
        self._card = card
        self._earlier = earlier
        self._initial = initial
        self._seed = seed
        self.workers = workers
        self._prepared: tuple[object, _Ahead] | None = None

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
        load()
        from tunewright.acquisition import suggest
        from tunewright.gp import one_thread

        ahead = self._ahead(number, trials)
        with one_thread():
            surrogate = self._fit(number, trials, ahead.theta if ahead else None)
            if surrogate is None:
                return View(None, None, taken)
            among = ahead.promising if ahead else ()
            own = suggest(surrogate, self._card, trials, seed=self._key(number, "suggest"), among=among)
        if not own:
            raise exhausted()
        return View(surrogate, own[0].config, taken)

    def _fit(self, number: int, trials: Sequence[Trial], theta: "Array | None") -> "Surrogate | None":
        from tunewright.surrogate import fit

        return fit(
            self._card,
            trials,
            seed=self._key(number, "fit"),
            theta=theta,
            transfer=self._transfer,
            exploit=share_used(self._card, trials) >= EXPLOIT,
            boldness=self._boldness(trials),
        )

    def _boldness(self, trials: Sequence[Trial]) -> float:
        """How far a trial goes beyond exploiting, 0 to 1: no two of those that run at once go equally far.

        Whoever started them: workers of this process, of others on the same record, or a person who asked for several.
        With one worker, one running trial is that before this decision, which is looked at ahead.
        """
        running = sum(t.running for t in trials)
        alone = self.workers == 1 and running == 1
        return (len(trials) % (running + 1)) / running if running and not alone else 0.0

    def prepare(self, number: int, trials: Sequence[Trial]) -> None:
        """Do now what the decision on trial `number` will need and the results to come change little."""
        self._ahead(number, trials)

    def _ahead(self, number: int, trials: Sequence[Trial]) -> _Ahead | None:
        """What was known when the trial before started tells of this one; None where all results should count."""
        trials = [t for t in trials if t.number < number]
        before = next((t for t in trials if t.number == number - 1), None)
        if self.workers == 1 or self._earlier or before is None:
            return None
        known = [t if t.finished is None or t.finished <= before.started else unfinished(t) for t in trials]
        if sum(t.done for t in known) < FEWEST_SETTLED:
            return None
        key = (number, *(t.record_id for t in known if not t.running))
        if self._prepared is None or self._prepared[0] != key:
            from tunewright.acquisition import promising
            from tunewright.gp import one_thread
            from tunewright.surrogate import hyperparameters

            with one_thread():
                theta = hyperparameters(self._card, known, seed=self._key(number, "fit"))
                then = self._fit(number, known, theta)
                found = promising(then, self._card, known, seed=self._key(number, "suggest")) if then else []
            self._prepared = (key, _Ahead(theta, found))
        return self._prepared[1]

    @cached_property
    def _transfer(self) -> "Transfer | None":
        """What the earlier studies expect, fitted once."""
        if not self._earlier:
            return None
        from tunewright.surrogate_transfer import Transfer

        return Transfer(self._card, self._earlier, self._key(0, "earlier"))

    def _key(self, number: int, purpose: Literal["fit", "suggest", "earlier"]) -> int:
        return int(draws(self._seed, number, purpose).integers(2**31))


def unfinished(trial: Trial) -> Trial:
    """The trial as it stood while it was running."""
    return trial if trial.running else replace(trial, status="running", outcome=None, finished=None)
