"""The parent's handle on the local model's process: start it, read its log, kill it."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import IO

from tunewright.errors import ModelError
from tunewright.llm.hard_deadline import within
from tunewright.redact import is_secret_name

_SCRIPT = Path(__file__).with_name("local_server.py")


class LocalChild:
    """A running server: `url` and `key` reach it. Dies with `kill`, with this object, or with this process.

    Args:
        weights: the GGUF file.
        threads: compute threads; more than one collapses when trials use the same cores.
        context: tokens of prompt and reply together.
        start_s: seconds that loading may take.

    Raises:
        ModelError: the server did not come up; with the end of its log.
    """

    def __init__(self, weights: Path, *, threads: int, context: int, start_s: float) -> None:
        self.key = secrets.token_urlsafe(32)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        environment = {name: value for name, value in os.environ.items() if not is_secret_name(name)}
        environment["OMP_NUM_THREADS"] = str(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for us, not for the model
        )
        self.pid = self._process.pid
        self._finalizer = weakref.finalize(self, _stop, self._process, self._log, os.getpid())
        settings = {"key": self.key, "model": str(weights), "alias": "local", "threads": threads, "context": context}
        try:
            self.url = self._start(settings, start_s)
        except BaseException:
            self.kill()
            raise

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._finalizer.alive and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once; calling it twice is fine."""
        self._finalizer()

    def log_end(self) -> int:
        """Position of the log's end, for a later `log_since`."""
        return os.fstat(self._log.fileno()).st_size

    def log_since(self, position: int = 0) -> str:
        """What the server has written to its log since then; errors only. Without the key."""
        text = os.pread(self._log.fileno(), 1 << 20, position).decode(errors="replace")
        return text.replace(self.key, "[key removed]")

    def _start(self, settings: dict[str, object], start_s: float) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:  # never with PIPE; said for the type checker
            raise ModelError("local: no pipe to the server process", "this is a mistake in tunewright")
        with contextlib.suppress(BrokenPipeError):  # it died at once: its log says why
            stdin.write(json.dumps(settings).encode() + b"\n")
            stdin.flush()
        try:
            line = within(start_s, lambda _: stdout.readline())
        except TimeoutError:
            raise ModelError(
                f"local: the model was not loaded within {start_s:.0f} s",
                "allow more time; loading takes about a second on a quiet machine",
                retryable=True,
            ) from None
        answer = json.loads(line) if line.strip() else {"error": "the server process ended"}
        if "url" in answer:
            return str(answer["url"])
        log = self.log_since().strip()[-1500:]
        raise ModelError(
            f"local: the model's server did not start: {answer.get('error')}" + (f"\n{log}" if log else ""),
            "run `tunewright setup-local` to check the weights; pip install 'tunewright[local]' for the engine",
        )


def _stop(process: subprocess.Popen[bytes], log: IO[bytes], owner: int) -> None:
    if os.getpid() != owner:  # a forked copy of the parent must not end the parent's server
        return
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, log):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
