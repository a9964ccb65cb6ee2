"""A program on a real pseudo-terminal, seen as a person sees it: `pyte` draws what it prints."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte


class _Screen(pyte.HistoryScreen):  # type: ignore[misc]
    """Answers where the cursor is, as a terminal does; a prompt needs that to place its status line."""

    def __init__(self, columns: int, lines: int, answer: int) -> None:
        self.answer = answer
        super().__init__(columns, lines, history=5000, ratio=0.5)

    def write_process_input(self, data: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.answer, data.encode())


class Terminal:
    """A context manager; the program is killed where it still runs at the end.

    Args:
        command: the program and its arguments.
        folder: in which it runs.
        env: added to this process's environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        columns: int = 100,
        lines: int = 40,
    ) -> None:
        self.began = time.monotonic()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen = _Screen(columns, lines, self._master)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """All that the program has printed."""
        self.process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", **(env or {})},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._master, text.encode())

    def enter(self, text: str) -> None:
        """Type a line and press Enter."""
        self.type(f"{text}\r")

    def read(self, seconds: float = 0.1) -> bool:
        """Take in what is printed within so many seconds; False once the program has closed its end."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def rows(self) -> list[str]:
        """All lines so far, those that scrolled away first, without trailing blanks."""
        gone = ["".join(line[x].data for x in range(self._screen.columns)) for line in self._screen.history.top]
        rows = [row.rstrip() for row in [*gone, *self._screen.display]]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def text(self) -> str:
        """All lines so far as one text."""
        return "\n".join(self.rows())

    def wait_for(self, words: str, seconds: float = 20.0, *, times: int = 1) -> float:
        """Seconds since the program's start when the words had been seen so many times.

        Raises:
            TimeoutError: they were not; with what is on the screen.
        """
        deadline = time.monotonic() + seconds
        alive = True
        while max(self.text().count(words), "".join(self.rows()).count(words)) < times:  # a long line is broken
            if time.monotonic() > deadline or not alive:
                raise TimeoutError(f"{words!r} was not seen {times} times; the screen holds:\n{self.text()}")
            alive = self.read()
        return time.monotonic() - self.began

    def kill(self) -> None:
        """End the program at once, as a power cut would: SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self, seconds: float = 30.0) -> int:
        """The exit code, once the program has ended by itself."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"it still runs; the screen holds:\n{self.text()}")
            self.read()
        while self.read(0.05) and select.select([self._master], [], [], 0)[0]:
            pass
        return self.process.returncode
