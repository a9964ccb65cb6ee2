"""One turn of a talk: the person's words to the model, its calls of verbs, their answers back, its reply."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tunewright.chat.history import History, Said
from tunewright.errors import ModelError, TunerError
from tunewright.ledger import Call
from tunewright.llm.base import THINKING_DEADLINE_S, THINKING_TOKENS, Chat, Message, Reply, Request, ToolCall
from tunewright.llm.extract import without_thoughts
from tunewright.llm.prices import check_priced
from tunewright.render import render
from tunewright.verbs.approval import Within
from tunewright.verbs.base import VERBS, Answer, call, tool_specs
from tunewright.verbs.faults import Denied, WrongCall
from tunewright.verbs.session import Session

ROUNDS = 8
"""Replies with calls in them that one turn may take; a model that calls on and on is stopped."""
LONG = 24_000
"""Characters of a talk from which on its older part is summarised (about 6,000 tokens)."""
KEPT = 6
"""Latest messages that a summary leaves as they are."""
_MOST_ANSWER = 6_000
_DEADLINE_S = 180.0
_COMMANDS = "commands such as /best still work"

T = TypeVar("T")


class Cancelled(Exception):  # noqa: N818 (no error: the person ended the turn)
    """The person ended the turn."""


@dataclass(frozen=True)
class Done:
    """A call that the model made, and what came of it."""

    call: ToolCall
    answer: Answer | None
    error: TunerError | None


class Conversation:
    """A talk with a model that may call verbs.

    Args:
        session: the verbs' world.
        chat: the model; it must be trusted with tools.
        history: what was said before.
        on_text: gets each piece of a reply as it arrives.
        on_call: told before a call is made.
        on_done: told after it.
        on_cost: told what a reply has cost, US dollars.
    """

    def __init__(
        self,
        session: Session,
        chat: Chat,
        history: History,
        *,
        on_text: Callable[[str], None] = lambda text: None,
        on_call: Callable[[ToolCall], None] = lambda call: None,
        on_done: Callable[[Done], None] = lambda done: None,
        on_cost: Callable[[float], None] = lambda usd: None,
    ) -> None:
        self.session = session
        self.chat = chat
        self.history = history
        self._on_text = on_text
        self._on_call = on_call
        self._on_done = on_done
        self._on_cost = on_cost
        self._cancel = threading.Event()
        self._turn: list[Said] = []
        self._thinks = False
        """Whether the model has used up the tokens of a reply before its first word."""
        self.cost_usd: float | None = 0.0
        """Of this session's replies; None once one had no known price."""

    def say(self, text: str, news: Sequence[str] = ()) -> str:
        """The model's last words on what a person said; its calls were made on the way.

        Args:
            text: the person's words.
            news: what happened since the last turn, such as results that came in, a line each.

        Raises:
            ModelError: the model gave no reply; what was said is kept.
            TunerError: the money of a stated budget is used up; what was said and done is kept.
            Cancelled: `cancel` was called; calls that had been answered are kept.
        """
        self._cancel, self._turn = threading.Event(), []
        with self.session.hearing(text):  # a change that these words name needs no question
            return self._answered(text, news)

    def _answered(self, text: str, news: Sequence[str]) -> str:
        self._keep_with_study()
        self._shorten()
        self._add("user", render("chat_turn", text=text, news=list(news)).text.strip())
        for _ in range(ROUNDS):
            reply = self._ask()
            self._add("assistant", reply.text, reply.tool_calls, thought=reply.thought if reply.tool_calls else "")
            if not reply.tool_calls:
                return reply.text
            for made in reply.tool_calls:
                done = self._do(made)
                self._keep_with_study()
                self._add("tool", _told(done), tool_call_id=made.id)
                self._on_done(done)
        return f"(stopped after {ROUNDS} replies with calls in a row; say how to go on)"

    def cancel(self) -> None:
        """End the turn that is going on, from another thread. Runs go on; what a verb has changed stays changed."""
        self._cancel.set()

    def _add(
        self,
        role: Any,
        content: str,
        calls: Sequence[ToolCall] = (),
        tool_call_id: str | None = None,
        thought: str = "",
    ) -> None:
        model = self.chat.name if role == "assistant" else ""
        self._turn.append(self.history.add(role, content, calls, tool_call_id, thought=thought, model=model))

    def _keep_with_study(self) -> None:
        keep_with_study(self.session, self.history, self._turn)

    # -- the model -----------------------------------------------------------------------------------------------

    def check_money(self) -> None:
        """Nothing, while a stated budget has money for a further reply, or none is stated.

        Raises:
            TunerError: it is used up, or cannot be kept, since nobody knows what a reply costs.
        """
        approver = self.session.approver
        left = approver.left_usd() if isinstance(approver, Within) else None
        check_priced(self.chat, left)
        if left is not None and self.cost_usd is None:
            raise TunerError(f"the budget cannot be kept: {self.chat.name} does not tell what it costs", _COMMANDS)
        if left == 0.0:
            raise TunerError("the stated budget for model calls is used up", _COMMANDS)

    def _ask(self) -> Reply:
        reply = self._asked_once()
        if _wordless(reply) and not self._thinks:
            self._thinks = True
            reply = self._asked_once()
        if _wordless(reply):
            raise ModelError(
                f"{self.chat.name} used up {reply.tokens_out} tokens before its first word",
                f"ask for less at once, or name a model that thinks less; {_COMMANDS}",
            )
        return reply

    def _asked_once(self) -> Reply:
        self.check_money()  # before each reply: a turn may take several
        system = render(
            "chat_system", studies=self._studies(), current=self.session.current, summary=self.history.summary
        )
        cancel = self._cancel
        request = Request(
            (Message("system", system.text), *self.history.messages(self.chat.name)),
            tools=tool_specs(),
            purpose="chat",
            on_text=lambda piece: None if cancel.is_set() else self._on_text(piece),
            deadline_s=_DEADLINE_S,
            temperature=0.2,
        )
        if self._thinks:
            request = replace(request, max_tokens=request.max_tokens + THINKING_TOKENS, deadline_s=THINKING_DEADLINE_S)
        return self._unless_cancelled(lambda: self._counted(request, system.template, system.hash))

    def _unless_cancelled(self, work: Callable[[], T]) -> T:
        """What the work gives; once the turn is cancelled it is left to end by itself, and nobody listens to it."""
        results: list[T] = []
        faults: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as e:  # handed to the thread that waits
                faults.append(e)

        thread = threading.Thread(target=run, name="chat-turn", daemon=True)
        thread.start()
        while thread.is_alive() and not self._cancel.is_set():
            thread.join(0.02)
        if self._cancel.is_set():
            raise Cancelled
        if faults:
            raise faults[0]
        return results[0]

    def _counted(self, request: Request, template: str, hash_: str) -> Reply:
        """The reply; the call goes into the ledger of the current study, where there is one."""
        started = time.time()
        try:
            reply = self.chat.complete(request)
        except ModelError as e:
            self._record(request, template, hash_, started, Reply(""), e.message)
            raise
        unknown = self.cost_usd is None or reply.cost_usd is None
        self.cost_usd = None if unknown else (self.cost_usd or 0.0) + (reply.cost_usd or 0.0)
        self._on_cost(reply.cost_usd or 0.0)
        self._record(request, template, hash_, started, reply, "")
        return reply

    def _record(self, request: Request, template: str, hash_: str, started: float, reply: Reply, error: str) -> None:
        if self.session.current is None:
            return
        study = self.session.study()
        number = len(study.trials())
        study.ledger.record(
            Call(
                id=f"{number}-chat-{time.time_ns()}",
                number=number,
                purpose="chat",
                model=self.chat.name,
                template=template,
                template_hash=hash_,
                prompt=request.messages[-1].content,
                reply=reply.text or json.dumps([[c.name, c.arguments] for c in reply.tool_calls]),
                tokens_in=reply.tokens_in,
                tokens_out=reply.tokens_out,
                seconds=reply.seconds,
                cost_usd=reply.cost_usd,
                finish=reply.finish,
                error=error,
                started=started,
            )
        )

    def _studies(self) -> list[dict[str, Any]]:
        found = []
        for name in self.session.names():
            study = self.session.study(name)
            best = study.best()
            found.append(
                {
                    "name": name,
                    "goal": study.card.goal,
                    "trials": len(study.trials()),
                    "best": dict(best.outcome.metrics) if best and best.outcome else None,
                    "running": self.session.run_of(name) is not None,
                }
            )
        return found

    # -- verbs ---------------------------------------------------------------------------------------------------

    def _do(self, made: ToolCall) -> Done:
        if self._cancel.is_set():
            raise Cancelled
        self._on_call(made)
        found = VERBS.get(made.name)
        try:
            if found is not None and found.effect == "look":  # it changes nothing: it may be left alone in the middle
                return Done(made, self._unless_cancelled(lambda: self._call(made)), None)
            return Done(made, self._call(made), None)
        except TunerError as e:
            return Done(made, None, e)

    def _call(self, made: ToolCall) -> Answer:
        return call(self.session, made.name, made.arguments, by="model")

    # -- long talks ----------------------------------------------------------------------------------------------

    def _shorten(self) -> None:
        """Let a summary stand for the older part of a long talk; when the model makes none, that part is left out."""
        recent = self.history.said[self.history.covered :]
        if sum(len(s.content) for s in recent) < LONG or len(recent) <= KEPT:
            return
        # cut before a person's words, so that no call is parted from its answer
        cuts = [i for i, s in enumerate(recent) if s.role == "user" and 0 < i <= len(recent) - KEPT]
        if not cuts:
            return
        old, covered = recent[: cuts[-1]], self.history.covered + cuts[-1]
        self.history.summarise(self._summary(old), covered)

    def _summary(self, old: Sequence[Said]) -> str:
        asked = render("chat_summary", summary=self.history.summary, said=[(s.role, s.content) for s in old])
        request = Request((Message("user", asked.text),), purpose="chat", max_tokens=600, temperature=0.0)
        try:
            text = self._unless_cancelled(lambda: self._counted(request, asked.template, asked.hash)).text.strip()
        except ModelError:
            text = ""
        # a model that thinks first may have used up its tokens before the first word
        return text or render("chat_forgotten", summary=self.history.summary, messages=len(old)).text.strip()


def _wordless(reply: Reply) -> bool:
    """Whether a model that thinks first was cut before it said or called anything."""
    return reply.finish == "length" and not reply.tool_calls and not without_thoughts(reply.text).strip()


def keep_with_study(session: Session, history: History, turn: Sequence[Said] = ()) -> None:
    """Keep the talk with the session's current study, which may be another one than before, or none."""
    if session.current is None:
        history.detach()
    elif session.current != history.study:
        history.attach(session.study(), turn)


def note(session: Session, history: History, command: str, outcome: str) -> None:
    """Let the model know, with its next turn, of a command that the person gave without it."""
    keep_with_study(session, history)
    history.add("user", render("chat_did", command=command, outcome=outcome).text.strip())


def _told(done: Done) -> str:
    """What the model is told of its call: JSON, cut where it is long."""
    text = json.dumps(_record_of(done), ensure_ascii=False, allow_nan=False, default=str)
    if len(text) <= _MOST_ANSWER:
        return text
    return json.dumps({"cut": True, "characters": len(text), "beginning": text[:_MOST_ANSWER]}, ensure_ascii=False)


def _record_of(done: Done) -> dict[str, Any]:
    if done.answer is not None:
        return {"ok": True, **done.answer.data}
    assert done.error is not None
    record: dict[str, Any] = {"ok": False, "error": done.error.message, "next": done.error.hint}
    if isinstance(done.error, WrongCall):
        record["faults"] = [{"argument": f.argument, "seen": f.seen, "accepted": f.accepted} for f in done.error.faults]
    if isinstance(done.error, Denied):
        record["denied"] = True
    return record
