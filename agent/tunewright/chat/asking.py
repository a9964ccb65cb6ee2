"""A question that only the person can answer: the turn waits for it in its own thread."""

import threading

YES = ("y", "yes", "j", "ja")


class Question:
    """One open question; the first answer counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._answered = threading.Event()
        self._said = False

    def answer(self, line: str) -> None:
        """Take what the person typed; anything but a yes is a no."""
        if not self._answered.is_set():
            self._said = line.strip().lower() in YES
            self._answered.set()

    def wait(self) -> bool:
        """Whether it was a yes, once there is an answer."""
        self._answered.wait()
        return self._said
