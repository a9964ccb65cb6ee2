"""Decide the next trial from the record: what the source whose turn it is proposes, what the guard says of it.

Everything here is a function of the record, the seed and the trial's number, so that a study that was killed goes on
as if it had not been.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tunewright.asking import Asking
from tunewright.card import TaskCard
from tunewright.earlier import recorded, refitted
from tunewright.guard import Guard
from tunewright.prior import candidates
from tunewright.proposer import Proposer
from tunewright.seeds import draws
from tunewright.starting import of_earlier
from tunewright.stopping import most_trials
from tunewright.study import Study
from tunewright.textbook import prior as textbook_prior
from tunewright.trial import Interval, Proposal, Refusal, Source, Trial, Verdict
from tunewright.turns import INITIAL, Turns
from tunewright.view import NothingLeft, View, Views, exhausted
from tunewright_tools.base import Config

FEWEST_FOR_NO_GAIN = 10
"""Values needed before "no gain expected" is believed."""
_FROM_DEFAULT = 0.5
"""Share of its parameters that a point beyond the first few takes from the default, with several workers."""
_PRIOR_DRAWS = 256


class ReplyPending(Exception):  # noqa: N818 (a moment, no error)
    """The next trial is to wait for the model's reply, which is on the way."""


@dataclass(frozen=True)
class Decision:
    """What runs next, and what was refused on the way."""

    proposal: Proposal
    asked: Config
    verdict: Verdict
    turn: Source
    refused: tuple[Refusal, ...] = ()


class Planner:
    """Turns the record into the next trial.

    Args:
        card: the task.
        study: the record.
        proposer: the model's side; None means the surrogate alone.
        workers: how many trials run at once. With one worker a turn of the model waits for its reply; with more, the
            surrogate's point runs when the reply is not there yet.
    """

    def __init__(self, card: TaskCard, study: Study, proposer: Proposer | None, *, seed: int, workers: int = 1) -> None:
        self.card = card
        self.study = study
        self.proposer = proposer
        self.seed = seed
        self.limit: int | None = None
        """Trials of the whole study where that is not the card's; the model is told how many are left."""
        self.earlier = [refitted(one, card) for one in recorded(study)]
        """Trials of earlier studies, as they fit the card."""
        self._best_earlier = of_earlier(card, self.earlier)
        same_task = any(one.same_task for one in self.earlier)
        self._initial = max(2, 1 + len(self._best_earlier)) if same_task else INITIAL
        self._turns = Turns(card, study, proposer, best_earlier=self._best_earlier, initial=self._initial, seed=seed)
        self._views = Views(card, self.earlier, initial=self._initial, seed=seed, workers=workers)
        self._asking = None
        if proposer is not None:
            self._asking = Asking(card, study, proposer, self._turns, self._views.of, workers=workers)

    @property
    def workers(self) -> int:
        """How many trials run at once; a host that starts trials as it likes says so before each decision."""
        return self._views.workers

    @workers.setter
    def workers(self, n: int) -> None:
        self._views.workers = n
        if self._asking:
            self._asking.workers = n

    def prefetch(self, number: int) -> None:
        """Let the model think of trial `number` while others run, if it is to be asked for it."""
        if self._asking:
            self._asking.ahead(number, self._left(number))

    def prepare(self, number: int) -> None:
        """Work ahead for trial `number`, while every worker is busy anyway."""
        self._views.prepare(number, self.study.trials())

    def decide(self, number: int, *, wait: bool = True) -> Decision:
        """The next trial.

        Args:
            wait: for the model's reply, where it is worth waiting for.

        Raises:
            NothingLeft: nothing untried is left, or no gain is expected any more.
            ReplyPending: in place of waiting, unless `wait`.
        """
        trials = tuple(t for t in self.study.trials() if t.number < number or self.workers > 1)
        turn = self._turns.of(number, trials)
        if turn == "default":
            return self._default()
        if turn == "earlier" or (turn == "textbook" and self._turns.textbook_starts(number, trials)):
            points = self._best_earlier if turn == "earlier" else self._turns.textbook
            taken = self._views.taken(trials)
            found = self._next_of(points, taken) or self._quasi_random(taken, "all such points were tried")
            return replace(found, turn=turn)
        if turn == "sobol":
            return self._quasi_random(self._views.taken(trials), "a spread of first points")
        if turn == "llm" and self._asking and not wait:
            self.prefetch(number)
            if self._asking.pending(number, trials):
                raise ReplyPending
        view = self._views.of(number, trials)
        self._check_gain(view)
        refused: tuple[Refusal, ...] = ()
        if turn == "llm" and self._asking:
            proposals = self._asking.proposals(number, trials, self._left(number))
            if proposals is None:
                return self._fallback(number, view, trials)  # the reply is not there yet, and its turn is not spent
            warming = self._turns.warming(number, trials)
            decision, refused = self._first_accepted(view, proposals, "llm", ranked=not warming)
            if decision:
                return decision
        if turn in ("prior", "textbook") and view.surrogate:
            stated = self._turns.stated_prior() if turn == "prior" else textbook_prior(self.card)
            drawn = candidates(self.card.space, stated, _PRIOR_DRAWS, draws(self.seed, number, "prior"))
            decision, refused = self._first_accepted(view, [Proposal(c, turn) for c in drawn], turn, ranked=True)
            if decision:
                return decision
        return replace(self._fallback(number, view, trials), turn=turn, refused=refused)

    def _check_gain(self, view: View) -> None:
        least = self.card.stop.no_gain
        if least is None or view.surrogate is None or view.own is None or view.surrogate.n_done < FEWEST_FOR_NO_GAIN:
            return
        gain = view.surrogate.expected_gain(view.own)
        if gain < least:
            raise NothingLeft(
                "no_gain", f"the best candidate promises {gain:.2g} standard deviations, less than {least:g}"
            )

    def _default(self) -> Decision:
        config = self.card.space.default()
        assumed = [p.name for p in self.card.space if p.assumed and p.name in config]
        why = f"the middle of the scale is assumed for {', '.join(assumed)}" if assumed else "as stated on the card"
        return Decision(Proposal(config, "default", why), config, Verdict(True), "default")

    def _first_accepted(
        self, view: View, proposals: Sequence[Proposal], turn: Source, *, ranked: bool
    ) -> tuple[Decision | None, tuple[Refusal, ...]]:
        """The first accepted proposal, best acquisition value first when `ranked`, and those that were refused."""
        # a zero-shot point is not judged by the few values that the others gave: the model goes first
        first = turn == "llm" and not ranked
        guard = Guard(self.card.space, view.taken, None if first else view.surrogate, None if first else view.own)
        judged = [(p, *said) for p, said in zip(proposals, guard.judge(proposals), strict=True)]
        refused = tuple(Refusal(asked, verdict) for asked, _, verdict in judged if not verdict.accepted)
        accepted = [(asked, runnable, verdict) for asked, runnable, verdict in judged if verdict.accepted]
        if turn != "llm":
            refused = refused[:0]  # hundreds of draws from a prior are candidates of ours, not somebody's proposals
        if not accepted:
            return None, refused
        if ranked and view.surrogate is not None:
            scores = view.surrogate.log_acquisition([runnable.config for _, runnable, _ in accepted])
            accepted = [accepted[int(scores.argmax())]]
        asked, runnable, verdict = accepted[0]
        chosen = self._predicted(view, runnable)
        return Decision(chosen, asked.config, verdict, turn, refused), refused

    def _fallback(self, number: int, view: View, trials: Sequence[Trial]) -> Decision:
        """The textbook's next point where that is due, else the surrogate's own, else the next quasi-random one."""
        due = self._turns.textbook if self._turns.textbook_starts(number, trials) else []
        if found := self._next_of(due, view.taken):
            return found
        if view.own is None or view.surrogate is None:
            return self._quasi_random(view.taken, "too few results to fit a surrogate")
        proposal = self._predicted(view, Proposal(view.own, "surrogate", "highest acquisition value"))
        weights = {f"weight of {name}": weight for name, weight in view.surrogate.agreement.items()}
        return Decision(proposal, proposal.config, Verdict(True, numbers=weights), "surrogate")

    def _next_of(self, points: Sequence[Proposal], taken: Collection[str]) -> Decision | None:
        for p in points:
            if self.card.space.key(p.config) not in taken and not self.card.space.check(p.config).faults:
                return Decision(p, p.config, Verdict(True), p.source)
        return None

    def _quasi_random(self, taken: Collection[str], why: str) -> Decision:
        """The next untaken point of one Sobol sequence.

        With several workers those beyond the first few, which run only because no result is there yet, take about half
        of their parameters from the default: so much nearer to what runs, fewer fail, and the first values say more.
        """
        space = self.card.space
        wanted = 64 + 2 * len(taken)
        points = space.sample(wanted, self.seed, fewest=1)
        whole = len(points) == wanted  # else the relations leave so little that there may be more than was found
        if self.workers > 1 and len(taken) >= self._initial:
            import numpy as np

            units = space.to_unit(points)
            kept = draws(self.seed, 0, "halfway").random(units.shape) < _FROM_DEFAULT
            halfway = space.from_unit(np.where(kept, space.to_unit([space.default()]), units))
            points = [*(c for c in halfway if space.fulfils(c)), *points]
        for config in points:
            if space.key(config) not in taken:
                return Decision(Proposal(config, "sobol", why), config, Verdict(True), "sobol")
        if whole:
            raise exhausted()
        raise NothingLeft("exhausted", "all configurations found that fulfil the relations were tried or are running")

    def _predicted(self, view: View, proposal: Proposal) -> Proposal:
        if view.surrogate is None:
            return proposal
        posterior = view.surrogate.predict([proposal.config])
        mean, std = float(posterior.mean[0]), float(posterior.std[0])
        return replace(proposal, predicted=Interval(mean, mean - 1.2816 * std, mean + 1.2816 * std))

    def _left(self, number: int) -> int | None:
        """Trials until the study ends, this one included; None where no number of trials ends it."""
        whole = most_trials(self.card, self.limit)
        return max(whole - number, 0) if whole is not None else None
