"""Work that is late, work that fails, and whose thread hears the text."""

import threading
import time

import pytest

from tunewright.llm.hard_deadline import Abandoned, Emit, within


def test_result_and_error_pass_through() -> None:
    assert within(5.0, lambda emit: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda emit: 1 // 0)


def test_text_is_heard_in_order_in_the_callers_thread() -> None:
    heard: list[tuple[str, threading.Thread]] = []

    def work(emit: Emit) -> str:
        for piece in "abc":
            emit(piece)
        return "done"

    assert within(5.0, work, lambda text: heard.append((text, threading.current_thread()))) == "done"
    assert heard == [(piece, threading.current_thread()) for piece in "abc"]
    assert within(5.0, work) == "done"


def test_late_work_is_abandoned_at_its_next_word() -> None:
    ended: list[type[BaseException]] = []
    done = threading.Event()
    heard: list[str] = []

    def work(emit: Emit) -> None:
        try:
            while True:
                time.sleep(0.05)
                emit("x")
        except Abandoned as error:
            ended.append(type(error))
            done.set()
            raise

    with pytest.raises(TimeoutError):
        within(0.3, work, heard.append)
    count = len(heard)
    assert done.wait(5.0)
    assert ended == [Abandoned]
    assert len(heard) == count


def test_an_error_in_the_listener_ends_the_wait() -> None:
    def listener(text: str) -> None:
        raise KeyboardInterrupt

    def work(emit: Emit) -> None:
        while True:
            emit("x")
            time.sleep(0.02)

    with pytest.raises(KeyboardInterrupt):
        within(5.0, work, listener)
