"""Decide the next trial from the record: what the source whose turn it is proposes, what the guard says of it.

Everything here is a function of the record, the seed and the trial's number, so that a study that was killed goes on
as if it had not been.
"""

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tunewright.brief import BEST, FEW, Brief, FateBrief, brief
from tunewright.card import TaskCard
from tunewright.earlier import recorded, refitted
from tunewright.guard import Guard
from tunewright.ledger import Call
from tunewright.prior import candidates
from tunewright.proposer import Proposer
from tunewright.questions import Round
from tunewright.starting import of_earlier
from tunewright.stopping import share_used
from tunewright.study import Study
from tunewright.textbook import prior as textbook_prior
from tunewright.trial import Interval, Proposal, Refusal, Source, Trial, Verdict
from tunewright.turns import INITIAL, Turns
from tunewright_tools.base import Config

if TYPE_CHECKING:
    import numpy as np

    from tunewright.surrogate import Surrogate
    from tunewright.surrogate_transfer import Transfer

PER_CALL = 5
"""Configurations that a later call asks for; the surrogate picks among them."""
FEWEST_FOR_NO_GAIN = 10
"""Values needed before "no gain expected" is believed."""
EXPLOIT = 0.8
"""Share of the budget after which nothing is tried for what it would teach."""
_FROM_DEFAULT = 0.5
"""Share of its parameters that a point beyond the first few takes from the default, with several workers."""
_PRIOR_DRAWS = 256
_PURPOSES = {"prior": 2, "fit": 3, "suggest": 4, "earlier": 5, "halfway": 6}


class NothingLeft(Exception):  # noqa: N818 (an end, no error)
    """No further trial is worth running: the space is exhausted, or no gain is expected."""

    def __init__(self, kind: Literal["exhausted", "no_gain"], text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def _exhausted() -> NothingLeft:
    return NothingLeft("exhausted", "every configuration of the space was tried or is running")


@dataclass(frozen=True)
class Decision:
    """What runs next, and what was refused on the way."""

    proposal: Proposal
    asked: Config
    verdict: Verdict
    turn: Source
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class _View:
    """The record as one decision sees it."""

    surrogate: "Surrogate | None"
    own: Config | None
    """The surrogate's own next point."""
    taken: frozenset[str]


@dataclass(frozen=True)
class _Question:
    """What the model is asked for one trial."""

    round: Round
    brief: Brief
    n: int
    taken: frozenset[str]


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
        self.workers = workers
        self.limit: int | None = None
        """Trials of the whole study where that is not the card's; the model is told how many are left."""
        self.earlier = [refitted(one, card) for one in recorded(study)]
        """Trials of earlier studies, as they fit the card."""
        self._best_earlier = of_earlier(card, self.earlier)
        same_task = any(one.same_task for one in self.earlier)
        self._initial = max(2, 1 + len(self._best_earlier)) if same_task else INITIAL
        self._turns = Turns(card, study, proposer, best_earlier=self._best_earlier, initial=self._initial, seed=seed)
        self._asked: dict[int, Future[None]] = {}

    # -- asking the model ahead of its turn ----------------------------------------------------------------------

    def prefetch(self, number: int) -> None:
        """Ask the model for trial `number` in the background, when that is its turn and no call is on the way.

        With several workers its first reply is asked for earlier, while points of others start.
        """
        trials = self.study.trials()
        if self.proposer is None or number in self._asked or self._in_flight():
            return
        warming = self._turns.warming(number, trials)
        turn = self._turns.of(number, trials)
        if turn != "llm" and not (turn in ("earlier", "textbook") and warming and self._waits()):
            return
        if (self.workers > 1 or warming) and self._fresh(number, trials):
            return
        if warming and self._turns.calls("first_round"):
            return
        # the brief is made here, not in the thread: a surrogate is fitted for it, and only the call should overlap
        before = tuple(_before(t, number) for t in trials if t.number < number)
        question = self._question(number, before, warming)
        future: Future[None] = Future()

        def ask() -> None:
            assert self.proposer is not None
            try:
                self.proposer.ask(question.round, number, question.brief, question.n, question.taken)
                future.set_result(None)
            except BaseException as e:
                future.set_exception(e)

        self._asked[number] = future
        # a daemon: Ctrl-C must not wait for a reply that nobody will read
        threading.Thread(target=ask, name="model", daemon=True).start()

    def _waits(self) -> bool:
        """Whether workers would wait for the model's first reply."""
        return self.workers > 1 and self.proposer is not None and self.proposer.silenced() is None

    def _in_flight(self) -> bool:
        return any(not future.done() for future in self._asked.values())

    def _question(self, number: int, trials: tuple[Trial, ...], warming: bool) -> "_Question":
        left = self.limit if self.limit is not None else self.card.budget.trials
        left = max(left - number, 0) if left is not None else None
        taken = self._taken(trials)
        if warming:
            return _Question("first_round", brief(self.card, trials, trials_left=left), self._turns.warm, taken)
        view = self._view(number, trials)
        text = brief(
            self.card,
            trials,
            surrogate=view.surrogate,
            candidate=view.own,
            fates=self._fates(trials),
            trials_left=left,
            best=FEW if self._turns.small else BEST,
        )
        n = max(1, self.workers // 2) if self._turns.small else max(PER_CALL, self.workers)
        return _Question("propose", text, n, taken)

    def _fates(self, trials: Sequence[Trial]) -> list[FateBrief]:
        """What became of the proposals of the model's latest turn."""
        last = next((t for t in reversed(trials) if t.turn == "llm"), None)
        if last is None:
            return []
        fates = [FateBrief(r.proposal.config, f"refused, {r.verdict.reason}") for r in last.refused[:PER_CALL]]
        if last.source == "llm":
            value: str = last.status
            if last.done and last.outcome:
                value = f"{self.card.primary.name} = {last.outcome.metrics[self.card.primary.name]:.4g}"
            fates.append(FateBrief(last.config, f"ran as trial {last.number}, {value}"))
        return fates

    # -- deciding ------------------------------------------------------------------------------------------------

    def decide(self, number: int) -> Decision:
        """The next trial.

        Raises:
            NothingLeft: nothing untried is left, or no gain is expected any more.
        """
        trials = tuple(t for t in self.study.trials() if t.number < number or self.workers > 1)
        turn = self._turns.of(number, trials)
        if turn == "default":
            return self._default()
        if turn == "earlier" or (turn == "textbook" and self._turns.textbook_starts(number, trials)):
            points = self._best_earlier if turn == "earlier" else self._turns.textbook
            stand_in = self._quasi_random(self._taken(trials), "all such points were tried")
            return replace(self._next_of(points, self._taken(trials)) or stand_in, turn=turn)
        if turn == "sobol":
            return self._quasi_random(self._taken(trials), "a spread of first points")
        view = self._view(number, trials)
        self._check_gain(view)
        refused: tuple[Refusal, ...] = ()
        if turn == "llm":
            proposals = self._llm_proposals(number, trials)
            if proposals is None:
                return self._fallback(number, view, trials)  # the reply is not there yet, and its turn is not spent
            warming = self._turns.warming(number, trials)
            decision, refused = self._first_accepted(view, proposals, "llm", ranked=not warming)
            if decision:
                return decision
        if turn in ("prior", "textbook") and view.surrogate:
            stated = self._turns.stated_prior() if turn == "prior" else textbook_prior(self.card)
            drawn = candidates(self.card.space, stated, _PRIOR_DRAWS, self._rng(number, "prior"))
            decision, refused = self._first_accepted(view, [Proposal(c, turn) for c in drawn], turn, ranked=True)
            if decision:
                return decision
        return replace(self._fallback(number, view, trials), turn=turn, refused=refused)

    def _check_gain(self, view: _View) -> None:
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

    def _llm_proposals(self, number: int, trials: Sequence[Trial]) -> list[Proposal] | None:
        """The model's unspent proposals for this turn; None when its reply is still on the way.

        With several workers half of them wait for the first reply, and the others start.
        """
        self.prefetch(number)
        enough = sum(t.running for t in trials) >= self.workers // 2
        if self.workers == 1 or (self._turns.warming(number, trials) and enough):
            wait_for(list(self._asked.values()))
        for future in self._asked.values():
            if future.done():
                future.result()  # an error of ours in the thread must not pass unseen
        fresh = self._fresh(number, trials)
        return None if not fresh and self._in_flight() else fresh

    def _fresh(self, number: int, trials: Sequence[Trial]) -> list[Proposal]:
        """Proposals for this turn that have neither run nor been refused."""
        spent = {(t.call_id, t.call_index) for t in trials}
        spent |= {(r.proposal.call_id, r.proposal.index) for t in trials for r in t.refused}
        calls = self._turns.calls("first_round") if self._turns.warming(number, trials) else self._recent(number)
        return [p for call in calls for p in call.proposals if (p.call_id, p.index) not in spent]

    def _recent(self, number: int) -> list[Call]:
        """Calls whose proposals are still worth a look: with one worker, those made for this very trial."""
        age = 1 if self.workers == 1 else 2 * self.workers
        return [c for c in self._turns.calls("propose") if number - age < c.number <= number]

    def _first_accepted(
        self, view: _View, proposals: Sequence[Proposal], turn: Source, *, ranked: bool
    ) -> tuple[Decision | None, tuple[Refusal, ...]]:
        """The first accepted proposal, best acquisition value first when `ranked`, and those that were refused."""
        # a zero-shot point is not judged by the few values that the others gave: the model goes first
        first = turn == "llm" and not ranked
        guard = Guard(self.card.space, view.taken, None if first else view.surrogate, None if first else view.own)
        judged = [(p, *said) for p, said in zip(proposals, guard.judge_all(proposals), strict=True)]
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

    def _fallback(self, number: int, view: _View, trials: Sequence[Trial]) -> Decision:
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
        points = space.sample(64 + 2 * len(taken), self.seed)
        if self.workers > 1 and len(taken) >= self._initial:
            import numpy as np

            units = space.to_unit(points)
            kept = self._rng(0, "halfway").random(units.shape) < _FROM_DEFAULT
            halfway = space.from_unit(np.where(kept, space.to_unit([space.default()]), units))
            points = [*(c for c in halfway if space.fulfils(c)), *points]
        for config in points:
            if space.key(config) not in taken:
                return Decision(Proposal(config, "sobol", why), config, Verdict(True), "sobol")
        raise _exhausted()

    def _predicted(self, view: _View, proposal: Proposal) -> Proposal:
        if view.surrogate is None:
            return proposal
        posterior = view.surrogate.predict([proposal.config])
        mean, std = float(posterior.mean[0]), float(posterior.std[0])
        return replace(proposal, predicted=Interval(mean, mean - 1.2816 * std, mean + 1.2816 * std))

    # -- the surrogate -------------------------------------------------------------------------------------------

    def _taken(self, trials: Sequence[Trial]) -> frozenset[str]:
        return frozenset(self.card.space.key(t.config) for t in trials)

    def _view(self, number: int, trials: tuple[Trial, ...]) -> _View:
        taken = self._taken(trials)
        if sum(t.done for t in trials) < 2 or len(trials) < self._initial:
            return _View(None, None, taken)
        from tunewright.acquisition import suggest
        from tunewright.gp import one_thread
        from tunewright.surrogate import fit

        seed, exploit = self._seed(number, "fit"), share_used(self.card, trials) >= EXPLOIT
        with one_thread():
            surrogate = fit(self.card, trials, seed=seed, transfer=self._transfer, exploit=exploit)
            if surrogate is None:
                return _View(None, None, taken)
            own = suggest(surrogate, self.card, trials, n=1, seed=self._seed(number, "suggest"))
        if not own:
            raise _exhausted()
        return _View(surrogate, own[0].config, taken)

    @cached_property
    def _transfer(self) -> "Transfer | None":
        """What the earlier studies expect, fitted once."""
        if not self.earlier:
            return None
        from tunewright.surrogate_transfer import Transfer

        return Transfer(self.card, self.earlier, self._seed(0, "earlier"))

    def _rng(self, number: int, purpose: str) -> "np.random.Generator":
        import numpy as np

        return np.random.default_rng([self.seed, number, _PURPOSES[purpose]])

    def _seed(self, number: int, purpose: str) -> int:
        return int(self._rng(number, purpose).integers(2**31))


def _before(trial: Trial, number: int) -> Trial:
    """A trial as it stood when `number` was asked for ahead of time: the one before it was still running."""
    if trial.number != number - 1 or trial.running:
        return trial
    return replace(trial, status="running", outcome=None, finished=None)
