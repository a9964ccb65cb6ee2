"""`TunewrightSampler`: a sampler for Optuna; one changed line in a define-by-run script."""

import secrets
import threading
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from tunewright.card import TaskCard
from tunewright.earlier import record as put_on_record
from tunewright.earlier import recorded
from tunewright.earlier_sources import read_all
from tunewright.errors import CardError, SpaceError
from tunewright.integrations.define_by_run import Learned, learn, parameter
from tunewright.integrations.optuna_record import PLAN, OptunaRecord, planned
from tunewright.integrations.optuna_task import check_script, task
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat
from tunewright.llm.prices import check_priced
from tunewright.numeric import Int
from tunewright.planner import Decision, Planner
from tunewright.proposer import Proposer
from tunewright.space import Space
from tunewright.trial import Proposal, Trial, Verdict
from tunewright.trial_json import trial_from_json, trial_to_json
from tunewright.view import NothingLeft

_RACES = 8
"""How often a decision is taken anew because an older trial of another process was decided meanwhile."""
_logger = optuna.logging.get_logger(__name__)


@dataclass
class _Side:
    """What belongs to one study under one space."""

    study: optuna.Study
    scope: str
    record: OptunaRecord
    planner: Planner


class TunewrightSampler(BaseSampler):
    """Tunewright's planner as an Optuna sampler: a model proposes, a surrogate decides, the Optuna study remembers.

    What it holds of Tunewright: the default as trial 0; the model's zero-shot points; later turns of the model, the
    stated prior and the surrogate, by what each has earned; the guard. What it does not: the model is asked when its
    turn comes, not ahead of it (with several workers none waits for it after the first round); budgets and stop rules
    of the card are Optuna's business (`n_trials`, callbacks).

    Trial 0 takes the middle of each scale as the script asks for it, since nothing is known of the space before.
    From then on the space is what the trials have shown, with its conditions (see `define_by_run`); it and the
    model's first round are made anew when a branch of the script shows further parameters, whose first values are
    drawn at random. With `card` or `space` the whole space is known from the start, and trial 0 is its default.

    Running trials count as running, those of other threads and processes included; processes that start at once on a
    space that no trial has shown yet may repeat a point of the first spread (state the space, or run one trial before).
    Failed ones teach the chance of
    success: a failure is the configuration's, unless the trial's user attribute `status` says `lost` or `cancelled`
    (also `oom`, `diverged`, `timeout`) or Optuna ran it again after its worker died. Pruned ones are no failures;
    they are not tried again and teach nothing else. Constraints are those of `trial.set_constraint`.

    What a `PartialFixedSampler` around this one fixes is held, as `held` on a card is.

    Each trial's user attributes `source` and `rationale` say who chose it and why; the study's attributes
    `tunewright:...` keep every request to the model with its reply.

    Args:
        goal: what is tuned and what for, in the words that a colleague would need; a model needs it.
        model: "local", "openai/NAME", "PROVIDER/NAME", a `Chat`, or None for the surrogate alone.
        card: all of the task, in place of `goal` and `space`; its metrics are the study's, in order.
        space: the parameters under the names that the script suggests.
        seed: of everything random; drawn where it is None. Random streams are keyed by it and the trial's number.
        base_url: of an OpenAI-compatible server.
        prices: a price table that goes before ours.
        textbook: whether the textbook gives points where it knows most parameters; None: where a model is named.

    Raises:
        CardError: a model without a goal, or a card beside a goal or space.
        ModelError: the model cannot be asked.
    """

    def __init__(
        self,
        goal: str = "",
        model: str | Chat | None = "local",
        *,
        card: TaskCard | None = None,
        space: Space | None = None,
        seed: int | None = None,
        base_url: str | None = None,
        prices: Any = None,
        textbook: bool | None = None,
    ) -> None:
        if card is not None and (goal or space is not None):
            raise CardError("a card was given beside a goal or a space", "write them on the card")
        if card is None and model is not None and not goal.strip():
            raise CardError(
                f"the model {model!r} has no goal to think about",
                'say what is tuned: goal="ResNet-18 on CIFAR-10, 10 epochs, one H100", or model=None',
            )
        self.goal = goal
        self.card = card
        self.space = card.space if card is not None else space
        self.seed = secrets.randbelow(2**31) if seed is None else seed
        self.textbook = textbook
        self._model, self._base_url, self._prices = model, base_url, prices
        self._fresh()
        if self._chat is not None:
            check_priced(self._chat, card.budget.usd if card is not None else None)
            self._chat.check()

    def _fresh(self) -> None:
        self._chat = open_chat(self._model, base_url=self._base_url, prices=self._prices)
        self._lock = threading.RLock()
        self._sides: dict[str, _Side] = {}
        self._told: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        # connections, locks and threads stay here; all that was learned is in the study
        return {k: v for k, v in self.__dict__.items() if k not in ("_chat", "_lock", "_sides", "_told")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._fresh()

    def close(self) -> None:
        """Let go of the model's connections and child processes."""
        if self._chat is not None:
            self._chat.close()

    def reseed_rng(self) -> None:
        """Nothing to do: streams are keyed by the trial's number, so that no two workers draw the same."""

    # -- what Optuna asks ----------------------------------------------------------------------------------------

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Optuna's distributions of all parameters that can be chosen together; empty while none is known."""
        learned = self._learned(_whole(study).get_trials(deepcopy=False))
        if learned is None:
            return {}
        # Optuna has no powers of two: a script asks for a choice or for whole numbers, and here it must be one of them
        return {n: d for n, d in learned.distributions.items() if not self._is_rounded(n)}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next configuration; on record before this returns.

        Raises:
            StudyError: the card does not fit the study or the script.
        """
        if not search_space and self.space is None:
            return {}
        with self._lock:
            params = self._decided(_whole(study), trial)
        return {name: value for name, value in params.items() if name in search_space}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A stated power of two as decided. Beyond the space: the middle of the scale in trial 0, else a random one."""
        if self._is_rounded(param_name) and PLAN in trial.system_attrs:
            value = trial_from_json(trial.system_attrs[PLAN]).config.get(param_name)
            if value is not None and _takes(param_distribution, value):
                return value
        if trial.number == 0 and self.space is None:
            self._note(study, trial, "default", "the middle of each scale")
            with suppress(SpaceError):  # of a kind that we have no parameter for: drawn below
                return _middle(param_distribution)
        if PLAN in trial.system_attrs:
            why = self._why(study, param_name)
            _logger.info(f"{param_name!r} is drawn at random in trial {trial.number}: {why}")
        else:
            self._note(study, trial, "sampler:random", "nothing is known of the space yet")
        seed = int(self._rng(trial.number, param_name).integers(2**31))
        return RandomSampler(seed).sample_independent(study, trial, param_name, param_distribution)

    def _is_rounded(self, name: str) -> bool:
        stated = self.space[name] if self.space is not None and name in self.space else None
        return isinstance(stated, Int) and stated.rounding is not None

    def _why(self, study: optuna.Study, name: str) -> str:
        learned = self._learned(_whole(study).get_trials(deepcopy=False))
        if learned is not None and name in learned.left_out:
            return learned.left_out[name]
        return "this branch of the script is new, or its bounds have moved"

    def _note(self, study: optuna.Study, trial: FrozenTrial, source: str, why: str) -> None:
        with self._lock:
            key = f"{study.study_name}/{trial.number}"
            if key not in self._told and "source" not in trial.user_attrs:
                self._told.add(key)
                study._storage.set_trial_user_attr(trial._trial_id, "source", source)
                study._storage.set_trial_user_attr(trial._trial_id, "rationale", why)

    def _rng(self, number: int, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, number, zlib.crc32(purpose.encode())])

    # -- the next trial ------------------------------------------------------------------------------------------

    def _learned(self, rows: Sequence[FrozenTrial]) -> Learned | None:
        return Learned.of(self.space) if self.space is not None else learn(rows)

    def _decided(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Any]:
        """The next configuration in Optuna's words.

        Written down first, looked around for older trials afterwards: of two processes that decide at once, at least
        one sees the other, and the younger trial decides again.
        """
        params: dict[str, Any] = {}
        for _ in range(_RACES):
            rows = study.get_trials(deepcopy=False)
            learned = self._learned(rows)
            assert learned is not None
            learned = _with_fixed(study, learned)
            if self.space is not None:
                check_script(rows, learned)
            side = self._side(study, rows, learned)
            side.record.look(rows, learned, trial.number)
            side.planner.workers = max(sum(row.state == TrialState.RUNNING for row in rows), 1)
            decision = self._decide(side.planner, learned, trial)
            self._write(study, trial, decision)
            params = learned.params(decision.proposal.config)
            seen = {row.number for row in rows if planned(row)}
            now = {row.number for row in study.get_trials(deepcopy=False) if planned(row)}
            if all(number >= trial.number for number in now - seen):
                break
        return params

    def _side(self, study: optuna.Study, rows: Sequence[FrozenTrial], learned: Learned) -> _Side:
        """The planner for the space as it is known now."""
        card, constraints = task(study, rows, learned.space, self.goal, self.card)
        # while the very first trials run, a script may have shown the first of its parameters only
        whole = self.space is not None or any(row.state.is_finished() for row in rows)
        scope = sha256(repr((sorted(card.to_json().items()), whole)).encode()).hexdigest()[:12]
        kept = self._sides.get(study.study_name)
        if kept is not None and kept.study is study and kept.scope == scope:
            return kept
        record = OptunaRecord(study, card, learned, constraints, scope)
        put_on_record(record, read_all(card.earlier, card, [one.name for one in recorded(record)]))
        if self.textbook is not None:
            record.set("textbook", self.textbook)
        proposer = (
            Proposer(self._chat, card, record.ledger, seed=self.seed, budget_usd=card.budget.usd)
            if self._chat is not None and whole
            else None
        )
        side = _Side(study, scope, record, Planner(card, cast(Any, record), proposer, seed=self.seed))
        self._sides[study.study_name] = side
        return side

    def _decide(self, planner: Planner, learned: Learned, trial: FrozenTrial) -> Decision:
        decision = self._default(learned, trial) or self._planned(planner, learned, trial)
        fixed = learned.config(trial.system_attrs.get("fixed_params", {}))
        if not fixed:
            return decision
        # a person's point: what it leaves open is filled in; the model's proposal behind it is not used up
        known = {**decision.proposal.config, **fixed}
        full = {name: known.get(name, learned.space[name].start) for name in learned.space.active(known)}
        source = str(trial.user_attrs.get("source", "user"))
        return Decision(Proposal(full, source, "partly enqueued"), fixed, Verdict(True), source)

    def _default(self, learned: Learned, trial: FrozenTrial) -> Decision | None:
        """The default of a stated space, for trial 0, unless it breaks a relation: a card is refused then."""
        if trial.number > 0 or self.space is None or (self.card is not None and self.card.start != "default"):
            return None
        config = learned.space.default()
        if not learned.space.fulfils(config):
            return None
        return Decision(Proposal(config, "default", "as stated"), config, Verdict(True), "default")

    def _planned(self, planner: Planner, learned: Learned, trial: FrozenTrial) -> Decision:
        try:
            return planner.decide(trial.number)
        except NothingLeft as e:
            _logger.warning(f"{e.text}; trial {trial.number} repeats one at random")
            config = learned.space.sample(1, int(self._rng(trial.number, "repeat").integers(2**31)))[0]
            return Decision(Proposal(config, "sampler:random", e.text), config, Verdict(True), "sampler:random")

    def _write(self, study: optuna.Study, trial: FrozenTrial, decision: Decision) -> None:
        p = decision.proposal
        record = Trial(
            number=trial.number,
            config=dict(p.config),
            source=p.source,
            turn=decision.turn,
            asked=dict(decision.asked),
            rationale=p.rationale,
            verdict=decision.verdict,
            refused=decision.refused,
            predicted=p.predicted,
            call_id=p.call_id,
            call_index=p.index,
        )
        write = study._storage.set_trial_user_attr
        if "source" not in trial.user_attrs:
            write(trial._trial_id, "source", p.source)
            write(trial._trial_id, "rationale", p.rationale)
        study._storage.set_trial_system_attr(trial._trial_id, PLAN, trial_to_json(record))


def _whole(study: optuna.Study) -> optuna.Study:
    """The study itself, where Hyperband hands a sampler one bracket of it, without attributes and metric names.

    Its trials that completed ran as long as those of any other bracket: they can be compared, and need no repeats.
    """
    return cast(optuna.Study, getattr(study, "_study", study))


def _takes(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return distribution._contains(distribution.to_internal_repr(value))


def _with_fixed(study: optuna.Study, learned: Learned) -> Learned:
    """The space held to what a `PartialFixedSampler` around this one fixes: it puts that over what is chosen here.

    A value that the space does not take is left to Optuna, which runs it with a warning.
    """
    given = getattr(study.sampler, "_fixed_params", {})
    fixed = {n: v for n, v in given.items() if n in learned.distributions and _takes(learned.distributions[n], v)}
    held = learned.config(fixed)
    taken = {name: value for name, value in held.items() if learned.space[name].fault(value) is None}
    return replace(learned, space=learned.space.with_held(taken)) if taken else learned


def _middle(distribution: BaseDistribution) -> Any:
    """The middle of the scale, or the first of a list."""
    ours = parameter("x", "x", distribution)
    return ours.theirs(ours.parameter.start)
