"""A deadline that holds: an HTTP library's timeout counts from byte to byte, so a dribbling server outlives it."""

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from tunewright.llm.retry import Budget

T = TypeVar("T")
Emit = Callable[[str], None]


class Abandoned(Exception):  # noqa: N818
    """Raised inside the work when nobody waits for it any more."""


def within(seconds: float, work: Callable[[Emit], T], on_text: Emit | None = None) -> T:
    """Return `work(emit)`, run in a thread; whatever it emits is handed to `on_text` in the caller's own thread.

    Ctrl-C reaches the caller at once. Work that is late is abandoned: its thread ends at its next `emit` or when its
    socket gives up, and nothing that it emits is shown.

    Raises:
        TimeoutError: the work did not end within `seconds`.
        Exception: whatever the work raised.
    """
    budget = Budget(seconds)
    box: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    abandoned = threading.Event()

    def emit(text: str) -> None:
        if abandoned.is_set():
            raise Abandoned
        box.put(("text", text))

    def run() -> None:
        try:
            box.put(("result", work(emit)))
        except BaseException as error:
            box.put(("error", error))

    threading.Thread(target=run, daemon=True, name="tunewright-model-call").start()
    try:
        while True:
            try:
                kind, value = box.get(timeout=budget.left())
            except queue.Empty:
                raise TimeoutError(f"no result within {seconds:g} s") from None
            if kind == "error":
                raise value
            if kind == "result":
                return value  # type: ignore[no-any-return]
            if on_text is not None:
                on_text(value)
    finally:
        abandoned.set()
