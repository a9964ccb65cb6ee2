"""The chat without a terminal: plain lines in, plain lines out, for pipes and tests."""

import io
import sys
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from tunewright.chat.desk import Desk
    from tunewright.verbs.approval import ApprovalRequest
    from tunewright.verbs.base import Answer

_LISTEN_S = 0.2
_WIDTH = 120


class Lines:
    """A `Voice` on two streams. A question takes the next line as its answer; the end of the input is a no.

    Args:
        open_desk: makes the desk, given this.
        source: read line by line; standard input unless given.
        target: written to; standard output unless given.
    """

    def __init__(
        self, open_desk: "Callable[[Lines], Desk]", source: IO[str] | None = None, target: IO[str] | None = None
    ) -> None:
        from tunewright.chat.rendering import Renderer

        self._open_desk = open_desk
        self._source = sys.stdin if source is None else source
        if isinstance(self._source, io.TextIOWrapper):
            self._source.reconfigure(errors="replace")  # bytes that are no text are shown as such; the talk goes on
        self._target = sys.stdout if target is None else target
        self._render = Renderer(_WIDTH, colour=False)
        self._partial = False
        self._writing = threading.RLock()
        self._left = threading.Event()

    def run(self) -> None:
        """Do what each line says. At the end of the input the runs that are active are waited for.

        Raises:
            TunerError: the session could not be opened.
        """
        desk = self._open_desk(self)
        news = threading.Thread(target=self._hear, args=(desk,), name="chat-news", daemon=True)
        news.start()
        try:
            self._talk(desk)
        finally:
            desk.session.close()
            self._left.set()
            news.join(5)

    def _talk(self, desk: "Desk") -> None:
        for line in self._source:
            if not desk.handle(line):
                return
        if desk.session.runs():
            self.say("end of the input; waiting for the runs (Ctrl-C ends them)")
        while runs := desk.session.runs():
            runs[0].wait(_LISTEN_S)

    def _hear(self, desk: "Desk") -> None:
        while not self._left.is_set():
            desk.listen(_LISTEN_S)
        desk.listen(0.0)

    def ask(self, request: "ApprovalRequest") -> bool:
        """What the next line says to a request."""
        from tunewright.chat.asking import YES

        self.end_of_reply()
        self.say(request.text())
        self._write("Do it? [y/N] ")
        line = self._source.readline()
        self._write(self._render.line(line.strip()) if line else "\n")
        return line.strip().lower() in YES

    def say(self, text: str, style: str = "") -> None:
        """Whole lines."""
        self.end_of_reply()
        self._write(self._render.line(text, ""))

    def answer(self, verb: str, answer: "Answer") -> None:
        """A verb's answer."""
        self.end_of_reply()
        self._write(self._render.answer(verb, answer))

    def piece(self, text: str) -> None:
        """A piece of a reply, at once."""
        from tunewright.clean import clean

        with self._writing:
            if self._partial or text.strip():  # models send a blank before a call
                self._write(clean(text))
                self._partial = not text.endswith("\n")

    def end_of_reply(self) -> None:
        """Begin a new line where a reply left one open."""
        with self._writing:
            if self._partial:
                self._partial = False
                self._write("\n")

    def _write(self, text: str) -> None:
        with self._writing:
            self._target.write(text)
            self._target.flush()
