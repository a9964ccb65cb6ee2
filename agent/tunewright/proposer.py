"""Ask a model for configurations and write every call into the ledger."""

import json
import time
from collections import deque
from collections.abc import Collection
from uuid import uuid4

from tunewright.brief import Brief
from tunewright.card import TaskCard
from tunewright.errors import ModelError
from tunewright.ledger import Call, Ledger
from tunewright.llm.base import THINKING_DEADLINE_S, THINKING_TOKENS, Chat, Reply, Request
from tunewright.llm.extract import without_thoughts
from tunewright.questions import Asker, Question, Round
from tunewright.reply import parse
from tunewright.trial import Proposal

FAILURES = 3
"""Calls that fail in a row before the model is left alone."""
_DEADLINE_S = 120.0
_TEMPERATURE = 0.7
_LONGEST_REPEATED_REPLY = 4000


class Proposer:
    """A model, asked for configurations of one study.

    Args:
        chat: the model.
        card: the task.
        ledger: where each call goes before its proposals are used; a call that stands there is not made again.
        seed: of the study; each request's own seed is made from it, the trial number and its place.
        budget_usd: the model is left alone once its calls cost this much.
    """

    def __init__(
        self, chat: Chat, card: TaskCard, ledger: Ledger, *, seed: int, budget_usd: float | None = None
    ) -> None:
        self.chat = chat
        self.card = card
        self.ledger = ledger
        self.seed = seed
        self.budget_usd = budget_usd
        self.asker = Asker(card.space, lean=not chat.trusted_tools)
        self.unanswered: deque[str] = deque()
        """Why questions came to nothing, in words for the person, who has not been told yet."""
        self._failed_in_a_row = 0
        self._no_credit = False
        self._last_error = ""

    def silenced(self) -> str | None:
        """Why the model is no longer asked, in words for the person; None while it is."""
        if self._no_credit:
            return f"the model's account has no credit left ({self._last_error})"
        if self._failed_in_a_row >= FAILURES:
            return f"the model failed {self._failed_in_a_row} times in a row (last: {self._last_error})"
        if self.budget_usd is not None and not self._free():
            spent = self._spent()
            if spent >= self.budget_usd:
                return f"the model's budget of {self.budget_usd:g} USD is spent ({spent:.4f} USD)"
            if self._untold():
                return f"{self.chat.name} does not tell what it costs, and its budget is {self.budget_usd:g} USD"
        return None

    def _free(self) -> bool:
        estimate = getattr(self.chat, "estimate_usd", None)
        return estimate is not None and estimate(1_000_000, 1_000_000) == 0

    def _untold(self) -> bool:
        """Whether nobody knows what this model's replies cost; those of another one, asked before, are past.

        Of a model with a price that is so where its server counts no tokens, not where the price came later.
        """
        mine = [call for call in self.ledger.calls() if call.model == self.chat.name and not call.error]
        priced = hasattr(self.chat, "estimate_usd")
        return any(call.cost_usd is None and not (priced and call.tokens_in) for call in mine)

    def _spent(self) -> float:
        return sum(call.cost_usd or 0.0 for call in self.ledger.calls())

    def _spent_up(self) -> bool:
        """Whether the card's money ended within a round; `budget_usd` may be less, with room for a round."""
        most = self.card.budget.usd
        return most is not None and 0 < self._spent() >= most

    def ask(self, round: Round, number: int, brief: Brief, n: int, taken: Collection[str]) -> None:
        """Make the calls for trial `number`: n configurations in one request or, of a small model, in n requests.

        When no configuration of the round is usable (complete, in range, not in `taken`), it is asked once more; where
        the reply was cut before it held one, the same again, with room for a model that thinks first.
        """
        sizes = [n] if self.chat.trusted_tools else [1] * n
        calls: list[Call] = []
        had_room = self._thinks()
        for k, size in enumerate(sizes):
            question = self.asker.ask(round, brief, size)
            calls.append(self._call(question, number, k, repair=False))
            if calls[-1].error or self._spent_up() or (had_room and self._cut(calls[-1])):
                return
        if not any(self._usable(p, taken) for call in calls for p in call.proposals):
            again = question
            if not self._cut(calls[-1]):
                said = without_thoughts(calls[-1].reply).strip()[:_LONGEST_REPEATED_REPLY]
                again = self.asker.repair(question, said, self._faults(calls[-1]))
            calls.append(self._call(again, number, len(sizes) - 1, repair=True))
            if not calls[-1].error and not any(call.proposals for call in calls):
                self.unanswered.append(f"{self.chat.name}: neither reply held a configuration")

    def _cut(self, call: Call) -> bool:
        """Whether the reply ended at its limit of tokens without a configuration; a small one is limited on purpose."""
        mine = self.chat.trusted_tools and call.model == self.chat.name
        return mine and call.finish == "length" and not call.proposals

    def _thinks(self) -> bool:
        return any(map(self._cut, self.ledger.calls()))

    def _usable(self, proposal: Proposal, taken: Collection[str]) -> bool:
        checked = self.card.space.check(proposal.config)
        return not checked.faults and self.card.space.key(checked.config) not in taken

    def _faults(self, call: Call) -> list[str]:
        faults = [str(f) for p in call.proposals for f in self.card.space.check(p.config).faults][:6]
        if call.proposals and not faults:
            return ["every configuration was tried before or is running"]
        return faults

    def _call(self, question: Question, number: int, k: int, *, repair: bool) -> Call:
        identity = f"{number:05d}-{question.round}-{k}" + ("-repair" if repair else "")
        known = self.ledger.get(identity)
        if known is not None:
            return known
        started = time.time()
        size = len(self.card.space)
        thinks = self._thinks()
        request = Request(
            messages=question.messages,
            schema=question.schema,
            n_expected=question.n,
            max_tokens=400 + question.n * (60 + 30 * size) + 40 * size + (THINKING_TOKENS if thinks else 0),
            temperature=_TEMPERATURE,
            seed=(self.seed * 1_000_003 + number * 1_009 + 2 * k + repair) % 2**31,
            deadline_s=THINKING_DEADLINE_S if thinks else _DEADLINE_S,
            purpose="repair" if repair else question.round,
        )
        reply, error = self._complete(request, started)
        call = self._written(identity, question, request, number, reply, error, started)
        if thinks and self._cut(call):
            self._failed(f"its reply was cut at {request.max_tokens} tokens before it held a configuration")
        elif not error:
            self._failed_in_a_row = 0
        if not self.ledger.record_first(call):  # another process has asked for this trial meanwhile: both count
            identity += f"-{uuid4().hex[:6]}"
            call = self._written(identity, question, request, number, reply, error, started)
            self.ledger.record(call)
        return call

    def _complete(self, request: Request, started: float) -> tuple[Reply, str]:
        try:
            reply = self.chat.complete(request)
        except ModelError as e:
            self._failed(e.message.split("\n")[0])
            self._no_credit = e.no_credit
            self.unanswered.append(f"{e.message}; {e.hint}")
            return Reply(text="", seconds=time.time() - started), str(e)
        return reply, ""

    def _failed(self, why: str) -> None:
        self._failed_in_a_row += 1
        self._last_error = why

    def _written(
        self, identity: str, question: Question, request: Request, number: int, reply: Reply, error: str, started: float
    ) -> Call:
        parsed = parse(reply.data, self.card.space)
        return Call(
            id=identity,
            number=number,
            purpose=request.purpose,
            model=self.chat.name,
            template=question.rendered.template,
            template_hash=question.rendered.hash,
            prompt=question.rendered.text,
            reply=reply.text or (json.dumps(reply.data) if reply.data is not None else ""),
            proposals=tuple(
                Proposal(config, "llm", rationale, call_id=identity, index=i)
                for i, (config, rationale) in enumerate(parsed.configs)
            ),
            prior=parsed.prior,
            derived=parsed.derived,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            seconds=reply.seconds,
            cost_usd=reply.cost_usd,
            finish=reply.finish,
            error=error,
            started=started,
        )
