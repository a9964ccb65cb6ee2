"""The chat on a terminal: a prompt that stays, announcements above it, the runs in a line below it.

Only prompt_toolkit is imported before the prompt is there; the session is opened behind it.
"""

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.chat.asking import Question
    from tunewright.chat.desk import Desk
    from tunewright.chat.rendering import Renderer
    from tunewright.verbs.approval import ApprovalRequest
    from tunewright.verbs.base import Answer

PROMPT = "> "
_LISTEN_S = 0.2
_REFRESH_S = 0.5
_WRITE_S = 0.03


class Screen:
    """A `Voice` on a terminal.

    Args:
        open_desk: makes the desk, given this screen; called in a thread of its own once the prompt is shown.
    """

    def __init__(self, open_desk: "Callable[[Screen], Desk]") -> None:
        self._open_desk = open_desk
        self._desk: Desk | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._waiting: Question | None = None
        """Asked, and not shown yet."""
        self._question: Question | None = None
        """Shown: the next line answers it."""
        self._typed_before = ""
        self._partial = ""
        self._busy = False
        self._writing = threading.RLock()
        self._render: Renderer | None = None
        self._fault: Exception | None = None
        self._left = threading.Event()
        self._prompt: Any = None

    # -- what the person types ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Talk until the person leaves.

        Raises:
            TunerError: the session could not be opened.
        """
        from contextlib import redirect_stderr, redirect_stdout

        from prompt_toolkit import PromptSession
        from prompt_toolkit.patch_stdout import StdoutProxy

        self._prompt = PromptSession(
            message=self._message,
            bottom_toolbar=self._toolbar,
            refresh_interval=_REFRESH_S,
            complete_while_typing=False,
            completer=_completer(lambda: self._desk.words() if self._desk is not None else []),
            erase_when_done=False,
        )
        self._prompt.app.before_render += self._before_render
        worker: threading.Thread | None = None
        # raw: colours are ours, and all foreign text was made safe before
        proxy: Any = StdoutProxy(sleep_between_writes=_WRITE_S, raw=True)
        with proxy, redirect_stdout(proxy), redirect_stderr(proxy):
            while self._fault is None:
                try:
                    if worker is None:
                        worker = threading.Thread(target=self._work, name="chat", daemon=True)
                        line = self._prompt.prompt(pre_run=self._once_shown(worker))
                    else:
                        begun, self._typed_before = self._typed_before, ""
                        line = self._prompt.prompt(default=begun if self._question is None else "")
                except KeyboardInterrupt:
                    self._interrupt()
                    continue
                except EOFError:
                    if self._fault is not None or self._may_leave():
                        break
                    continue
                if self._question is not None:
                    self._answer(line)
                elif line.strip().lower() in ("/quit", "quit", "exit", "/exit", "bye", "/q"):
                    if self._may_leave():
                        break
                elif line.strip():
                    self._lines.put(line)
        self._leave(worker)

    def _once_shown(self, worker: threading.Thread) -> "Callable[[], None]":
        """Begins the slow part after the first drawing, so that it does not delay the prompt."""

        def pre_run() -> None:
            app = self._prompt.app

            def drawn(_: object) -> None:
                app.after_render -= drawn
                worker.start()

            app.after_render += drawn

        return pre_run

    def _leave(self, worker: threading.Thread | None) -> None:
        self._left.set()
        self._interrupt(quiet=True)
        self._lines.put(None)
        if worker is not None and worker.is_alive():
            worker.join(5)
        if self._desk is not None:
            if self._desk.session.runs():
                sys.stdout.write("ending the runs; finished trials are kept\n")
                sys.stdout.flush()
            self._desk.session.close()
        if self._fault is not None:
            raise self._fault

    def _interrupt(self, *, quiet: bool = False) -> None:
        """Ctrl-C: the turn ends, runs go on."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.answer("")
        self._answer("")
        if self._desk is not None and self._busy:
            self._desk.cancel()
        elif not quiet:
            self.say("nothing to cancel; Ctrl-D or /quit leaves", "dim")

    def _may_leave(self) -> bool:
        """Whether the person leaves although trials run."""
        text = self._desk.leaving() if self._desk is not None else None
        if text is None:
            return True
        from tunewright.chat.asking import YES

        self.say(text, "ask")
        try:
            said = self._prompt.prompt(message="Leave? [y/N] ")
        except (KeyboardInterrupt, EOFError):
            said = ""
        self._prompt.message = self._message
        return said.strip().lower() in YES

    # -- questions -------------------------------------------------------------------------------------------------

    def ask(self, request: "ApprovalRequest") -> bool:
        """What the person says to a request; called in the thread of the turn, which waits."""
        from tunewright.chat.asking import Question
        from tunewright.clean import clean

        self.end_of_reply()
        question = Question(f"{clean(request.text())}\nDo it? [y/N] ")
        if self._left.is_set():
            return False
        self._waiting = question
        self._redraw()
        said = question.wait()
        self._redraw()
        return said

    def _before_render(self, app: Any) -> None:
        """In the prompt's own thread, before each drawing: take up what other threads have left."""
        if self._waiting is not None:
            buffer = self._prompt.default_buffer
            self._typed_before = buffer.text  # what was begun before the question must not answer it
            buffer.reset()
            self._question, self._waiting = self._waiting, None
        if self._fault is not None and not app.is_done:
            app.exit(exception=EOFError)

    def _answer(self, line: str) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.answer(line)

    # -- the thread of the turns ------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._desk = self._open_desk(self)
        except Exception as e:  # raised again where the command was given
            self._fault = e
            self._redraw()
            return
        threading.Thread(target=self._hear, args=(self._desk,), name="chat-news", daemon=True).start()
        while (line := self._lines.get()) is not None:
            self._busy = True
            try:
                self._desk.handle(line)
            finally:
                self._busy = False
                self._redraw()

    def _hear(self, desk: "Desk") -> None:
        while not self._left.is_set():
            desk.listen(_LISTEN_S)

    # -- what is shown ----------------------------------------------------------------------------------------------

    def say(self, text: str, style: str = "") -> None:
        """Lines above the prompt."""
        with self._writing:
            self._write(self._renderer().line(text, style))

    def answer(self, verb: str, answer: "Answer") -> None:
        """A verb's answer above the prompt."""
        with self._writing:
            self._write(self._renderer().answer(verb, answer))

    def piece(self, text: str) -> None:
        """A piece of a reply: whole lines go above the prompt, the rest stands right over it until it is whole."""
        from tunewright.clean import clean

        with self._writing:
            whole, newline, rest = (self._partial + clean(text)).rpartition("\n")
            self._partial = rest
            if newline:
                self._write(f"{whole}\n")
            self._redraw()

    def end_of_reply(self) -> None:
        """Let the last line go above the prompt."""
        with self._writing:
            rest, self._partial = self._partial, ""
            if rest.strip():
                self._write(f"{rest}\n")
            self._redraw()

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _redraw(self) -> None:
        app = self._prompt.app
        if app.is_running:
            app.invalidate()

    def _renderer(self) -> "Renderer":
        from tunewright.chat.rendering import Renderer

        width = self._prompt.app.output.get_size().columns
        if self._render is None or self._render.width != width:
            self._render = Renderer(width, colour=self._prompt.app.color_depth.name != "DEPTH_1_BIT")
        return self._render

    def _message(self) -> Any:
        width = self._prompt.app.output.get_size().columns - 1
        parts = [("", f"{_folded(self._partial, width)}\n")] if self._partial and not self._prompt.app.is_done else []
        question = self._question
        return [*parts, ("bold", _folded(question.text, width) if question is not None else PROMPT)]

    def _toolbar(self) -> str:
        if self._desk is None:
            return "opening the record ..."
        return (
            f"{'thinking (Ctrl-C cancels)  |  ' if self._busy and self._question is None else ''}{self._desk.status()}"
        )


def _folded(text: str, width: int) -> str:
    """The text in lines of so many columns: the prompt would cut what is wider, such as a command to approve."""
    from prompt_toolkit.utils import get_cwidth

    made, used = "", 0
    for character in text:
        columns = 0 if character == "\n" else get_cwidth(character)
        if character != "\n" and used + columns > width:
            made, used = f"{made}\n", 0
        made, used = made + character, 0 if character == "\n" else used + columns
    return made


def _completer(words: "Callable[[], Any]") -> Any:
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        """Completes the word before the cursor."""

        def get_completions(self, document: Any, complete_event: Any) -> "Iterator[Completion]":
            begun = document.get_word_before_cursor(WORD=True)
            for word in words() if begun else ():
                if word.startswith(begun):
                    yield Completion(word, start_position=-len(begun))

    return Words()
