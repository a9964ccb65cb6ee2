import threading

import pytest

from tunewright.chat.asking import Question


@pytest.mark.parametrize(
    ("line", "yes"),
    [("y", True), (" YES ", True), ("ja", True), ("", False), ("n", False), ("yes please", False), ("run 5", False)],
)
def test_only_a_plain_yes_is_one(line: str, yes: bool) -> None:
    question = Question("really?")
    threading.Timer(0.05, question.answer, [line]).start()
    assert question.wait() is yes


def test_the_first_answer_counts() -> None:
    question = Question("really?")
    question.answer("no")
    question.answer("yes")
    assert question.wait() is False
