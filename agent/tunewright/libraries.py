"""The surrogate's libraries, loaded whole or not at all: a Ctrl-C in the middle leaves a torch that fails to import."""

import threading
from contextlib import suppress
from functools import cache


@cache
def load() -> None:
    """Load them in a thread, to which no Ctrl-C comes: it ends the wait here, and the thread goes on.

    What fails is left to the import where they are needed, which says what is wrong.
    """
    thread = threading.Thread(target=_load, name="libraries")
    thread.start()
    thread.join()


def _load() -> None:
    with suppress(Exception):
        import tunewright.acquisition  # noqa: F401
