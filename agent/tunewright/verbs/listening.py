"""Events of background runs, handed to whoever listens."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from tunewright.events import Event

MOST = 10_000
"""Events that wait for a listener; beyond that the oldest are left out, and counted."""


@dataclass(frozen=True)
class Heard:
    """An event and the study that it is of."""

    study: str
    event: Event


class Listener:
    """Events since it was made, in order; each listener gets all of them."""

    def __init__(self) -> None:
        self._waiting: deque[Heard] = deque(maxlen=MOST)
        self._some = threading.Condition()
        self.left_out = 0
        """Events that were never read because too many waited."""

    def put(self, heard: Heard) -> None:
        """Hand over an event."""
        with self._some:
            self.left_out += len(self._waiting) == MOST
            self._waiting.append(heard)
            self._some.notify_all()

    def drain(self) -> list[Heard]:
        """What waits, without waiting for more."""
        with self._some:
            found = list(self._waiting)
            self._waiting.clear()
            return found

    def wait(self, seconds: float) -> Heard | None:
        """The next event; None when none came within so many seconds."""
        deadline = time.monotonic() + seconds
        with self._some:
            while not self._waiting:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._some.wait(left)
            return self._waiting.popleft()
