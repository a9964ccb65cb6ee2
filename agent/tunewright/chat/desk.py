"""What is done with each line that a person types: a command, a plain sentence, or words for the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tunewright.card import TaskCard
from tunewright.chat import slash
from tunewright.chat.board import Board
from tunewright.chat.conversation import Cancelled, Conversation, Done, note
from tunewright.chat.grammar import understand
from tunewright.chat.history import History
from tunewright.chat.naming import Names
from tunewright.errors import TunerError
from tunewright.llm.base import Chat, ToolCall
from tunewright.redact import redact
from tunewright.verbs.approval import Within, usd
from tunewright.verbs.base import VERBS, Answer, call
from tunewright.verbs.estimating import command_text
from tunewright.verbs.faults import Denied
from tunewright.verbs.session import Session

_NEWS = 20
_FIRST_LINES = 4
_LEAVE = ("quit", "exit", "bye", "/exit", "/q")
_HELP = ("help", "?", "hilfe", "/?")


class Voice(Protocol):
    """Where the talk is shown; text comes as it is, and each of these makes it safe for a terminal."""

    def say(self, text: str, style: str = "") -> None:
        """Show whole lines."""

    def answer(self, verb: str, answer: Answer) -> None:
        """Show what a verb has answered."""

    def piece(self, text: str) -> None:
        """Show a piece of a reply as it arrives."""

    def end_of_reply(self) -> None:
        """The reply is complete, or broken off."""


class Desk:
    """A talk over one session.

    Args:
        session: the verbs' world.
        voice: where it is shown.
        chat: a model that is trusted with tools; None: commands and plain sentences alone.
    """

    def __init__(self, session: Session, voice: Voice, chat: Chat | None = None) -> None:
        self.session = session
        self.voice = voice
        self.history = History()
        self.board = Board(lambda name: session.study(name).card, self._asked)
        self.conversation: Conversation | None = None
        self._listener = session.listen()
        self._news: list[str] = []
        if chat is not None:
            self.conversation = Conversation(
                session,
                chat,
                self.history,
                on_text=voice.piece,
                on_call=self._called,
                on_done=self._done,
                on_cost=self._spent,
            )

    # -- the beginning -------------------------------------------------------------------------------------------

    def open(self, card: Path | None) -> None:
        """Open the study of a card, or go on with the only one on record; say what was found.

        Raises:
            TunerError: the card cannot be read, or does not fit the record.
        """
        if card is not None:
            study = self.session.open(TaskCard.load(card))
            command = command_text(study.card)
            if command is not None:
                self.session.known_commands.add(command)
        elif len(names := self.session.names()) == 1:
            self.session.current = names[0]
        self.voice.say(self._greeting(), "dim")

    def _greeting(self) -> str:
        names, lines = self.session.names(), []
        if self.session.current is not None:
            study = self.session.study()
            found = self.history.attach(study)
            trials = len(study.trials())
            told = f"{trials} trial{'s' * (trials != 1)} on record" if trials else "no trial yet"
            talk = f", {found} message{'s' * (found != 1)} of an earlier talk" if found else ""
            lines.append(f"study {study.name}: {told}{talk}")
        elif names:
            lines.append(f"studies on record: {', '.join(names)}; /use NAME makes one current")
        else:
            lines.append("no study yet: /look SCRIPT.py shows what can be tuned, /setup starts a study")
        model = self.session.model
        if self.conversation is None and model is not None:
            lines.append(
                f"The {model if isinstance(model, str) else model.name} model is not trusted with tools: commands "
                "(/help) and short plain sentences work here, such as 'run 12 more trials' or 'keep batch size at 64'. "
                "A larger model talks better: --model openai/NAME or PROVIDER/NAME."
            )
        elif self.conversation is None:
            lines.append(
                "No model is asked: commands (/help) and short plain sentences work here. --model openai/NAME talks."
            )
        return "\n".join(lines)

    # -- lines of the person -------------------------------------------------------------------------------------

    def handle(self, line: str) -> bool:
        """Do what a line says and show what came of it; False when it says to leave."""
        text = line.strip()
        if text.lower() in (*_LEAVE, "/quit"):
            return False
        try:
            if text.lower() in _HELP:
                self._help(None)
            elif text.startswith("/"):
                self._command(text)
            elif text and self.conversation is not None:
                self._talk(text, self.conversation)
            elif text:
                self._sentence(text)
        except Cancelled:
            self.voice.end_of_reply()
            self.voice.say("cancelled; runs go on", "dim")
        except TunerError as e:
            self.voice.end_of_reply()
            self._error(e)
        except Exception as e:  # a defect of ours must not end the talk, with trials in the background
            self.voice.end_of_reply()
            self.voice.say(
                redact(f"unexpected {type(e).__name__}: {e}\n  -> the talk goes on; please report it"), "error"
            )
        return True

    def cancel(self) -> None:
        """End the turn of the model that is going on; runs go on."""
        if self.conversation is not None:
            self.conversation.cancel()

    def _help(self, name: str | None) -> None:
        self.voice.say(slash.help_text(name))
        if name is None:
            self.voice.say("Values stand in order or as name=value: /run 12 workers=2. /help VERB says what it takes.")

    def _command(self, text: str) -> None:
        name, _, rest = text[1:].partition(" ")
        if name == "help":
            self._help(rest.strip() or None)
            return
        verb, arguments = slash.parse(text)
        self._do(verb, arguments, text)

    def _sentence(self, text: str) -> None:
        """Without a model that talks: the small grammar."""
        study = self.session.study() if self.session.current is not None else None
        meant = understand(text, Names.of(study, self.session.names()))
        if meant.verb is not None:
            command = slash.written(meant.verb, meant.arguments)
            self.voice.say(command, "call")
            self._do(meant.verb, dict(meant.arguments), text)
            return
        could = [slash.written(verb, arguments) for verb, arguments in meant.could]
        lines = [f"Nothing was done: {meant.why}."]
        lines += [f"It could have meant: {'  or  '.join(could)}"] if could else ["See /help for what can be said."]
        self.voice.say("\n".join(lines))

    def _do(self, verb: str, arguments: dict[str, object], said: str) -> None:
        """A verb that the person called; the model, where there is one, is told of it with its next turn."""
        try:
            answer = call(self.session, verb, arguments, by="person")
        except TunerError as e:
            note(self.session, self.history, said, f"refused: {e.message}")
            raise
        self.voice.answer(verb, answer)
        note(self.session, self.history, said, answer.text)

    # -- words for the model -------------------------------------------------------------------------------------

    def _talk(self, text: str, conversation: Conversation) -> None:
        conversation.check_money()
        news, self._news = self._news, []
        said = conversation.say(text, news)
        self.voice.end_of_reply()
        if said.startswith("(stopped"):
            self.voice.say(said, "dim")
        elif not said.strip():
            self.voice.say("(the model answered without a word; ask again, or in other words)", "dim")

    def _called(self, made: ToolCall) -> None:
        self.voice.end_of_reply()
        self.voice.say(slash.written(made.name, made.arguments), "call")

    def _done(self, done: Done) -> None:
        if done.error is not None:
            self._error(done.error)
        elif done.answer is not None:
            lines = done.answer.text.splitlines()
            more = [f"  ({len(lines) - _FIRST_LINES} more lines)"] if len(lines) > _FIRST_LINES + 1 else []
            shown = lines[:_FIRST_LINES] if more else lines
            self.voice.say("\n".join([*(f"  {line}" for line in shown), *more]), "dim")

    def _spent(self, cost: float) -> None:
        if isinstance(self.session.approver, Within):
            self.session.approver.use(usd=cost)

    def _error(self, e: TunerError) -> None:
        if isinstance(e, Denied):
            self.voice.say("not approved; nothing was done", "dim")
            return
        self.voice.say(redact(f"{e.message}\n  -> {e.hint}"), "error")

    # -- the runs ------------------------------------------------------------------------------------------------

    def listen(self, seconds: float) -> None:
        """Announce what the runs do, for at most so many seconds until the next event."""
        heard = self._listener.wait(seconds)
        if heard is None:
            return
        line = self.board.take(heard)
        if line is not None:
            self._news = [*self._news, line][-_NEWS:]
            self.voice.say(line, "news")

    def status(self) -> str:
        """The line below the prompt: what runs, else where one is; what the talk has cost."""
        runs = self.board.status()
        parts = [runs or f"study {self.session.current or '(none)'}, nothing runs"]
        if self.conversation is not None:
            cost = self.conversation.cost_usd
            parts += [self.conversation.chat.name, "cost unknown" if cost is None else usd(cost)]
        return "  |  ".join(parts)

    def leaving(self) -> str | None:
        """What a person is asked before leaving while trials run; None when nothing runs."""
        runs = self.session.runs()
        if not runs:
            return None
        names = ", ".join(f"{run.study} ({len(run.started)} of {run.asked} trials started)" for run in runs)
        return f"Still running: {names}. A run ends with its session; trials cut short run again with the next /run."

    def words(self) -> Sequence[str]:
        """What can be completed: commands, names of parameters and their choices, studies, arguments."""
        try:
            study = self.session.study() if self.session.current is not None else None
            studies = self.session.names()
        except TunerError:
            study, studies = None, []
        space = list(study.card.space) if study is not None else []
        choices = [str(c) for p in space for c in getattr(p, "choices", ())]
        fields = [f"{key}=" for verb in VERBS.values() for key in verb.arguments.model_fields]
        return list(
            dict.fromkeys([*(f"/{c}" for c in slash.commands()), *(p.name for p in space), *choices, *studies, *fields])
        )

    def _asked(self, name: str) -> int:
        run = self.session.last_run(name)
        return run.asked if run is not None else 0
