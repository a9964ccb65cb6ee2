"""The projects of the verbs' tests, a voice that keeps what it is told, and the terminal of the example."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from verbs.conftest import finished, opened, root, toy  # noqa: F401

from tunewright.verbs import Answer, ApprovalRequest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "chat"))


class Kept:
    """A `Voice` that keeps everything; `says` answers the questions."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.answers: list[tuple[str, Answer]] = []
        self.pieces: list[str] = []
        self.asked: list[ApprovalRequest] = []
        self.says: bool | Callable[[ApprovalRequest], bool] = True

    def say(self, text: str, style: str = "") -> None:
        self.lines.append((style, text))

    def answer(self, verb: str, answer: Answer) -> None:
        self.answers.append((verb, answer))

    def piece(self, text: str) -> None:
        self.pieces.append(text)

    def end_of_reply(self) -> None:
        pass

    def ask(self, request: ApprovalRequest) -> bool:
        self.asked.append(request)
        return self.says(request) if callable(self.says) else self.says

    def text(self, style: str | None = None) -> str:
        return "\n".join(text for kind, text in self.lines if style in (None, kind))


@pytest.fixture
def voice() -> Kept:
    return Kept()
